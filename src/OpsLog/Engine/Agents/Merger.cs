using OpsLog.Format;
using OpsLog.Storage;

namespace OpsLog.Engine.Agents;

/// <summary>
/// Keeps the state of a store of many writers up with them: reads each registered log on from where it stopped, finishes those that were retired, and
/// merges the snapshot where one of them is gone. Costs what is new.
/// </summary>
internal sealed partial class Merger
{
    private const int MostTries = 100;
    private const int MostLeft = 1024;
    private const int FewTombstones = 256;

    private readonly IOpsStorage _storage;
    private readonly EngineSettings _settings;
    private readonly SemaphoreSlim _one = new(1, 1);
    private readonly SortedDictionary<string, PeerLog> _logs = new(StringComparer.Ordinal);
    private readonly DamageNotes _notes;
    private readonly List<PeerLog> _written = [];
    private readonly Queue<(string Name, long Length)> _left = new();
    private readonly Migration _migration;
    private readonly bool _numbered;
    private StateBuilder _builder;
    private string? _lastRetired;
    private string _snapshot; // caught up with
    private string _merged; // read

    public Merger(IOpsStorage storage, EngineSettings settings, OpenedStore opened)
    {
        (_storage, _settings, _migration, _notes) = (storage, settings, opened.Migration, new DamageNotes(settings));
        (Register, State) = (opened.Register, opened.State);
        _builder = new StateBuilder(State, _migration, merges: true);
        _numbered = (storage.Capabilities & StorageCapabilities.Append) == 0;
        Entered = CaughtUpWith = Manifest;
        _snapshot = _merged = Manifest.Snapshot.Name;
        _lastRetired = LastOf(Manifest.Retired);
        foreach (var log in opened.Peers!) _logs.Add(log.Entry.Name, log);
        Logs = [.. _logs.Values];
    }

    public ManifestRegister Register { get; }

    public StoreState State { get; }

    public Manifest Manifest => Register.Current;

    /// <summary>The manifest that <see cref="Logs"/> are of, but for logs of this process's own that are newer. Under the gate, to fit them.</summary>
    public Manifest Entered { get; private set; }

    /// <summary>The manifest whose logs were all read, as far as they went then.</summary>
    public Manifest CaughtUpWith { get; private set; }

    /// <summary>Damage and unfinished bytes that refreshes met: the newest thousand.</summary>
    public IReadOnlyList<Damage> Notes => _notes.All;

    /// <summary>The registered logs, in the order of their names. Replaced, never changed, when one comes or goes; under the gate, to fit a view.</summary>
    public IReadOnlyList<PeerLog> Logs { get; private set; }

    /// <summary>Takes in what is new; returns how many operations.</summary>
    /// <exception cref="OpsLogException">Stored bytes are damaged, or too new.</exception>
    public async ValueTask<int> RefreshAsync(CancellationToken ct)
    {
        await _one.WaitAsync(ct).ConfigureAwait(false);
        try
        {
            var operations = 0;
            for (var tries = 0; ; tries++)
            {
                var manifest = Manifest;
                // The manifest is looked at behind the logs: if it is another by then, what was not found may be gone for a good reason, and a log may have come.
                try
                {
                    operations += await CatchUpAsync(manifest, ct).ConfigureAwait(false);
                    if (await IsNewestAsync(manifest, ct).ConfigureAwait(false)) return operations;
                }
                catch (OpsLogException e) when (e.Error == OpsLogError.Damaged)
                {
                    if (await IsNewestAsync(manifest, ct).ConfigureAwait(false)) throw;
                }

                if (tries == MostTries) throw new OpsLogException(OpsLogError.Conflict, $"The manifest changed {MostTries} times while the store was being refreshed. Try again.");
                await Register.RefreshAsync(ct).ConfigureAwait(false);
            }
        }
        finally
        {
            _one.Release();
        }
    }

