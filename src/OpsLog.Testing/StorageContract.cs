using Xunit;

namespace OpsLog.Testing;

/// <summary>
/// What a storage promises, as tests: derive a class from it in an xunit.v3 project, make an empty storage in <see cref="CreateAsync"/>,
/// and run. Each test is named after the promise it checks, K1 to K14. Which tests apply follows from the storage's own
/// <see cref="IOpsStorage.Capabilities"/>; a storage that declares what it lacks, or lacks it in another way than it should, fails.
/// </summary>
/// <remarks>
/// K1 creating is atomic. K2 swapping is atomic, and versions do not come back. K3 another client reads what was written. K4 an append
/// is done, or says what it knows. K5 a partial append shows as such. K6 a put is all or nothing. K7 listings are complete and ordered.
/// K8 deletes are harmless. K9 absent is not failed. K10 ranges are exact. K11 no name leads elsewhere. K12 cancelling breaks nothing.
/// K13 a condition is checked by the write. K14 a retry inside the client is not seen.
/// </remarks>
public abstract partial class StorageContract : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly List<IOpsStorage> _opened = [];
    private IOpsStorage? _storage;

    /// <summary>The storage under test, empty at the start of each test.</summary>
    protected IOpsStorage Storage => _storage ?? throw new InvalidOperationException("The test has not started.");

    /// <summary>How many objects the test of long listings makes. More than one page of the backend, if it has pages. Default: 1,100.</summary>
    protected virtual int ListingSize => 1100;

    /// <summary>Whether the storage can append.</summary>
    protected bool CanAppend => Storage.Capabilities.HasFlag(StorageCapabilities.Append);

    /// <summary>Makes an empty storage. Called once before each test.</summary>
    protected abstract ValueTask<IOpsStorage> CreateAsync();

    /// <summary>
    /// Makes a second client of the same stored objects, as another process would have. Default: the same instance, for storages that
    /// live in one process.
    /// </summary>
    /// <param name="storage">The storage that <see cref="CreateAsync"/> made.</param>
    protected virtual ValueTask<IOpsStorage> ConnectAsync(IOpsStorage storage) => new(storage);

    /// <summary>Removes what the test stored outside of memory. Called after each test, when the storages are disposed.</summary>
    protected virtual ValueTask CleanAsync() => ValueTask.CompletedTask;

    /// <summary>Makes the storage.</summary>
    public async ValueTask InitializeAsync()
    {
        _storage = await CreateAsync();
        _opened.Add(_storage);
    }

    /// <summary>Disposes the storages, and cleans up.</summary>
    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        foreach (var storage in _opened) await storage.DisposeAsync();
        await CleanAsync();
    }

    /// <summary>A second client, disposed after the test.</summary>
    protected async ValueTask<IOpsStorage> AnotherClientAsync()
    {
        var storage = await ConnectAsync(Storage);
        if (!_opened.Contains(storage)) _opened.Add(storage);
        return storage;
    }

    /// <summary>Bytes that differ from place to place and from seed to seed.</summary>
    /// <param name="length">How many.</param>
    /// <param name="seed">Which.</param>
    protected static byte[] Bytes(int length, int seed = 0)
    {
        var bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static StorageKey Key(string name) => new(name);

    private static Task<PutResult> PutAsync(IOpsStorage storage, string key, byte[] content, PutCondition condition = default) =>
        storage.PutAsync(Key(key), new MemoryStream(content, writable: false), condition, Token).AsTask();

    private static async Task<StorageVersion> StoreAsync(IOpsStorage storage, string key, byte[] content, PutCondition condition = default)
    {
        var result = await PutAsync(storage, key, content, condition);
        Assert.Equal(PutOutcome.Stored, result.Outcome);
        return result.Version;
    }

    private static Task<PutResult> AppendAsync(IOpsStorage storage, string key, byte[] bytes, long expectedLength, Flush flush = Flush.Synced) =>
        storage.AppendAsync(Key(key), bytes, expectedLength, flush, Token).AsTask();

    private static async Task<byte[]?> LoadAsync(IOpsStorage storage, string key, ByteRange range = default)
    {
        var found = await storage.ReadAsync(Key(key), range, Token);
        if (found is null) return null;
        await using (found) return (await found.ReadToEndAsync(Token)).ToArray();
    }

    private static async Task HoldsAsync(IOpsStorage storage, string key, params IEnumerable<byte> expected)
    {
        var found = await LoadAsync(storage, key);
        var wanted = expected.ToArray();
        if (found is null || !found.AsSpan().SequenceEqual(wanted)) Assert.Equal(wanted, found); // shows where they differ
    }

    private static async Task<StorageVersion?> VersionAsync(IOpsStorage storage, string key)
    {
        var found = await storage.ReadAsync(Key(key), new ByteRange(0, 0), Token);
        if (found is null) return null;
        await using (found) return found.Version;
    }

    private static async Task<List<string>> NamesAsync(IOpsStorage storage, string prefix = "", string? after = null)
    {
        var names = new List<string>();
        await foreach (var entry in storage.ListAsync(Key(prefix), after is null ? null : Key(after), Token)) names.Add(entry.Key.Value);
        return names;
    }

    /// <summary>Starts all at once and gives what each returned.</summary>
    private static Task<T[]> RaceAsync<T>(int racers, Func<int, Task<T>> run)
    {
        var start = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var tasks = Enumerable.Range(0, racers).Select(i => Task.Run(async () =>
        {
            await start.Task;
            return await run(i);
        })).ToArray();
        start.SetResult();
        return Task.WhenAll(tasks);
    }
}
