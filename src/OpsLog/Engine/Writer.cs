using OpsLog.Storage;

namespace OpsLog.Engine;

/// <summary>
/// Commits groups of requests to one log: encodes, appends once, syncs once, then lets memory show it. What the log does not hold at the
/// chosen level is never shown. After a failure it cannot undo, the store is read-only until it is opened again.
/// </summary>
internal sealed partial class Writer : IGroupCommitter
{
    // Behind an unfinished line it voids that line; on a line of its own it voids an unfinished batch (docs/format.md, Spoiled lines).
    public static readonly byte[] Spoil = "#\n"u8.ToArray();

    private readonly StoreState _state;
    private readonly Durability _durability;
    private readonly CommitGroup _group;
    private readonly Action _committed;
    private readonly StoreTelemetry _telemetry;
    private readonly WriteLimits _limits;
    private LogTarget _target;
    private LogBuffer _buffer;
    private long _flushedTo;
    private OpsLogException? _failure;
    private bool _closed;
    private long _stored;

    public Writer(StoreState state, LogTarget target, LogBuffer buffer, EngineSettings settings, Action committed)
    {
        (_state, _target, _buffer, _durability, _committed, _telemetry, _limits) = (state, target, buffer, settings.Durability, committed, settings.Telemetry, settings.Limits);
        _group = new CommitGroup(state, settings.Time) { Buffer = buffer };
        _flushedTo = _stored = Acknowledged = buffer.Position;
        Queue = new CommitQueue(this, settings.Time, gathers: settings.Durability == Durability.Disk);
    }

    public CommitQueue Queue { get; }

    /// <summary>The log and its bytes in memory. Changed only by an exclusive request.</summary>
    public LogTarget Target => _target;

    public LogBuffer Buffer => _buffer;

    /// <summary>The log offset up to which everything is acknowledged at the chosen level.</summary>
    public long Acknowledged { get; private set; }

    /// <summary>The log offset up to which the log in the storage holds everything.</summary>
    public long Flushed => Volatile.Read(ref _flushedTo);

    /// <summary>The log offset up to which the storage has everything: behind <see cref="Flushed"/> while a flush is under way.</summary>
    public long Stored
    {
        get => _durability == Durability.Buffered ? Volatile.Read(ref _stored) : Acknowledged;
        private set => Volatile.Write(ref _stored, value);
    }

    public bool HasUnflushed => Flushed < _buffer.Position;

    /// <summary>Operations in the log, and acknowledged by this opening.</summary>
    public long LogOperations { get; set; }

    public long Operations { get; private set; }

    public long Appends { get; private set; }

    public long AppendedBytes { get; private set; }

    public OpsLogException? Failure => _failure;

    /// <summary>The newest operation that is acknowledged: of an agent in the log it has, none without one. With the state's gate held.</summary>
    public Revision Newest => _ownLogs is null ? new(_state.Clock, "", "") : _log is { } log ? new(log.Clock, log.Source.Agent, log.Source.Log) : default;

    /// <summary>Told when it goes on in another log: nobody should hold on to the one before.</summary>
    public Action? Switched { get; set; }

    public void ThrowIfFailed()
    {
        if (_failure is { } failure)
            throw new OpsLogException(OpsLogError.ReadOnly, $"The store is read-only since a write failed: {failure.Message} Close it and open it again.", failure);
    }

    /// <summary>Commits nothing more. From an exclusive request: all before it is committed.</summary>
    public ValueTask Close()
    {
        _closed = true;
        return ValueTask.CompletedTask;
    }

    /// <summary>Turns the store read-only.</summary>
    public OpsLogException Poison(OpsLogException failure) => _failure ??= failure;

    /// <summary>Goes on in another log, which has all that this one has. Only from an exclusive request.</summary>
    public void SwitchTo(LogTarget target, LogBuffer buffer, long operations)
    {
        lock (_state.Gate)
        {
            (_target, _buffer, _group.Buffer) = (target, buffer, buffer);
            LogOperations = operations;
            Acknowledged = Stored = buffer.Position;
        }

        Volatile.Write(ref _flushedTo, buffer.Position);
        Switched?.Invoke();
    }

    public ValueTask CommitAsync(List<CommitRequest> requests)
    {
        if (_ownLogs is not null) return CommitAmongManyAsync(requests);
        var committed = TryCommitAsync(requests);
        return committed.IsCompletedSuccessfully ? default : new ValueTask(committed.AsTask());
    }

    // False: another writer ended the agent's log, and nothing was written. It goes on in another one.
    private ValueTask<bool> TryCommitAsync(List<CommitRequest> requests)
    {
        _group.Begin();
        _group.ChecksumBase = !_target.IsNumbered ? 0 : _durability == Durability.Buffered ? Flushed : _buffer.GroupStart;
        if (_ownLogs is null) Prepare(requests);
        else using (_state.EnterToShow()) Prepare(requests); // what is seen of others' writes changes no more until the line is made
        if (_group.Lines.IsEmpty) return new(true);
        if (_durability == Durability.Buffered)
        {
            _buffer.Close();
            Show(requests, long.MaxValue);
            return new(true);
        }

        var bytes = _buffer.Group;
        var append = AppendAsync(bytes, _durability == Durability.Disk ? Flush.Synced : Flush.Written);
        return append.IsCompletedSuccessfully ? EndCommitAsync(requests, bytes, append.Result) : EndCommitAsync(requests, bytes, append);
    }

