using System.Text.Json;

namespace OpsLog.Format;

/// <summary>
/// Walks an object of records and, beside it, the array of their stamps in the same order, in text that was validated as JSON before.
/// </summary>
internal ref struct RecordsCursor
{
    private readonly ReadOnlySpan<byte> _text;
    private readonly int _recordsStart;
    private Utf8JsonReader _records;

    /// <summary>Starts before the first record.</summary>
    /// <param name="text">The whole object.</param>
    /// <param name="records">Where the object of records stands.</param>
    /// <param name="stamps">Where the array of stamps stands; <see langword="null"/>: there is none.</param>
    public RecordsCursor(ReadOnlySpan<byte> text, Range records, Range? stamps)
    {
        var options = new JsonReaderOptions { MaxDepth = PackageLine.MaxDepth };
        _text = text;
        _recordsStart = records.Start.Value;
        _records = new Utf8JsonReader(text[records], options);
        _records.Read();
        HasStamps = stamps is not null;
        if (stamps is not { } range) return;
        Stamps = new Utf8JsonReader(text[range], options);
        Stamps.Read();
    }

    public bool HasStamps { get; }

    /// <summary>Stands on the record's stamp after <see cref="Next"/>, if there are stamps: at the array's start, or at the end of all.</summary>
    public Utf8JsonReader Stamps;

    /// <summary>Goes to the next record; false behind the last.</summary>
    public bool Next(out Range rawId, out Range data)
    {
        rawId = default;
        data = default;
        if (!_records.Read() || _records.TokenType != JsonTokenType.PropertyName) return false;
        var idStart = _recordsStart + (int)_records.TokenStartIndex + 1;
        rawId = idStart..(idStart + _records.ValueSpan.Length);
        _records.Read();
        data = JsonIn.SkipValue(ref _records, _recordsStart);
        if (HasStamps) Stamps.Read();
        return true;
    }

    /// <summary>The record just read, without its stamp.</summary>
    public readonly SnapshotRecord Record(Range rawId, Range data, long clock, int logIndex)
    {
        var id = _text[rawId];
        return new SnapshotRecord
        {
            Line = _text,
            RawId = id,
            IdIsEscaped = id.Contains((byte)'\\'),
            DataStart = data.Start.Value,
            DataEnd = data.End.Value,
            Clock = clock,
            LogIndex = logIndex,
        };
    }
}
