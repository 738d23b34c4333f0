using OpsLog.Storage;

namespace OpsLog.Engine;

/// <summary>Wakes whoever waits for the next change. Raising it when nobody waits costs one read.</summary>
internal sealed class ChangeSignal(IOpsStorage storage, TimeProvider time)
{
    private readonly bool _notifies = (storage.Capabilities & StorageCapabilities.Notify) != 0;
    private TaskCompletionSource? _next;

    // A notice may be lost; where there are none, looking is the only way.
    private TimeSpan PollInterval => _notifies ? TimeSpan.FromSeconds(5) : TimeSpan.FromMilliseconds(200);

    /// <summary>Completes with the next change after this call: one made here, or one that the storage tells of.</summary>
    public Task Next() => _notifies ? Task.WhenAny(NextHere(), storage.NextChangeAsync()) : NextHere();

    public void Raise()
    {
        if (Volatile.Read(ref _next) is not null) Interlocked.Exchange(ref _next, null)?.TrySetResult();
    }

    /// <summary>Waits for a signal; one that comes from elsewhere, or is lost, is found by looking again after a while.</summary>
    public async ValueTask WaitAsync(Task signal, CancellationToken ct)
    {
        using var polling = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var poll = Task.Delay(PollInterval, time, polling.Token);
        await Task.WhenAny(signal, poll).ConfigureAwait(false);
        await polling.CancelAsync().ConfigureAwait(false);
        ct.ThrowIfCancellationRequested();
    }

    private Task NextHere()
    {
        while (true)
        {
            if (Volatile.Read(ref _next) is { } waiting) return waiting.Task;
            var made = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            if (Interlocked.CompareExchange(ref _next, made, null) is null) return made.Task;
        }
    }
}
