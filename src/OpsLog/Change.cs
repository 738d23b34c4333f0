namespace OpsLog;

/// <summary>One record's change, as <see cref="OpsStore{T}.WatchAsync(CancellationToken)"/> reports it. Immutable.</summary>
/// <typeparam name="T">The document type.</typeparam>
/// <param name="Operation">The operation that made it.</param>
public sealed record Change<T>(Operation<T> Operation)
{
    /// <summary>The record's id.</summary>
    public string Id => Operation.Id;

    /// <summary>Set or delete.</summary>
    public OperationKind Kind => Operation.Kind;

    /// <summary>The new value; <see langword="default"/> for a delete.</summary>
    public T? Value => Operation.Value;

    /// <summary>
    /// The write that won over this one although its author had not seen it; <see cref="Revision.None"/>: none did, as far as is known. Found out while operations are
    /// merged: a change that was merged before this opening has none.
    /// </summary>
    public Revision OverwrittenBy { get; init; }

    /// <summary>The write that this one won over although its author had not seen it; <see cref="Revision.None"/>: none.</summary>
    public Revision Overwrote { get; init; }

    /// <summary>The place in the feed just behind it: a consumer that keeps it can resume from there.</summary>
    public FeedPosition Position => Operation.Position;
}
