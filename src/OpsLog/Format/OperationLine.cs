namespace OpsLog.Format;

/// <summary>What a line of a log or snapshot turned out to be.</summary>
internal enum LineVerdict
{
    /// <summary>A whole line that counts.</summary>
    Operation,

    /// <summary>Whitespace only: the package's stores have such lines; as the last line of a log of ours it is a seal.</summary>
    Empty,

    /// <summary>An unfinished line whose writer (or sealer) voided it with <c>#</c>: never acknowledged, never counts.</summary>
    Spoiled,

    /// <summary>A line the npm package writes and its own reader then refuses: the engine decides whether it counts.</summary>
    Doubtful,

    /// <summary>Not what any writer wrote.</summary>
    Corrupt,
}

/// <summary>Whether an operation takes back or brings back another.</summary>
internal enum UndoMark : byte
{
    None,
    Undo,
    Redo,
}

/// <summary>Where the members of a line of ours stand: all that has to be kept to have its <see cref="OperationLine"/> again (<see cref="OperationCodec.Again"/>).</summary>
/// <param name="Kind">What the operation does.</param>
/// <param name="IdEnd">Where the contents of the id's string end.</param>
/// <param name="IdIsEscaped">Whether they have escapes.</param>
/// <param name="PrevEnd">Where <c>prev</c> ends.</param>
/// <param name="Tail">The members behind the document.</param>
internal readonly record struct OperationShape(OperationKind Kind, int IdEnd, bool IdIsEscaped, int PrevEnd, LineTail Tail);

/// <summary>One operation as offsets into its line. Everything that needs memory is a method.</summary>
internal readonly ref struct OperationLine
{
    /// <summary>The line without its newline, as it was given.</summary>
    public ReadOnlySpan<byte> Line { get; init; }

    /// <summary>Whether the line has a checksum (which then holds): it is a line of ours.</summary>
    public bool HasChecksum { get; init; }

    public OperationKind Kind { get; init; }

    /// <summary>The contents of the time's string, escapes and all. Any text in a line of the package.</summary>
    public ReadOnlySpan<byte> Timestamp { get; init; }

    /// <summary>The contents of the id's string, escapes and all.</summary>
    public ReadOnlySpan<byte> RawId { get; init; }

    public bool IdIsEscaped { get; init; }

    /// <summary>Where the document starts; 0 for a delete.</summary>
    public int DataStart { get; init; }

    /// <summary>Where the document ends; 0 for a delete.</summary>
    public int DataEnd { get; init; }

    public int PrevStart { get; init; }

    public int PrevEnd { get; init; }

    /// <summary>Whether <c>prev</c> is the patch that turns the new document back.</summary>
    public bool PrevIsDelta { get; init; }

    /// <summary>The clock; -1 in a line that has none.</summary>
    public long Clock { get; init; }

    /// <summary>The contents of the agent's string; empty if there is none.</summary>
    public ReadOnlySpan<byte> RawAgent { get; init; }

    public int BatchIndex { get; init; }

    /// <summary>How many operations the batch has; 1 for an operation of its own.</summary>
    public int BatchSize { get; init; }

    public UndoMark Mark { get; init; }

    /// <summary>The mark changes nothing that shows.</summary>
    public bool Noop { get; init; }

    /// <summary>The members behind the document, in a line of ours.</summary>
    internal LineTail Tail { get; init; }

    /// <summary>What to keep of a line of ours that is needed again.</summary>
    internal OperationShape Shape => new(Kind, PrevStart - OperationCodec.PrevMemberLength, IdIsEscaped, PrevEnd, Tail);

    /// <summary>The document; empty for a delete.</summary>
    public ReadOnlySpan<byte> Data => Line[DataStart..DataEnd];

    /// <summary>The value of <c>prev</c>.</summary>
    public ReadOnlySpan<byte> Prev => Line[PrevStart..PrevEnd];

    /// <summary>Whether there was a value before.</summary>
    public bool HasPrev => !Prev.SequenceEqual("null"u8);

    /// <summary>The stamp that is undone or redone; only where <see cref="Mark"/> says so.</summary>
    public Stamp MarkOf() => Tail.MarkOf(Line);

    /// <summary>The stamp that is restored; <see langword="null"/>: the record was absent.</summary>
    public Stamp? MarkTo() => Tail.MarkTo(Line);

    /// <summary>The archive period this delete moved the record to.</summary>
    public string? Segment() => Tail.SegmentText(Line);

    /// <summary>The stamp of the value that was moved.</summary>
    public Stamp? Moved() => Tail.MovedStamp(Line);

    public string Id() => JsonText.FromEscaped(RawId);

    public string Agent() => RawAgent.IsEmpty ? "" : JsonText.FromEscaped(RawAgent);

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
