using OpsLog.Storage;
using OpsLog.Tests.Faults;

namespace OpsLog.Tests.ManyWriters;

/// <summary>A storage that can say that another process holds the manifest, as a folder does of one that was stopped in the middle of a swap.</summary>
internal sealed class HeldStorage(IOpsStorage inner) : IOpsStorage
{
    public bool Holds { get; set; }

    public StorageCapabilities Capabilities => inner.Capabilities;

    public ValueTask<StoredObject?> ReadAsync(StorageKey key, ByteRange range, CancellationToken cancellationToken) => inner.ReadAsync(key, range, cancellationToken);

    public ValueTask<PutResult> PutAsync(StorageKey key, Stream content, PutCondition condition, CancellationToken cancellationToken) =>
        Holds && key == Lab.Manifest ? new(new PutResult(PutOutcome.Held, Detail: "Held by process 42.")) : inner.PutAsync(key, content, condition, cancellationToken);

    public ValueTask<PutResult> AppendAsync(StorageKey key, ReadOnlyMemory<byte> bytes, long expectedLength, Flush flush, CancellationToken cancellationToken) =>
        inner.AppendAsync(key, bytes, expectedLength, flush, cancellationToken);

    public IAsyncEnumerable<StorageEntry> ListAsync(StorageKey prefix, StorageKey? after, CancellationToken cancellationToken) => inner.ListAsync(prefix, after, cancellationToken);

    public ValueTask DeleteAsync(StorageKey key, CancellationToken cancellationToken) => inner.DeleteAsync(key, cancellationToken);

    public ValueTask ReleaseAsync(StorageKey key, CancellationToken cancellationToken) => inner.ReleaseAsync(key, cancellationToken);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
