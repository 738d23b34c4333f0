using OpsLog.Storage;

namespace OpsLog.Compare;

/// <summary>Tells when a checkpoint runs.</summary>
internal sealed class WatchedStorage(IOpsStorage inner) : IOpsStorage
{
    private int _checkpoint;

    public StorageCapabilities Capabilities => inner.Capabilities;

    /// <summary>From the first byte of a snapshot until what it supersedes has been looked through: the last thing a checkpoint does.</summary>
    public bool IsInCheckpoint => Volatile.Read(ref _checkpoint) != 0;

    public ValueTask<StoredObject?> ReadAsync(StorageKey key, ByteRange range, CancellationToken cancellationToken) => inner.ReadAsync(key, range, cancellationToken);

    public ValueTask<PutResult> PutAsync(StorageKey key, Stream content, PutCondition condition, CancellationToken cancellationToken)
    {
        if (key.Value.StartsWith("snapshots/", StringComparison.Ordinal)) Volatile.Write(ref _checkpoint, 1);
        return inner.PutAsync(key, content, condition, cancellationToken);
    }

    public ValueTask<PutResult> AppendAsync(StorageKey key, ReadOnlyMemory<byte> bytes, long expectedLength, Flush flush, CancellationToken cancellationToken) =>
        inner.AppendAsync(key, bytes, expectedLength, flush, cancellationToken);

    public async IAsyncEnumerable<StorageEntry> ListAsync(
        StorageKey prefix, StorageKey? after, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var entry in inner.ListAsync(prefix, after, cancellationToken)) yield return entry;
        Volatile.Write(ref _checkpoint, 0);
    }

    public ValueTask DeleteAsync(StorageKey key, CancellationToken cancellationToken) => inner.DeleteAsync(key, cancellationToken);

    public ValueTask ReleaseAsync(StorageKey key, CancellationToken cancellationToken) => inner.ReleaseAsync(key, cancellationToken);

    public ValueTask DisposeAsync() => inner.DisposeAsync();
}
