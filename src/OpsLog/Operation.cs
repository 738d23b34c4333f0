namespace OpsLog;

/// <summary>What an operation did to a record.</summary>
public enum OperationKind
{
    /// <summary>The record got a value.</summary>
    Set,

    /// <summary>The record was removed.</summary>
    Delete,
}

/// <summary>Whether an operation is a change of its own, or takes one back.</summary>
public enum OperationMark
{
    /// <summary>A change of its own.</summary>
    None,

    /// <summary>The undoing of an earlier operation.</summary>
    Undo,

    /// <summary>The redoing of an undone operation.</summary>
    Redo,
}

/// <summary>One operation of the log, as it was acknowledged. Immutable.</summary>
/// <typeparam name="T">The document type.</typeparam>
public sealed class Operation<T>
{
    /// <summary>When it was written, by the writer's clock (UTC, milliseconds). For people: nothing is ordered by it. Null if the line's text is no time.</summary>
    public DateTimeOffset? Time { get; init; }

    /// <summary>Set or delete.</summary>
    public required OperationKind Kind { get; init; }

    /// <summary>The record's id.</summary>
    public required string Id { get; init; }

    /// <summary>The value it set, migrated to the store's schema version; <see langword="default"/> for a delete.</summary>
    public T? Value { get; init; }

    /// <summary>Whether there was a value before.</summary>
    public bool HasPrevious { get; init; }

    /// <summary>The value before it, with delta encoding resolved; <see langword="default"/> if there was none.</summary>
    public T? Previous { get; init; }

    /// <summary>The operation's stamp.</summary>
    public required Revision Revision { get; init; }

    /// <summary>Whether it takes back (or brings back) another operation.</summary>
    public OperationMark Mark { get; init; }

    /// <summary>The stamp of the operation that <see cref="Mark"/> is about.</summary>
    public Revision Marked { get; init; }

    /// <summary>
    /// It only marks: what it takes or brings back does not show, and the record keeps its value and its revision. A consumer that keeps a copy of the records passes it over.
    /// </summary>
    public bool IsMarkOnly { get; init; }

    /// <summary>Its index in its batch, from 0; 0 for an operation of its own.</summary>
    public int BatchIndex { get; init; }

    /// <summary>How many operations its batch has; 1 for an operation of its own.</summary>
    public int BatchSize { get; init; } = 1;

    /// <summary>The archive period it moved the record to; <see langword="null"/> unless it is part of an archive run.</summary>
    public string? ArchivedTo { get; init; }

    /// <summary>The place in the feed just behind this operation: pass it to <see cref="OpsStore{T}.OperationsAsync"/> to go on from here.</summary>
    public required FeedPosition Position { get; init; }
}
