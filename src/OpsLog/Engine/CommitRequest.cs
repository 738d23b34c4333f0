using System.Runtime.ExceptionServices;

namespace OpsLog.Engine;

/// <summary>What a caller wants committed, and how it ended.</summary>
internal abstract class CommitRequest
{
    private const int Waiting = 0, Taken = 1, Cancelled = 2;
    private TaskCompletionSource? _completion;
    private CancellationTokenRegistration _cancellation;
    private ExceptionDispatchInfo? _failure;
    private int _state;

    /// <summary>Runs alone, between groups, with the writer to itself.</summary>
    public virtual bool IsExclusive => false;

    public bool HasFailed => _failure is not null;

    /// <summary>The group had no room for it: it is to be committed with the next one.</summary>
    public bool IsPutOff { get; set; }

    /// <summary>Where its lines end among the group's; equal to the start if it writes none.</summary>
    public int FirstLine { get; set; }

    public int LineCount { get; set; }

    /// <summary>Checks the request against the state and encodes its lines. Throwing fails this request alone.</summary>
    public virtual void Prepare(CommitGroup group) => throw new InvalidOperationException("An exclusive request has no lines.");

    /// <summary>The work of an exclusive request.</summary>
    public virtual ValueTask RunAsync() => throw new InvalidOperationException("Only an exclusive request runs.");

    public void Fail(Exception exception)
    {
        _failure ??= ExceptionDispatchInfo.Capture(exception);
        IsPutOff = false;
    }

    public void ThrowIfFailed() => _failure?.Throw();

    /// <summary>How it ended, for a caller that led itself.</summary>
    public ValueTask Outcome => _failure is null ? default : ValueTask.FromException(_failure.SourceException);

    public Task Wait(CancellationToken cancellationToken)
    {
        _completion = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        if (cancellationToken.CanBeCanceled)
            _cancellation = cancellationToken.UnsafeRegister(static (request, token) => ((CommitRequest)request!).Cancel(token), this);
        return _completion.Task;
    }

    /// <summary>From here on it is committed, whatever its caller does; false if it was cancelled before.</summary>
    public bool TryTake() => Interlocked.CompareExchange(ref _state, Taken, Waiting) == Waiting;

    public void Complete()
    {
        if (_completion is null) return;
        _cancellation.Unregister();
        if (_failure is null) _completion.TrySetResult();
        else _completion.TrySetException(_failure.SourceException);
    }

    /// <summary>It may serve another call. Not after waiting with a token: a cancellation that comes late would be taken for one of that call.</summary>
    public bool IsReusable => _cancellation == default;

    /// <summary>As if it were new.</summary>
    protected void Reset()
    {
        (_completion, _failure, _state) = (null, null, Waiting);
        (FirstLine, LineCount) = (0, 0);
    }

    private void Cancel(CancellationToken token)
    {
        if (Interlocked.CompareExchange(ref _state, Cancelled, Waiting) == Waiting) _completion!.TrySetCanceled(token);
    }
}

/// <summary>Work that needs the writer to itself: the turning points of a checkpoint, undo, closing.</summary>
internal sealed class ExclusiveRequest(Func<ValueTask> work) : CommitRequest
{
    public override bool IsExclusive => true;

    public override async ValueTask RunAsync()
    {
        try
        {
            await work().ConfigureAwait(false);
        }
        catch (Storage.StorageException e)
        {
            Fail(new OpsLogException(OpsLogError.StorageFailed, $"The storage failed: {e.Message}", e));
        }
        catch (Exception e)
        {
            Fail(e); // reported to the caller by ThrowIfFailed or its task
        }
    }
}
