using Microsoft.Extensions.Logging;
using OpsLog.Storage;

namespace OpsLog.Engine;

/// <summary>Brings buffered writes into the log soon after they were made, on a thread of its own choosing: after the interval, or once a MiB waits.</summary>
internal sealed class BackgroundFlush(Writer writer, EngineSettings settings)
{
    private const long Plenty = 1 << 20;
    private volatile TaskCompletionSource _plenty = new();
    private int _scheduled;

    /// <summary>There is something to flush.</summary>
    public void Wake()
    {
        if (Volatile.Read(ref _scheduled) == 0 && Interlocked.CompareExchange(ref _scheduled, 1, 0) == 0)
        {
            _plenty = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            Current = Task.Run(RunAsync);
        }
        else if (HasPlenty)
        {
            _plenty.TrySetResult();
        }
    }

    public Task Current { get; private set; } = Task.CompletedTask;

    private bool HasPlenty => writer.Acknowledged - writer.Flushed >= Plenty;

    private async Task RunAsync()
    {
        // Whoever writes behind this look finds the signal and gives it.
        if (!HasPlenty) await _plenty.Task.WaitAsync(settings.FlushInterval, settings.Time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        try
        {
            await writer.FlushAsync(Flush.Written, CancellationToken.None).ConfigureAwait(false);
        }
        catch (OpsLogException e)
        {
            EngineLog.FlushFailed(settings.Logger, settings.Telemetry.LogName, e); // the writer keeps the failure and refuses everything from here on
            return;
        }

        // What came in meanwhile found it scheduled.
        Volatile.Write(ref _scheduled, 0);
        Interlocked.MemoryBarrier();
        if (writer.Acknowledged > writer.Flushed) Wake();
    }
}
