using System.Collections.Concurrent;
using System.Globalization;
using System.Runtime.CompilerServices;

namespace OpsLog.Storage;

/// <summary>
/// A storage in memory, for tests, caches and short-lived stores. It lives as long as the object: disposing it drops nothing, so that a
/// store can be closed and opened again on the same instance.
/// </summary>
/// <remarks>
/// Safe for concurrent calls. Every call completes synchronously. Reads hand out the stored bytes themselves where they lie in one
/// piece: bytes once written never change. "Durable" means nothing here; both levels of <see cref="Flush"/> are the same.
/// </remarks>
public sealed class MemoryStorage : IOpsStorage
{
    private readonly ConcurrentDictionary<StorageKey, MemoryObject> _objects = new();
    private readonly Lock _putting = new();
    private readonly TimeProvider _time;
    private readonly bool _append;
    private long _versions;

    /// <summary>Makes an empty storage.</summary>
    /// <param name="append">Whether it can append. Without, the log writer makes one numbered object per flush, as on an object store. Default: true.</param>
    /// <param name="timeProvider">The clock behind <see cref="StorageEntry.LastModified"/>. Default: the system's.</param>
    public MemoryStorage(bool append = true, TimeProvider? timeProvider = null)
    {
        _append = append;
        _time = timeProvider ?? TimeProvider.System;
    }

    /// <inheritdoc/>
    public StorageCapabilities Capabilities => StorageCapabilities.ListIsOrdered | (_append ? StorageCapabilities.Append : StorageCapabilities.None);

