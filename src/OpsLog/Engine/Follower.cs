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
    private const int FewExtents = 256;
    private readonly IOpsStorage _storage;
    private readonly EngineSettings _settings;
    private readonly ManifestRegister _register;
    private readonly Action<OpenedStore> _replaced;
    private readonly bool _isNumbered;
    private readonly SemaphoreSlim _one = new(1, 1);
    private StoreState _state = null!;
    private StateBuilder _builder = null!;
    private Place? _place;
    private IReadOnlyList<PlannedLog> _logs = [];
    private string _snapshot = ""; // that the state was read from
    private bool _isOurs;
    private bool _isBehind; // a newer manifest was read, but not yet what it names
    private bool _hasEnded; // the store has got many writers since
    private volatile Followed _followed = null!;

    /// <param name="storage">Where the store lies.</param>
    /// <param name="settings">How it was opened.</param>
    /// <param name="opened">What it was opened as.</param>
    /// <param name="replaced">Told when it had to be read again, before anybody else refreshes; with many writers this follower is at its end.</param>
    public Follower(IOpsStorage storage, EngineSettings settings, OpenedStore opened, Action<OpenedStore> replaced)
    {
        (_storage, _settings, _register, _replaced) = (storage, settings, opened.Register, replaced);
        _isNumbered = (storage.Capabilities & StorageCapabilities.Append) == 0;
        GoOnWith(opened);
    }

    /// <summary>What was taken in: all of it changes at once.</summary>
    public Followed Followed => _followed;

    /// <summary>Takes in what is new; returns how many operations, and whether all had to be read again. Null: the store has got many writers, and somebody else keeps up with them.</summary>
    public async ValueTask<(int Operations, bool IsReplaced)?> RefreshAsync(CancellationToken ct)
    {
        await _one.WaitAsync(ct).ConfigureAwait(false);
        try
        {
            if (_hasEnded) return null;
            var (taken, isNewer) = (0, false);
            do
            {
                if (_isBehind || !await _register.IsCurrentAsync(ct).ConfigureAwait(false))
                {
                    _isBehind = true;
                    var read = await _register.ReadAsync(ct).ConfigureAwait(false)
                        ?? throw new OpsLogException(OpsLogError.Fenced, "The manifest was removed while the store was open. Reopen the store.");
                    if (read.Verdict != ManifestVerdict.Ours || _place is null || MustStartOver(_register.Current, read.Manifest!)) return await StartOverAsync(ct).ConfigureAwait(false);
                    _register.Adopt(read.Manifest!);
                    (_isBehind, isNewer) = (false, true);
                }

                if (_place is null) return (0, false);
                if (!await MoveOnAsync(_register.Current, n => taken += n, ct).ConfigureAwait(false)) return await StartOverAsync(ct).ConfigureAwait(false);
                var more = await ReadOnAsync(null, ct).ConfigureAwait(false);
                if (more < 0) return await StartOverAsync(ct).ConfigureAwait(false);
                taken += more;

                // A piece that is not there was the end of a numbered log if the manifest still names it; else it may have been collected meanwhile.
                _isBehind = _isNumbered && !await _register.IsCurrentAsync(ct).ConfigureAwait(false);
            }
            while (_isBehind);

            if (!isNewer || !HoldsTooMuch()) return (taken, false);
            await StartOverAsync(ct).ConfigureAwait(false);
            return (taken, true);
        }
        finally
        {
            _one.Release();
        }
    }

    // Logs that were read stay for as long as a record may lie in them. A newer snapshot has all that shows; reading it costs as much as opening, which is little beside what was read since.
    private bool HoldsTooMuch()
    {
        var snapshot = _register.Current.Snapshot;
        return !string.Equals(snapshot.Name, _snapshot, StringComparison.Ordinal) && _state.Extents.HoldTooMuch(snapshot.Length + _place!.Extent.Bytes, FewExtents);
    }

    private static Place? PlaceOf(OpenedStore opened)
    {
        if (opened.LogExtent is not { } extent || opened.Register.Current.Logs is not [var log] || !string.Equals(log.Name, extent.Name, StringComparison.Ordinal)) return null;
        var taken = opened.LogEnd == LogEnd.MissingNewline ? opened.LogLength : opened.LogTaken;
        return new Place(new StorageKey(log.Name), extent, log, taken, opened.LogClock, opened.LogOperations);
    }

    // Agents came and went in between: what they wrote lies in logs that were folded, beside the single writer's. Or the store began anew: its clocks say nothing of what is known.
    private static bool MustStartOver(Manifest known, Manifest now)
    {
        if (!string.Equals(known.Incarnation, now.Incarnation, StringComparison.Ordinal)) return true;
        var retired = now.Retired.Where(r => !known.Retired.Contains(r)).ToList();
        return retired.Exists(r => r.Agent.Length > 0) || (retired.Count == now.Retired.Count && retired.Count >= Compactor.MostRetired);
    }

    // The manifest names another log: the rest of the old one first, then on in the one that took its place.
    private async ValueTask<bool> MoveOnAsync(Manifest manifest, Action<int> took, CancellationToken ct)
    {
        while (manifest.Logs is not [var current] || !string.Equals(current.Name, _place!.Key.Value, StringComparison.Ordinal))
        {
            var index = manifest.Retired.ToList().FindIndex(r => string.Equals(r.Name, _place!.Key.Value, StringComparison.Ordinal));
            if (index < 0 || manifest.Logs.Count != 1) return false;
            var length = manifest.Retired[index].Length;
            if (_place!.Position < length)
            {
                var operations = await ReadOnAsync(length, ct).ConfigureAwait(false);
                if (operations < 0) return false;
                took(operations);
                if (_place.Position < length) return false; // it was longer once: what is missing is in the snapshot
            }

            if (_place.Clock < manifest.Retired[index].Clock) return false; // the snapshot holds more than this log: what was taken over from the npm package

            var next = index + 1 < manifest.Retired.Count ? manifest.Retired[index + 1] : null;
            var entry = next is null ? manifest.Logs[0] : new LogEntry(next.Name, next.Agent, _place.Clock, next.Schema, 0, 0, false);
            if (entry.Schema != _place.Entry.Schema || entry.Agent.Length > 0) return false; // the documents were migrated, or agents came in between
            var extent = _state.LogExtent(entry.Name, StampSource.SingleWriter);
            lock (_state.Gate) _state.Extents.Add(extent);
            _place = new Place(new StorageKey(entry.Name), extent, entry, Math.Max(0, _place.Position - length), _place.Clock, 0);
        }

        // On the way there, should it break off, the feed goes by the manifest before: it has every log once.
        if (!ReferenceEquals(_followed.Manifest, manifest))
            lock (_state.Gate) Publish(manifest);
        return true;
    }

    // Under the gate: what is shown and where it was read fit together.
    private void Publish(Manifest manifest)
    {
        IReadOnlyList<PlannedLog> logs = _place is { } place
            ? [(_logs is [var read] && string.Equals(read.Entry.Name, place.Key.Value, StringComparison.Ordinal) ? read : new PlannedLog(place.Entry)) with { Length = place.Position }]
            : _logs;
        _followed = new Followed(manifest, logs, _isOurs && _builder.ForeignOperations == 0, _place?.Position ?? 0, _place?.Operations ?? 0);
    }

    /// <returns>How many operations were taken in; -1 if the log is gone.</returns>
    private async ValueTask<int> ReadOnAsync(long? limit, CancellationToken ct)
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
            lock (_state.Gate)
            {
                place.Extent.Add(part.Start, bytes, owner);
                try
                {
                    var taken = scanner.Scan(part with { Memory = bytes }, _builder);
                    place.Extent.Spill(part.Start + taken);
                    return taken;
                }
                finally
                {
                    // What was taken in shows, and is never taken in again, should this read fail or the next. Empty and void lines behind it may be a seal, which no next log begins with.
                    _place = place with { Position = Math.Max(place.Position, scanner.Standing), Clock = scanner.Clock, Operations = place.Operations + scanner.Operations };
                    if (_followed.Manifest.Logs is [var current] && string.Equals(current.Name, place.Key.Value, StringComparison.Ordinal)) Publish(_followed.Manifest);
                }
            }
        }, ct).ConfigureAwait(false);
        if (found is null || found.Value.Length < place.Position) return -1;
        return (int)scanner.Operations;
    }

    private async ValueTask<(int Operations, bool IsReplaced)?> StartOverAsync(CancellationToken ct)
    {
        var opened = await new StoreOpener(_storage, _settings).OpenAsync(_settings.Time.GetTimestamp(), ct).ConfigureAwait(false);
        _register.AdoptFrom(opened.Register);
        _isBehind = false;
        _replaced(opened with { Register = _register });
        GoOnWith(opened);
        return ((int)Math.Min(int.MaxValue, opened.Report.ReplayedOperations), true);
    }

    private void GoOnWith(OpenedStore opened)
    {
        _state = opened.State;
        _builder = new StateBuilder(opened.State, opened.Migration, merges: false);
        (_place, _logs, _isOurs, _hasEnded) = (PlaceOf(opened), opened.Logs, opened.LogIsOurs, opened.Peers is not null);
        _snapshot = _register.Current.Snapshot.Name;
        lock (_state.Gate) Publish(_register.Current);
    }

    private sealed record Place(StorageKey Key, Extent Extent, LogEntry Entry, long Position, long Clock, long Operations);
}

/// <summary>What a follower has taken in.</summary>
/// <param name="Manifest">The newest manifest whose logs were all read up to the current one.</param>
/// <param name="Logs">The logs behind its snapshot, and how far each was read.</param>
/// <param name="IsOurs">Whether every line of them is ours.</param>
/// <param name="Position">How far the current log was read.</param>
/// <param name="Operations">How many operations of it.</param>
internal sealed record Followed(Manifest Manifest, IReadOnlyList<PlannedLog> Logs, bool IsOurs, long Position, long Operations)
{
    /// <summary>The name of the current log.</summary>
    public string LogName => Manifest.Logs is [.., var last] ? last.Name : Manifest.Package.ActiveOps;
}
