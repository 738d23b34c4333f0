using System.Diagnostics;
using OpsLog.Format;
using OpsLog.Storage;

namespace OpsLog.Engine;

/// <summary>
/// Makes checkpoints beside the writer: a snapshot of a view, a new log that begins with the lines behind it, and one swap of the manifest
/// that makes both current. Until the swap nothing has changed; after it, what was superseded is garbage.
/// </summary>
internal sealed class Checkpointer
{
    private readonly IOpsStorage _storage;
    private readonly EngineSettings _settings;
    private readonly StoreState _state;
    private readonly Writer _writer;
    private readonly ManifestRegister _register;
    private readonly GarbageCollector _garbage;
    private readonly HistoryKeeper _history;
    private readonly SemaphoreSlim _one = new(1, 1);
    private readonly int _schemaVersion;
    private IReadOnlyList<HistoryLog> _readLogs;
    private List<string> _collected = [];
    private bool _logIsMissing;
    private bool _hasSkipped;
    private readonly LogEnd _logEnd;
    private readonly bool _logMayBeSealed;
    private readonly long _logTaken;
    private readonly IReadOnlyDictionary<string, long> _finalLengths;
    private long _snapshotBytes;
    private long _nextTry;
    private int _running;
    private bool _closed;
    private string? _nextLog;

    public Checkpointer(IOpsStorage storage, EngineSettings settings, OpenedStore opened, Writer writer)
    {
        (_storage, _settings, _state, _writer, _register) = (storage, settings, opened.State, writer, opened.Register);
        (_schemaVersion, _readLogs, _logEnd, _snapshotBytes) = (opened.SchemaVersion, opened.Read, opened.LogEnd, opened.SnapshotBytes);
        _garbage = new GarbageCollector(storage, settings);
        _history = new HistoryKeeper(storage, settings);
        LogIsOurs = opened.LogIsOurs;
        History = opened.History;
        (_logIsMissing, _hasSkipped) = (opened.LogIsMissing, opened.HasSkipped);
        (_logTaken, _logMayBeSealed) = (opened.LogTaken, opened.LogMayBeSealed);
        _finalLengths = opened.FinalLengths;
    }

    public long SnapshotBytes => Volatile.Read(ref _snapshotBytes);

    public long Checkpoints { get; private set; }

    /// <summary>The logs kept for history, as of the last checkpoint or opening.</summary>
    public IReadOnlyList<HistoryLog> History { get; private set; }

    /// <summary>Every line of the current log is ours.</summary>
    public bool LogIsOurs { get; private set; }

    /// <summary>The failure of the last checkpoint that ran by itself, if none was made since.</summary>
    public string? Failure { get; private set; }

    /// <summary>Completes when the checkpoint that runs by itself, if any, has ended.</summary>
    public Task Background { get; private set; } = Task.CompletedTask;

    /// <summary>Voids what is unfinished at the log's end, before anything is put behind it.</summary>
    public async ValueTask MendAsync()
    {
        var mend = _logEnd switch
        {
            LogEnd.Unfinished => Writer.Spoil,
            LogEnd.MissingNewline => "\n"u8.ToArray(),
            _ => [],
        };
        if (mend.Length > 0)
        {
            var result = await _writer.Target.AppendAsync(mend, Flush.Synced).ConfigureAwait(false);
            if (!result.IsStored) throw new OpsLogException(OpsLogError.Fenced, "Another writer took the log while the store was being opened. Open it again.");
            if (_logEnd == LogEnd.Unfinished) _writer.Void(_logTaken, mend.Length);
            else _writer.Skip(mend);
        }
    }

    /// <summary>Opening goes on in the log there is: registers as the one writer.</summary>
    public async ValueTask TakeOverAsync(CancellationToken ct)
    {
        var log = _writer.Target.Key.Value;
        // Where nothing locks the log, or whoever sealed it has let it go since, the swap is what tells others who prepare to end it that they are too late.
        var isHeld = (_storage.Capabilities & StorageCapabilities.HoldsWriters) != 0;
        if (isHeld && !_logMayBeSealed && string.Equals(_register.Current.Exclusive, log, StringComparison.Ordinal)) return;
        await SwapAsync(m => m with { Exclusive = log }, ct).ConfigureAwait(false);
    }

    /// <summary>Runs a checkpoint if the log has grown enough. Called after each commit; must cost next to nothing.</summary>
    public void RunIfDue()
    {
        if ((!_settings.AutomaticCheckpoints && !_writer.Target.IsNearlyFull) || _writer.Acknowledged < _nextTry || !IsDue()) return;
        if (Interlocked.CompareExchange(ref _running, 1, 0) != 0) return;
        Background = Task.Run(RunInBackgroundAsync);
    }

