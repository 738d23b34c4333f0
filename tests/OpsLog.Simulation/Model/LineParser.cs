using System.Text;
using System.Text.Json;

namespace OpsLog.Simulation.Model;

/// <summary>Reads log lines as docs/format.md describes them; shares no code with the engine.</summary>
internal static class LineParser
{
    /// <summary>Reads a line of ours, without its newline.</summary>
    /// <exception cref="FormatException">It is none.</exception>
    public static LoggedOperation Parse(ReadOnlyMemory<byte> line, string log)
    {
        try
        {
            return ParseJson(line, log);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException)
        {
            throw new FormatException($"{e.Message} In the line: {Encoding.UTF8.GetString(line.Span)}", e);
        }
    }

    private static LoggedOperation ParseJson(ReadOnlyMemory<byte> line, string log)
    {
        if (line.Length < 18 || !line.Span[^18..].StartsWith(",\"crc\":\""u8)) throw new FormatException("The line has no checksum.");
        var reader = new Utf8JsonReader(line.Span);
        string? id = null, op = null, segment = null;
        var agent = "";
        long clock = -1;
        ReadOnlyMemory<byte> data = default;
        (int Index, int Size) batch = (0, 1);
        SimStamp? undoes = null, redoes = null, restores = null, moved = null;
        bool noop = false, previous = false;
        Next(ref reader, JsonTokenType.StartObject);
        while (Next(ref reader) == JsonTokenType.PropertyName)
        {
            var name = reader.ValueSpan;
            if (name.SequenceEqual("id"u8)) id = Text(ref reader);
            else if (name.SequenceEqual("op"u8)) op = Verb(ref reader);
            else if (name.SequenceEqual("clock"u8)) clock = Number(ref reader);
            else if (name.SequenceEqual("agent"u8)) agent = Text(ref reader);
            else if (name.SequenceEqual("data"u8)) data = Raw(ref reader, line);
            else if (name.SequenceEqual("prev"u8)) previous = !Raw(ref reader, line).Span.SequenceEqual("null"u8);
            else if (name.SequenceEqual("batch"u8)) batch = Batch(ref reader);
            else if (name.SequenceEqual("undo"u8)) (undoes, restores) = Mark(ref reader);
            else if (name.SequenceEqual("redo"u8)) (redoes, restores) = Mark(ref reader);
            else if (name.SequenceEqual("noop"u8)) noop = Next(ref reader) == JsonTokenType.True;
            else if (name.SequenceEqual("segment"u8)) segment = Text(ref reader);
            else if (name.SequenceEqual("moved"u8)) moved = Stamp(ref reader);
            else reader.Skip();
        }

        if (id is null || clock < 0 || op is not ("set" or "delete") || (op == "set") == data.IsEmpty) throw new FormatException("A member is missing.");
        return new LoggedOperation
        {
            // A single writer's lines have no log in their stamp.
            Stamp = new SimStamp(clock, agent, agent.Length == 0 ? "" : log),
            Id = id,
            IsSet = op == "set",
            Data = data,
            HasPrevious = previous,
            BatchIndex = batch.Index,
            BatchSize = batch.Size,
            Undoes = undoes,
            Redoes = redoes,
            Restores = restores,
            IsNoop = noop,
            Segment = segment,
            Moved = moved,
        };
    }

    private static (SimStamp? Of, SimStamp? To) Mark(ref Utf8JsonReader reader)
    {
        SimStamp? of = null, to = null;
        Next(ref reader, JsonTokenType.StartObject);
        while (Next(ref reader) == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("of"u8)) of = Stamp(ref reader);
            else to = Stamp(ref reader);
        }

        return (of, to);
    }

    private static SimStamp? Stamp(ref Utf8JsonReader reader)
    {
        if (Next(ref reader) == JsonTokenType.Null) return null;
        var stamp = new SimStamp(Number(ref reader), Text(ref reader), Text(ref reader));
        Next(ref reader, JsonTokenType.EndArray);
        return stamp;
    }

    private static (int Index, int Size) Batch(ref Utf8JsonReader reader)
    {
        Next(ref reader, JsonTokenType.StartArray);
        var batch = ((int)Number(ref reader), (int)Number(ref reader));
        Next(ref reader, JsonTokenType.EndArray);
        return batch;
    }

    private static ReadOnlyMemory<byte> Raw(ref Utf8JsonReader reader, ReadOnlyMemory<byte> line)
    {
        Next(ref reader);
        var start = (int)reader.TokenStartIndex;
        reader.Skip();
        return line[start..(int)reader.BytesConsumed];
    }

    private static string Text(ref Utf8JsonReader reader)
    {
        Next(ref reader, JsonTokenType.String);
        return reader.ValueSpan.IsEmpty ? "" : reader.GetString()!;
    }

    private static string? Verb(ref Utf8JsonReader reader)
    {
        Next(ref reader, JsonTokenType.String);
        return reader.ValueTextEquals("set"u8) ? "set" : reader.ValueTextEquals("delete"u8) ? "delete" : null;
    }

    private static long Number(ref Utf8JsonReader reader)
    {
        Next(ref reader, JsonTokenType.Number);
        return reader.GetInt64();
    }

    private static JsonTokenType Next(ref Utf8JsonReader reader, JsonTokenType? wanted = null)
    {
        reader.Read();
        return wanted is null || reader.TokenType == wanted ? reader.TokenType : throw new FormatException($"{wanted} is missing.");
    }
}
