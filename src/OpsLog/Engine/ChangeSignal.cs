namespace OpsLog.Engine;

/// <summary>Wakes whoever waits for the next change. Raising it when nobody waits costs one read.</summary>
internal sealed class ChangeSignal(TimeProvider time)
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(200);
    private TaskCompletionSource? _next;

    /// <summary>Completes with the next change after this call.</summary>
    public Task Next()
    {
        while (true)
        {
            if (Volatile.Read(ref _next) is { } waiting) return waiting.Task;
            var made = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            if (Interlocked.CompareExchange(ref _next, made, null) is null) return made.Task;
        }
    }

    public void Raise()
    {
        if (Volatile.Read(ref _next) is not null) Interlocked.Exchange(ref _next, null)?.TrySetResult();
    }

    /// <summary>Waits for a signal; one that comes from another process is found by looking again after a while.</summary>
    public async ValueTask WaitAsync(Task signal, CancellationToken ct)
    {
        using var polling = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var poll = Task.Delay(PollInterval, time, polling.Token);
        await Task.WhenAny(signal, poll).ConfigureAwait(false);
        await polling.CancelAsync().ConfigureAwait(false);
        ct.ThrowIfCancellationRequested();
    }
}