    public bool IsDue() =>
        _writer.Target.IsNearlyFull ||
        (_writer.LogOperations >= _settings.MinimumOperations &&
         _writer.Acknowledged + SnapshotBytes >= _settings.MinimumBytes &&
         _writer.Acknowledged >= _settings.Growth * SnapshotBytes);

    /// <summary>Makes a checkpoint now.</summary>
    public async ValueTask RunAsync(CancellationToken ct)
    {
        await _one.WaitAsync(ct).ConfigureAwait(false);
        try
        {
            ObjectDisposedException.ThrowIf(_closed, typeof(OpsStore<>));
            _writer.ThrowIfFailed();
            await CheckpointAsync(ct).ConfigureAwait(false);
        }
        finally
        {
            _one.Release();
        }
    }

    /// <summary>Keeps checkpoints away until it is disposed: until then no object that the manifest names is deleted.</summary>
    public async ValueTask<CheckpointHold> HoldAsync(CancellationToken ct)
    {
        await _one.WaitAsync(ct).ConfigureAwait(false);
        return new CheckpointHold(_one);
    }

    /// <summary>
    /// A clean end: waits for a checkpoint under way, makes one if it is due, and gives the store up in the manifest. No checkpoint is made after it.
    /// </summary>
    public async ValueTask CloseAsync()
    {
        await _one.WaitAsync().ConfigureAwait(false);
        try
        {
            _closed = true;
            if (_writer.Failure is not null) return;
            if (_settings.CheckpointOnClose && _settings.AutomaticCheckpoints && IsDue()) await CheckpointAsync(CancellationToken.None).ConfigureAwait(false);
            _collected.AddRange(await _garbage.CollectAsync(_register.Current, LiveBytes / 2, CancellationToken.None).ConfigureAwait(false));
            await SwapAsync(m => m with { Exclusive = null }, CancellationToken.None).ConfigureAwait(false);
        }
        finally
        {
            _one.Release();
        }
    }

    /// <summary>Swaps the manifest, provided this writer's log is still the one it names.</summary>
    public async ValueTask SwapAsync(Func<Manifest, Manifest> change, CancellationToken ct)
    {
        var collected = _collected;
        try
        {
            if (await _register.TryUpdateAsync(m => Strike(change(Own(m)), collected), ct, isAlone: true).ConfigureAwait(false) is null)
                throw _writer.Poison(new OpsLogException(OpsLogError.Fenced, "Another writer has changed the store's manifest: it has taken over. Reopen the store."));
        }
        catch (StorageException e) when (e.OutcomeUnknown)
        {
            // The manifest may name another log by now: nothing more may be acknowledged in this one.
            throw _writer.Poison(new OpsLogException(OpsLogError.OutcomeUnknown, $"It is not known whether the manifest was changed: {e.Message}", e));
        }

        if (ReferenceEquals(collected, _collected)) _collected = [];
    }

    private long LiveBytes => SnapshotBytes + _writer.Acknowledged;

    private async Task RunInBackgroundAsync()
    {
        try
        {
            Activity.Current = null; // no part of the write that happened to make it due
            await RunAsync(CancellationToken.None).ConfigureAwait(false);
            Interlocked.Exchange(ref _running, 0); // a fence: a commit either sees that none runs, or is seen by what follows
            RunIfDue(); // the next one may have become due meanwhile, and no commit may come to say so
        }
        catch (Exception e)
        {
            // The store goes on with the snapshot it has; the next try waits until the log has grown by a quarter.
            Failure = e.Message;
            _nextTry = _writer.Acknowledged + (_writer.Acknowledged / 4);
            EngineLog.CheckpointFailed(_settings.Logger, _settings.Telemetry.LogName, e);
            Volatile.Write(ref _running, 0);
        }
    }

    private ValueTask CheckpointAsync(CancellationToken ct) => _settings.Telemetry.MeasureAsync(StoreCall.Checkpoint, () => MakeCheckpointAsync(ct));