    /// <summary>Whether that manifest is the stored one; another part of this process may have read or written a newer one.</summary>
    public async ValueTask<bool> IsNewestAsync(Manifest manifest, CancellationToken ct) =>
        ReferenceEquals(manifest, Manifest) && await Register.IsCurrentAsync(ct).ConfigureAwait(false) && ReferenceEquals(manifest, Manifest);

    /// <summary>A log of this process's own, registered and created. Under the gate.</summary>
    public void Add(PeerLog log)
    {
        _logs[log.Entry.Name] = log;
        Logs = [.. _logs.Values];
        if (log.IsWritten) _written.Add(log);
    }

    /// <summary>Where a log ended that was read to its end and has been retired since; null: not known (any more).</summary>
    public long? LeftAt(string name)
    {
        lock (State.Gate)
        {
            foreach (var left in _left)
                if (string.Equals(left.Name, name, StringComparison.Ordinal)) return left.Length;
            return null;
        }
    }

    private async ValueTask<int> CatchUpAsync(Manifest manifest, CancellationToken ct)
    {
        var operations = 0;
        var isNew = !ReferenceEquals(manifest, CaughtUpWith);
        if (isNew) operations += await EnterAsync(manifest, ct).ConfigureAwait(false);
        var (read, anyAbandoned) = await ReadLogsAsync(manifest, ct).ConfigureAwait(false);
        operations += read;
        if ((isNew || anyAbandoned) && LacksCovered(manifest))
        {
            operations += await MergeAndEnterAsync(manifest, ct).ConfigureAwait(false);
            operations += (await ReadLogsAsync(manifest, ct).ConfigureAwait(false)).Operations; // a cut log ends where it ends
        }

        if (!string.Equals(_snapshot, manifest.Snapshot.Name, StringComparison.Ordinal))
        {
            lock (State.Gate)
            {
                // All that the snapshot covers has been read here too, and what is still to come has larger clocks; but for an own write that waits for its answer.
                State.Floor = Math.Max(State.Floor, manifest.Snapshot.Floor);
                if (State.Records.Tombstones > Math.Max(FewTombstones, State.Records.Count / 8)) State.ForgetTombstones(manifest.Snapshot.Floor);
            }

            _snapshot = manifest.Snapshot.Name;
        }

        CaughtUpWith = manifest;
        return operations;
    }

    // A log that was given up may have been covered beyond where it was.
    private async ValueTask<(int Operations, bool AnyAbandoned)> ReadLogsAsync(Manifest manifest, CancellationToken ct)
    {
        var (operations, anyAbandoned) = (0, false);
        var logs = Logs;
        for (var i = 0; i < logs.Count; i++) // by number: with nothing new nothing is allocated
        {
            var log = logs[i];
            anyAbandoned |= log.IsAbandoned;
            if (log.IsOwn || log.IsSealed || log.IsLost) continue;
            var read = await ReadOnAsync(log, isRetired: false, ct).ConfigureAwait(false);
            if (read >= 0) operations += read;
            else if (log.Exists || log.Entry.Covered > 0) await SkipLostAsync(log, manifest, ct).ConfigureAwait(false);
        }

        return (operations, anyAbandoned);
    }

    // With SkipCorrupt the next checkpoint retires it, as far as a snapshot has covered it.
    private async ValueTask SkipLostAsync(PeerLog log, Manifest manifest, CancellationToken ct)
    {
        var damage = new Damage(DamageKind.Missing, log.Entry.Name, 0, 0, 0, "the manifest names this log, but it is not there");
        if (_settings.Recovery != Recovery.SkipCorrupt || !await IsNewestAsync(manifest, ct).ConfigureAwait(false)) throw LogScanner.Refused(damage);
        lock (State.Gate) log.IsLost = true;
        _notes.Add([damage]);
    }

