using System.Buffers;
using System.Text.Json;
using System.Text.Unicode;

namespace OpsLog.Format;

/// <summary>
/// Reads a snapshot that is one JSON object: the layout of the package's 0.3.0, ours included. Everything is checked on opening; after
/// that reading cannot fail.
/// </summary>
internal ref struct JsonSnapshotReader
{
    private RecordsCursor _cursor;

    private JsonSnapshotReader(ReadOnlySpan<byte> whole, SnapshotHeader header, Range records, Range? stamps)
    {
        Header = header;
        _cursor = new RecordsCursor(whole, records, stamps);
    }

    public SnapshotHeader Header { get; }

    /// <summary>Checks a whole snapshot and starts before its first record.</summary>
    /// <param name="whole">The whole object; the records point into it.</param>
    /// <param name="reader">The reader, if nothing is wrong.</param>
    /// <param name="fault">What is wrong, else empty.</param>
    public static bool TryOpen(ReadOnlySpan<byte> whole, out JsonSnapshotReader reader, out string fault)
    {
        reader = default;
        fault = "";
        try
        {
            if (!Utf8.IsValid(whole)) throw new FormatFault("the snapshot is not UTF-8");
            var (header, records, stamps) = ReadFrame(whole);
            var candidate = new JsonSnapshotReader(whole, header, records, stamps);
            var check = candidate;
            check.CheckRecords();
            reader = candidate;
        }
        catch (Exception e) when (e is JsonException or FormatFault)
        {
            fault = e is JsonException json ? $"the snapshot is not one JSON object: {JsonIn.Describe(json)}" : e.Message;
        }

        return fault.Length == 0;
    }

    /// <summary>Goes to the next record; false behind the last. Documents stand there as they were written, whitespace included.</summary>
    public bool Read(out SnapshotRecord record)
    {
        record = default;
        if (!_cursor.Next(out var id, out var data)) return false;
        var (clock, log) = _cursor.HasStamps ? ReadStamp() : (0, -1);
        record = _cursor.Record(id, data, clock, log);
        return true;
    }

    private static (SnapshotHeader Header, Range Records, Range? Stamps) ReadFrame(ReadOnlySpan<byte> whole)
    {
        var version = 0;
        string? timestamp = null;
        Range? records = null;
        Range? stamps = null;
        var header = new SnapshotHeader { SchemaVersion = 0, Timestamp = "" };
        var reader = new Utf8JsonReader(whole, new JsonReaderOptions { MaxDepth = PackageLine.MaxDepth });
        var members = new JsonMembers(ref reader, whole);
        while (members.Next(ref reader))
        {
            if (members.Is("version"u8)) version = JsonMembers.Int(ref reader, "version", least: 1);
            else if (members.Is("timestamp"u8)) timestamp = JsonMembers.Text(ref reader, "timestamp");
            else if (members.Is("records"u8))
            {
                JsonMembers.Expect(ref reader, JsonTokenType.StartObject, "records");
                records = JsonIn.SkipValue(ref reader);
            }
            else if (members.Is("opslog"u8)) ReadOurs(ref reader, members, ref header, out stamps);
            else reader.Skip();
        }

        reader.Read();
        if (version == 0) throw new FormatFault("version is missing");
        if (timestamp is null) throw new FormatFault("timestamp is missing");
        if (records is null) throw new FormatFault("records is missing");
        SnapshotHeaderReader.Check(header);
        return (header with { SchemaVersion = version, Timestamp = timestamp }, records.Value, stamps);
    }

    private static void ReadOurs(ref Utf8JsonReader reader, scoped in JsonMembers outer, ref SnapshotHeader header, out Range? stamps)
    {
        stamps = null;
        var members = outer.Enter(ref reader, "opslog");
        while (members.Next(ref reader))
        {
            if (members.Is("stamps"u8))
            {
                JsonMembers.Expect(ref reader, JsonTokenType.StartArray, "opslog.stamps");
                stamps = JsonIn.SkipValue(ref reader);
            }
            else if (!SnapshotHeaderReader.TryReadMember(ref reader, ref members, ref header)) reader.Skip();
        }

        if (header.Format is null) throw new FormatFault("opslog.format is missing");
        if (stamps is null) throw new FormatFault("opslog.stamps is missing");
    }

    private void CheckRecords()
    {
        var count = 0L;
        while (_cursor.Next(out _, out _))
        {
            count++;
            if (_cursor.HasStamps && ReadStamp().Log >= Header.Logs.Count) throw new FormatFault($"the stamp of record {count} names no log of the table");
        }

        if (_cursor.HasStamps && JsonMembers.NextElement(ref _cursor.Stamps)) throw new FormatFault("there are more stamps than records");
        if (Header.Count is { } expected && expected != count) throw new FormatFault($"{expected} records were written, {count} are there");
    }

    private (long Clock, int Log) ReadStamp()
    {
        JsonMembers.Expect(ref _cursor.Stamps, JsonTokenType.StartArray, "opslog.stamps: a stamp");
        _cursor.Stamps.Read();
        var hasClock = JsonIn.TryInteger(ref _cursor.Stamps, out var clock);
        _cursor.Stamps.Read();
        var hasLog = JsonIn.TryInteger(ref _cursor.Stamps, out var log);
        _cursor.Stamps.Read();
        if (!hasClock || !hasLog || log > int.MaxValue || _cursor.Stamps.TokenType != JsonTokenType.EndArray)
            throw new FormatFault($"opslog.stamps: not [clock, log] (byte {_cursor.Stamps.TokenStartIndex} of the stamps)");
        return (clock, (int)log);
    }
}

/// <summary>
/// Writes a snapshot as one JSON object, record by record: <see cref="Add"/> for each, then <see cref="End"/>. Keeps sixteen bytes per
/// record until the end. Not for concurrent use.
/// </summary>
internal sealed class JsonSnapshotWriter
{
    private readonly SnapshotHeader _header;
    private readonly JsonOut _json;
    private readonly List<(long Clock, int Log)> _stamps = [];

    public JsonSnapshotWriter(IBufferWriter<byte> output, SnapshotHeader header)
    {
        _header = header;
        _json = new JsonOut(output, pretty: true);
        _json.BeginObject();
        _json.Member("version", header.SchemaVersion);
        _json.Member("timestamp", header.Timestamp);
        _json.Name("records");
        _json.BeginObject();
    }

    /// <summary>Writes a record; its document may hold whitespace.</summary>
    public void Add(ReadOnlySpan<byte> idWtf8, ReadOnlySpan<byte> document, long clock, int logIndex)
    {
        _json.NameWtf8(idWtf8);
        _json.Raw(document);
        _stamps.Add((clock, logIndex));
    }

    /// <summary>Writes what stands behind the records.</summary>
    public void End()
    {
        _json.EndObject();
        _json.Name("opslog");
        _json.BeginObject();
        _json.Member("format", FormatVersion.Current);
        SnapshotHeaderReader.WriteMembers(_json, _header, _stamps.Count);
        _json.Name("stamps");
        _json.Pretty = false;
        _json.BeginArray();
        foreach (var (clock, log) in _stamps)
        {
            _json.BeginArray();
            _json.Value(clock);
            _json.Value(log);
            _json.EndArray();
        }

        _json.EndArray();
        _json.Pretty = true;
        _json.Name("tombstones");
        _json.Pretty = false;
        SnapshotHeaderReader.WriteTombstones(_json, _header.Tombstones);
        _json.Pretty = true;
        _json.EndObject();
        _json.EndObject();
    }
}