    private async ValueTask MakeCheckpointAsync(CancellationToken ct)
    {
        var before = _register.Current;
        await MakeRoomAsync(before, ct).ConfigureAwait(false);
        var view = StoreView.Of(_state, _writer);
        // The old log must hold all that the view does: kept for history, it ends there. (What is not only buffered it does hold.)
        var isFlushed = _settings.Durability == Durability.Buffered && !_logIsMissing;
        if (isFlushed) await _writer.FlushAsync(Flush.Synced, ct).ConfigureAwait(false);
        using var stream = new SnapshotStream(view, _schemaVersion, _settings.SnapshotFormat, IsoTime.ToText(_settings.Time.GetUtcNow())) { MostJson = _settings.Limits.Memory };
        var snapshot = await WriteSnapshotAsync(stream, view, before.Revision, ct).ConfigureAwait(false);
        var roll = new LogRoll(_storage, _settings, _state, _writer, view.LogPosition) { OldIsMissing = _logIsMissing, OldIsSynced = isFlushed };
        var made = new List<StorageKey> { new(snapshot.Name) };
        var mayBeNamed = false;
        try
        {
            await roll.PrepareAsync(before.Revision, ct).ConfigureAwait(false);
            var retired = Retire(before, view);
            var history = await _history.WriteAsync(retired.Kept, before.Revision, ct).ConfigureAwait(false);
            if (history is not null) made.Add(new StorageKey(history.Name));
            var exclusive = new ExclusiveRequest(async () =>
            {
                await roll.CatchUpAsync().ConfigureAwait(false);
                mayBeNamed = true;
                _nextLog = roll.Key.Value; // whoever swaps between this swap and the switch is still this writer
                await SwapAsync(m => Next(m, before, snapshot, roll, view, retired, history), CancellationToken.None).ConfigureAwait(false);
                History = retired.Kept;
                (_readLogs, _logIsMissing, _hasSkipped, LogIsOurs) = ([], false, false, true);
                roll.Switch(view);
            });
            using (await _writer.HoldFlushesAsync(ct).ConfigureAwait(false))
            {
                await roll.CopySyncedAsync().ConfigureAwait(false);
                await _writer.Queue.SubmitAsync(exclusive, ct).ConfigureAwait(false);
            }
        }
        catch
        {
            if (await roll.AbandonAsync().ConfigureAwait(false)) made.Add(roll.Key);
            if (!mayBeNamed) await _garbage.DiscardAsync(made).ConfigureAwait(false); // no manifest names them, and none will
            throw;
        }

        (Failure, _nextTry) = (null, 0);
        Checkpoints++;
        Volatile.Write(ref _snapshotBytes, snapshot.Length);
        EngineLog.Checkpoint(_settings.Logger, _settings.Telemetry.LogName, snapshot.Count, snapshot.Length, snapshot.Name);
        await TidyUpAsync(roll, view, stream, snapshot, ct).ConfigureAwait(false);
    }

    // The checkpoint is made; what fails from here on costs memory or space until the next one, no more.
    private async ValueTask TidyUpAsync(LogRoll roll, StoreView view, SnapshotStream stream, SnapshotEntry snapshot, CancellationToken ct)
    {
        try
        {
            try
            {
                await roll.RepointAsync(view, stream, snapshot).ConfigureAwait(false);
            }
            finally
            {
                await roll.ReleaseOldAsync().ConfigureAwait(false);
            }

            _collected.AddRange(await _garbage.CollectAsync(_register.Current, LiveBytes / 2, ct).ConfigureAwait(false));
            await _garbage.CollectOrphansAsync(_register.Current, History, ct).ConfigureAwait(false);
        }
        catch (Exception e) when (e is StorageException or OpsLogException { Error: OpsLogError.StorageFailed or OpsLogError.Damaged })
        {
            EngineLog.CollectFailed(_settings.Logger, _settings.Telemetry.LogName, e);
        }
    }

    // Until the swap the old snapshot and log and the new ones lie side by side.
    private async ValueTask MakeRoomAsync(Manifest before, CancellationToken ct)
    {
        try
        {
            _collected.AddRange(await _garbage.CollectAsync(before, SnapshotBytes / 4, ct).ConfigureAwait(false));
        }
        catch (StorageException e)
        {
            EngineLog.CollectFailed(_settings.Logger, _settings.Telemetry.LogName, e); // what cannot be deleted now (a file that is mapped, on Windows) is tried again behind the swap
        }
    }

