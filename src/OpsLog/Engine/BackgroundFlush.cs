using Microsoft.Extensions.Logging;
using OpsLog.Storage;

namespace OpsLog.Engine;

/// <summary>Brings buffered writes into the log soon after they were made, on a thread of its own choosing.</summary>
internal sealed class BackgroundFlush(Writer writer, EngineSettings settings)
{
    private const long Plenty = 1 << 20;
    private int _scheduled;

    /// <summary>There is something to flush.</summary>
    public void Wake()
    {
        if (Volatile.Read(ref _scheduled) != 0 || Interlocked.CompareExchange(ref _scheduled, 1, 0) != 0) return;
        Current = Task.Run(RunAsync);
    }

    public Task Current { get; private set; } = Task.CompletedTask;

    private async Task RunAsync()
    {
        if (writer.Acknowledged - writer.Flushed < Plenty) await Task.Delay(settings.FlushInterval, settings.Time).ConfigureAwait(false);
        Volatile.Write(ref _scheduled, 0);
        try
        {
            await writer.FlushAsync(Flush.Written, CancellationToken.None).ConfigureAwait(false);
        }
        catch (OpsLogException e)
        {
            EngineLog.FlushFailed(settings.Logger, settings.Telemetry.Name, e); // the writer keeps the failure and refuses everything from here on
        }
    }
}
