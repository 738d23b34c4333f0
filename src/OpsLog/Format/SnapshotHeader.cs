namespace OpsLog.Format;

/// <summary>An entry of a snapshot's log table: records and tombstones name it by its index. Records of unknown origin point to an entry of two empty texts.</summary>
/// <param name="Name">The log's object key.</param>
/// <param name="Agent">Its agent; empty with a single writer.</param>
internal readonly record struct LogName(string Name, string Agent);

/// <summary>A deleted record that must still win over older operations.</summary>
/// <param name="Id">The record's id.</param>
/// <param name="Clock">The clock of the delete.</param>
/// <param name="Log">The index of its log in the snapshot's table.</param>
internal readonly record struct Tombstone(string Id, long Clock, int Log);

/// <summary>What a snapshot says about itself. A snapshot of the npm package has only the schema version and the time.</summary>
internal sealed record SnapshotHeader
{
    /// <summary>The schema version of the documents, from 1.</summary>
    public required int SchemaVersion { get; init; }

    /// <summary>When it was written; any text in a snapshot of the package.</summary>
    public required string Timestamp { get; init; }

    /// <summary>The format version; <see langword="null"/>: the package wrote it.</summary>
    public int? Format { get; init; }

    /// <summary>How many records follow; <see langword="null"/> where the header does not say.</summary>
    public long? Count { get; init; }

    /// <summary>The tombstone floor: who merges this snapshot forgets what it has at or below this clock and the snapshot has not.</summary>
    public long Floor { get; init; }

    public IReadOnlyList<LogName> Logs { get; init; } = [];

    public IReadOnlyList<Tombstone> Tombstones { get; init; } = [];
}

/// <summary>One record of a snapshot, as offsets into the bytes it was read from.</summary>
internal readonly ref struct SnapshotRecord
{
    /// <summary>The line, or the whole object in the JSON layout.</summary>
    public ReadOnlySpan<byte> Line { get; init; }

    /// <summary>The contents of the id's string, escapes and all.</summary>
    public ReadOnlySpan<byte> RawId { get; init; }

    public bool IdIsEscaped { get; init; }

    public int DataStart { get; init; }

    public int DataEnd { get; init; }

    /// <summary>The record's clock; 0 where none is known.</summary>
    public long Clock { get; init; }

    /// <summary>The index of its log in the header's table; -1 where none is known.</summary>
    public int LogIndex { get; init; }

    /// <summary>The document; in a line of the package or in the JSON layout it may hold whitespace.</summary>
    public ReadOnlySpan<byte> Data => Line[DataStart..DataEnd];

    public string Id() => JsonText.FromEscaped(RawId);

    /// <summary>Copies the id as WTF-8.</summary>
    /// <param name="wtf8">At least as long as <see cref="RawId"/>.</param>
    /// <returns>The bytes written.</returns>
    public int CopyId(Span<byte> wtf8)
    {
        if (IdIsEscaped) return JsonText.Unescape(RawId, wtf8);
        RawId.CopyTo(wtf8);
        return RawId.Length;
    }
}
