using System.Runtime.ExceptionServices;
using System.Threading.Channels;

namespace OpsLog.Cli.Apply;

/// <summary>
/// Several callers at once. An id always goes to the same caller, and each caller works in order: so two operations on one record keep the
/// order of the input. One thread feeds it. Whatever fails, all callers go on taking what is queued: a failure is kept and told to who feeds them.
/// </summary>
internal sealed class ApplyWorkers
{
    private const int QueueLength = 256;
    private readonly ApplyTarget _target;
    private readonly AckWriter _acknowledgements;
    private readonly Channel<WorkItem>[] _queues;
    private readonly Task[] _callers;
    private readonly Lock _lock = new();
    private readonly Action _failed;
    private Failure? _failure;

    /// <param name="target">What does the work.</param>
    /// <param name="acknowledgements">Where acknowledged lines are told.</param>
    /// <param name="count">How many callers.</param>
    /// <param name="failed">Called at a failure: who waits for input may wait long before it asks.</param>
    public ApplyWorkers(ApplyTarget target, AckWriter acknowledgements, int count, Action failed)
    {
        _failed = failed;
        _target = target;
        _acknowledgements = acknowledgements;
        _queues = new Channel<WorkItem>[count];
        _callers = new Task[count];
        for (var i = 0; i < count; i++)
        {
            _queues[i] = Channel.CreateBounded<WorkItem>(
                new BoundedChannelOptions(QueueLength) { SingleReader = true, SingleWriter = true });
            var queue = _queues[i].Reader;
            _callers[i] = Task.Run(() => CallAsync(queue));
        }
    }

    /// <summary>Hands an operation to its caller.</summary>
    /// <exception cref="InputLineException">An operation failed. Nothing more is taken. (What is no operation's failure is thrown as it is.)</exception>
    public async ValueTask EnqueueAsync(ApplyOperation operation)
    {
        if (Volatile.Read(ref _failure) is not null) await DrainAsync().ConfigureAwait(false);
        var hash = (uint)string.GetHashCode(operation.Id, StringComparison.Ordinal);
        var queue = _queues[hash % (uint)_queues.Length].Writer;
        var item = new WorkItem(operation, null);
        if (queue.TryWrite(item)) return;
        Flush();
        await queue.WriteAsync(item).ConfigureAwait(false);
    }

    /// <summary>Waits until everything handed in is done.</summary>
    /// <exception cref="InputLineException">An operation failed: the one of the lowest line. (What is no operation's failure is thrown as it is.)</exception>
    public async ValueTask DrainAsync()
    {
        var arrivals = new Task[_queues.Length];
        for (var i = 0; i < _queues.Length; i++)
        {
            var arrived = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            arrivals[i] = arrived.Task;
            await _queues[i].Writer.WriteAsync(new WorkItem(default, arrived)).ConfigureAwait(false);
        }

        await Task.WhenAll(arrivals).ConfigureAwait(false);
        Volatile.Read(ref _failure)?.Cause.Throw();
    }

    /// <summary>Ends the callers once their work is done. Failures were reported by then, or are by <see cref="DrainAsync"/>.</summary>
    public async ValueTask CompleteAsync()
    {
        foreach (var queue in _queues) queue.Writer.Complete();
        await Task.WhenAll(_callers).ConfigureAwait(false);
    }

    private async Task CallAsync(ChannelReader<WorkItem> queue)
    {
        while (await queue.WaitToReadAsync().ConfigureAwait(false))
        {
            while (queue.TryRead(out var item)) await WorkAsync(item).ConfigureAwait(false);
            Flush();
        }
    }

    private async ValueTask WorkAsync(WorkItem item)
    {
        if (item.Arrived is not null)
        {
            Flush();
            item.Arrived.SetResult();
            return;
        }

        // Behind a failed line nothing is begun; before it everything is, so that the input is applied up to it.
        if (Volatile.Read(ref _failure) is { } failure && failure.Line < item.Operation.Line) return;
        try
        {
            await _target.ApplyAsync(item.Operation).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            Fail(exception);
        }
    }

    private void Flush()
    {
        try
        {
            _acknowledgements.Flush();
        }
        catch (Exception exception)
        {
            Fail(exception);
        }
    }

    /// <summary>Keeps a failure, and its caller at work: queues that nobody empties would be waited for.</summary>
    private void Fail(Exception exception)
    {
        // What is no line's failure (nobody takes acknowledgements) stands before all lines.
        var failure = new Failure((exception as InputLineException)?.Line ?? 0, ExceptionDispatchInfo.Capture(exception));
        lock (_lock)
        {
            if (_failure is not null && failure.Line >= _failure.Line) return;
            Volatile.Write(ref _failure, failure);
        }

        _failed();
    }

    private sealed record Failure(long Line, ExceptionDispatchInfo Cause);

    private readonly record struct WorkItem(ApplyOperation Operation, TaskCompletionSource? Arrived);
}
