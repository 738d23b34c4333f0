using System.Buffers;
using System.Text.Json;
using OpsLog.Storage;

namespace OpsLog.Format;

/// <summary>Reads the member <c>opslog</c> of a manifest, whose checksum holds. Members it does not know are skipped.</summary>
internal static class ManifestMembers
{
    private static readonly SearchValues<char> HexDigits = SearchValues.Create("0123456789abcdef");

    /// <exception cref="FormatFault">A member is missing or not what it must be.</exception>
    public static Manifest Read(ReadOnlySpan<byte> minified)
    {
        PackageMembers? echo = null;
        SnapshotEntry? snapshot = null;
        var revision = 0L;
        var incarnation = "";
        var hasLogs = false;
        var manifest = new Manifest { Package = null!, Snapshot = null!, Revision = 0, Incarnation = "" };
        var reader = new Utf8JsonReader(minified, new JsonReaderOptions { MaxDepth = PackageLine.MaxDepth });
        var members = new JsonMembers(ref reader, minified);
        while (members.Next(ref reader))
        {
            if (members.Is("revision"u8)) revision = JsonMembers.Integer(ref reader, "opslog.revision", least: 1);
            else if (members.Is("nonce"u8)) manifest = manifest with { Nonce = JsonMembers.Text(ref reader, "opslog.nonce") };
            else if (members.Is("incarnation"u8)) incarnation = ReadIncarnation(ref reader);
            else if (members.Is("snapshot"u8)) snapshot = ReadSnapshot(ref reader, members);
            else if (members.Is("numbered"u8)) manifest = manifest with { Numbered = JsonMembers.Flag(ref reader, "opslog.numbered") };
            else if (members.Is("adopted"u8)) manifest = manifest with { Adopted = JsonMembers.Flag(ref reader, "opslog.adopted") };
            else if (members.Is("reserved"u8)) manifest = manifest with { Reserved = ReadKeys(ref reader) };
            else if (members.Is("retired"u8)) manifest = manifest with { Retired = ReadRetired(ref reader, members) };
            else if (members.Is("archives"u8)) manifest = manifest with { Archives = ReadArchives(ref reader, members) };
            else if (members.Is("garbage"u8)) manifest = manifest with { Garbage = ReadGarbage(ref reader, members) };
            else if (members.Is("history"u8)) manifest = manifest with { History = ReadHistory(ref reader, members) };
            else if (members.Is("exclusive"u8)) manifest = manifest with { Exclusive = reader.TokenType == JsonTokenType.Null ? null : Key(ref reader, "opslog.exclusive") };
            else if (members.Is("echo"u8)) echo = ReadEcho(ref reader, members, minified);
            else if (members.Is("logs"u8))
            {
                manifest = manifest with { Logs = ReadLogs(ref reader, members) };
                hasLogs = true;
            }
            else reader.Skip();
        }

        if (revision == 0 || incarnation.Length == 0 || !hasLogs) throw new FormatFault("opslog: revision, incarnation or logs is missing");
        return manifest with
        {
            Revision = revision,
            Incarnation = incarnation,
            Snapshot = snapshot ?? throw new FormatFault("opslog.snapshot is missing"),
            Package = echo ?? throw new FormatFault("opslog.echo is missing"),
        };
    }

    private static PackageMembers ReadEcho(ref Utf8JsonReader reader, scoped in JsonMembers outer, ReadOnlySpan<byte> text)
    {
        var members = outer.Enter(ref reader, "opslog.echo");
        return ManifestReader.ReadPackage(ref reader, ref members, text, isEcho: true, out _);
    }

    private static string ReadIncarnation(ref Utf8JsonReader reader)
    {
        const int Digits = 32;
        var text = JsonMembers.Text(ref reader, "opslog.incarnation");
        return text.Length == Digits && !text.AsSpan().ContainsAnyExcept(HexDigits)
            ? text
            : throw new FormatFault("opslog.incarnation is not 32 lower-case hexadecimal digits");
    }

