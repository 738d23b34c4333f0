using OpsLog.Storage;
using OpsLog.Testing;

namespace OpsLog.Tests.Faults;

/// <summary>A storage that lets a test look at, or hold, every call before it happens, and change what reads and listings give.</summary>
internal sealed class HookedStorage(IOpsStorage inner) : IOpsStorage
{
    public Func<StorageCalls, StorageKey, Task>? Before { get; set; }

    /// <summary>Holds the answer of a put or append that has happened.</summary>
    public Func<StorageCalls, StorageKey, Task>? After { get; set; }

    public Func<StoredObject, StoredObject>? Reading { get; set; }

    public Func<List<StorageEntry>, IEnumerable<StorageEntry>>? Listing { get; set; }

    /// <summary>What it says it can do, beside what it can.</summary>
    public StorageCapabilities Claimed { get; init; }

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
        var result = await inner.PutAsync(key, content, condition, cancellationToken);
        if (After is not null) await After(StorageCalls.Put, key);
        return result;
    }

    public async ValueTask<PutResult> AppendAsync(StorageKey key, ReadOnlyMemory<byte> bytes, long expectedLength, Flush flush, CancellationToken cancellationToken)
    {
        await Look(StorageCalls.Append, key);
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
