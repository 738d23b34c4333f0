namespace OpsLog.Storage;

public sealed class MemoryStorage : IOpsStorage
{
    /// <param name="append">Whether it can append; without, the log writer makes numbered objects.</param>
    public MemoryStorage(bool append = true) => throw new NotImplementedException(append.ToString());
    public StorageCapabilities Capabilities => throw new NotImplementedException();
    public ValueTask<StoredObject?> ReadAsync(StorageKey key, ByteRange range, CancellationToken cancellationToken) => throw new NotImplementedException();
    public ValueTask<PutResult> PutAsync(StorageKey key, Stream content, PutCondition condition, CancellationToken cancellationToken) => throw new NotImplementedException();
    public ValueTask<PutResult> AppendAsync(StorageKey key, ReadOnlyMemory<byte> bytes, long expectedLength, Flush flush, CancellationToken cancellationToken) => throw new NotImplementedException();
    public IAsyncEnumerable<StorageEntry> ListAsync(StorageKey prefix, StorageKey? after, CancellationToken cancellationToken) => throw new NotImplementedException();
    public ValueTask DeleteAsync(StorageKey key, CancellationToken cancellationToken) => throw new NotImplementedException();
    public ValueTask DisposeAsync() => throw new NotImplementedException();
}