    private async ValueTask<SnapshotEntry> WriteSnapshotAsync(SnapshotStream stream, StoreView view, long revision, CancellationToken ct)
    {
        var isJson = _settings.SnapshotFormat == SnapshotFormat.Json;
        var key = await FreeName.FindAsync(_storage, _settings.Nonces, nonce => StoreKeys.Snapshot(revision, nonce, isJson), ct).ConfigureAwait(false);
        var result = await _storage.PutAsync(key, stream, PutCondition.IfAbsent, ct).ConfigureAwait(false);
        if (!result.IsStored) throw new OpsLogException(OpsLogError.Conflict, $"The snapshot name '{key}' is taken. Try again.");
        return new SnapshotEntry(key.Value, stream.BytesRead, stream.Checksum, stream.Count, view.Clock, view.Clock);
    }

    // What becomes of the logs the new snapshot covers: kept for history, or garbage.
    private (List<HistoryLog> Kept, List<HistoryLog> Dropped) Retire(Manifest before, StoreView view)
    {
        if (_hasSkipped) return ([], []); // history begins behind the damage; the logs stay where they are, unlisted
        var logs = new List<HistoryLog>(History);
        if (_readLogs.Count > 0 && !(before.Logs is [var only] && _readLogs is [var read] && string.Equals(only.Name, read.Name, StringComparison.Ordinal))) logs.AddRange(_readLogs);
        else if (before.Logs is [var log]) logs.Add(new HistoryLog(log.Name, "", view.LogPosition, log.Schema, log.Start, view.Clock, view.LogOperations, "", IsoTime.ToText(_settings.Time.GetUtcNow()), _writer.Target.Pieces));
        return _history.Divide(logs);
    }

    private Manifest Next(
        Manifest manifest, Manifest before, SnapshotEntry snapshot, LogRoll roll, StoreView view, (List<HistoryLog> Kept, List<HistoryLog> Dropped) retired, HistoryReference? history)
    {
        var now = IsoTime.ToText(_settings.Time.GetUtcNow());
        return manifest with
        {
            Package = manifest.Package with
            {
                Version = _schemaVersion,
                CurrentSnapshot = snapshot.Name,
                ActiveOps = roll.Key.Value,
                ActiveAgentOps = null,
                Stats = manifest.Package.Stats with { ActiveRecords = snapshot.Count, OpsCount = 0, LastCheckpoint = now },
            },
            Numbered = _writer.Target.IsNumbered,
            Snapshot = snapshot,
            Logs = [new LogEntry(roll.Key.Value, "", view.Clock, _schemaVersion, 0, view.Clock, false)],
            Retired = [.. manifest.Retired.Concat(manifest.Logs.Select(l => new RetiredLog(l.Name, l.Agent, _finalLengths.GetValueOrDefault(l.Name, view.LogPosition), l.Schema, view.Clock))).TakeLast(Agents.Compactor.MostRetired)],
            History = history,
            Adopted = manifest.Adopted || _hasSkipped,
            Exclusive = roll.Key.Value,
            Garbage = [.. manifest.Garbage, .. Superseded(manifest, retired.Dropped)],
        };
    }

    private IEnumerable<GarbageEntry> Superseded(Manifest manifest, List<HistoryLog> dropped)
    {
        var now = _settings.Time.GetUtcNow();
        var names = dropped.Select(l => (l.Name, Bytes: l.Length)).Append((Name: manifest.Snapshot.Name, Bytes: manifest.Snapshot.Length));
        if (manifest.History is { } index) names = names.Append((index.Name, 0));
        return names.Where(n => StorageKey.IsValid(n.Name) && StoreKeys.IsOurs(new StorageKey(n.Name))).Select(n => new GarbageEntry(n.Name, n.Bytes, now));
    }

    private Manifest Own(Manifest manifest)
    {
        var log = _writer.Target.Key.Value;
        // Before adoption the manifest is the package's, and names its logs in its own members: perhaps over agents' logs of ours.
        if (manifest.Logs.Count == 0 || string.Equals(manifest.Package.ActiveOps, log, StringComparison.Ordinal)) return manifest;
        if (manifest.Logs.Any(l => string.Equals(l.Name, log, StringComparison.Ordinal) || string.Equals(l.Name, _nextLog, StringComparison.Ordinal))) return manifest;
        throw _writer.Poison(new OpsLogException(OpsLogError.Fenced, $"The store no longer names the log '{log}': another writer has taken over. Reopen the store."));
    }

    private static Manifest Strike(Manifest manifest, List<string> collected) =>
        collected.Count == 0 ? manifest : manifest with { Garbage = [.. manifest.Garbage.Where(g => !collected.Contains(g.Name))] };
}

/// <summary>While it lives, no checkpoint is made.</summary>
internal readonly struct CheckpointHold(SemaphoreSlim one) : IDisposable
{
    public void Dispose() => one.Release();
}
