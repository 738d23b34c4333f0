using System.Globalization;
using System.Runtime.CompilerServices;

namespace OpsLog.Testing;

/// <summary>What of the appended but not synced bytes a crash takes away.</summary>
public enum CrashLoss
{
    /// <summary>Nothing: the process died, the operating system lives.</summary>
    Nothing,

    /// <summary>All of it: power loss.</summary>
    Unsynced,

    /// <summary>All from some byte on, as the seed decides.</summary>
    Tail,

    /// <summary>As <see cref="Tail"/>, and the last byte that is left is damaged.</summary>
    TornByte,

    /// <summary>Any of the writes, as the seed decides; a lost one before a kept one reads as zeros.</summary>
    Scattered,
}

/// <summary>
/// A storage in memory that knows which bytes are durable and which are merely written, and can crash. A crash freezes it: every
/// later call fails, as those of a dead process's handle. <see cref="Reopen"/> gives what survives, as often and with as many kinds of loss as a test likes.
/// </summary>
/// <remarks>
/// Puts and deletes are atomic, and durable when they return. Calls are counted from 1, so that a test can crash at every one of them.
/// Safe for concurrent calls. Disposing it does nothing.
/// </remarks>
public sealed class CrashableStorage : IOpsStorage
{
    private readonly Lock _lock = new();
    private readonly Dictionary<StorageKey, Content> _objects = [];
    private readonly TimeProvider _time;
    private readonly bool _append;
    private readonly int _seed;
    private int _crashAt;
    private FaultMoment _crashMoment;
    private long _versions;

    /// <summary>Makes an empty storage.</summary>
    /// <param name="append">Whether it can append. Default: true.</param>
    /// <param name="seed">What random choices start from. Default: 0.</param>
    /// <param name="timeProvider">The clock behind modification times. Default: the system's.</param>
    public CrashableStorage(bool append = true, int seed = 0, TimeProvider? timeProvider = null)
    {
        _append = append;
        _seed = seed;
        _time = timeProvider ?? TimeProvider.System;
    }

    /// <summary>How many calls there have been, the one that crashed included. Releases and disposal are not counted.</summary>
    public int Calls { get; private set; }

    /// <summary>Whether it has crashed.</summary>
    public bool IsCrashed { get; private set; }

    /// <inheritdoc/>
    public StorageCapabilities Capabilities => StorageCapabilities.ListIsOrdered | (_append ? StorageCapabilities.Append : StorageCapabilities.None);