    private void Prepare(List<CommitRequest> requests)
    {
        foreach (var request in requests) Prepare(request);
    }

    private async ValueTask<bool> EndCommitAsync(List<CommitRequest> requests, ReadOnlyMemory<byte> bytes, ValueTask<PutResult> append)
    {
        PutResult result;
        try
        {
            result = await append.ConfigureAwait(false);
        }
        catch (Exception e)
        {
            return await FailAsync(requests, bytes, e).ConfigureAwait(false);
        }

        return await EndCommitAsync(requests, bytes, result).ConfigureAwait(false);
    }

    private ValueTask<bool> EndCommitAsync(List<CommitRequest> requests, ReadOnlyMemory<byte> bytes, PutResult result)
    {
        try
        {
            if (!result.IsStored && _log is not null) return AbandonLogAsync(_log, requests, bytes);
            if (!result.IsStored) throw Fenced(result);
            _buffer.Close();
            Volatile.Write(ref _flushedTo, _buffer.Position);
        }
        catch (Exception e)
        {
            return FailAsync(requests, bytes, e);
        }

        Show(requests, long.MaxValue);
        return new(true);
    }

    private async ValueTask<bool> FailAsync(List<CommitRequest> requests, ReadOnlyMemory<byte> bytes, Exception cause)
    {
        if (_log is null) await AfterFailureAsync(requests, bytes, cause).ConfigureAwait(false);
        else await EndLogAsync(requests, bytes, cause).ConfigureAwait(false);
        return true;
    }

    /// <summary>The log has got bytes behind its end that are no lines of ours. Only from an exclusive request, or before the first commit.</summary>
    public void Skip(byte[] bytes)
    {
        lock (_state.Gate)
        {
            _buffer.Skip(bytes);
            Acknowledged = Stored = _buffer.Position;
        }

        Volatile.Write(ref _flushedTo, _buffer.Position);
    }

    /// <summary>What lies in the log from an offset on was voided by a mark behind it. Before the first commit.</summary>
    public void Void(long from, int markLength)
    {
        lock (_state.Gate)
        {
            _buffer.Reset(from, _buffer.Position + markLength);
            Acknowledged = Stored = _buffer.Position;
        }

        Volatile.Write(ref _flushedTo, _buffer.Position);
    }

    private ValueTask<PutResult> AppendAsync(ReadOnlyMemory<byte> bytes, Flush flush)
    {
        var started = _telemetry.AppendStarts(flush);
        var append = _target.AppendAsync(bytes, flush);
        return append.IsCompletedSuccessfully ? new(Appended(append.Result, bytes.Length, started)) : AppendedAsync(append, bytes.Length, started);
    }

    private async ValueTask<PutResult> AppendedAsync(ValueTask<PutResult> append, int bytes, long started) =>
        Appended(await append.ConfigureAwait(false), bytes, started);

    private PutResult Appended(PutResult result, int bytes, long started)
    {
        _telemetry.AppendEnded(started);
        if (!result.IsStored) return result;
        Appends++;
        AppendedBytes += bytes;
        return result;
    }

    private void Prepare(CommitRequest request)
    {
        (request.FirstLine, request.LineCount) = (_group.Lines.Length, 0);
        if (request.HasFailed) return;
        request.IsPutOff = request.FirstLine > 0 && _buffer.Group.Length >= _limits.Group;
        if (request.IsPutOff) return;
        var position = _buffer.Position;
        try
        {
            ThrowIfFailed();
            ObjectDisposedException.ThrowIf(_closed, typeof(OpsStore<>));
            request.Prepare(_group);
        }
        catch (Exception e)
        {
            request.Fail(e);
            _group.TakeBack(request.FirstLine, position); // whole or not at all
        }

        request.LineCount = _group.Lines.Length - request.FirstLine;
    }

    // Lets memory show the lines that end at or before an offset; the requests whose lines do not are failed by the caller. What breaks in the middle (memory is
    // short) leaves memory behind the log, perhaps within a batch: nothing may be built on it any more.
    private void Show(List<CommitRequest> requests, long standing)
    {
        try
        {
            using (_state.EnterToShow()) Apply(requests, standing);
            if (standing == long.MaxValue) _buffer.Stored(Stored);
            _committed();
        }
        catch (Exception e)
        {
            throw Poison(new OpsLogException(OpsLogError.OutcomeUnknown, $"What was written to the log '{_target.Key}' could not be taken into memory, which may show half of it: {e.Message} Close the store and open it again.", e));
        }
    }