    private static SnapshotEntry ReadSnapshot(ref Utf8JsonReader reader, scoped in JsonMembers outer)
    {
        string? name = null;
        uint? checksum = null;
        long? length = null, count = null, clock = null, floor = null;
        var members = outer.Enter(ref reader, "opslog.snapshot");
        while (members.Next(ref reader))
        {
            if (members.Is("name"u8)) name = Key(ref reader, "opslog.snapshot.name");
            else if (members.Is("length"u8)) length = JsonMembers.Integer(ref reader, "opslog.snapshot.length");
            else if (members.Is("crc"u8)) checksum = ReadChecksum(ref reader);
            else if (members.Is("count"u8)) count = JsonMembers.Integer(ref reader, "opslog.snapshot.count");
            else if (members.Is("clock"u8)) clock = JsonMembers.Integer(ref reader, "opslog.snapshot.clock");
            else if (members.Is("floor"u8)) floor = JsonMembers.Integer(ref reader, "opslog.snapshot.floor");
            else reader.Skip();
        }

        return name is null || length is null || checksum is null || count is null || clock is null || floor is null
            ? throw new FormatFault("opslog.snapshot: a member is missing")
            : new SnapshotEntry(name, length.Value, checksum.Value, count.Value, clock.Value, floor.Value);
    }

    private static uint ReadChecksum(ref Utf8JsonReader reader)
        => reader.TokenType == JsonTokenType.String && JsonLines.TryParseHex(reader.ValueSpan, out var checksum)
            ? checksum
            : throw new FormatFault("opslog.snapshot.crc is not eight lower-case hexadecimal digits");

    private static List<LogEntry> ReadLogs(ref Utf8JsonReader reader, scoped in JsonMembers outer)
    {
        var logs = new List<LogEntry>();
        JsonMembers.Expect(ref reader, JsonTokenType.StartArray, "opslog.logs");
        while (JsonMembers.NextElement(ref reader))
        {
            string? name = null, agent = null;
            long? start = null, covered = null, clock = null;
            var schema = 0;
            var isSealed = false;
            var members = outer.Enter(ref reader, "opslog.logs: an entry");
            while (members.Next(ref reader))
            {
                if (members.Is("name"u8)) name = Key(ref reader, "opslog.logs.name");
                else if (members.Is("agent"u8)) agent = JsonMembers.AnyText(ref reader, "opslog.logs.agent");
                else if (members.Is("start"u8)) start = JsonMembers.Integer(ref reader, "opslog.logs.start");
                else if (members.Is("schema"u8)) schema = JsonMembers.Int(ref reader, "opslog.logs.schema", least: 1);
                else if (members.Is("covered"u8)) covered = JsonMembers.Integer(ref reader, "opslog.logs.covered");
                else if (members.Is("clock"u8)) clock = JsonMembers.Integer(ref reader, "opslog.logs.clock");
                else if (members.Is("sealed"u8)) isSealed = JsonMembers.Flag(ref reader, "opslog.logs.sealed");
                else reader.Skip();
            }

            if (name is null || agent is null || start is null || schema == 0 || covered is null || clock is null) throw new FormatFault("opslog.logs: a member is missing");
            logs.Add(new LogEntry(name, agent, start.Value, schema, covered.Value, clock.Value, isSealed));
        }

        return logs;
    }

    private static List<RetiredLog> ReadRetired(ref Utf8JsonReader reader, scoped in JsonMembers outer)
    {
        var logs = new List<RetiredLog>();
        JsonMembers.Expect(ref reader, JsonTokenType.StartArray, "opslog.retired");
        while (JsonMembers.NextElement(ref reader))
        {
            string? name = null, agent = null;
            long? length = null, clock = null;
            var schema = 0;
            var members = outer.Enter(ref reader, "opslog.retired: an entry");
            while (members.Next(ref reader))
            {
                if (members.Is("name"u8)) name = Key(ref reader, "opslog.retired.name");
                else if (members.Is("agent"u8)) agent = JsonMembers.AnyText(ref reader, "opslog.retired.agent");
                else if (members.Is("length"u8)) length = JsonMembers.Integer(ref reader, "opslog.retired.length");
                else if (members.Is("schema"u8)) schema = JsonMembers.Int(ref reader, "opslog.retired.schema", least: 1);
                else if (members.Is("clock"u8)) clock = JsonMembers.Integer(ref reader, "opslog.retired.clock");
                else reader.Skip();
            }

            if (name is null || agent is null || length is null || schema == 0 || clock is null) throw new FormatFault("opslog.retired: a member is missing");
            logs.Add(new RetiredLog(name, agent, length.Value, schema, clock.Value));
        }

        return logs;
    }

