using OpsLog.Format;
using OpsLog.Storage;

namespace OpsLog.Engine;

/// <summary>A storage to read, with a manifest that it does not hold yet.</summary>
internal sealed class WithManifest(IOpsStorage storage, byte[] manifest) : IOpsStorage
{
    public StorageCapabilities Capabilities => storage.Capabilities;

    public ValueTask<StoredObject?> ReadAsync(StorageKey key, ByteRange range, CancellationToken cancellationToken)
    {
        if (key != StoreKeys.Manifest) return storage.ReadAsync(key, range, cancellationToken);
        var start = (int)Math.Min(range.Offset, manifest.Length);
        var length = (int)Math.Min(range.Length ?? manifest.Length, manifest.Length - start);
        return new(new StoredObject(manifest.AsMemory(start, length), manifest.Length, new StorageVersion("copy")));
    }

    public IAsyncEnumerable<StorageEntry> ListAsync(StorageKey prefix, StorageKey? after, CancellationToken cancellationToken) => storage.ListAsync(prefix, after, cancellationToken);

    public ValueTask<PutResult> PutAsync(StorageKey key, Stream content, PutCondition condition, CancellationToken cancellationToken) => throw ReadOnly();

    public ValueTask<PutResult> AppendAsync(StorageKey key, ReadOnlyMemory<byte> bytes, long expectedLength, Flush flush, CancellationToken cancellationToken) => throw ReadOnly();

    public ValueTask DeleteAsync(StorageKey key, CancellationToken cancellationToken) => throw ReadOnly();

    /// <summary>Does nothing: the storage is its caller's.</summary>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private static NotSupportedException ReadOnly() => new("It is read only.");
}