    // Another manifest: finishes what was retired, and brings the logs in line.
    private async ValueTask<int> EnterAsync(Manifest manifest, CancellationToken ct)
    {
        RefuseNewerSchema(manifest);
        var operations = 0;
        var (missed, isKnown) = Missed(manifest);
        foreach (var retired in missed)
        {
            var read = await ReadRetiredAsync(retired, ct).ConfigureAwait(false);
            if (read < 0) isKnown = false;
            else operations += read;
        }

        if (!isKnown || HoldsTooMuch(manifest)) operations += await MergeAndEnterAsync(manifest, ct).ConfigureAwait(false);
        else Enter(manifest, merged: null);
        _lastRetired = LastOf(manifest.Retired);
        return operations;
    }

    // The retired logs that were not read to their end, never heard of ones included; false: there may be more than the manifest remembers.
    private (List<RetiredLog> Logs, bool IsKnown) Missed(Manifest manifest)
    {
        var retired = manifest.Retired;
        var from = 0;
        var isKnown = true;
        if (_lastRetired is not null)
        {
            while (from < retired.Count && !string.Equals(retired[from].Name, _lastRetired, StringComparison.Ordinal)) from++;
            isKnown = from < retired.Count;
            from = isKnown ? from + 1 : 0;
        }
        else if (retired.Count >= Compactor.MostRetired)
        {
            isKnown = false;
        }

        lock (State.Gate)
        {
            var missed = new List<RetiredLog>();
            for (var i = from; i < retired.Count; i++)
            {
                var log = retired[i];
                if (log.Length > (_logs.TryGetValue(log.Name, out var known) ? known.Position(_numbered) : 0)) missed.Add(log);
            }

            var names = manifest.Logs.Select(l => l.Name).Concat(retired.Select(r => r.Name)).ToHashSet(StringComparer.Ordinal);
            isKnown &= _logs.Values.All(l => IsNewerThan(manifest, l) || names.Contains(l.Entry.Name));
            if (string.Equals(_snapshot, manifest.Snapshot.Name, StringComparison.Ordinal)) return (missed, isKnown);
            // What a single writer took over from the npm package stands in no log that a manifest names, only in the snapshot that it made then: with a log of its own that is new here.
            var singles = manifest.Logs.Where(l => l.Agent.Length == 0).Select(l => l.Name).Concat(retired.Skip(from).Where(r => r.Agent.Length == 0).Select(r => r.Name));
            return (missed, isKnown && singles.All(_logs.ContainsKey) && !_logs.Values.Any(l => l.HasSkipped));
        }
    }

    // Before anything of it is taken in.
    private void RefuseNewerSchema(Manifest manifest)
    {
        var newest = manifest.Logs.Select(l => l.Schema).Concat(manifest.Retired.Select(r => r.Schema)).Append(manifest.Package.Version).Max();
        if (newest > _migration.Target)
            throw new OpsLogException(OpsLogError.TooNew, $"Another agent has brought the store to schema version {newest}, this program knows {_migration.Target}. Open the store with a program that knows {newest}.");
    }

    // Registered by this process since that manifest was read.
    private static bool IsNewerThan(Manifest manifest, PeerLog log) => (log.IsOwn || log.IsAbandoned) && StoreKeys.RevisionOf(log.Key) >= manifest.Revision;

