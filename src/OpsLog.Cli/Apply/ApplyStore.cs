using System.Text.Json;

namespace OpsLog.Cli.Apply;

/// <summary>
/// The store that lines are applied to. Where many write, one that was fenced for good is opened anew, and the operation that met it is done there:
/// what was acknowledged is stored, so nothing is lost with the old one. Safe for concurrent calls.
/// </summary>
/// <param name="first">The store; disposed with this.</param>
/// <param name="reopen">Opens it again; <see langword="null"/>: being fenced ends the run, as it must for an only writer.</param>
/// <param name="report">Told what is being waited for: another agent that was stopped while it changed the manifest.</param>
/// <param name="cancellationToken">Ends the waiting.</param>
internal sealed class ApplyStore(OpenedStore first, Func<ValueTask<OpenedStore>>? reopen, Action<string> report, CancellationToken cancellationToken) : IAsyncDisposable
{
    /// <summary>How often it is opened anew for one operation: who is fenced more often than this has no place here.</summary>
    private const int MostAttempts = 10;

    private readonly SemaphoreSlim _turn = new(1, 1);
    private volatile OpenedStore _current = first;
    private long _conflicts;
    private long _fenced;

    /// <summary>How often another writer ended this one's log, and it went on.</summary>
    public long Fenced => _fenced + _current.Store.Statistics.Fenced;

    /// <summary>How often another writer was first to change the manifest.</summary>
    public long ManifestConflicts => _conflicts + _current.Store.Statistics.ManifestConflicts;

    /// <summary>Does something with the store.</summary>
    public async ValueTask<TResult> CallAsync<TArgument, TResult>(
        Func<OpsStore<JsonElement>, TArgument, ValueTask<TResult>> call, TArgument argument)
    {
        for (var attempt = 1; ; attempt++)
        {
            var opened = _current;
            try
            {
                return await call(opened.Store, argument).ConfigureAwait(false);
            }
            catch (OpsLogException exception) when (reopen is not null && exception is { Error: OpsLogError.Locked, IsTransient: true } && !cancellationToken.IsCancellationRequested)
            {
                report(exception.Message);
                attempt--;
            }
            catch (Exception exception) when (attempt < MostAttempts && GoesOn(opened, exception))
            {
                await ReplaceAsync(opened).ConfigureAwait(false);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _current.DisposeAsync().ConfigureAwait(false);
        _turn.Dispose();
    }

    private bool GoesOn(OpenedStore opened, Exception exception) => reopen is not null && exception switch
    {
        OpsLogException known => known.Error == OpsLogError.Fenced,
        ObjectDisposedException => opened != _current, // another caller has replaced it
        _ => false,
    };

    private async ValueTask ReplaceAsync(OpenedStore fenced)
    {
        await _turn.WaitAsync().ConfigureAwait(false);
        try
        {
            if (_current != fenced) return;
            var next = await reopen!().ConfigureAwait(false);
            var statistics = fenced.Store.Statistics;
            (_conflicts, _fenced) = (_conflicts + statistics.ManifestConflicts, _fenced + statistics.Fenced + 1);
            _current = next;
        }
        finally
        {
            _turn.Release();
        }

        await LeaveAsync(fenced).ConfigureAwait(false);
    }

    private static async ValueTask LeaveAsync(OpenedStore fenced)
    {
        try
        {
            await fenced.DisposeAsync().ConfigureAwait(false);
        }
        catch (OpsLogException)
        {
            // It is fenced and says so again: all it has acknowledged is stored, and the rest is done in its successor.
        }
    }
}
