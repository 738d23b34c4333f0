using System.Buffers;
using System.Text.Json;
using System.Text.Unicode;

namespace OpsLog.Format;

/// <summary>What an archive segment says about itself. A segment of the npm package has neither format nor schema.</summary>
/// <param name="Period">The period as it was given.</param>
/// <param name="Timestamp">When it was written.</param>
/// <param name="Format">The format version; <see langword="null"/>: the package wrote it.</param>
/// <param name="Schema">The schema version of its documents; 0: not known.</param>
internal sealed record ArchiveHeader(string Period, string Timestamp, int? Format, int Schema);

/// <summary>Reads an archive segment, the package's or ours. Everything is checked on opening; after that reading cannot fail.</summary>
internal ref struct ArchiveReader
{
    private RecordsCursor _cursor;

    private ArchiveReader(ReadOnlySpan<byte> whole, ArchiveHeader header, Range records, Range? stamps)
    {
        Header = header;
        _cursor = new RecordsCursor(whole, records, stamps);
    }

    public ArchiveHeader Header { get; }

    /// <summary>Checks a whole segment and starts before its first record.</summary>
    /// <param name="whole">The whole object; the records point into it.</param>
    /// <param name="reader">The reader, if nothing is wrong.</param>
    /// <param name="fault">What is wrong, else empty. A segment of a newer format is read, and left to the caller to refuse.</param>
    public static bool TryOpen(ReadOnlySpan<byte> whole, out ArchiveReader reader, out string fault)
    {
        reader = default;
        fault = "";
        try
        {
            if (!Utf8.IsValid(whole)) throw new FormatFault("the segment is not UTF-8");
            var (header, records, stamps, isPlain) = ReadFrame(whole);
            if (!isPlain) CheckSum(whole, header);
            var candidate = new ArchiveReader(whole, header, records, stamps);
            var check = candidate;
            check.CheckRecords();
            reader = candidate;
        }
        catch (Exception e) when (e is JsonException or FormatFault)
        {
            fault = e is JsonException json ? $"the segment is not one JSON object: {JsonIn.Describe(json)}" : e.Message;
        }

        return fault.Length == 0;
    }

    /// <summary>Goes to the next record; false behind the last. Documents stand there as they were written, whitespace included.</summary>
    /// <param name="record">The record; its own clock and log index are not set.</param>
    /// <param name="stamp">Its stamp; <see langword="null"/> in a segment of the package.</param>
    public bool Read(out SnapshotRecord record, out Stamp? stamp)
    {
        record = default;
        stamp = null;
        if (!_cursor.Next(out var id, out var data)) return false;
        record = _cursor.Record(id, data, clock: 0, logIndex: -1);
        if (_cursor.HasStamps) stamp = ReadStamp(ref _cursor.Stamps, "opslog.stamps");
        return true;
    }

    /// <summary>Reads <c>[clock,"agent","log"]</c>, on whose bracket the reader stands.</summary>
    private static Stamp ReadStamp(ref Utf8JsonReader reader, string name)
    {
        JsonMembers.Expect(ref reader, JsonTokenType.StartArray, $"{name}: a stamp");
        if (!reader.Read() || !JsonIn.TryInteger(ref reader, out var clock)) throw new FormatFault($"{name}: the clock is not an integer from 0 to 2^53-1");
        reader.Read();
        JsonMembers.Expect(ref reader, JsonTokenType.String, $"{name}: the agent");
        var agent = JsonIn.Text(ref reader);
        reader.Read();
        JsonMembers.Expect(ref reader, JsonTokenType.String, $"{name}: the log");
        var log = JsonIn.Text(ref reader);
        reader.Read();
        JsonMembers.Expect(ref reader, JsonTokenType.EndArray, name);
        return new Stamp(clock, agent, log);
    }

    /// <summary>Reads the segment's members; it is plain if it has only those that the package writes.</summary>
    private static (ArchiveHeader Header, Range Records, Range? Stamps, bool IsPlain) ReadFrame(ReadOnlySpan<byte> whole)
    {
        var isPlain = true;
        string? period = null;
        string? timestamp = null;
        int? format = null;
        var schema = 0;
        Range? records = null;
        Range? stamps = null;
        var hasVersion = false;
        var reader = new Utf8JsonReader(whole, new JsonReaderOptions { MaxDepth = PackageLine.MaxDepth });
        var members = new JsonMembers(ref reader, whole);
        while (members.Next(ref reader))
        {
            if (members.Is("version"u8)) hasVersion = JsonMembers.Int(ref reader, "version", least: 1) > 0;
            else if (members.Is("period"u8)) period = JsonMembers.Text(ref reader, "period");
            else if (members.Is("timestamp"u8)) timestamp = JsonMembers.Text(ref reader, "timestamp");
            else if (members.Is("records"u8))
            {
                JsonMembers.Expect(ref reader, JsonTokenType.StartObject, "records");
                records = JsonIn.SkipValue(ref reader);
            }
            else
            {
                isPlain = false;
                if (members.Is("opslog"u8)) (format, schema, stamps) = ReadOurs(ref reader, members);
                else reader.Skip();
            }
        }

        reader.Read();
        if (!hasVersion) throw new FormatFault("version is missing");
        if (period is null || timestamp is null) throw new FormatFault(period is null ? "period is missing" : "timestamp is missing");
        if (records is null) throw new FormatFault("records is missing");
        return (new ArchiveHeader(period, timestamp, format, schema), records.Value, stamps, isPlain);
    }

    private static (int Format, int Schema, Range Stamps) ReadOurs(ref Utf8JsonReader reader, scoped in JsonMembers outer)
    {
        var format = 0;
        var schema = 0;
        Range? stamps = null;
        var members = outer.Enter(ref reader, "opslog");
        while (members.Next(ref reader))
        {
            if (members.Is("format"u8)) format = JsonMembers.Int(ref reader, "opslog.format", least: 1);
            else if (members.Is("schema"u8)) schema = JsonMembers.Int(ref reader, "opslog.schema", least: 1);
            else if (members.Is("stamps"u8))
            {
                JsonMembers.Expect(ref reader, JsonTokenType.StartArray, "opslog.stamps");
                stamps = JsonIn.SkipValue(ref reader);
            }
            else reader.Skip();
        }

        if (format == 0 || schema == 0 || stamps is null) throw new FormatFault("opslog: format, schema or stamps is missing");
        return (format, schema, stamps.Value);
    }

    /// <summary>The checksum covers the minified segment up to the comma before it, and stands last in the last member.</summary>
    private static void CheckSum(ReadOnlySpan<byte> whole, ArchiveHeader header)
    {
        var rented = ArrayPool<byte>.Shared.Rent(whole.Length);
        try
        {
            var minified = rented.AsSpan(0, JsonLines.Minify(whole, rented));
            var fault = Checksummed.Fault(minified[..^1], out var hasChecksum);
            if (fault.Length > 0) throw new FormatFault(fault);
            if (hasChecksum != header.Format is not null) throw new FormatFault(hasChecksum ? "a checksum without the member opslog" : "opslog: the checksum is missing");
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    private void CheckRecords()
    {
        while (_cursor.Next(out _, out _))
            if (_cursor.HasStamps)
                ReadStamp(ref _cursor.Stamps, "opslog.stamps");
        if (_cursor.HasStamps && JsonMembers.NextElement(ref _cursor.Stamps)) throw new FormatFault("there are more stamps than records");
    }
}

/// <summary>Writes an archive segment record by record: <see cref="Add"/> for each, then <see cref="End"/>. Keeps the stamps until the end. Not for concurrent use.</summary>
internal sealed class ArchiveWriter
{
    private readonly JsonOut _pretty;
    private readonly JsonOut _minified;
    private readonly ArrayBufferWriter<byte> _scratch = new();
    private readonly List<Stamp> _stamps = [];
    private readonly int _schema;
    private Crc32C _checksum = Crc32C.Start();

    public ArchiveWriter(IBufferWriter<byte> output, string period, string timestamp, int schema)
    {
        _schema = schema;
        _pretty = new JsonOut(output, pretty: true);
        _minified = new JsonOut(_scratch, pretty: false);
        Both(json =>
        {
            json.BeginObject();
            json.Member("version", 1);
            json.Member("period", period);
            json.Member("timestamp", timestamp);
            json.Name("records");
            json.BeginObject();
        });
    }

    /// <summary>Writes a record; whitespace in its document is dropped.</summary>
    public void Add(ReadOnlySpan<byte> idWtf8, ReadOnlySpan<byte> document, in Stamp stamp)
    {
        var rented = ArrayPool<byte>.Shared.Rent(document.Length);
        var minified = rented.AsSpan(0, JsonLines.Minify(document, rented));
        _pretty.NameWtf8(idWtf8);
        _pretty.Raw(minified);
        _minified.NameWtf8(idWtf8);
        _minified.Raw(minified);
        ArrayPool<byte>.Shared.Return(rented);
        _stamps.Add(stamp);
        Sum();
    }

    /// <summary>Writes what stands behind the records.</summary>
    public void End()
    {
        Both(json =>
        {
            json.EndObject();
            json.Name("opslog");
            json.BeginObject();
            json.Member("format", FormatVersion.Current);
            json.Member("schema", _schema);
            json.Name("stamps");
            var pretty = json.Pretty;
            json.Pretty = false;
            json.BeginArray();
            foreach (var stamp in _stamps) json.Value(stamp);
            json.EndArray();
            json.Pretty = pretty;
        });
        _pretty.Member("crc", JsonLines.Hex(_checksum.Value));
        _pretty.EndObject();
        _pretty.EndObject();
    }

    private void Both(Action<JsonOut> write)
    {
        write(_pretty);
        write(_minified);
        Sum();
    }

    private void Sum()
    {
        _checksum.Append(_scratch.WrittenSpan);
        _scratch.ResetWrittenCount();
    }
}
