using OpsLog.Engine.Agents;
using OpsLog.Format;
using OpsLog.Storage;

namespace OpsLog.Engine;

/// <summary>
/// Keeps a read-only opening up with a living writer: reads the log from where it stopped, goes from log to log as checkpoints are made,
/// and starts over from the newest snapshot if what it needs is gone.
/// </summary>
internal sealed class Follower
{
    private readonly IOpsStorage _storage;
    private readonly EngineSettings _settings;
    private readonly ManifestRegister _register;
    private readonly SemaphoreSlim _one = new(1, 1);
    private StateBuilder _builder;
    private Place? _place;
    private IReadOnlyList<PlannedLog> _logs;
    private bool _isBehind; // a newer manifest was read, but not yet what it names

    public Follower(IOpsStorage storage, EngineSettings settings, OpenedStore opened)
    {
        (_storage, _settings, _register) = (storage, settings, opened.Register);
        _builder = new StateBuilder(opened.State, opened.Migration, merges: false);
        _place = PlaceOf(opened);
        _logs = opened.Logs;
        IsOurs = opened.LogIsOurs;
    }

    public Manifest Manifest => _register.Current;

    /// <summary>How far the current log was read.</summary>
    public long Position => _place?.Position ?? 0;

    public long Operations => _place?.Operations ?? 0;

    /// <summary>The logs behind the snapshot, and how far each was read.</summary>
    public IReadOnlyList<PlannedLog> Logs => _place is { } place ? [(_logs is [var read] && string.Equals(read.Entry.Name, place.Key.Value, StringComparison.Ordinal) ? read : new PlannedLog(place.Entry)) with { Length = place.Position }] : _logs;

    /// <summary>Every line of the log is ours.</summary>
    public bool IsOurs { get; private set; }

    /// <summary>The store has got many writers since: what it was opened as then. This follower is at its end.</summary>
    public OpenedStore? OpenedAsMany { get; private set; }

    /// <summary>Takes in what is new; returns how many operations, and the state to go on with if it had to be read again.</summary>
    public async ValueTask<(int Operations, StoreState? Replaced)> RefreshAsync(StoreState state, CancellationToken ct)
    {
        await _one.WaitAsync(ct).ConfigureAwait(false);
        try
        {
            var taken = 0;
            if (_isBehind || !await _register.IsCurrentAsync(ct).ConfigureAwait(false))
            {
                _isBehind = true;
                var read = await _register.ReadAsync(ct).ConfigureAwait(false)
                    ?? throw LogScanner.Refused(new Damage(DamageKind.Missing, StoreKeys.Manifest.Value, 0, 0, 0, "the manifest is gone"));
                if (read.Verdict != ManifestVerdict.Ours || _place is null || HadAgents(_register.Current, read.Manifest!)) return await StartOverAsync(ct).ConfigureAwait(false);
                _register.Adopt(read.Manifest!);
                _isBehind = false;
            }

            if (_place is null) return (0, null);
            if (!await MoveOnAsync(state, _register.Current, n => taken += n, ct).ConfigureAwait(false)) return await StartOverAsync(ct).ConfigureAwait(false);
            var more = await ReadOnAsync(state, null, ct).ConfigureAwait(false);
            return more < 0 ? await StartOverAsync(ct).ConfigureAwait(false) : (taken + more, null);
        }
        finally
        {
            _one.Release();
        }
    }

    private static Place? PlaceOf(OpenedStore opened)
    {
        if (opened.LogExtent is not { } extent || opened.Register.Current.Logs is not [var log] || !string.Equals(log.Name, extent.Name, StringComparison.Ordinal)) return null;
        var taken = opened.LogEnd == LogEnd.MissingNewline ? opened.LogLength : opened.LogTaken;
        return new Place(new StorageKey(log.Name), extent, log, taken, opened.LogClock, opened.LogOperations);
    }

    // Agents came and went in between: what they wrote lies in logs that were folded, beside the single writer's.
    private static bool HadAgents(Manifest known, Manifest now)
    {
        var retired = now.Retired.Where(r => !known.Retired.Contains(r)).ToList();
        return retired.Exists(r => r.Agent.Length > 0) || (retired.Count == now.Retired.Count && retired.Count >= Compactor.MostRetired);
    }

