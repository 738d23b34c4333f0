using System.Runtime.CompilerServices;

namespace OpsLog.Testing;

/// <summary>
/// A storage around another that fails on demand: scripted faults (<see cref="Inject"/>), or a seeded rate of them (<see cref="FaultRate"/>).
/// The same seed and the same sequence of calls give the same faults. It counts calls by verb, so that a test can fail the n-th for all n.
/// </summary>
/// <remarks>Safe for concurrent calls; then the order in which calls arrive decides which is the n-th. Disposing it disposes the storage inside.</remarks>
public sealed class FaultyStorage : IOpsStorage
{
    private readonly IOpsStorage _inner;
    private readonly TimeProvider _time;
    private readonly Random _random;
    private readonly Lock _lock = new();
    private readonly List<Armed> _armed = [];
    private readonly Dictionary<StorageCalls, int> _counts = [];
    private readonly List<string> _faults = [];

    /// <summary>Wraps a storage; without faults until some are asked for.</summary>
    /// <param name="inner">The storage that does the work.</param>
    /// <param name="seed">What random choices start from. Default: 0.</param>
    /// <param name="timeProvider">The clock that delays wait on. Default: the system's.</param>
    public FaultyStorage(IOpsStorage inner, int seed = 0, TimeProvider? timeProvider = null)
    {
        ArgumentNullException.ThrowIfNull(inner);
        _inner = inner;
        _time = timeProvider ?? TimeProvider.System;
        _random = new Random(seed);
    }

    /// <summary>The storage inside.</summary>
    public IOpsStorage Inner => _inner;

    /// <summary>The share of calls, 0 to 1, that fail by chance (the seed's), at any moment and with any transient or lasting fault. Default: 0.</summary>
    public double FaultRate { get; set; }

    /// <summary>The verbs that <see cref="FaultRate"/> applies to. Default: all but releases.</summary>
    public StorageCalls FaultRateCalls { get; set; } = StorageCalls.All & ~StorageCalls.Release;

    /// <summary>What has been made to fail so far, in order: for the message of a failing test.</summary>
    public IReadOnlyList<string> Faults
    {
        get
        {
            lock (_lock) return [.. _faults];
        }
    }

    /// <inheritdoc/>
    public StorageCapabilities Capabilities => _inner.Capabilities;

    /// <summary>How many calls of some verbs there have been, failed ones included.</summary>
    /// <param name="calls">The verbs to count.</param>
    public int CountOf(StorageCalls calls = StorageCalls.All)
    {
        lock (_lock) return _counts.Where(entry => (entry.Key & calls) != 0).Sum(entry => entry.Value);
    }

    /// <summary>Asks for a fault, counted from now on.</summary>
    /// <param name="fault">What is to happen.</param>
    public void Inject(InjectedFault fault)
    {
        ArgumentNullException.ThrowIfNull(fault);
        lock (_lock) _armed.Add(new Armed(fault));
    }

    /// <summary>Takes back all faults, the rate included. Counts stay.</summary>
    public void Clear()
    {
        lock (_lock) _armed.Clear();
        FaultRate = 0;
    }

    /// <inheritdoc/>
    public async ValueTask<StoredObject?> ReadAsync(StorageKey key, ByteRange range, CancellationToken cancellationToken)
    {
        var hit = await NextAsync(StorageCalls.Read, key, false, cancellationToken).ConfigureAwait(false);
        if (hit is null) return await _inner.ReadAsync(key, range, cancellationToken).ConfigureAwait(false);
        throw Failure(hit.Value, StorageCalls.Read, key);
    }

    /// <inheritdoc/>
    public async ValueTask<PutResult> PutAsync(StorageKey key, Stream content, PutCondition condition, CancellationToken cancellationToken)
    {
        var hit = await NextAsync(StorageCalls.Put, key, false, cancellationToken).ConfigureAwait(false);
        if (hit is null) return await _inner.PutAsync(key, content, condition, cancellationToken).ConfigureAwait(false);
        if (TakesEffect(hit.Value))
        {
            var result = await _inner.PutAsync(key, content, condition, cancellationToken).ConfigureAwait(false);
            if (!result.IsStored) return result; // the lost answer would have been a refusal: nothing to be unsure about
        }

        return hit.Value.Fault.Outcome is { } outcome ? new PutResult(outcome, Detail: "Injected.") : throw Failure(hit.Value, StorageCalls.Put, key);
    }

