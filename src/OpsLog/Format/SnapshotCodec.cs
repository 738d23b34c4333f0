using System.Buffers;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Unicode;

namespace OpsLog.Format;

/// <summary>
/// Snapshots as JSON lines: a header, then a record a line (docs/format.md, Snapshots); the other layout is
/// <see cref="JsonSnapshotReader"/> and <see cref="JsonSnapshotWriter"/>. Reading never throws, whatever the bytes.
/// </summary>
internal static class SnapshotCodec
{
    private const int FixedRecordLength = 96;

    private static ReadOnlySpan<byte> IdHead => "{\"id\":\""u8;

    private static ReadOnlySpan<byte> DataMember => "\",\"data\":"u8;

    /// <summary>Whether an object is one JSON value (true) or JSON lines (false), decided as the package does; <see langword="null"/>: more bytes are needed.</summary>
    /// <param name="firstBytes">The object's first bytes.</param>
    /// <param name="isWhole">Whether these are all of them.</param>
    public static bool? IsJsonLayout(ReadOnlySpan<byte> firstBytes, bool isWhole)
    {
        var newline = firstBytes.IndexOf((byte)'\n');
        var line = newline < 0 ? firstBytes : firstBytes[..newline];
        var isWholeLine = newline >= 0 || isWhole;
        var reader = new Utf8JsonReader(line, isWholeLine, new JsonReaderState(new JsonReaderOptions { MaxDepth = PackageLine.MaxDepth }));
        try
        {
            while (reader.Read())
            {
                if (reader.CurrentDepth == 1 && reader.TokenType == JsonTokenType.PropertyName && JsonIn.NameIs(ref reader, "records"u8)) return true;
                if (reader.CurrentDepth == 0 && reader.TokenType == JsonTokenType.EndObject && !isWholeLine) return null;
            }

            return isWholeLine ? false : null;
        }
        catch (JsonException)
        {
            return true;
        }
    }

    /// <summary>Writes the first line, newline included.</summary>
    public static void WriteHeader(IBufferWriter<byte> output, SnapshotHeader header)
    {
        var line = new ArrayBufferWriter<byte>();
        var json = new JsonOut(line, pretty: false);
        json.BeginObject();
        json.Member("version", header.SchemaVersion);
        json.Member("timestamp", header.Timestamp);
        json.Member("format", FormatVersion.Current);
        SnapshotHeaderReader.WriteMembers(json, header, header.Count ?? 0);
        json.Name("tombstones");
        SnapshotHeaderReader.WriteTombstones(json, header.Tombstones);
        Checksummed.Finish(output, line.WrittenSpan);
        output.Write("\n"u8);
    }

    /// <summary>Reads the first line, the package's or ours.</summary>
    /// <param name="line">The line without its newline.</param>
    /// <param name="header">The header, if there is one.</param>
    /// <param name="fault">What is wrong, else empty. A header of a newer format is read, and left to the caller to refuse.</param>
    public static bool TryReadHeader(ReadOnlySpan<byte> line, out SnapshotHeader? header, out string fault)
    {
        header = null;
        fault = Checksummed.Fault(line, out var hasChecksum);
        if (fault.Length > 0) return false;
        try
        {
            var reader = new Utf8JsonReader(line, new JsonReaderOptions { MaxDepth = PackageLine.MaxDepth });
            header = SnapshotHeaderReader.Read(ref reader, line);
            reader.Read();
            if ((header.Format is null) == hasChecksum) fault = hasChecksum ? "the header has a checksum but no format" : "the header has a format but no checksum";
        }
        catch (Exception e) when (e is JsonException or FormatFault)
        {
            fault = e is JsonException json ? $"the header is not a JSON object: {JsonIn.Describe(json)}" : e.Message;
        }

        if (fault.Length > 0) header = null;
        return header is not null;
    }

    /// <summary>An upper bound of what <see cref="WriteRecord"/> needs; no line that was written is longer than an array may be.</summary>
    public static int MaxRecordLength(int idLength, int documentLength) => (int)Math.Min(Array.MaxLength, FixedRecordLength + (6L * idLength) + documentLength);

