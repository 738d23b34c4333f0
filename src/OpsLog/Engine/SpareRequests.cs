namespace OpsLog.Engine;

/// <summary>Requests that are done, and batches that are written, kept for the next calls: a put allocates little besides what the store keeps of it.</summary>
internal sealed class SpareRequests
{
    private const int Most = 32;
    private readonly SetRequest?[] _sets = new SetRequest?[Most];
    private BatchItems? _batch;

    public SetRequest Take()
    {
        foreach (ref var place in _sets.AsSpan())
            if (place is { } found && Interlocked.CompareExchange(ref place, null, found) == found)
                return found;
        return new SetRequest();
    }

    /// <summary>The request is of no more use to anybody, the commit queue included.</summary>
    public void Return(SetRequest request)
    {
        request.Clear();
        foreach (ref var place in _sets.AsSpan())
            if (place is null && Interlocked.CompareExchange(ref place, request, null) is null)
                return;
    }

    public BatchItems TakeBatch() => Interlocked.Exchange(ref _batch, null) ?? new BatchItems();

    /// <summary>The batch is written, and nobody refers to its items.</summary>
    public void Return(BatchItems batch)
    {
        batch.Clear();
        Volatile.Write(ref _batch, batch);
    }
}

/// <summary>The changes of a batch while it is collected, and the bytes of its documents.</summary>
internal sealed class BatchItems
{
    private const int MostKept = 16 << 10;

    public List<BatchItem> Items { get; } = [];

    public DocumentBuffer Documents { get; } = new();

    public void Clear()
    {
        Items.Clear();
        if (Items.Capacity > MostKept) Items.Capacity = 0;
        Documents.Clear();
    }
}