    // The manifest names another log: the rest of the old one first, then on in the one that took its place.
    private async ValueTask<bool> MoveOnAsync(StoreState state, Manifest manifest, Action<int> took, CancellationToken ct)
    {
        while (manifest.Logs is not [var current] || !string.Equals(current.Name, _place!.Key.Value, StringComparison.Ordinal))
        {
            var index = manifest.Retired.ToList().FindIndex(r => string.Equals(r.Name, _place!.Key.Value, StringComparison.Ordinal));
            if (index < 0 || manifest.Logs.Count != 1) return false;
            var length = manifest.Retired[index].Length;
            if (_place!.Position < length)
            {
                var operations = await ReadOnAsync(state, length, ct).ConfigureAwait(false);
                if (operations < 0) return false;
                took(operations);
                if (_place.Position < length) return false; // it was longer once: what is missing is in the snapshot
            }

            var next = index + 1 < manifest.Retired.Count ? manifest.Retired[index + 1] : null;
            var entry = next is null ? manifest.Logs[0] : new LogEntry(next.Name, next.Agent, _place.Clock, next.Schema, 0, 0, false);
            if (entry.Schema != _place.Entry.Schema || entry.Agent.Length > 0) return false; // the documents were migrated, or agents came in between
            var extent = state.LogExtent(entry.Name, StampSource.SingleWriter);
            lock (state.Gate) state.Extents.Add(extent);
            _place = new Place(new StorageKey(entry.Name), extent, entry, Math.Max(0, _place.Position - length), _place.Clock, 0);
        }

        return true;
    }

    /// <returns>How many operations were taken in; -1 if the log is gone.</returns>
    private async ValueTask<int> ReadOnAsync(StoreState state, long? limit, CancellationToken ct)
    {
        var place = _place!;
        var scanner = new LogScanner(new LogSource(place.Key.Value, place.Clock, place.Entry.Agent), _settings.Recovery == Recovery.Strict ? Recovery.TolerateTornTail : _settings.Recovery)
        {
            WaitsForMore = true,
        };
        _builder.EnterLog(place.Extent, StampSource.SingleWriter, place.Entry.Schema);
        var found = await LogReader.ReadAsync(_storage, place.Key, place.Position, limit, part =>
        {
            if (part.Memory.Length == 0) return 0;
            var (bytes, owner) = part.ToKeep();
            lock (state.Gate)
            {
                place.Extent.Add(part.Start, bytes, owner);
                var taken = scanner.Scan(part with { Memory = bytes }, _builder);
                place.Extent.Spill(part.Start + taken);
                // What was taken in is never taken in again, should the next read fail. Empty and void lines behind it may be a seal, which no next log begins with.
                _place = place with { Position = Math.Max(place.Position, scanner.Standing), Clock = scanner.Clock, Operations = place.Operations + scanner.Operations };
                return taken;
            }
        }, ct).ConfigureAwait(false);
        if (found is null || found.Value.Length < place.Position) return -1;
        IsOurs &= _builder.ForeignOperations == 0;
        return (int)scanner.Operations;
    }

    private async ValueTask<(int Operations, StoreState? Replaced)> StartOverAsync(CancellationToken ct)
    {
        var opened = await new StoreOpener(_storage, _settings).OpenAsync(_settings.Time.GetTimestamp(), ct).ConfigureAwait(false);
        _register.AdoptFrom(opened.Register);
        _isBehind = false;
        opened.Register.Dispose();
        if (opened.Peers is not null) OpenedAsMany = opened with { Register = _register };
        _builder = new StateBuilder(opened.State, opened.Migration, merges: false);
        _place = PlaceOf(opened);
        _logs = opened.Logs;
        IsOurs = opened.LogIsOurs;
        return ((int)Math.Min(int.MaxValue, opened.Report.ReplayedOperations), opened.State);
    }

    private sealed record Place(StorageKey Key, Extent Extent, LogEntry Entry, long Position, long Clock, long Operations);
}