    /// <summary>Crashes at a call to come: that call and all later ones fail.</summary>
    /// <param name="n">Which call, counted from 1 over the storage's life.</param>
    /// <param name="moment">Whether that call has no effect, a partial one (or, if atomic, one by the seed), or all of it.</param>
    public void CrashAtCall(int n, FaultMoment moment)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(n, 1);
        lock (_lock) (_crashAt, _crashMoment) = (n, moment);
    }

    /// <summary>Crashes when a call to come has taken effect and before its caller hears of it.</summary>
    /// <param name="n">Which call, counted from 1 over the storage's life.</param>
    public void CrashAfterCall(int n) => CrashAtCall(n, FaultMoment.After);

    /// <summary>Crashes now. Does nothing if it has crashed already.</summary>
    public void Crash()
    {
        lock (_lock) IsCrashed = true;
    }

    /// <summary>Crashes, if it has not yet, and gives a new storage with what survives, all of it durable.</summary>
    /// <param name="loss">What of the unsynced bytes is lost. Default: all.</param>
    /// <param name="seed">For the losses that are left to chance. Default: 0.</param>
    public CrashableStorage Reopen(CrashLoss loss = CrashLoss.Unsynced, int seed = 0)
    {
        lock (_lock)
        {
            IsCrashed = true;
            var random = new Random(seed);
            var survivor = new CrashableStorage(_append, _seed, _time) { _versions = _versions };
            foreach (var (key, content) in _objects.OrderBy(entry => entry.Key))
                survivor._objects.Add(key, new Content(content.Survive(loss, random), ++survivor._versions, content.Modified));
            return survivor;
        }
    }

    /// <summary>How many bytes of an object would survive a power loss; <see langword="null"/> if there is no such object.</summary>
    /// <param name="key">The object's name.</param>
    public long? DurableLength(StorageKey key)
    {
        lock (_lock) return _objects.GetValueOrDefault(key)?.Durable;
    }

    /// <inheritdoc/>
    public ValueTask<StoredObject?> ReadAsync(StorageKey key, ByteRange range, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        ArgumentOutOfRangeException.ThrowIfNegative(range.Offset, nameof(range));
        lock (_lock)
        {
            Begin(out _, out var crashes);
            if (crashes) throw Dead();
            if (!_objects.TryGetValue(key, out var content)) return default;
            var offset = (int)Math.Min(range.Offset, content.Length);
            var count = (int)Math.Min(range.Length ?? long.MaxValue, content.Length - offset);
            return new(new StoredObject(content.Bytes.AsMemory(offset, count), content.Length, content.Version));
        }
    }

    /// <inheritdoc/>
    public async ValueTask<PutResult> PutAsync(StorageKey key, Stream content, PutCondition condition, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(content);
        RequireName(key);
        cancellationToken.ThrowIfCancellationRequested();
        using var buffer = new MemoryStream();
        await content.CopyToAsync(buffer, cancellationToken).ConfigureAwait(false);
        lock (_lock)
        {
            Begin(out var chance, out var crashes);
            if (crashes && !Happens(chance)) throw Dead();
            var current = _objects.GetValueOrDefault(key);
            var refused = condition.Kind switch
            {
                PutConditionKind.IfAbsent => current is not null,
                PutConditionKind.IfVersion => current?.Version != condition.Version,
                _ => false,
            };
            if (!refused) _objects[key] = current = new Content(buffer.ToArray(), ++_versions, _time.GetUtcNow());
            if (crashes) throw Dead();
            return refused
                ? new PutResult(PutOutcome.Conflict, Detail: "The condition does not hold.")
                : new PutResult(PutOutcome.Stored, current!.Version);
        }
    }

    /// <inheritdoc/>
    public ValueTask<PutResult> AppendAsync(
        StorageKey key, ReadOnlyMemory<byte> bytes, long expectedLength, Flush flush, CancellationToken cancellationToken)
    {
        if (!_append) throw new NotSupportedException("This storage was made without append.");
        RequireName(key);
        cancellationToken.ThrowIfCancellationRequested();
        lock (_lock)
        {
            Begin(out var chance, out var crashes);
            if (crashes && _crashMoment == FaultMoment.Before) throw Dead();
            if (!_objects.TryGetValue(key, out var content) || content.Length != expectedLength)
            {
                var found = content is null ? "There is no such object." : $"The object is {content.Length} bytes long.";
                return crashes ? throw Dead() : new(new PutResult(PutOutcome.Conflict, Detail: found));
            }

            var partial = crashes && _crashMoment == FaultMoment.During;
            content.Append(partial ? bytes.Span[..(int)(chance * bytes.Length)] : bytes.Span, ++_versions, _time.GetUtcNow());
            if (flush == Flush.Synced && !partial) content.Sync();
            return crashes ? throw Dead() : default;
        }
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<StorageEntry> ListAsync(
        StorageKey prefix, StorageKey? after, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await ValueTask.CompletedTask.ConfigureAwait(false);
        cancellationToken.ThrowIfCancellationRequested();
        List<StorageEntry> entries;
        lock (_lock)
        {
            Begin(out _, out var crashes);
            if (crashes) throw Dead();
            entries = [.. _objects
                .Where(entry => entry.Key.Value.StartsWith(prefix.Value, StringComparison.Ordinal) && (after is null || entry.Key > after.Value))
                .OrderBy(entry => entry.Key)
                .Select(entry => new StorageEntry(entry.Key, entry.Value.Length, entry.Value.Modified))];
        }

        foreach (var entry in entries)
        {
            cancellationToken.ThrowIfCancellationRequested();
            yield return entry;
        }
    }

    /// <inheritdoc/>
    public ValueTask DeleteAsync(StorageKey key, CancellationToken cancellationToken)
    {
        RequireName(key);
        cancellationToken.ThrowIfCancellationRequested();
        lock (_lock)
        {
            Begin(out var chance, out var crashes);
            if (!crashes || Happens(chance)) _objects.Remove(key);
            return crashes ? throw Dead() : ValueTask.CompletedTask;
        }
    }

    /// <summary>Does nothing; what is durable stays for <see cref="Reopen"/>.</summary>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private void Begin(out double chance, out bool crashes)
    {
        if (IsCrashed) throw Dead();
        Calls++;
        crashes = IsCrashed = Calls == _crashAt;
        chance = crashes ? new Random(unchecked((_seed * 397) ^ Calls)).NextDouble() : 0;
    }

    private bool Happens(double chance) => _crashMoment == FaultMoment.After || (_crashMoment == FaultMoment.During && chance < 0.5);

    private static StorageException Dead() => new(StorageFault.Broken, "The storage has crashed (injected).") { OutcomeUnknown = true };

    private static void RequireName(StorageKey key)
    {
        if (key == StorageKey.Root) throw new ArgumentException("The empty key is a prefix, not the name of an object.", nameof(key));
    }

    /// <summary>An object's bytes, the first of them durable, the rest in the order they were written.</summary>
    private sealed class Content(byte[] bytes, long version, DateTimeOffset modified)
    {
        private readonly List<int> _unsynced = [];
        private long _version = version;

        // Only ever grows by copying or past its used length, so that readers may keep what they were handed.
        public byte[] Bytes { get; private set; } = bytes;

        public int Length { get; private set; } = bytes.Length;

        public int Durable { get; private set; } = bytes.Length;

        public DateTimeOffset Modified { get; private set; } = modified;

        public StorageVersion Version => new(_version.ToString(CultureInfo.InvariantCulture));

        public void Append(ReadOnlySpan<byte> added, long version, DateTimeOffset now)
        {
            if (added.IsEmpty) return;
            if (Length + added.Length > Bytes.Length)
            {
                var larger = new byte[Math.Max(Bytes.Length * 2, Length + added.Length)];
                Bytes.AsSpan(0, Length).CopyTo(larger);
                Bytes = larger;
            }

            added.CopyTo(Bytes.AsSpan(Length));
            Length += added.Length;
            _unsynced.Add(added.Length);
            (_version, Modified) = (version, now);
        }

        public void Sync()
        {
            Durable = Length;
            _unsynced.Clear();
        }

        public byte[] Survive(CrashLoss loss, Random random)
        {
            var written = Bytes.AsSpan(0, Length);
            switch (loss)
            {
                case CrashLoss.Nothing:
                    return written.ToArray();
                case CrashLoss.Unsynced:
                    return written[..Durable].ToArray();
                case CrashLoss.Scattered:
                    return Scatter(written, random);
                default:
                    var kept = written[..random.Next(Durable, Length + 1)].ToArray();
                    if (loss == CrashLoss.TornByte && kept.Length > Durable) kept[^1] ^= (byte)(1 << random.Next(8));
                    return kept;
            }
        }

        private byte[] Scatter(ReadOnlySpan<byte> written, Random random)
        {
            var result = written.ToArray();
            var (offset, end) = (Durable, Durable);
            foreach (var length in _unsynced)
            {
                if (random.Next(2) == 0) result.AsSpan(offset, length).Clear();
                else end = offset + length;
                offset += length;
            }

            return result[..end];
        }
    }
}
