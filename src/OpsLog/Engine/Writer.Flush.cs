using OpsLog.Storage;

namespace OpsLog.Engine;

/// <content>Bringing the log to the storage, and onto stable storage, apart from committing.</content>
internal sealed partial class Writer
{
    private const long MostUnflushed = 64 << 20;
    private const int MostTries = 4;
    private readonly SemaphoreSlim _flushing = new(1, 1);

    /// <summary>So much is acknowledged and not stored yet that writers have to wait: memory is not the place for more, and a flush of a numbered log is one object.</summary>
    public bool IsFull => Acknowledged - Stored >= MostUnflushed;

    /// <summary>Brings what is buffered into the log; with <see cref="Flush.Synced"/>, what the log holds onto stable storage.</summary>
    public ValueTask FlushAsync(Flush flush, CancellationToken ct) => FlushAsync(flush, isNeeded: null, ct);

    /// <summary>Waits until the writer is no longer full. A flush that fails is told to the write that comes behind it.</summary>
    public ValueTask AwaitRoomAsync(CancellationToken ct) => TryFlushAsync(() => IsFull, ct);

    /// <summary>Brings what is buffered into the log, for who reads that. Where it fails, what the log holds is read all the same.</summary>
    public ValueTask FlushToReadAsync(CancellationToken ct) => TryFlushAsync(isNeeded: null, ct);

    private async ValueTask TryFlushAsync(Func<bool>? isNeeded, CancellationToken ct)
    {
        try
        {
            await FlushAsync(Flush.Written, isNeeded, ct).ConfigureAwait(false);
        }
        catch (OpsLogException) when (_failure is not null)
        {
            // The writer keeps it, and refuses everything from here on.
        }
    }

    private async ValueTask FlushAsync(Flush flush, Func<bool>? isNeeded, CancellationToken ct)
    {
        await _flushing.WaitAsync(ct).ConfigureAwait(false);
        try
        {
            ThrowIfFailed();
            if (isNeeded?.Invoke() == false) return; // others have waited for the same
            long from = 0, to = 0;
            var cut = new ExclusiveRequest(() =>
            {
                (from, to) = (Flushed, _buffer.Position);
                Volatile.Write(ref _flushedTo, to); // the next lines belong to the next piece
                return ValueTask.CompletedTask;
            });
            await Queue.SubmitAsync(cut, CancellationToken.None).ConfigureAwait(false);
            cut.ThrowIfFailed();
            await FlushRangeAsync(from, to, flush).ConfigureAwait(false);
            if (flush == Flush.Synced && _durability != Durability.Disk && _ownLogs is not null)
            {
                await SyncLeftAsync().ConfigureAwait(false);
                await _ownLogs.SealAbandonedAsync().ConfigureAwait(false);
            }

            if (flush == Flush.Synced && from >= to && _durability != Durability.Disk && !_target.IsNumbered && !await TrySyncAsync(MostTries).ConfigureAwait(false))
                await Queue.SubmitAsync(new ExclusiveRequest(SyncOrPoisonAsync), CancellationToken.None).ConfigureAwait(false);
        }
        finally
        {
            _flushing.Release();
        }
    }

    /// <summary>Keeps flushes away until it is disposed: taken before an exclusive request that changes the log.</summary>
    public async ValueTask<FlushHold> HoldFlushesAsync(CancellationToken ct)
    {
        await _flushing.WaitAsync(ct).ConfigureAwait(false);
        return new FlushHold(_flushing);
    }

    /// <summary>Brings what is buffered onto stable storage. With flushes held, from an exclusive request.</summary>
    public async ValueTask FlushHeldAsync()
    {
        var from = Flushed;
        Volatile.Write(ref _flushedTo, _buffer.Position);
        await FlushRangeAsync(from, _buffer.Position, Flush.Synced).ConfigureAwait(false);
    }

    /// <summary>Brings the log onto stable storage. With flushes held, from an exclusive request.</summary>
    public ValueTask SyncHeldAsync() => _target.IsNumbered ? ValueTask.CompletedTask : SyncOrPoisonAsync();

    /// <summary>
    /// Brings onto stable storage what is acknowledged, while requests are committed. False: it was not done, for they came too fast, or because an agent's log may be ended
    /// beside it. Only where the log is not left meanwhile: with flushes held, or from a checkpoint.
    /// </summary>
    public async ValueTask<bool> TrySyncAsync(int most)
    {
        if (_ownLogs is not null) return false;
        try
        {
            for (var tries = 0; tries < most; tries++)
                if (await _target.TrySyncAsync().ConfigureAwait(false)) return true;
            return false;
        }
        catch (Exception e)
        {
            throw SyncFailed(_target, e);
        }
    }

    private async ValueTask FlushRangeAsync(long from, long to, Flush flush)
    {
        if (from >= to) return;
        try
        {
            // Numbered logs get one object; elsewhere each piece of memory is appended from where it lies.
            for (var at = from; at < to;)
            {
                var bytes = _target.IsNumbered ? Copy(at, to) : _buffer.Extent.MemoryFrom(at, to);
                at += bytes.Length;
                var result = await AppendAsync(bytes, at < to ? Flush.Written : flush).ConfigureAwait(false);
                if (!result.IsStored) throw Fenced(result);
            }

            Stored = to;
            if (_log is not { } log || !_target.IsNumbered) return;
            lock (_state.Gate) log.Read = new LogExtent(log.Read.Length, _target.Pieces); // others may cover it from here on
        }
        catch (Exception e)
        {
            // It was acknowledged already and memory shows it: nothing may be built on it any more.
            throw Poison(e as OpsLogException ?? Failed(e));
        }
    }

    private byte[] Copy(long from, long to)
    {
        var bytes = new byte[to - from];
        for (var at = from; at < to;)
        {
            var piece = _buffer.Extent.MemoryFrom(at, to);
            piece.CopyTo(bytes.AsMemory((int)(at - from)));
            at += piece.Length;
        }

        return bytes;
    }
}

/// <summary>While it lives, nothing is flushed.</summary>
internal readonly struct FlushHold(SemaphoreSlim flushing) : IDisposable
{
    public void Dispose() => flushing.Release();
}
