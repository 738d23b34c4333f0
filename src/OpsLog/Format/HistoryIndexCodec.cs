using System.Buffers;
using System.Text.Json;
using OpsLog.Storage;

namespace OpsLog.Format;

/// <summary>A log that is kept only for history.</summary>
/// <param name="Name">Its object key.</param>
/// <param name="Agent">Its agent; empty with a single writer.</param>
/// <param name="Length">Its length in bytes, of all pieces together in a numbered log.</param>
/// <param name="Schema">The schema version of its operations.</param>
/// <param name="StartClock">The clock it starts from.</param>
/// <param name="EndClock">Its largest clock.</param>
/// <param name="Operations">How many operations it holds.</param>
/// <param name="FirstTime">When its first operation was written; empty if that is not known.</param>
/// <param name="LastTime">When its last operation was written; empty if that is not known.</param>
/// <param name="Pieces">How many objects a numbered log has; 0: it is one object.</param>
internal sealed record HistoryLog(string Name, string Agent, long Length, int Schema, long StartClock, long EndClock, long Operations, string FirstTime, string LastTime, long Pieces);

/// <summary>The index of the logs kept for history, oldest first: one checksummed line.</summary>
internal static class HistoryIndexCodec
{
    public static byte[] Write(IReadOnlyList<HistoryLog> logs)
    {
        var open = new ArrayBufferWriter<byte>();
        var json = new JsonOut(open, pretty: false);
        json.BeginObject();
        json.Member("format", FormatVersion.Current);
        json.List("logs", logs, static (json, log) =>
        {
            json.Member("name", log.Name);
            json.Member("agent", log.Agent);
            json.Member("length", log.Length);
            json.Member("schema", log.Schema);
            json.Member("startClock", log.StartClock);
            json.Member("endClock", log.EndClock);
            json.Member("operations", log.Operations);
            json.Member("firstTime", log.FirstTime);
            json.Member("lastTime", log.LastTime);
            json.Member("pieces", log.Pieces);
        });
        var output = new ArrayBufferWriter<byte>();
        Checksummed.Finish(output, open.WrittenSpan);
        output.Write("\n"u8);
        return output.WrittenSpan.ToArray();
    }

    /// <summary>Reads an index; never throws, whatever the bytes.</summary>
    /// <param name="bytes">The whole object.</param>
    /// <param name="logs">The logs, oldest first.</param>
    /// <param name="fault">What is wrong, else empty. An index of a newer format is refused.</param>
    public static bool TryRead(ReadOnlySpan<byte> bytes, out IReadOnlyList<HistoryLog> logs, out string fault)
    {
        logs = [];
        fault = "";
        var rented = ArrayPool<byte>.Shared.Rent(bytes.Length);
        try
        {
            var minified = rented.AsSpan(0, JsonLines.Minify(bytes, rented));
            fault = Checksummed.Fault(minified, out var hasChecksum);
            if (hasChecksum) logs = ReadMembers(minified);
            else if (fault.Length == 0) fault = "the index does not end in a checksum";
        }
        catch (Exception e) when (e is JsonException or FormatFault)
        {
            fault = e is JsonException json ? $"the index is not one JSON object: {JsonIn.Describe(json)}" : e.Message;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }

        return fault.Length == 0;
    }

    private static List<HistoryLog> ReadMembers(ReadOnlySpan<byte> minified)
    {
        var format = 0;
        List<HistoryLog>? logs = null;
        var reader = new Utf8JsonReader(minified, new JsonReaderOptions { MaxDepth = PackageLine.MaxDepth });
        var members = new JsonMembers(ref reader, minified);
        while (members.Next(ref reader))
        {
            if (members.Is("format"u8)) format = JsonMembers.Int(ref reader, "format", least: 1);
            else if (members.Is("logs"u8)) logs = ReadLogs(ref reader, members);
            else reader.Skip();
        }

        reader.Read();
        if (format > FormatVersion.Current) throw new FormatFault($"the index has format {format}; this program reads up to {FormatVersion.Current}");
        return format == 0 || logs is null ? throw new FormatFault("format or logs is missing") : logs;
    }

    private static List<HistoryLog> ReadLogs(ref Utf8JsonReader reader, scoped in JsonMembers outer)
    {
        var logs = new List<HistoryLog>();
        JsonMembers.Expect(ref reader, JsonTokenType.StartArray, "logs");
        while (JsonMembers.NextElement(ref reader))
        {
            var log = new HistoryLog("", "", 0, 0, 0, 0, 0, "", "", 0);
            var members = outer.Enter(ref reader, "logs: an entry");
            while (members.Next(ref reader))
            {
                if (members.Is("name"u8)) log = log with { Name = JsonMembers.Text(ref reader, "logs.name") };
                else if (members.Is("agent"u8)) log = log with { Agent = JsonMembers.AnyText(ref reader, "logs.agent") };
                else if (members.Is("length"u8)) log = log with { Length = JsonMembers.Integer(ref reader, "logs.length") };
                else if (members.Is("schema"u8)) log = log with { Schema = JsonMembers.Int(ref reader, "logs.schema", least: 1) };
                else if (members.Is("startClock"u8)) log = log with { StartClock = JsonMembers.Integer(ref reader, "logs.startClock") };
                else if (members.Is("endClock"u8)) log = log with { EndClock = JsonMembers.Integer(ref reader, "logs.endClock") };
                else if (members.Is("operations"u8)) log = log with { Operations = JsonMembers.Integer(ref reader, "logs.operations") };
                else if (members.Is("firstTime"u8)) log = log with { FirstTime = JsonMembers.AnyText(ref reader, "logs.firstTime") };
                else if (members.Is("lastTime"u8)) log = log with { LastTime = JsonMembers.AnyText(ref reader, "logs.lastTime") };
                else if (members.Is("pieces"u8)) log = log with { Pieces = JsonMembers.Integer(ref reader, "logs.pieces") };
                else reader.Skip();
            }

            if (!StorageKey.IsValid(log.Name) || log.Name.Length == 0) throw new FormatFault("logs.name is no object key");
            if (log.Schema == 0) throw new FormatFault("logs.schema is missing");
            logs.Add(log);
        }

        return logs;
    }
}