    /// <inheritdoc/>
    public ValueTask<PutResult> AppendAsync(
        StorageKey key, ReadOnlyMemory<byte> bytes, long expectedLength, Flush flush, CancellationToken cancellationToken)
    {
        if (!Capabilities.HasFlag(StorageCapabilities.Append)) return _inner.AppendAsync(key, bytes, expectedLength, flush, cancellationToken);
        return AppendOrFailAsync(key, bytes, expectedLength, flush, cancellationToken);
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<StorageEntry> ListAsync(
        StorageKey prefix, StorageKey? after, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var hit = await NextAsync(StorageCalls.List, prefix, false, cancellationToken).ConfigureAwait(false);
        if (hit?.Fault.Moment == FaultMoment.Before) throw Failure(hit.Value, StorageCalls.List, prefix);
        var yielded = 0;
        await foreach (var entry in _inner.ListAsync(prefix, after, cancellationToken).ConfigureAwait(false))
        {
            if (hit?.Fault.Moment == FaultMoment.During && yielded++ > 0) break;
            yield return entry;
        }

        if (hit is not null) throw Failure(hit.Value, StorageCalls.List, prefix);
    }

    /// <inheritdoc/>
    public async ValueTask DeleteAsync(StorageKey key, CancellationToken cancellationToken)
    {
        var hit = await NextAsync(StorageCalls.Delete, key, false, cancellationToken).ConfigureAwait(false);
        if (hit is null || TakesEffect(hit.Value)) await _inner.DeleteAsync(key, cancellationToken).ConfigureAwait(false);
        if (hit is not null) throw Failure(hit.Value, StorageCalls.Delete, key);
    }

    /// <inheritdoc/>
    public async ValueTask ReleaseAsync(StorageKey key, CancellationToken cancellationToken)
    {
        var hit = await NextAsync(StorageCalls.Release, key, false, cancellationToken).ConfigureAwait(false);
        if (hit is null || TakesEffect(hit.Value)) await _inner.ReleaseAsync(key, cancellationToken).ConfigureAwait(false);
        if (hit is not null) throw Failure(hit.Value, StorageCalls.Release, key);
    }

    /// <inheritdoc/>
    public Task NextChangeAsync() => _inner.NextChangeAsync();

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _inner.DisposeAsync();

    private async ValueTask<PutResult> AppendOrFailAsync(
        StorageKey key, ReadOnlyMemory<byte> bytes, long expectedLength, Flush flush, CancellationToken cancellationToken)
    {
        var hit = await NextAsync(StorageCalls.Append, key, flush == Flush.Synced, cancellationToken).ConfigureAwait(false);
        if (hit is null) return await _inner.AppendAsync(key, bytes, expectedLength, flush, cancellationToken).ConfigureAwait(false);
        var (fault, chance) = hit.Value;
        var arriving = fault.Moment switch
        {
            FaultMoment.Before => -1,
            FaultMoment.During => Math.Min(fault.PartialBytes ?? (int)(chance * bytes.Length), bytes.Length),
            _ => bytes.Length,
        };
        if (arriving >= 0)
        {
            // What fails on the way to the medium was not synced, whatever level was asked for.
            var result = await _inner.AppendAsync(key, bytes[..arriving], expectedLength, Flush.Written, cancellationToken).ConfigureAwait(false);
            if (!result.IsStored) return result;
        }

        return fault.Outcome is { } outcome ? new PutResult(outcome, Detail: "Injected.") : throw Failure(hit.Value, StorageCalls.Append, key);
    }

    private async ValueTask<Hit?> NextAsync(StorageCalls call, StorageKey key, bool synced, CancellationToken cancellationToken)
    {
        Hit? hit = null;
        lock (_lock)
        {
            var number = _counts[call] = _counts.GetValueOrDefault(call) + 1;
            foreach (var armed in _armed)
                if (armed.Matches(call, key, synced) && hit is null) hit = new Hit(armed.Fault, _random.NextDouble());
            if (hit is null && FaultRate > 0 && (FaultRateCalls & call) != 0 && _random.NextDouble() < FaultRate) hit = ByChance();
            if (hit is { Fault: var fault })
                _faults.Add($"{call} {number} of '{key}': {fault.Outcome?.ToString() ?? fault.Fault.ToString()}, {fault.Moment}");
        }

        if (hit is { } delayed && delayed.Fault.Delay > TimeSpan.Zero)
            await Task.Delay(delayed.Fault.Delay, _time, cancellationToken).ConfigureAwait(false);
        return hit is { Fault.OnlyDelay: true } ? null : hit;
    }

    private Hit ByChance()
    {
        var faults = Enum.GetValues<StorageFault>();
        var moments = Enum.GetValues<FaultMoment>();
        return new Hit(
            new InjectedFault { Fault = faults[_random.Next(faults.Length)], Moment = moments[_random.Next(moments.Length)] }, _random.NextDouble());
    }

    private static bool TakesEffect(Hit hit) => hit.Fault.Moment switch
    {
        FaultMoment.Before => false,
        FaultMoment.During => hit.Chance < 0.5,
        _ => true,
    };

    private static StorageException Failure(Hit hit, StorageCalls call, StorageKey key) =>
        new(hit.Fault.Fault, $"Injected: {call} of '{key}' fails ({hit.Fault.Fault}, {hit.Fault.Moment}).")
        {
            OutcomeUnknown = (call & StorageCalls.Writes) != 0 && (hit.Fault.OutcomeUnknown ?? hit.Fault.Moment != FaultMoment.Before),
        };

    /// <summary>A fault that strikes a call, with the seed's number between 0 and 1 for what is left to chance.</summary>
    private readonly record struct Hit(InjectedFault Fault, double Chance);

    private sealed class Armed(InjectedFault fault)
    {
        private int _seen;

        public InjectedFault Fault => fault;

        public bool Matches(StorageCalls call, StorageKey key, bool synced)
        {
            if ((fault.Calls & call) == 0 || (fault.OnlySynced && !synced) || fault.Keys?.Invoke(key) == false) return false;
            _seen++;
            return _seen >= fault.FirstCall && _seen - fault.FirstCall < fault.Count;
        }
    }
}
