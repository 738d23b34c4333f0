using System.Collections.Concurrent;

namespace OpsLog.Storage;

/// <summary>
/// A storage whose large, unchanging objects (snapshots, archives, large numbered pieces of logs) are also kept in another, close by: a folder on this machine, as a rule. Opening a
/// store again then fetches only what is new. Everything else goes straight through, and so do all writes.
/// </summary>
/// <remarks>
/// <para>A copy is used only for the very version that the storage says it has now, and only if its checksum holds; it is checked when it is first used. So the cache may be deleted,
/// out of date or damaged at any time: what is missing is fetched. One that cannot be written is done without.</para>
/// <para>Safe for concurrent calls, and by several processes in one folder. Give each store a folder of its own.</para>
/// </remarks>
public sealed class CachedStorage : IOpsStorage
{
    /// <summary>Smaller objects are fetched each time: asking for their version would cost as much.</summary>
    public const int SmallestCached = 64 << 10;

    private const string LogFolder = "ops/";

    private readonly IOpsStorage _inner;
    private readonly CacheEntries _entries;
    private readonly bool _leaveOpen;
    private readonly SemaphoreSlim _fetching = new(1, 1);
    private readonly ConcurrentDictionary<StorageKey, StorageVersion> _checked = new(); // copies whose checksum held in this process

    /// <summary>Puts a cache in front of a storage.</summary>
    /// <param name="inner">The storage; disposed with this.</param>
    /// <param name="cache">Where copies are kept, a <see cref="FileStorage"/> as a rule; disposed with this. What else lies there is neither counted nor deleted, but looked through with each copy: better nothing.</param>
    /// <param name="maxBytes">How many bytes of copies are kept: beyond that the oldest go. An object larger than that is not kept. Default: 16 GiB; above zero.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="maxBytes"/> is not above zero.</exception>
    public CachedStorage(IOpsStorage inner, IOpsStorage cache, long maxBytes = 16L << 30)
        : this(inner, cache, maxBytes, leaveOpen: false)
    {
    }

    internal CachedStorage(IOpsStorage inner, IOpsStorage cache, long maxBytes, bool leaveOpen)
    {
        ArgumentNullException.ThrowIfNull(inner);
        ArgumentNullException.ThrowIfNull(cache);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(maxBytes, 0);
        (_inner, _entries, _leaveOpen) = (inner, new CacheEntries(cache, maxBytes), leaveOpen);
    }

    /// <inheritdoc/>
    public StorageCapabilities Capabilities => _inner.Capabilities;

    /// <inheritdoc/>
    public async ValueTask<StoredObject?> ReadAsync(StorageKey key, ByteRange range, CancellationToken cancellationToken)
    {
        if (!MayCache(key) || range.Length == 0) return await _inner.ReadAsync(key, range, cancellationToken).ConfigureAwait(false);
        // What is small is had by the look at the version.
        var look = new ByteRange(range.Offset, Math.Min(range.Length ?? long.MaxValue, SmallestCached));
        var found = await _inner.ReadAsync(key, look, cancellationToken).ConfigureAwait(false);
        if (found is null) return null;
        var (length, version) = (found.Length, found.Version);
        if (StorageGuard.Cut(range, length).Count <= SmallestCached) return found;
        await found.DisposeAsync().ConfigureAwait(false);
        if (length <= _entries.MaxBytes && await FromCacheAsync(key, range, length, version, cancellationToken).ConfigureAwait(false) is { } cached)
        {
            // What breaks off in the middle is the cache's failure, and not the caller's.
            if (cached.Memory is null && cached.Content is FileRangeStream file) file.GoOn = (at, ct) => RestAsync(key, range, at, length, version, ct);
            return cached;
        }

        return await _inner.ReadAsync(key, range, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public ValueTask<PutResult> PutAsync(StorageKey key, Stream content, PutCondition condition, CancellationToken cancellationToken) =>
        _inner.PutAsync(key, content, condition, cancellationToken);

    /// <inheritdoc/>
    public ValueTask<PutResult> AppendAsync(StorageKey key, ReadOnlyMemory<byte> bytes, long expectedLength, Flush flush, CancellationToken cancellationToken) =>
        _inner.AppendAsync(key, bytes, expectedLength, flush, cancellationToken);

    /// <inheritdoc/>
    public IAsyncEnumerable<StorageEntry> ListAsync(StorageKey prefix, StorageKey? after, CancellationToken cancellationToken) => _inner.ListAsync(prefix, after, cancellationToken);

    /// <inheritdoc/>
    public async ValueTask DeleteAsync(StorageKey key, CancellationToken cancellationToken)
    {
        await _inner.DeleteAsync(key, cancellationToken).ConfigureAwait(false);
        if (MayCache(key)) await _entries.RemoveAsync(key).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public ValueTask ReleaseAsync(StorageKey key, CancellationToken cancellationToken) => _inner.ReleaseAsync(key, cancellationToken);

    /// <inheritdoc/>
    public Task NextChangeAsync() => _inner.NextChangeAsync();

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _entries.DisposeAsync().ConfigureAwait(false);
        if (!_leaveOpen) await _inner.DisposeAsync().ConfigureAwait(false);
    }

    // What changes all the time is not worth keeping: the manifest, and logs that are appended to.
    private bool MayCache(StorageKey key) =>
        key.Value.Contains('/', StringComparison.Ordinal)
        && ((_inner.Capabilities & StorageCapabilities.Append) == 0 || !key.Value.StartsWith(LogFolder, StringComparison.Ordinal));

    // Null: the cache cannot help.
    private async ValueTask<StoredObject?> FromCacheAsync(StorageKey key, ByteRange range, long length, StorageVersion version, CancellationToken ct)
    {
        if (_checked.TryGetValue(key, out var known) && known == version && await _entries.ReadAsync(key, range, length, version, ct).ConfigureAwait(false) is { } kept) return kept;
        await _fetching.WaitAsync(ct).ConfigureAwait(false);
        try
        {
            if (!(_checked.TryGetValue(key, out known) && known == version) && !await _entries.HoldsAsync(key, length, version, ct).ConfigureAwait(false)
                && !await FetchAsync(key, length, version, ct).ConfigureAwait(false)) return null;
            _checked[key] = version;
        }
        finally
        {
            _fetching.Release();
        }

        var cached = await _entries.ReadAsync(key, range, length, version, ct).ConfigureAwait(false);
        if (cached is null) _checked.TryRemove(key, out _); // it was deleted meanwhile
        return cached;
    }

    private async ValueTask<Stream> RestAsync(StorageKey key, ByteRange range, long at, long length, StorageVersion version, CancellationToken ct)
    {
        var (offset, count) = StorageGuard.Cut(range, length);
        var rest = await _inner.ReadAsync(key, new ByteRange(offset + at, count - at), ct).ConfigureAwait(false);
        if (rest?.Version == version) return rest.Content;
        if (rest is not null) await rest.DisposeAsync().ConfigureAwait(false);
        throw new StorageException(StorageFault.Unavailable, $"'{key}' was replaced while it was being read from the cache, which failed. Read it again.");
    }

    private async ValueTask<bool> FetchAsync(StorageKey key, long length, StorageVersion version, CancellationToken ct)
    {
        var found = await _inner.ReadAsync(key, ByteRange.All, ct).ConfigureAwait(false);
        if (found is null) return false;
        await using (found.ConfigureAwait(false))
            return found.Version == version && found.Length == length && await _entries.TryWriteAsync(key, found, ct).ConfigureAwait(false);
    }
}
