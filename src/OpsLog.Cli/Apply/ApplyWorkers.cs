using System.Threading.Channels;

namespace OpsLog.Cli.Apply;

/// <summary>
/// Several callers at once. An id always goes to the same caller, and each caller works in order: so two operations on one record keep the
/// order of the input. One thread feeds it.
/// </summary>
internal sealed class ApplyWorkers
{
    private const int QueueLength = 256;
    private readonly ApplyTarget _target;
    private readonly AckWriter _acknowledgements;
    private readonly Channel<WorkItem>[] _queues;
    private readonly Task[] _callers;
    private readonly Lock _lock = new();
    private InputLineException? _failure;

    public ApplyWorkers(ApplyTarget target, AckWriter acknowledgements, int count)
    {
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
    /// <exception cref="InputLineException">An operation failed. Nothing more is taken.</exception>
    public async ValueTask EnqueueAsync(ApplyOperation operation)
    {
        if (Volatile.Read(ref _failure) is not null) throw await FailureAsync().ConfigureAwait(false);
        var hash = (uint)string.GetHashCode(operation.Id, StringComparison.Ordinal);
        var queue = _queues[hash % (uint)_queues.Length].Writer;
        var item = new WorkItem(operation, null);
        if (queue.TryWrite(item)) return;
        _acknowledgements.Flush();
        await queue.WriteAsync(item).ConfigureAwait(false);
    }

    /// <summary>Waits until everything handed in is done.</summary>
    /// <exception cref="InputLineException">An operation failed: the one of the lowest line.</exception>
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
        if (Volatile.Read(ref _failure) is { } failure) throw failure;
    }

    /// <summary>Ends the callers once their work is done. Failures were reported by then, or are by <see cref="DrainAsync"/>.</summary>
    public async ValueTask CompleteAsync()
    {
        foreach (var queue in _queues) queue.Writer.Complete();
        await Task.WhenAll(_callers).ConfigureAwait(false);
    }

    private async ValueTask<Exception> FailureAsync()
    {
        try
        {
            await DrainAsync().ConfigureAwait(false);
        }
        catch (InputLineException failure)
        {
            return failure;
        }

        return _failure!;
    }

    private async Task CallAsync(ChannelReader<WorkItem> queue)
    {
        while (await queue.WaitToReadAsync().ConfigureAwait(false))
        {
            while (queue.TryRead(out var item)) await WorkAsync(item).ConfigureAwait(false);
            _acknowledgements.Flush();
        }
    }

    private async ValueTask WorkAsync(WorkItem item)
    {
        if (item.Arrived is not null)
        {
            _acknowledgements.Flush();
            item.Arrived.SetResult();
            return;
        }

        // Behind a failed line nothing is begun; before it everything is, so that the input is applied up to it.
        if (Volatile.Read(ref _failure) is { } failure && failure.Line < item.Operation.Line) return;
        try
        {
            await _target.ApplyAsync(item.Operation).ConfigureAwait(false);
        }
        catch (InputLineException exception)
        {
            lock (_lock)
                if (_failure is null || exception.Line < _failure.Line) Volatile.Write(ref _failure, exception);
        }
    }

    private readonly record struct WorkItem(ApplyOperation Operation, TaskCompletionSource? Arrived);
}