    /// <inheritdoc/>
    public ValueTask<StoredObject?> ReadAsync(StorageKey key, ByteRange range, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested) return ValueTask.FromCanceled<StoredObject?>(cancellationToken);
        StorageGuard.RequireRange(range);
        return new(_objects.TryGetValue(key, out var found) ? found.Read(range) : null);
    }

    /// <inheritdoc/>
    public async ValueTask<PutResult> PutAsync(StorageKey key, Stream content, PutCondition condition, CancellationToken cancellationToken)
    {
        StorageGuard.RequireName(key);
        ArgumentNullException.ThrowIfNull(content);
        cancellationToken.ThrowIfCancellationRequested();
        using var buffer = new MemoryStream();
        await content.CopyToAsync(buffer, cancellationToken).ConfigureAwait(false);
        var bytes = buffer.ToArray();
        lock (_putting)
        {
            var current = _objects.GetValueOrDefault(key);
            if (condition.Kind == PutConditionKind.IfAbsent && current is not null)
                return new PutResult(PutOutcome.Conflict, Detail: "The object exists.");
            if (condition.Kind == PutConditionKind.IfVersion && current is null)
                return new PutResult(PutOutcome.Conflict, Detail: "There is no such object.");
            var stored = new MemoryObject(this, bytes);
            if (current?.TryEnd(condition) == false)
                return new PutResult(PutOutcome.Conflict, Detail: "The object has another version.");
            _objects[key] = stored;
            return new PutResult(PutOutcome.Stored, stored.Version);
        }
    }

    /// <inheritdoc/>
    public ValueTask<PutResult> AppendAsync(
        StorageKey key, ReadOnlyMemory<byte> bytes, long expectedLength, Flush flush, CancellationToken cancellationToken)
    {
        if (!_append) throw new NotSupportedException("This storage was made without append.");
        StorageGuard.RequireName(key);
        if (cancellationToken.IsCancellationRequested) return ValueTask.FromCanceled<PutResult>(cancellationToken);
        while (_objects.TryGetValue(key, out var found))
            if (found.TryAppend(bytes.Span, expectedLength) is { } result) return new(result);
        return new(new PutResult(PutOutcome.Conflict, Detail: "There is no such object."));
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<StorageEntry> ListAsync(
        StorageKey prefix, StorageKey? after, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await ValueTask.CompletedTask.ConfigureAwait(false);
        var wanted = _objects
            .Where(entry => entry.Key.Value.StartsWith(prefix.Value, StringComparison.Ordinal) && (after is null || entry.Key > after.Value))
            .OrderBy(entry => entry.Key);
        foreach (var (key, stored) in wanted)
        {
            cancellationToken.ThrowIfCancellationRequested();
            yield return stored.Entry(key);
        }
    }

    /// <inheritdoc/>
    public ValueTask DeleteAsync(StorageKey key, CancellationToken cancellationToken)
    {
        StorageGuard.RequireName(key);
        if (cancellationToken.IsCancellationRequested) return ValueTask.FromCanceled(cancellationToken);
        lock (_putting) _objects.TryRemove(key, out _);
        return ValueTask.CompletedTask;
    }

    /// <summary>Does nothing: the objects stay for whoever opens this instance again.</summary>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    /// <summary>One object: whole pieces that never move, so that a reader may keep what it was handed while others append.</summary>
    private sealed class MemoryObject
    {
        private const int SmallestPiece = 4 << 10;
        private const int LargestPiece = 1 << 20;

        private readonly Lock _lock = new();
        private readonly MemoryStorage _owner;
        private readonly List<(long Start, byte[] Bytes)> _pieces = [];
        private long _length;
        private long _version;
        private DateTimeOffset _modified;
        private bool _isReplaced;

        public MemoryObject(MemoryStorage owner, byte[] bytes)
        {
            _owner = owner;
            _pieces.Add((0, bytes));
            _length = bytes.Length;
            Touch();
        }

        public StorageVersion Version => new(Interlocked.Read(ref _version).ToString(CultureInfo.InvariantCulture));

        public StorageEntry Entry(StorageKey key)
        {
            lock (_lock) return new StorageEntry(key, _length, _modified);
        }

        /// <summary>Nothing is appended to it any more, for another takes its place; false if it does not meet the condition.</summary>
        public bool TryEnd(PutCondition condition)
        {
            lock (_lock)
            {
                if (condition.Kind == PutConditionKind.IfVersion && Version != condition.Version) return false;
                return _isReplaced = true;
            }
        }

        /// <summary>Null: another takes its place at this moment.</summary>
        public PutResult? TryAppend(ReadOnlySpan<byte> bytes, long expectedLength)
        {
            lock (_lock)
            {
                if (_isReplaced) return null;
                if (_length != expectedLength)
                    return new PutResult(PutOutcome.Conflict, Detail: $"The object is {_length} bytes long, not {expectedLength}.");
                while (!bytes.IsEmpty)
                {
                    var (start, last) = _pieces[^1];
                    var used = (int)(_length - start);
                    if (used == last.Length)
                    {
                        var size = Math.Clamp(last.Length * 2L, SmallestPiece, LargestPiece);
                        _pieces.Add((_length, new byte[Math.Max(size, Math.Min(bytes.Length, LargestPiece))]));
                        continue;
                    }

                    var count = Math.Min(bytes.Length, last.Length - used);
                    bytes[..count].CopyTo(last.AsSpan(used));
                    bytes = bytes[count..];
                    _length += count;
                }

                if (_length != expectedLength) Touch();
                return default(PutResult);
            }
        }

        public StoredObject Read(ByteRange range)
        {
            lock (_lock)
            {
                var (offset, count) = StorageGuard.Cut(range, _length);
                var first = PieceAt(offset);
                var (start, bytes) = _pieces[first];
                var skip = (int)(offset - start);
                if (count <= bytes.Length - skip) return new StoredObject(bytes.AsMemory(skip, (int)count), _length, Version);

                var copy = GC.AllocateUninitializedArray<byte>(checked((int)count));
                for (var (piece, done) = (first, 0); done < copy.Length; piece++, skip = 0)
                {
                    var part = _pieces[piece].Bytes.AsSpan(skip);
                    part = part[..Math.Min(part.Length, copy.Length - done)];
                    part.CopyTo(copy.AsSpan(done));
                    done += part.Length;
                }

                return new StoredObject(copy, _length, Version);
            }
        }

        private int PieceAt(long offset)
        {
            var (low, high) = (0, _pieces.Count - 1);
            while (low < high)
            {
                var middle = (low + high + 1) / 2;
                if (_pieces[middle].Start <= offset) low = middle;
                else high = middle - 1;
            }

            return low;
        }

        private void Touch()
        {
            Interlocked.Exchange(ref _version, Interlocked.Increment(ref _owner._versions));
            _modified = _owner._time.GetUtcNow();
        }
    }
}
