using System.Diagnostics;
using OpsLog.Format;
using OpsLog.Storage;

namespace OpsLog.Engine.Agents;

/// <summary>
/// Checkpoints of a store of many writers, by any of them: a snapshot of all that was read, with every stamp and tombstone, and one swap that says how far it covers
/// each log. Nothing is reset: what lies behind a covered position still counts. Logs that have ended, and that the snapshot covers to their end, are retired.
/// </summary>
internal sealed class Compactor(IOpsStorage storage, EngineSettings settings, Merger merger, OwnLogs ownLogs, Writer writer, int schema)
{
    /// <summary>How many retired logs a manifest remembers.</summary>
    public const int MostRetired = 64;

    private const int MostTries = 40;
    private const int LongestPause = 128;
    private const int OperationsBetweenLooks = 64;
    private const int SpreadOut = 5; // a checkpoint is due for all agents at once: some 30 ms apart, the first makes it for all
    private const long BytesASecond = 50_000_000; // of somebody else's snapshot, on a slow disk
    private static readonly TimeSpan s_leastWait = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(50);
    private readonly SemaphoreSlim _one = new(1, 1);
    private readonly LogSealer _sealer = new(storage);
    private readonly GarbageCollector _garbage = new(storage, settings);
    private readonly HistoryKeeper _history = new(storage, settings);
    private readonly bool _numbered = (storage.Capabilities & StorageCapabilities.Append) == 0;
    private readonly bool _locks = (storage.Capabilities & StorageCapabilities.HoldsWriters) != 0;
    private List<string> _collected = [];
    private string? _waitedFor;
    private long _nextTry;
    private long _nextLook;
    private int _running;
    private bool _closed;

    public long Checkpoints { get; private set; }

    /// <summary>The failure of the last checkpoint that ran by itself, if none was made since.</summary>
    public string? Failure { get; private set; }

    /// <summary>Completes when the checkpoint that runs by itself, if any, has ended.</summary>
    public Task Background { get; private set; } = Task.CompletedTask;

    /// <summary>Runs a checkpoint if the logs have grown enough. Called after commits and refreshes.</summary>
    public void RunIfDue()
    {
        if (!settings.AutomaticCheckpoints || writer.Operations < Volatile.Read(ref _nextLook)) return;
        Volatile.Write(ref _nextLook, writer.Operations + OperationsBetweenLooks);
        if (_closed || Volatile.Read(ref _running) != 0 || !IsDue()) return;
        if (Interlocked.CompareExchange(ref _running, 1, 0) != 0) return;
        Background = Task.Run(RunInBackgroundAsync);
    }

    /// <summary>The same, of what others wrote.</summary>
    public void RunIfDueBehindRefresh()
    {
        Volatile.Write(ref _nextLook, 0);
        RunIfDue();
    }

    /// <summary>Makes a checkpoint now.</summary>
    public async ValueTask RunAsync(CancellationToken ct)
    {
        await _one.WaitAsync(ct).ConfigureAwait(false);
        try
        {
            ObjectDisposedException.ThrowIf(_closed, typeof(OpsStore<>));
            await CheckpointAsync(isDemanded: true, ct).ConfigureAwait(false);
        }
        finally
        {
            _one.Release();
        }
    }

    /// <summary>A clean end: waits for a checkpoint under way, makes one if it is due, and seals this process's logs.</summary>
    public async ValueTask CloseAsync()
    {
        await _one.WaitAsync().ConfigureAwait(false);
        try
        {
            _closed = true;
            if (writer.Failure is not null) return;
            if (settings.CheckpointOnClose && settings.AutomaticCheckpoints && IsDue()) await TryCheckpointOnCloseAsync().ConfigureAwait(false);
            await ownLogs.SealAllAsync().ConfigureAwait(false);
        }
        finally
        {
            _one.Release();
        }
    }

    private bool IsDue()
    {
        var (bytes, operations) = Pending();
        var snapshot = merger.Manifest.Snapshot.Length;
        return operations >= settings.MinimumOperations && bytes + snapshot >= settings.MinimumBytes && bytes >= settings.Growth * snapshot && bytes >= Volatile.Read(ref _nextTry);
    }

