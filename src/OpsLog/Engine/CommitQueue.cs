using System.Collections.Concurrent;

namespace OpsLog.Engine;

/// <summary>
/// Where callers meet. Whoever finds nobody leading leads: takes what waits, commits it as one group, and hands the lead on. A lone caller
/// commits on its own thread without a queue, a lock or a thread hop; while a group is being written the next one gathers.
/// </summary>
internal sealed class CommitQueue(IGroupCommitter committer, TimeProvider time, bool gathers) : IThreadPoolWorkItem
{
    // Twice the throughput at 16 callers: completions run on the pool, so without a short wait every other group is half empty.
    private static readonly TimeSpan LongestGathering = TimeSpan.FromMicroseconds(60);
    private const int LargestGroup = 4096;
    private const int SpinsBetweenLooks = 40;
    private const int MostLooks = 2000;

    private readonly ConcurrentQueue<CommitRequest> _waiting = new();
    private readonly List<CommitRequest> _group = [];
    private int _waitingCount;
    private int _leading;
    private int _recentPeak = 1;

    /// <summary>Commits a request; completes when it is acknowledged or has failed.</summary>
    public ValueTask SubmitAsync(CommitRequest request, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested) return ValueTask.FromCanceled(cancellationToken);
        if (_waitingCount == 0 && TryLead()) return LeadOnceAsync(request);
        var task = request.Wait(cancellationToken);
        Interlocked.Increment(ref _waitingCount);
        _waiting.Enqueue(request);
        if (TryLead()) ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        return new ValueTask(task);
    }

    async void IThreadPoolWorkItem.Execute()
    {
        do
        {
            Gather();
            await CommitGroupAsync(own: null).ConfigureAwait(false);
        }
        while (!TryRest());
    }

    private bool TryLead() => Interlocked.CompareExchange(ref _leading, 1, 0) == 0;

    // What completes at once needs no state machine: most of a lone caller's commits do.
    private ValueTask LeadOnceAsync(CommitRequest own)
    {
        if (!own.IsExclusive) Gather(alone: 1);
        _group.Insert(0, own);
        var committed = CommitGroupAsync(own);
        return committed.IsCompletedSuccessfully ? HandOn(own) : HandOnAsync(committed, own);
    }

    private async ValueTask HandOnAsync(ValueTask committed, CommitRequest own)
    {
        await committed.ConfigureAwait(false);
        await HandOn(own).ConfigureAwait(false);
    }

    private ValueTask HandOn(CommitRequest own)
    {
        if (!TryRest()) ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        return own.Outcome;
    }

    // Gives the lead up; false if somebody came meanwhile and the lead was taken back.
    private bool TryRest()
    {
        if (!_waiting.IsEmpty || _group.Count > 0) return false;
        Volatile.Write(ref _leading, 0);
        Interlocked.MemoryBarrier();
        return _waiting.IsEmpty || !TryLead();
    }

    private void Gather(int alone = 0)
    {
        if (gathers && _recentPeak > 1) AwaitRecentPeak(alone);
        // What the last group had no room for is there already.
        while (_group.Count < LargestGroup && Volatile.Read(ref _waitingCount) > 0 && _waiting.TryPeek(out var next))
        {
            if (next.IsExclusive && (_group.Count > 0 || alone > 0)) break;
            _waiting.TryDequeue(out _);
            Interlocked.Decrement(ref _waitingCount);
            if (!next.TryTake()) continue;
            _group.Add(next);
            if (next.IsExclusive) break;
        }

        var size = _group.Count + alone;
        _recentPeak = size >= _recentPeak ? size : _recentPeak - ((_recentPeak - size + 3) / 4);
    }

    private void AwaitRecentPeak(int alone)
    {
        var start = time.GetTimestamp();
        for (var looks = 0; looks < MostLooks && Volatile.Read(ref _waitingCount) + alone < _recentPeak; looks++)
        {
            if (time.GetElapsedTime(start) >= LongestGathering) return;
            Thread.SpinWait(SpinsBetweenLooks);
            if (looks % 8 == 7) Thread.Yield();
        }
    }

    // Never fails: what does is told to the callers.
    private ValueTask CommitGroupAsync(CommitRequest? own)
    {
        ValueTask work = default;
        try
        {
            if (_group is [{ IsExclusive: true } alone]) work = alone.RunAsync();
            else if (_group.Count > 0) work = committer.CommitAsync(_group);
        }
        catch (Exception e)
        {
            work = ValueTask.FromException(e);
        }

        if (!work.IsCompletedSuccessfully) return EndGroupAsync(work, own);
        EndGroup(own);
        return default;
    }

    private async ValueTask EndGroupAsync(ValueTask work, CommitRequest? own)
    {
        try
        {
            await work.ConfigureAwait(false);
        }
        catch (Exception e)
        {
            // Whatever broke, no caller may wait for ever or take silence for success.
            foreach (var request in _group) request.Fail(e);
        }

        EndGroup(own);
    }

    private void EndGroup(CommitRequest? own)
    {
        var left = 0;
        foreach (var request in _group)
        {
            if (request.IsPutOff) left++;
            else if (request != own) request.Complete();
        }

        if (left == 0) _group.Clear();
        else _group.RemoveAll(static request => !request.IsPutOff);
    }
}

/// <summary>
/// Commits a group of requests: when it returns all of them are done or have failed, but for those that the group had no room for: they come first in the next one
/// (<see cref="CommitRequest.IsPutOff"/>).
/// </summary>
internal interface IGroupCommitter
{
    ValueTask CommitAsync(List<CommitRequest> group);
}
