using System.Text.Json;

namespace OpsLog.Format;

/// <summary>The members that both layouts of a snapshot have: format, count, floor, log table, tombstones.</summary>
internal static class SnapshotHeaderReader
{
    public static void WriteMembers(JsonOut json, SnapshotHeader header, long count)
    {
        json.Member("count", count);
        json.Member("floor", header.Floor);
        json.List("logs", header.Logs, static (json, log) =>
        {
            json.Member("name", log.Name);
            json.Member("agent", log.Agent);
        });
    }

    public static void WriteTombstones(JsonOut json, IReadOnlyList<Tombstone> tombstones)
    {
        json.BeginArray();
        foreach (var tombstone in tombstones)
        {
            json.BeginArray();
            json.Value(tombstone.Id);
            json.Value(tombstone.Clock);
            json.Value(tombstone.Log);
            json.EndArray();
        }

        json.EndArray();
    }

    /// <summary>Reads a header from a fresh reader: the members of one object, unknown ones skipped.</summary>
    /// <exception cref="FormatFault">A member is not what it must be.</exception>
    /// <exception cref="JsonException">The text is no JSON.</exception>
    public static SnapshotHeader Read(ref Utf8JsonReader reader, ReadOnlySpan<byte> text)
    {
        var version = 0;
        string? timestamp = null;
        var members = new SnapshotHeader { SchemaVersion = 0, Timestamp = "" };
        var position = new JsonMembers(ref reader, text);
        while (position.Next(ref reader))
        {
            if (position.Is("version"u8)) version = JsonMembers.Int(ref reader, "version", least: 1);
            else if (position.Is("timestamp"u8)) timestamp = JsonMembers.Text(ref reader, "timestamp");
            else if (!TryReadMember(ref reader, ref position, ref members)) reader.Skip();
        }

        if (version == 0) throw new FormatFault("version is missing");
        if (timestamp is null) throw new FormatFault("timestamp is missing");
        Check(members);
        return members with { SchemaVersion = version, Timestamp = timestamp };
    }

    /// <summary>Takes one of the shared members.</summary>
    public static bool TryReadMember(ref Utf8JsonReader reader, ref JsonMembers position, ref SnapshotHeader header)
    {
        if (position.Is("format"u8)) header = header with { Format = JsonMembers.Int(ref reader, "format", least: 1) };
        else if (position.Is("count"u8)) header = header with { Count = JsonMembers.Integer(ref reader, "count") };
        else if (position.Is("floor"u8)) header = header with { Floor = JsonMembers.Integer(ref reader, "floor") };
        else if (position.Is("logs"u8)) header = header with { Logs = ReadLogs(ref reader, position) };
        else if (position.Is("tombstones"u8)) header = header with { Tombstones = ReadTombstones(ref reader) };
        else return false;
        return true;
    }

    /// <summary>Checks what holds across members.</summary>
    public static void Check(SnapshotHeader header)
    {
        foreach (var tombstone in header.Tombstones)
            if (tombstone.Log >= header.Logs.Count)
                throw new FormatFault($"a tombstone names log {tombstone.Log} of {header.Logs.Count}");
        if (header.Format is not null && header.Count is null) throw new FormatFault("count is missing");
    }

    private static List<LogName> ReadLogs(ref Utf8JsonReader reader, scoped in JsonMembers position)
    {
        var logs = new List<LogName>();
        JsonMembers.Expect(ref reader, JsonTokenType.StartArray, "logs");
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            string? name = null;
            string? agent = null;
            var entry = position.Enter(ref reader, "logs");
            while (entry.Next(ref reader))
            {
                if (entry.Is("name"u8)) name = JsonMembers.AnyText(ref reader, "logs.name");
                else if (entry.Is("agent"u8)) agent = JsonMembers.AnyText(ref reader, "logs.agent");
                else reader.Skip();
            }

            if (name is null || agent is null) throw new FormatFault("logs: name or agent is missing");
            logs.Add(new LogName(name, agent));
        }

        return logs;
    }

    private static List<Tombstone> ReadTombstones(ref Utf8JsonReader reader)
    {
        var tombstones = new List<Tombstone>();
        JsonMembers.Expect(ref reader, JsonTokenType.StartArray, "tombstones");
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            JsonMembers.Expect(ref reader, JsonTokenType.StartArray, "tombstones");
            reader.Read();
            JsonMembers.Expect(ref reader, JsonTokenType.String, "tombstones: id");
            var id = JsonIn.Text(ref reader);
            if (!reader.Read() || !JsonIn.TryInteger(ref reader, out var clock)) throw new FormatFault("tombstones: clock is not an integer from 0 to 2^53-1");
            if (!reader.Read() || !JsonIn.TryInteger(ref reader, out var log) || log > int.MaxValue) throw new FormatFault("tombstones: log is not an index");
            reader.Read();
            JsonMembers.Expect(ref reader, JsonTokenType.EndArray, "tombstones");
            tombstones.Add(new Tombstone(id, clock, (int)log));
        }

        return tombstones;
    }
}