    // Brings the logs in line with the manifest's. After a merge of the snapshot each goes on behind what it covers.
    private void Enter(Manifest manifest, SnapshotEntry? merged)
    {
        lock (State.Gate)
        {
            var registered = manifest.Logs.ToDictionary(l => l.Name, StringComparer.Ordinal);
            foreach (var log in _logs.Values.Where(l => !registered.ContainsKey(l.Entry.Name) && !IsNewerThan(manifest, l)).ToList())
            {
                log.IsActive = false;
                _logs.Remove(log.Entry.Name);
                _left.Enqueue((log.Entry.Name, log.Standing + log.Skipped));
                if (_left.Count > MostLeft) _left.Dequeue();
            }

            foreach (var entry in manifest.Logs)
            {
                // One that was read to its seal and is shorter was cut: there is nothing behind that to skip.
                var skips = merged is not null && (!_logs.TryGetValue(entry.Name, out var log) || (!log.IsOwn && !log.IsSealed && log.Position(_numbered) < entry.Covered));
                if (!_logs.TryGetValue(entry.Name, out log) || (skips && _numbered))
                {
                    var extent = State.Extents.Add(State.LogExtent(entry.Name, StampSource.Of(entry.Agent, entry.Name)));
                    log = new PeerLog(entry with { Clock = entry.Start }, extent)
                    {
                        MovedAt = _settings.Time.GetTimestamp(),
                        IsAbandoned = log?.IsAbandoned ?? false,
                        IsLost = log?.IsLost ?? false,
                        HasSkipped = log?.HasSkipped ?? false,
                    };
                    _logs[entry.Name] = log;
                }

                if (entry.Sealed && !log.Entry.Sealed && entry.Agent.Length == 0)
                {
                    // A single writer's log: if its empty last line has been read, as one, it may be the seal. It is read again, with what came behind it.
                    if (!_numbered) log.Observed = -1;
                    else if (log.EndsWithEmptyLine) log.Read = new LogExtent(log.Read.Length - 1, log.Read.Pieces - 1);
                }

                log.Entry = entry;
                if (skips) Skip(log, entry);
                if (log.Position(_numbered) <= entry.Covered) log.Operations = 0;
            }

            // With any clock that it tells of, though no line may have it (an append that failed has used one): the next snapshot, and its floor, must not fall behind.
            State.Clock = Math.Max(State.Clock, OwnLogs.ClockOf(manifest));
            (Logs, Entered) = ([.. _logs.Values], manifest);
        }
    }

    // Reading goes on behind what the snapshot covers: what lies before is in it, or was forgotten by it.
    private void Skip(PeerLog log, LogEntry entry)
    {
        if (entry.Covered == 0) return;
        log.Read = _numbered ? new LogExtent(0, entry.Covered) : new LogExtent(entry.Covered, 0);
        log.Standing = log.Read.Length;
        log.Clock = Math.Max(log.Clock, entry.Clock);
        log.Exists = true;
        (log.IsPartlyRead, log.SkippedPieces) = (_numbered, log.Read.Pieces);
    }

    private async ValueTask<int> ReadRetiredAsync(RetiredLog retired, CancellationToken ct)
    {
        PeerLog? log;
        lock (State.Gate) // this process's writer may be adding a log of its own
        {
            if (!_logs.TryGetValue(retired.Name, out log))
            {
                // Every operation of it that counts has a clock up to its largest.
                var start = Math.Max(0, retired.Clock - LogSource.LongestStep);
                var entry = new LogEntry(retired.Name, retired.Agent, start, retired.Schema, 0, start, false);
                log = new PeerLog(entry, State.Extents.Add(State.LogExtent(entry.Name, StampSource.Of(entry.Agent, entry.Name))));
            }
        }

        if (log.IsOwn) return -1;
        var read = await ReadOnAsync(log, isRetired: true, ct).ConfigureAwait(false);
        return read < 0 || log.HasSkipped || log.Position(_numbered) < retired.Length ? -1 : read;
    }

    /// <returns>How many operations were taken in; -1 if the log is not there.</returns>
    private async ValueTask<int> ReadOnAsync(PeerLog log, bool isRetired, CancellationToken ct)
    {
        if (await HasMoreAsync(log, isRetired, ct).ConfigureAwait(false) is not { } hasMore) return -1;
        return hasMore ? await ReadMoreAsync(log, ct).ConfigureAwait(false) : 0;
    }

