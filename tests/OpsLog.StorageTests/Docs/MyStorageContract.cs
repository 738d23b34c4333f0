// The README of OpsLog.Testing shows the first class below. It runs, on a storage that keeps each container in memory.
#pragma warning disable CA1050, IDE0065 // a file as its reader has it: no namespace
using OpsLog.Storage;
using OpsLog.Testing;

public sealed class MyStorageContract : StorageContract
{
    private readonly string _container = "test-" + Guid.NewGuid().ToString("n");

    // An empty storage. Called once before each test.
    protected override ValueTask<IOpsStorage> CreateAsync() => new(new MyStorage(_container));

    // A second client of the same objects, as another process would have.
    protected override ValueTask<IOpsStorage> ConnectAsync(IOpsStorage storage) => new(new MyStorage(_container));

    // After each test, when the storages are disposed.
    protected override async ValueTask CleanAsync() => await MyStorage.RemoveContainerAsync(_container);
}

internal sealed class MyStorage(string container) : IOpsStorage
{
    private static readonly System.Collections.Concurrent.ConcurrentDictionary<string, MemoryStorage> s_containers = new(StringComparer.Ordinal);
    private readonly MemoryStorage _objects = s_containers.GetOrAdd(container, _ => new MemoryStorage());

    public StorageCapabilities Capabilities => _objects.Capabilities;

    public static ValueTask RemoveContainerAsync(string container)
    {
        s_containers.TryRemove(container, out _);
        return ValueTask.CompletedTask;
    }

    public ValueTask<StoredObject?> ReadAsync(StorageKey key, ByteRange range, CancellationToken cancellationToken) => _objects.ReadAsync(key, range, cancellationToken);

    public ValueTask<PutResult> PutAsync(StorageKey key, Stream content, PutCondition condition, CancellationToken cancellationToken) =>
        _objects.PutAsync(key, content, condition, cancellationToken);

    public ValueTask<PutResult> AppendAsync(StorageKey key, ReadOnlyMemory<byte> bytes, long expectedLength, Flush flush, CancellationToken cancellationToken) =>
        _objects.AppendAsync(key, bytes, expectedLength, flush, cancellationToken);

    public IAsyncEnumerable<StorageEntry> ListAsync(StorageKey prefix, StorageKey? after, CancellationToken cancellationToken) => _objects.ListAsync(prefix, after, cancellationToken);

    public ValueTask DeleteAsync(StorageKey key, CancellationToken cancellationToken) => _objects.DeleteAsync(key, cancellationToken);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
