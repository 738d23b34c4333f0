// Goal: every storage of the project keeps every promise of the contract. Method: the contract suite that backend authors run, once per storage.
using OpsLog.Storage;
using OpsLog.Testing;

namespace OpsLog.StorageTests;

public sealed class FileStorageContract : StorageContract
{
    private readonly TemporaryFolder _folder = new();

    // Each object is synced to the disk; a folder has no pages.
    protected override int ListingSize => 120;

    protected override ValueTask<IOpsStorage> CreateAsync() => new(new FileStorage(_folder.Path));

    protected override ValueTask<IOpsStorage> ConnectAsync(IOpsStorage storage) => CreateAsync();

    protected override ValueTask CleanAsync()
    {
        _folder.Dispose();
        return ValueTask.CompletedTask;
    }
}

public sealed class MemoryStorageContract : StorageContract
{
    protected override ValueTask<IOpsStorage> CreateAsync() => new(new MemoryStorage());
}

public sealed class NumberedMemoryStorageContract : StorageContract
{
    protected override ValueTask<IOpsStorage> CreateAsync() => new(new MemoryStorage(append: false));
}

public sealed class CrashableStorageContract : StorageContract
{
    protected override ValueTask<IOpsStorage> CreateAsync() => new(new CrashableStorage());
}

public sealed class NumberedCrashableStorageContract : StorageContract
{
    protected override ValueTask<IOpsStorage> CreateAsync() => new(new CrashableStorage(append: false));
}

public sealed class FaultlessFaultyStorageContract : StorageContract
{
    protected override ValueTask<IOpsStorage> CreateAsync() => new(new FaultyStorage(new MemoryStorage()));
}

public sealed class CachedStorageContract : StorageContract
{
    private readonly TemporaryFolder _folder = new();
    private readonly MemoryStorage _inner = new();

    protected override ValueTask<IOpsStorage> CreateAsync() => new(new CachedStorage(_inner, new FileStorage(_folder.Path)));

    // Two processes with one cache.
    protected override ValueTask<IOpsStorage> ConnectAsync(IOpsStorage storage) => CreateAsync();

    protected override ValueTask CleanAsync()
    {
        _folder.Dispose();
        return ValueTask.CompletedTask;
    }
}

public sealed class NumberedCachedStorageContract : StorageContract
{
    private readonly MemoryStorage _inner = new(append: false);

    protected override ValueTask<IOpsStorage> CreateAsync() => new(new CachedStorage(_inner, new MemoryStorage(), maxBytes: 1 << 20));

    protected override ValueTask<IOpsStorage> ConnectAsync(IOpsStorage storage) => CreateAsync();
}
