using OpsLog.Storage;
using OpsLog.Testing;

namespace OpsLog.Tests.Faults;

/// <summary>A storage that lets a test look at, or hold, every call before it happens, and change what reads and listings give.</summary>
internal sealed class HookedStorage(IOpsStorage inner) : IOpsStorage
{
    public Func<StorageCalls, StorageKey, Task>? Before { get; set; }

    /// <summary>Holds the answer of a put or append that has happened.</summary>
    public Func<StorageCalls, StorageKey, Task>? After { get; set; }

    /// <summary>Which puts and appends get no answer. The last of them happens when <see cref="LandAsync"/> says so.</summary>
    public Func<StorageKey, bool>? GoesUnanswered { get; set; }

    public Func<StoredObject, StoredObject>? Reading { get; set; }

    public Func<List<StorageEntry>, IEnumerable<StorageEntry>>? Listing { get; set; }

    /// <summary>What it says it can do, beside what it can.</summary>
    public StorageCapabilities Claimed { get; init; }

    private Func<ValueTask<PutResult>>? _late;

    /// <summary>The call that went unanswered happens.</summary>
    public ValueTask<PutResult> LandAsync() => _late!();

    public StorageCapabilities Capabilities => inner.Capabilities | Claimed;

    public async ValueTask<StoredObject?> ReadAsync(StorageKey key, ByteRange range, CancellationToken cancellationToken)
    {
        await Look(StorageCalls.Read, key);
        var found = await inner.ReadAsync(key, range, cancellationToken);
        return found is not null && Reading is { } change ? change(found) : found;
    }

    public async ValueTask<PutResult> PutAsync(StorageKey key, Stream content, PutCondition condition, CancellationToken cancellationToken)
    {
        await Look(StorageCalls.Put, key);
        if (GoesUnanswered?.Invoke(key) == true)
        {
            var late = new MemoryStream();
            await content.CopyToAsync(late, cancellationToken);
            throw Unanswered(() => inner.PutAsync(key, new MemoryStream(late.ToArray()), condition, CancellationToken.None));
        }

        var result = await inner.PutAsync(key, content, condition, cancellationToken);
        if (After is null) return result;
        await After(StorageCalls.Put, key);
        cancellationToken.ThrowIfCancellationRequested(); // it has happened all the same
        return result;
    }

    public async ValueTask<PutResult> AppendAsync(StorageKey key, ReadOnlyMemory<byte> bytes, long expectedLength, Flush flush, CancellationToken cancellationToken)
    {
        await Look(StorageCalls.Append, key);
        if (GoesUnanswered?.Invoke(key) == true)
        {
            var late = bytes.ToArray();
            throw Unanswered(() => inner.AppendAsync(key, late, expectedLength, flush, CancellationToken.None));
        }

        var result = await inner.AppendAsync(key, bytes, expectedLength, flush, cancellationToken);
        if (After is not null) await After(StorageCalls.Append, key);
        return result;
    }

    public async IAsyncEnumerable<StorageEntry> ListAsync(
        StorageKey prefix, StorageKey? after, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await Look(StorageCalls.List, prefix);
        var entries = new List<StorageEntry>();
        await foreach (var entry in inner.ListAsync(prefix, after, cancellationToken)) entries.Add(entry);
        foreach (var entry in Listing?.Invoke(entries) ?? entries) yield return entry;
    }

    public async ValueTask DeleteAsync(StorageKey key, CancellationToken cancellationToken)
    {
        await Look(StorageCalls.Delete, key);
        await inner.DeleteAsync(key, cancellationToken);
    }

    public ValueTask ReleaseAsync(StorageKey key, CancellationToken cancellationToken) => inner.ReleaseAsync(key, cancellationToken);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private StorageException Unanswered(Func<ValueTask<PutResult>> late)
    {
        _late = late;
        return new StorageException(StorageFault.Unavailable, "No answer came.") { OutcomeUnknown = true };
    }

    private Task Look(StorageCalls call, StorageKey key) => Before?.Invoke(call, key) ?? Task.CompletedTask;
}

/// <summary>Holds every call that matches until it is opened, and says when the first one has arrived.</summary>
internal sealed class Gate
{
    private readonly TaskCompletionSource _arrived = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _open = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task Arrived => _arrived.Task;

    public void Open() => _open.TrySetResult();

    public Task PassAsync()
    {
        _arrived.TrySetResult();
        return _open.Task;
    }
}