    // What no snapshot covers yet.
    private (long Bytes, long Operations) Pending()
    {
        long bytes = 0, operations = 0;
        foreach (var log in merger.Logs)
        {
            operations += log.Operations;
            if (!_numbered) bytes += Math.Max(0, log.Standing - log.Entry.Covered);
            else if (log.Read.Pieces > log.Entry.Covered) bytes += log.Extent.Bytes * (log.Read.Pieces - log.Entry.Covered) / (log.Read.Pieces - log.SkippedPieces); // positions count objects: by their average size
        }

        return (bytes, operations);
    }

    private async Task RunInBackgroundAsync()
    {
        Activity.Current = null; // no part of the write that happened to make it due
        await _one.WaitAsync().ConfigureAwait(false);
        try
        {
            if (_closed) return;
            await CheckpointAsync(isDemanded: false, CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            Failure = e.Message;
            Volatile.Write(ref _nextTry, Pending().Bytes * 5 / 4);
            EngineLog.CheckpointFailed(settings.Logger, settings.Telemetry.LogName, e);
        }
        finally
        {
            Volatile.Write(ref _running, 0);
            _one.Release();
        }
    }

    // All that was acknowledged is in the logs, which are sealed in any case: the next checkpoint by anyone folds them.
    private async ValueTask TryCheckpointOnCloseAsync()
    {
        try
        {
            await CheckpointAsync(isDemanded: false, CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception e) when (e is StorageException or OpsLogException)
        {
            Failure = e.Message;
            EngineLog.CheckpointFailed(settings.Logger, settings.Telemetry.LogName, e);
        }
    }

    private async ValueTask CheckpointAsync(bool isDemanded, CancellationToken ct)
    {
        await settings.Telemetry.MeasureAsync(StoreCall.Checkpoint, () => MakeCheckpointAsync(isDemanded, ct)).ConfigureAwait(false);
        (Failure, _nextTry) = (null, 0);
    }

    private async ValueTask MakeCheckpointAsync(bool isDemanded, CancellationToken ct)
    {
        for (var tries = 0; tries < MostTries; tries++)
        {
            if (tries > 0 || !isDemanded) await PauseAsync(tries + (isDemanded ? 0 : SpreadOut), ct).ConfigureAwait(false);
            await merger.RefreshAsync(ct).ConfigureAwait(false);
            if (!isDemanded && merger.Manifest.Exclusive is not null) return; // a single writer makes its own
            OwnLogs.RefuseSingleWriter(merger.Manifest);
            if (!isDemanded && IsDue()) await WaitForOtherAsync(ct).ConfigureAwait(false);
            if (!isDemanded && !IsDue()) return; // somebody else made it
            await SealDeadAsync(ct).ConfigureAwait(false);
            try
            {
                if (await TryCheckpointAsync(ct).ConfigureAwait(false)) return;
            }
            catch (OpsLogException e) when (e.Error == OpsLogError.Damaged)
            {
                // Unless another checkpoint came in between: then what was missing is gone for a good reason.
                if (await merger.IsNewestAsync(merger.CaughtUpWith, ct).ConfigureAwait(false)) throw;
            }
        }

        throw new OpsLogException(OpsLogError.Conflict, $"Others made a checkpoint {MostTries} times while this one was being written; what it would have brought is in theirs or still in the logs. Try again.");
    }

    // Somebody has reserved names for a snapshot: it will do for this one too, unless they died over it. Each reservation is waited for once.
    private async ValueTask WaitForOtherAsync(CancellationToken ct)
    {
        if (merger.Manifest.Reserved is not [var name, ..] || string.Equals(name, _waitedFor, StringComparison.Ordinal)) return;
        _waitedFor = name;
        var (started, longest) = (settings.Time.GetTimestamp(), s_leastWait + TimeSpan.FromSeconds((double)merger.Manifest.Snapshot.Length / BytesASecond));
        while (merger.Manifest.Reserved.Contains(name, StringComparer.Ordinal) && settings.Time.GetElapsedTime(started) < longest)
        {
            await Task.Delay(s_look, settings.Time, ct).ConfigureAwait(false);
            await merger.Register.RefreshAsync(ct).ConfigureAwait(false);
        }

        await merger.RefreshAsync(ct).ConfigureAwait(false);
    }

    // Ends the logs of agents that are gone: in a folder their lock is free, elsewhere they have been silent for long.
    private async ValueTask SealDeadAsync(CancellationToken ct)
    {
        var any = false;
        foreach (var log in merger.Logs)
        {
            if (log.HasEnded || log.IsActive) continue;
            if (!_locks && !log.IsAbandoned && settings.Time.GetElapsedTime(log.MovedAt) < settings.SilentAfter) continue;
            if ((_numbered || !log.Exists) && !await merger.Register.IsCurrentAsync(ct).ConfigureAwait(false)) break; // perhaps it was folded long ago
            any |= await _sealer.SealAsync(log, ct).ConfigureAwait(false) == PutOutcome.Stored;
        }

        if (any) await merger.RefreshAsync(ct).ConfigureAwait(false);
    }

    // False: somebody else was first. What was written is left to the collector: a loser deletes nothing.
    private async ValueTask<bool> TryCheckpointAsync(CancellationToken ct)
    {
        if (await TakePlanAsync(ct).ConfigureAwait(false) is not { } plan) return false;
        if (await ReserveAsync(plan, ct).ConfigureAwait(false) is not { } names) return false;
        using var stream = new SnapshotStream(plan.View, schema, settings.SnapshotFormat, IsoTime.ToText(settings.Time.GetUtcNow()), plan.Floor);
        if (!await PutAsync(names.Snapshot, stream, ct).ConfigureAwait(false)) return false;
        var snapshot = new SnapshotEntry(names.Snapshot.Value, stream.BytesRead, stream.Checksum, stream.Count, plan.View.Clock, plan.Floor);
        if (names.IdleLog is { } idle && !await PutAsync(idle, Stream.Null, ct).ConfigureAwait(false)) return false;
        var (reference, dropped, isLost) = await WriteHistoryAsync(plan, names, ct).ConfigureAwait(false);
        var collected = _collected;
        var committed = await merger.Register.TryUpdateAsync(
            m => plan.MayCommit(m, names) ? plan.Commit(m, names, snapshot, reference, Garbage(m, reference, dropped, collected)) with { Adopted = m.Adopted || isLost } : null,
            ct,
            m => string.Equals(m.Snapshot.Name, snapshot.Name, StringComparison.Ordinal)).ConfigureAwait(false);
        if (committed is null) return false;
        _collected = [];
        Checkpoints++;
        EngineLog.Checkpoint(settings.Logger, settings.Telemetry.LogName, snapshot.Count, snapshot.Length, snapshot.Name);
        await TidyUpAsync(plan.Floor, ct).ConfigureAwait(false);
        return true;
    }

    // This process's log ends here, so that the snapshot covers it to its end and can retire it; the next write registers another.
    private async ValueTask<CompactionPlan?> TakePlanAsync(CancellationToken ct)
    {
        CompactionPlan? plan = null;
        var left = LogTarget.None;
        var exclusive = new ExclusiveRequest(async () =>
        {
            writer.ThrowIfFailed();
            if (writer.HasUnflushed) await writer.FlushHeldAsync().ConfigureAwait(false);
            left = writer.Target;
            writer.LeaveLog();
            plan = CompactionPlan.Take(merger, schema, _numbered);
        });
        try
        {
            // Writes go on while the log is synced; a flush, which promises that it is, waits.
            using (await writer.HoldFlushesAsync(ct).ConfigureAwait(false))
            {
                await writer.Queue.SubmitAsync(exclusive, ct).ConfigureAwait(false);
                exclusive.ThrowIfFailed();
                if (settings.Durability != Durability.Disk) await writer.SyncLeftAsync(left).ConfigureAwait(false);
            }
        }
        finally
        {
            await left.ReleaseAsync().ConfigureAwait(false);
        }

        return plan;
    }

    private async ValueTask<ReservedNames?> ReserveAsync(CompactionPlan plan, CancellationToken ct)
    {
        ReservedNames names = null!;
        var reserved = await merger.Register.TryUpdateAsync(
            m =>
            {
                if (!plan.StillHolds(m)) return null;
                names = plan.Names(m.Revision, settings);
                return m with { Reserved = [.. m.Reserved, .. names.All] };
            },
            ct,
            m => m.Reserved.Contains(names.Snapshot.Value, StringComparer.Ordinal)).ConfigureAwait(false);
        return reserved is null ? null : names;
    }

    private async ValueTask<bool> PutAsync(StorageKey key, Stream content, CancellationToken ct) =>
        (await storage.PutAsync(key, content, PutCondition.IfAbsent, ct).ConfigureAwait(false)).IsStored;

    private async ValueTask<(HistoryReference? Reference, List<HistoryLog> Dropped, bool IsLost)> WriteHistoryAsync(CompactionPlan plan, ReservedNames names, CancellationToken ct)
    {
        if (names.History is not { } key) return (plan.Base.History, [], false);
        if (plan.Logs.Any(l => l.Retires && l.HasSkipped)) return (null, [], true); // history begins behind the damage; the logs stay where they are, unlisted
        var found = await _history.FindAsync(plan.Base, ct).ConfigureAwait(false);
        var logs = found.Logs.ToList();
        foreach (var log in plan.Logs.Where(l => l.Retires)) logs.Add(await HistoryOfAsync(log, ct).ConfigureAwait(false));
        var (kept, dropped) = _history.Divide(logs);
        if (kept.Count == 0) return (null, dropped, !found.IsWhole);
        await PutAsync(key, new ReadOnlyMemoryStream(HistoryIndexCodec.Write(kept)), ct).ConfigureAwait(false);
        return (new HistoryReference(key.Value, kept.Sum(l => l.Length)), dropped, !found.IsWhole);
    }

    private async ValueTask<HistoryLog> HistoryOfAsync(CoveredLog log, CancellationToken ct)
    {
        var length = log.Length;
        if (log.IsPartlyRead) length = await LogReader.PieceBytesAsync(storage, new StorageKey(log.Entry.Name), log.Pieces, ct).ConfigureAwait(false);
        return new HistoryLog(log.Entry.Name, log.Entry.Agent, length, log.Entry.Schema, log.Entry.Start, log.Clock, length > 0 ? Math.Max(1, log.Operations) : log.Operations, "", log.LastTime, log.Pieces);
    }

    private List<GarbageEntry> Garbage(Manifest manifest, HistoryReference? history, List<HistoryLog> dropped, List<string> collected)
    {
        var now = settings.Time.GetUtcNow();
        var names = dropped.Select(l => (l.Name, Bytes: l.Length)).Append((manifest.Snapshot.Name, Bytes: manifest.Snapshot.Length));
        if (manifest.History is { } index && index != history) names = names.Append((index.Name, Bytes: 0));
        var ours = names.Where(n => StorageKey.IsValid(n.Name) && StoreKeys.IsOurs(new StorageKey(n.Name))).Select(n => new GarbageEntry(n.Name, n.Bytes, now));
        return [.. manifest.Garbage.Where(g => !collected.Contains(g.Name)), .. ours];
    }

    // The checkpoint is made; what fails from here on costs space until the next one, no more.
    private async ValueTask TidyUpAsync(long floor, CancellationToken ct)
    {
        try
        {
            lock (merger.State.Gate) merger.State.ForgetTombstones(floor); // the swap is in: the snapshot has forgotten them too
            await merger.RefreshAsync(ct).ConfigureAwait(false);
            var manifest = merger.Manifest;
            _collected = await _garbage.CollectAsync(manifest, (manifest.Snapshot.Length + merger.Logs.Sum(l => l.Standing)) / 2, ct).ConfigureAwait(false);
            // By one manifest and the history that it names: a later one keeps more.
            await _garbage.CollectOrphansAsync(manifest, await _history.ReadAsync(manifest, ct).ConfigureAwait(false), ct).ConfigureAwait(false);
        }
        catch (Exception e) when (e is StorageException or OpsLogException { Error: OpsLogError.StorageFailed or OpsLogError.Damaged })
        {
            EngineLog.CollectFailed(settings.Logger, settings.Telemetry.LogName, e);
        }
    }

    private Task PauseAsync(int tries, CancellationToken ct)
    {
        var longest = Math.Min(LongestPause, 1 << Math.Min(tries, 10));
        return Task.Delay(TimeSpan.FromMilliseconds(1 + (long)(settings.Nonces.NextSeed() % (ulong)longest)), settings.Time, ct);
    }
}