    private void Apply(List<CommitRequest> requests, long standing)
    {
        var clock = _log?.Clock ?? 0;
        var lines = _group.Lines;
        foreach (var request in requests)
        {
            if (request.LineCount == 0) continue;
            var own = lines.Slice(request.FirstLine, request.LineCount);
            if (own[^1].End > standing) continue;
            foreach (var line in own) Apply(line);
            clock = own[^1].Clock;
        }

        Acknowledged = standing == long.MaxValue ? _buffer.Position : standing;
        _log?.Advance(_target, Acknowledged, clock, LogOperations, _group.Timestamp);
    }

    private void Apply(in CommitGroup.Line line)
    {
        var id = _group.IdOf(line);
        if (_log is null || (!line.Noop && ((line.Clock > _state.NewestStamp && line.Location.IsLive) || Wins(line)))) _state.Set(line.Key, id, line.Location);
        _state.Clock = Math.Max(_state.Clock, line.Clock);
        LogOperations++;
        Operations++;
    }

    private async ValueTask AfterFailureAsync(List<CommitRequest> requests, ReadOnlyMemory<byte> bytes, Exception cause)
    {
        var (standing, found) = (_buffer.GroupStart, 0);
        try
        {
            if (cause is OpsLogException fenced) throw Poison(fenced);
            if (cause is StorageException { Fault: StorageFault.Broken }) throw Poison(Failed(cause));
            found = await _target.ReadBackAsync(bytes).ConfigureAwait(false);
            standing = Standing(_target.Length);
            // An append without an answer may still come. Behind a mark in its place it is refused.
            var isLate = found < bytes.Length && cause is StorageException { OutcomeUnknown: true } && _target.MayTakeLateAppends;
            if ((isLate || _target.Length > standing) && !await TrySpoilAsync().ConfigureAwait(false))
            {
                found += await _target.ReadBackAsync(bytes[found..]).ConfigureAwait(false); // it has come
                standing = Standing(_target.Length);
                if (_target.Length > standing || found < bytes.Length) throw Failed(cause); // or it has not, and may still
            }

            if (found > 0 && _target.Length == standing && _durability == Durability.Disk && !_target.IsNumbered) await SyncAsync().ConfigureAwait(false);
        }
        catch (Exception e)
        {
            Poison(found == 0 && e is OpsLogException known ? known : Failed(e)); // what is there was written, whoever has the log now
            standing = _buffer.GroupStart;
        }

        Show(requests, standing);
        _buffer.Reset(standing, Math.Max(standing, _target.Length));
        Volatile.Write(ref _flushedTo, _target.Length);
        foreach (var request in requests)
        {
            if (request.LineCount == 0 || _group.Lines[request.FirstLine + request.LineCount - 1].End <= standing) continue;
            request.Fail(_failure ?? new OpsLogException(OpsLogError.StorageFailed, $"Writing to the log '{_target.Key}' failed, and nothing was written: {cause.Message}", cause));
        }
    }

    // The end of the last request that is wholly in the log.
    private long Standing(long length)
    {
        var standing = _buffer.GroupStart;
        foreach (var line in _group.Lines)
            if (line.End <= length && line.IsUnitEnd) standing = line.End;
        return standing;
    }

    private async ValueTask<bool> TrySpoilAsync() =>
        (await _target.AppendAsync(Spoil, _durability == Durability.Disk ? Flush.Synced : Flush.Written).ConfigureAwait(false)).IsStored;

    private async ValueTask SyncAsync()
    {
        if (ReferenceEquals(_target, LogTarget.None))
        {
            ThrowIfFailed();
            return; // the agent's log was ended meanwhile, and synced by whoever ended it; or given up: see there
        }

        var result = await _target.AppendAsync(ReadOnlyMemory<byte>.Empty, Flush.Synced).ConfigureAwait(false);
        if (!result.IsStored && _log is null) throw Fenced(result); // who ended an agent's log has synced it
    }

    private async ValueTask SyncOrPoisonAsync()
    {
        try
        {
            await SyncAsync().ConfigureAwait(false);
        }
        catch (Exception e)
        {
            throw SyncFailed(_target, e);
        }
    }

    // What is cached can no longer be trusted, unless the storage was never asked to sync it.
    private OpsLogException SyncFailed(LogTarget target, Exception cause) => cause is StorageException { Fault: StorageFault.Unavailable or StorageFault.Throttled, OutcomeUnknown: false }
        ? new OpsLogException(OpsLogError.StorageFailed, $"The log '{target.Key}' holds what was acknowledged, but could not be brought onto stable storage: {cause.Message} Flush again.", cause)
        : Poison(cause as OpsLogException ?? Failed(target, cause));

    private OpsLogException Fenced(PutResult result) => new(
        OpsLogError.Fenced,
        $"Another writer has taken over the log '{_target.Key}'{(result.Detail is { } detail ? $" ({detail})" : "")}. Nothing was written; reopen the store.");

    private OpsLogException Failed(Exception cause) => Failed(_target, cause);

    private static OpsLogException Failed(LogTarget target, Exception cause) => new(
        OpsLogError.OutcomeUnknown, $"Writing to the log '{target.Key}' failed, and it is not known how far it got: {cause.Message}", cause);
}