    /// <summary>Writes a record's line, newline included.</summary>
    /// <param name="destination">At least <see cref="MaxRecordLength"/> bytes.</param>
    /// <param name="idWtf8">The id.</param>
    /// <param name="document">The document: valid minified JSON.</param>
    /// <param name="clock">The clock of its stamp.</param>
    /// <param name="logIndex">The index of its log in the header's table.</param>
    /// <param name="dataStart">Where the document starts in the line.</param>
    /// <returns>The bytes written.</returns>
    public static int WriteRecord(Span<byte> destination, ReadOnlySpan<byte> idWtf8, ReadOnlySpan<byte> document, long clock, int logIndex, out int dataStart)
    {
        var line = new LineWriter(destination);
        line.Raw("{\"id\":"u8);
        line.TextWtf8(idWtf8);
        line.Raw(",\"data\":"u8);
        dataStart = line.Length;
        line.Raw(document);
        line.Raw(",\"clock\":"u8);
        line.Number(clock);
        line.Raw(",\"log\":"u8);
        line.Number(logIndex);
        return line.End(offset: null);
    }

    /// <summary>Reads a record's line.</summary>
    /// <param name="line">The line without its newline.</param>
    /// <param name="ours">Whether the header has a format: then every line must have a checksum.</param>
    /// <param name="record">The record, for <see cref="LineVerdict.Operation"/>.</param>
    /// <param name="fault">What is wrong, for <see cref="LineVerdict.Corrupt"/>; else empty.</param>
    /// <returns><see cref="LineVerdict.Operation"/>, <see cref="LineVerdict.Empty"/> or <see cref="LineVerdict.Corrupt"/>.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static LineVerdict TryReadRecord(ReadOnlySpan<byte> line, bool ours, out SnapshotRecord record, out string fault)
    {
        record = default;
        fault = "";
        if (!ours) return ReadPackageRecord(line, out record, out fault);
        if (JsonLines.ChecksumHolds(line, offset: null))
        {
            if (TryReadOurs(line, out record)) return LineVerdict.Operation;
            fault = "the checksum holds, but the line has not the shape of a record";
        }
        else
        {
            if (JsonLines.IsBlank(line)) return LineVerdict.Empty;
            fault = Checksummed.Fault(line, out _);
            if (fault.Length == 0) fault = "the line has no checksum";
        }

        return LineVerdict.Corrupt;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static bool TryReadOurs(ReadOnlySpan<byte> line, out SnapshotRecord record)
    {
        record = default;
        if (!line.StartsWith(IdHead)) return false;
        var idEnd = JsonScan.StringEnd(line, IdHead.Length, out var escaped);
        if (idEnd < 0 || !line[idEnd..].StartsWith(DataMember)) return false;
        var dataStart = idEnd + DataMember.Length;
        if (!LineTail.TryRead(line, out var tail) || tail.Start <= dataStart || tail.LogIndex < 0) return false;
        record = new SnapshotRecord
        {
            Line = line,
            RawId = line[IdHead.Length..idEnd],
            IdIsEscaped = escaped,
            DataStart = dataStart,
            DataEnd = tail.Start,
            Clock = tail.Clock,
            LogIndex = tail.LogIndex,
        };
        return true;
    }

    /// <summary>The package checks nothing here but that the line is JSON: any id, any value.</summary>
    private static LineVerdict ReadPackageRecord(ReadOnlySpan<byte> line, out SnapshotRecord record, out string fault)
    {
        record = default;
        fault = "";
        if (JsonLines.IsBlank(line)) return LineVerdict.Empty;
        Range? id = null;
        Range? data = null;
        try
        {
            if (!Utf8.IsValid(line)) throw new FormatFault("the line is not UTF-8");
            var reader = new Utf8JsonReader(line, new JsonReaderOptions { MaxDepth = PackageLine.MaxDepth });
            reader.Read();
            if (reader.TokenType != JsonTokenType.StartObject) throw new FormatFault("the line is not a JSON object");
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var isId = JsonIn.NameIs(ref reader, "id"u8);
                var isData = JsonIn.NameIs(ref reader, "data"u8);
                reader.Read();
                if (isId && reader.TokenType != JsonTokenType.String) throw new FormatFault("id is not a string");
                var value = JsonIn.SkipValue(ref reader);
                if (isId) id = (value.Start.Value + 1)..(value.End.Value - 1);
                if (isData) data = value;
            }

            reader.Read();
            if (id is null || data is null) throw new FormatFault(id is null ? "id is missing" : "data is missing");
        }
        catch (Exception e) when (e is JsonException or FormatFault)
        {
            fault = e is JsonException json ? $"the line is not one JSON object: {JsonIn.Describe(json)}" : e.Message;
            return LineVerdict.Corrupt;
        }

        var rawId = line[id.Value];
        record = new SnapshotRecord
        {
            Line = line,
            RawId = rawId,
            IdIsEscaped = rawId.Contains((byte)'\\'),
            DataStart = data.Value.Start.Value,
            DataEnd = data.Value.End.Value,
            LogIndex = -1,
        };
        return LineVerdict.Operation;
    }
}