    private async ValueTask<int> ReadMoreAsync(PeerLog log, CancellationToken ct)
    {
        var scanner = new LogScanner(new LogSource(log.Entry.Name, log.Clock, log.Entry.Agent), _settings.Recovery == Recovery.Strict ? Recovery.TolerateTornTail : _settings.Recovery)
        {
            WaitsForMore = true,
            EndsWithSeal = log.Entry.Agent.Length > 0 || log.Entry.Sealed,
        };
        var sink = new TimedOperations(_builder);
        var (before, pieces) = (log.Operations, log.Read.Pieces);
        var found = await LogReader.ReadAsync(_storage, log.Key, log.Read.Length, null, part =>
        {
            if (part.Memory.Length == 0) return 0;
            var (bytes, owner) = part.ToKeep();
            lock (State.Gate)
            {
                log.Extent.Add(part.Start, bytes, owner);
                _builder.EnterLog(log.Extent, log.Source, log.Entry.Schema);
                var taken = scanner.Scan(part with { Memory = bytes }, sink);
                log.Extent.Spill(part.Start + taken);
                log.HasSkipped |= scanner.Skipped.Count > 0;
                if (scanner.Standing >= 0) log.Standing = scanner.Standing;
                (log.Clock, log.Operations) = (scanner.Clock, before + scanner.Operations); // they stay, should the next read fail
                if (!_numbered) log.Read = new LogExtent(Math.Max(log.Read.Length, scanner.Position), 0);
                else log.Read = scanner.IsSealed ? new LogExtent(part.Start, pieces++) : new LogExtent(part.Start + part.Memory.Length, ++pieces); // with the empty lines, but for the seal
                return taken;
            }
        }, ct, _numbered ? Array.MaxLength : LogReader.DefaultWindow, skip: _numbered ? log.Read : default).ConfigureAwait(false);
        if (found is not { } end) return -1;
        lock (State.Gate)
        {
            log.IsSealed |= scanner.IsSealed;
            log.Observed = end.Length;
            log.Exists = true;
            log.MovedAt = _settings.Time.GetTimestamp();
            if (sink.Time.Length > 0) log.LastTime = sink.Time;
        }

        _notes.Add([.. scanner.Notes, .. scanner.Skipped]);
        return (int)scanner.Operations;
    }

    // One look at the version of each log that has nothing new. Null: it is not there.
    private async ValueTask<bool?> HasMoreAsync(PeerLog log, bool isRetired, CancellationToken ct)
    {
        if (_numbered)
        {
            if (await ObjectReader.StatAsync(_storage, StoreKeys.Piece(log.Key, log.Read.Pieces + 1), ct).ConfigureAwait(false) is not null) return true;
            return log.Exists || await ObjectReader.StatAsync(_storage, log.Key, ct).ConfigureAwait(false) is not null ? false : null;
        }

        if (await ObjectReader.StatAsync(_storage, log.Key, ct).ConfigureAwait(false) is not { } stat) return null;
        if (isRetired && stat.Length < log.Read.Length) return null; // deleted, and made again by somebody who went by an older manifest
        log.Exists = true;
        if (stat.Length < log.Read.Length && log.Read.Length <= log.Entry.Covered && await PeerLog.EndOfCutAsync(_storage, log.Entry, log.Read.Length, ct).ConfigureAwait(false) is { } cut)
        {
            lock (State.Gate)
            {
                log.Extent = State.Extents.Add(State.LogExtent(log.Entry.Name, log.Source));
                (log.Read, log.Standing, log.Observed) = (new LogExtent(cut, 0), cut, -1);
            }

            return true;
        }

        if (stat.Length < log.Read.Length)
            throw LogScanner.Refused(new Damage(DamageKind.CorruptObject, log.Entry.Name, 0, stat.Length, log.Read.Length - stat.Length, $"the log has {stat.Length} bytes, {log.Read.Length} were read before"));
        return stat.Length != log.Observed;
    }

    private static string? LastOf(IReadOnlyList<RetiredLog> retired) => retired.Count == 0 ? null : retired[^1].Name;
}
