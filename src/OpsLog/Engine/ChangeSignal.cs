using OpsLog.Storage;

namespace OpsLog.Engine;

/// <summary>Wakes whoever waits for the next change. Raising it when nobody waits costs one read.</summary>
internal sealed class ChangeSignal(IOpsStorage storage, TimeProvider time)
{
    private readonly bool _notifies = (storage.Capabilities & StorageCapabilities.Notify) != 0;
    private readonly Lock _listening = new();
    private Task? _notice;
    private TaskCompletionSource? _next;

    // A notice may be lost; where there are none, looking is the only way.
    private TimeSpan PollInterval => _notifies ? TimeSpan.FromSeconds(5) : TimeSpan.FromMilliseconds(200);

    /// <summary>Completes with the next change after this call: one made here, or one that the storage tells of.</summary>
    public Task Next()
    {
        var next = NextHere(); // first: a notice from here on completes it
        if (_notifies) Listen();
        return next;
    }

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

    // One notice at a time: whoever asks again and again while none comes would leave something behind at it each time.
    private void Listen()
    {
        lock (_listening)
        {
            if (_notice is { IsCompleted: false }) return;
            _notice = storage.NextChangeAsync();
            _notice.ContinueWith(static (_, self) => ((ChangeSignal)self!).Raise(), this, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        }
    }
}
