namespace OpsLog.Storage;

/// <summary>What reading asks of a storage's client library.</summary>
/// <param name="Container">What holds the objects, in words: "the bucket 'x'".</param>
/// <param name="FailureOf">What an exception means; null: it is none of the storage's.</param>
/// <param name="Look">One look at an object: null if it is absent.</param>
/// <param name="Get">Reads a range that is not empty: null if the object is absent.</param>
/// <param name="List">Lists a little of the container: fails if it is not there.</param>
internal sealed record ReadCalls(
    string Container,
    Func<Exception, CallFailure?> FailureOf,
    Func<string, CancellationToken, Task<ObjectBytes?>> Look,
    Func<string, long, long, CancellationToken, Task<ObjectBytes?>> Get,
    Func<CancellationToken, Task<bool>> List);

/// <summary>Reads of objects in a bucket or container, in parts.</summary>
internal sealed class BucketReader
{
    private const long LongestObject = 1L << 50; // longer than any server allows

    private readonly KeyMap _names;
    private readonly RetrySettings _settings;
    private readonly ReadCalls _calls;
    private readonly PartReader _parts;
    private volatile bool _hasContainer;

    public BucketReader(KeyMap names, RetrySettings settings, ReadCalls calls, int partSize, int parallel)
    {
        (_names, _settings, _calls) = (names, settings, calls);
        _parts = new PartReader(ReadPartAsync, partSize, parallel);
    }

    /// <summary>As <see cref="IOpsStorage.ReadAsync"/>.</summary>
    public async ValueTask<StoredObject?> ReadAsync(StorageKey key, ByteRange range, CancellationToken ct)
    {
        StorageGuard.RequireName(key);
        StorageGuard.RequireRange(range);
        ct.ThrowIfCancellationRequested();
        if (!_names.CanName(key)) return null;
        var found = await _parts.ReadAsync(key, range, ct).ConfigureAwait(false);
        if (found is null) await RequireContainerAsync(ct).ConfigureAwait(false);
        _hasContainer = true;
        return found;
    }

    private ValueTask<ObjectBytes?> ReadPartAsync(StorageKey key, long offset, long count, CancellationToken ct)
    {
        var name = _names.NameOf(key);
        return _settings.RunAsync(
            $"read '{key}'", token => count == 0 || offset >= LongestObject ? _calls.Look(name, token) : _calls.Get(name, offset, count, token), _calls.FailureOf, ct);
    }

    // A look at an object says "not there" of a missing container too; that is an error, not an empty store.
    private async ValueTask RequireContainerAsync(CancellationToken ct)
    {
        if (!_hasContainer) await _settings.RunAsync($"list {_calls.Container}", _calls.List, _calls.FailureOf, ct).ConfigureAwait(false);
    }
}