    private static HistoryReference? ReadHistory(ref Utf8JsonReader reader, scoped in JsonMembers outer)
    {
        if (reader.TokenType == JsonTokenType.Null) return null;
        string? name = null;
        long? bytes = null;
        var members = outer.Enter(ref reader, "opslog.history");
        while (members.Next(ref reader))
        {
            if (members.Is("name"u8)) name = Key(ref reader, "opslog.history.name");
            else if (members.Is("bytes"u8)) bytes = JsonMembers.Integer(ref reader, "opslog.history");
            else reader.Skip();
        }

        return name is null || bytes is null ? throw new FormatFault("opslog.history: a member is missing") : new HistoryReference(name, bytes.Value);
    }

    private static List<ArchiveEntry> ReadArchives(ref Utf8JsonReader reader, scoped in JsonMembers outer)
    {
        var archives = new List<ArchiveEntry>();
        JsonMembers.Expect(ref reader, JsonTokenType.StartArray, "opslog.archives");
        while (JsonMembers.NextElement(ref reader))
        {
            string? period = null;
            var objects = new List<ArchiveObject>();
            var members = outer.Enter(ref reader, "opslog.archives: an entry");
            while (members.Next(ref reader))
            {
                if (members.Is("period"u8)) period = JsonMembers.AnyText(ref reader, "opslog.archives.period");
                else if (members.Is("objects"u8))
                {
                    JsonMembers.Expect(ref reader, JsonTokenType.StartArray, "opslog.archives.objects");
                    while (JsonMembers.NextElement(ref reader))
                    {
                        objects.Add(ReadArchiveObject(ref reader, members));
                    }
                }
                else reader.Skip();
            }

            archives.Add(new ArchiveEntry(period ?? throw new FormatFault("opslog.archives: period is missing"), objects));
        }

        return archives;
    }

    private static ArchiveObject ReadArchiveObject(ref Utf8JsonReader reader, scoped in JsonMembers outer)
    {
        string? name = null;
        long? records = null;
        var schema = 0;
        var members = outer.Enter(ref reader, "opslog.archives.objects");
        while (members.Next(ref reader))
        {
            if (members.Is("name"u8)) name = Key(ref reader, "opslog.archives.objects.name");
            else if (members.Is("records"u8)) records = JsonMembers.Integer(ref reader, "opslog.archives.objects");
            else if (members.Is("schema"u8)) schema = JsonMembers.Int(ref reader, "opslog.archives.objects.schema", least: 1);
            else reader.Skip();
        }

        return name is null || records is null ? throw new FormatFault("opslog.archives.objects: a member is missing") : new ArchiveObject(name, records.Value, schema);
    }

    private static List<GarbageEntry> ReadGarbage(ref Utf8JsonReader reader, scoped in JsonMembers outer)
    {
        var garbage = new List<GarbageEntry>();
        JsonMembers.Expect(ref reader, JsonTokenType.StartArray, "opslog.garbage");
        while (JsonMembers.NextElement(ref reader))
        {
            string? name = null;
            long? bytes = null;
            DateTimeOffset? since = null;
            var members = outer.Enter(ref reader, "opslog.garbage: an entry");
            while (members.Next(ref reader))
            {
                if (members.Is("name"u8)) name = Key(ref reader, "opslog.garbage.name");
                else if (members.Is("bytes"u8)) bytes = JsonMembers.Integer(ref reader, "opslog.garbage.bytes");
                else if (members.Is("since"u8)) since = IsoTime.TryRead(JsonMembers.AnyText(ref reader, "opslog.garbage.since"), out var time) ? time : throw new FormatFault("opslog.garbage.since is no time");
                else reader.Skip();
            }

            if (name is null || bytes is null || since is null) throw new FormatFault("opslog.garbage: a member is missing");
            garbage.Add(new GarbageEntry(name, bytes.Value, since.Value));
        }

        return garbage;
    }

    private static List<string> ReadKeys(ref Utf8JsonReader reader)
    {
        JsonMembers.Expect(ref reader, JsonTokenType.StartArray, "opslog.reserved");
        var keys = new List<string>();
        while (JsonMembers.NextElement(ref reader)) keys.Add(Key(ref reader, "opslog.reserved"));
        return keys;
    }

    /// <summary>A name that we wrote is a valid key: it cannot lead outside the store (invariant I7).</summary>
    private static string Key(ref Utf8JsonReader reader, string name)
    {
        var text = JsonMembers.Text(ref reader, name);
        return StorageKey.IsValid(text) ? text : throw new FormatFault($"{name} is no object key");
    }
}
