using OpsLog.Engine.Agents;
using OpsLog.Storage;

namespace OpsLog.Engine;

/// <content>What is different for an agent: its log may be ended by others at any time, and it goes on in another.</content>
internal sealed partial class Writer
{
    private readonly OwnLogs? _ownLogs;
    private readonly List<LogTarget> _unsynced = []; // logs that were left
    private PeerLog? _log;

    /// <summary>The writer of an agent: it has a log only from its first write on, and again from the first after it left one.</summary>
    public Writer(StoreState state, OwnLogs ownLogs, EngineSettings settings, Action committed)
        : this(state, LogTarget.None, new LogBuffer(new Extent("", []), 0, settings.Limits), settings, committed)
    {
        _ownLogs = ownLogs;
    }

    /// <summary>How often another writer ended the log of an agent.</summary>
    public long Fencings { get; private set; }

    /// <summary>
    /// An agent leaves its log: it is not appended to again, and the next write registers another. Only from an exclusive request, with nothing unflushed.
    /// </summary>
    public void LeaveLog()
    {
        if (_log is null) return;
        lock (_state.Gate)
        {
            (_log.IsActive, _log.IsWritten) = (false, false);
            if (_log.IsOwn) _log.Read = new LogExtent(Acknowledged, _target.Pieces);
        }

        _log = null;
        SwitchTo(LogTarget.None, new LogBuffer(new Extent("", []), 0, _limits), 0);
    }

    private async ValueTask CommitAmongManyAsync(List<CommitRequest> requests)
    {
        while (await TryHaveLogAsync(requests).ConfigureAwait(false) && !await TryCommitAsync(requests).ConfigureAwait(false)) Fenced();
    }

    // A seal lies there, or what a double of this process wrote: it is read on like another's.
    private async ValueTask<bool> AbandonLogAsync(PeerLog log, List<CommitRequest> requests, ReadOnlyMemory<byte> bytes)
    {
        try
        {
            _ownLogs!.Abandon(log);
            await LeaveLogAsync().ConfigureAwait(false);
            return false;
        }
        catch (Exception e)
        {
            return await FailAsync(requests, bytes, e).ConfigureAwait(false);
        }
    }

    private void Fenced()
    {
        Fencings++;
        _telemetry.Fenced();
    }

    /// <summary>Brings onto stable storage a log that an agent has left, before anybody ends it. With flushes held.</summary>
    public ValueTask SyncLeftAsync(LogTarget left)
    {
        if (!left.IsNumbered) _unsynced.Add(left);
        return SyncLeftAsync();
    }

    // Those that could not be synced before are tried again. With flushes held.
    private async ValueTask SyncLeftAsync()
    {
        while (_unsynced is [var left, ..])
        {
            try
            {
                await left.AppendAsync(ReadOnlyMemory<byte>.Empty, Flush.Synced).ConfigureAwait(false); // refused: who ended it has synced it
            }
            catch (Exception e)
            {
                throw SyncFailed(left, e);
            }

            _unsynced.RemoveAt(0);
            await left.ReleaseAsync().ConfigureAwait(false);
        }
    }

    private ValueTask LeaveLogAsync()
    {
        var left = _target;
        LeaveLog();
        return left.ReleaseAsync();
    }

    // An agent's log is registered when there is something to write to it.
    private async ValueTask<bool> TryHaveLogAsync(List<CommitRequest> requests)
    {
        if (_failure is not null || _closed) return true; // each request will say so
        try
        {
            // Others would not believe so long a step; or the storage takes only few more appends to the log.
            if (_log is not null && (_state.Clock - _log.Clock > LogSource.LongestStep / 2 || _target.IsNearlyFull)) await LeaveFlushedAsync().ConfigureAwait(false);
            if (_log is not null || _failure is not null) return true;
            _log = await _ownLogs!.RegisterAsync().ConfigureAwait(false);
            SwitchTo(_log.Target!, new LogBuffer(_log.Extent, 0, _limits), 0);
            _group.Source = _log.Source;
            return true;
        }
        catch (Exception e) when (e is StorageException or OpsLogException)
        {
            var failure = e as OpsLogException ?? new OpsLogException(OpsLogError.StorageFailed, $"No log could be registered for the agent, and nothing was written: {e.Message}", e);
            foreach (var request in requests) request.Fail(failure);
            return false;
        }
    }

    private async ValueTask LeaveFlushedAsync()
    {
        // A flush that has its part is writing to this log, and needs the queue no more; one that still waits for it will find nothing to do.
        if (Stored < Flushed)
        {
            await _flushing.WaitAsync().ConfigureAwait(false);
            _flushing.Release();
        }

        if (_failure is not null) return;
        if (HasUnflushed) await FlushHeldAsync().ConfigureAwait(false);
        else if (_durability != Durability.Disk && !_target.IsNumbered) await SyncOrPoisonAsync().ConfigureAwait(false);
        await LeaveLogAsync().ConfigureAwait(false);
    }

    // Others' operations may have been merged since the line was made, or a snapshot that has it already and in which it was deleted, and the delete forgotten; and a delete that
    // archives ranks by what it moves.
    private bool Wins(in CommitGroup.Line line)
    {
        var id = _group.IdOf(line);
        var stamp = _state.Read(line.Location).Stamp;
        // What is shown already stays where it lies: perhaps in a snapshot that is being merged, and what does not lie in that is forgotten at its end.
        if (!line.Location.IsTombstone && _state.Records.TryGet(line.Key, id, out var shown) && !shown.IsTombstone && _state.Read(shown).Stamp == stamp) return false;
        return !_state.IsForgotten(line.Key, id, line.Clock) && _state.Wins(line.Key, id, stamp, line.Location.IsTombstone, isForeign: false);
    }

    // An agent's append failed. Its bytes may have been read by others: nothing is cut or written over, the log ends behind what stands.
    private async ValueTask EndLogAsync(List<CommitRequest> requests, ReadOnlyMemory<byte> bytes, Exception cause)
    {
        var (standing, failure) = (_buffer.GroupStart, default(OpsLogException));
        if (cause is StorageException { Fault: StorageFault.Broken })
        {
            failure = Poison(Failed(cause));
            _ownLogs!.Abandon(_log!);
        }
        else
        {
            var end = await _ownLogs!.EndAsync(_log!, bytes).ConfigureAwait(false);
            if (end is { } known) standing = Standing(known);
            else failure = Failed(cause);
        }

        foreach (var request in requests)
        {
            if (request.LineCount == 0 || _group.Lines[request.FirstLine + request.LineCount - 1].End <= standing) continue;
            request.Fail(failure ?? new OpsLogException(OpsLogError.StorageFailed, $"Writing to the log '{_target.Key}' failed, and nothing was written: {cause.Message}", cause));
        }

        Show(requests, standing);
        lock (_state.Gate) _state.Clock = Math.Max(_state.Clock, _group.Clock); // clocks that may have been seen are not used again
        await LeaveLogAsync().ConfigureAwait(false);
    }
}
