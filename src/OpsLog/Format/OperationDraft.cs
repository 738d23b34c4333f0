namespace OpsLog.Format;

/// <summary>An operation about to be written as a line. Texts are WTF-8, documents valid minified JSON: neither is checked here.</summary>
internal ref struct OperationDraft
{
    public OperationDraft()
    {
    }

    /// <summary>The time as 24 ASCII bytes, see <see cref="IsoTime"/>.</summary>
    public ReadOnlySpan<byte> Timestamp24;

    public OperationKind Kind;

    public ReadOnlySpan<byte> IdWtf8;

    /// <summary>
    /// <c>null</c>, the whole old document, or the patch that turns the new one back. A delete has a document, <c>{}</c> if it is only a mark. Of a record of the package
    /// whose value is no object: that value.
    /// </summary>
    public ReadOnlySpan<byte> Prev;

    public bool PrevIsDelta;

    /// <summary>The new document; not written for a delete.</summary>
    public ReadOnlySpan<byte> Data;

    public long Clock;

    /// <summary>The agent; empty with a single writer.</summary>
    public ReadOnlySpan<byte> AgentWtf8;

    public int BatchIndex;

    /// <summary>How many operations the batch has; 1: the operation is no batch.</summary>
    public int BatchSize = 1;

    public UndoMark Mark;

    /// <summary>The stamp that is undone or redone; read only if <see cref="Mark"/> says so.</summary>
    public Stamp MarkOf;

    /// <summary>The stamp that is restored; <see langword="null"/>: the record was absent.</summary>
    public Stamp? MarkTo;

    /// <summary>The mark changes nothing that shows: the record keeps its stamp.</summary>
    public bool Noop;

    /// <summary>The archive period that the delete moved the record to.</summary>
    public string? Segment;

    /// <summary>The stamp of the value that was moved; written with <see cref="Segment"/>.</summary>
    public Stamp? Moved;
}
