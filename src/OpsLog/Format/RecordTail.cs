namespace OpsLog.Format;

/// <summary>The stamp's part that stands behind the document, in a checksummed line of a log or snapshot that was read before.</summary>
internal readonly ref struct RecordTail
{
    private readonly int _movedStart;

    private RecordTail(ReadOnlySpan<byte> line, scoped in LineTail tail)
    {
        Start = tail.Start;
        Clock = tail.Clock;
        LogIndex = tail.LogIndex;
        RawAgent = line[tail.Agent];
        _movedStart = tail.MovedStart;
    }

    /// <summary>Where the tail starts in the line: the document's end.</summary>
    public int Start { get; }

    public long Clock { get; }

    /// <summary>The line is a delete that archived a record: it ranks just above the stamp it moved, not by its own.</summary>
    public bool IsMove => _movedStart > 0;

    /// <summary>The index into the snapshot's log table; -1 in the line of an operation.</summary>
    public int LogIndex { get; }

    /// <summary>The contents of the agent's string; empty if there is none.</summary>
    public ReadOnlySpan<byte> RawAgent { get; }

    /// <summary>The stamp that an archiving delete moved.</summary>
    /// <param name="line">What the tail was read from.</param>
    public Stamp Moved(ReadOnlySpan<byte> line) => LineTail.StampAt(line, _movedStart);

    /// <summary>Reads the tail of a line, without its newline; its checksum is not verified again.</summary>
    /// <param name="line">The line, or any part of it that reaches its end and holds its tail.</param>
    /// <param name="tail">The tail, with offsets into <paramref name="line"/>.</param>
    public static bool TryRead(ReadOnlySpan<byte> line, out RecordTail tail)
    {
        tail = default;
        if (!JsonLines.FrameFits(line) || !LineTail.TryRead(line, out var members)) return false;
        tail = new RecordTail(line, members);
        return true;
    }
}
