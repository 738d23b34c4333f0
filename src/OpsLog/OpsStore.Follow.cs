using System.Runtime.CompilerServices;
using OpsLog.Engine;

namespace OpsLog;

public sealed partial class OpsStore<T>
{
    /// <summary>The logs that are registered in a store of many writers, by agent and name; empty with a single writer. As of the last refresh.</summary>
    public IReadOnlyList<AgentInfo> Agents => _engine.Agents;

    /// <summary>
    /// Takes in what others have written since the last refresh: the other agents' operations, or for a store opened read-only the living writer's. Costs what is
    /// new. A store that writes alone has nothing to take in.
    /// </summary>
    /// <returns>How many operations were taken in.</returns>
    /// <exception cref="OpsLogException">
    /// The storage failed (<see cref="OpsLogError.StorageFailed"/>), stored bytes are damaged (<see cref="OpsLogError.Damaged"/>), the manifest kept changing
    /// (<see cref="OpsLogError.Conflict"/>), was removed or replaced (<see cref="OpsLogError.Fenced"/>), a document that others wrote cannot be migrated
    /// (<see cref="OpsLogError.MigrationFailed"/>), or the store is now one that needs a newer program (<see cref="OpsLogError.TooNew"/>). The state is that before, or one
    /// further on: what was taken in before the failure shows. The next refresh goes on behind it.
    /// </exception>
    /// <exception cref="ObjectDisposedException">The store is closed.</exception>
    public async ValueTask<int> RefreshAsync(CancellationToken cancellationToken = default)
    {
        // Not through a function: who asks often and finds nothing new allocates nothing.
        var measurement = _engine.Telemetry.Start(StoreCall.Refresh);
        try
        {
            var operations = await _engine.RefreshAsync(cancellationToken).ConfigureAwait(false);
            measurement.Succeeded();
            return operations;
        }
        catch (Exception e) when (measurement.Failed(e))
        {
            throw;
        }
    }

    /// <summary>
    /// The changes from now on, in order, each once; waits for more until it is cancelled. Refreshes the store as it goes. What this store has acknowledged before is none of them, flushed or not.
    /// </summary>
    /// <param name="cancellationToken">Ends the watch: the enumeration then throws <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="OpsLogException">
    /// A checkpoint superseded operations that were still to come, and <see cref="OpsStoreOptions.HistoryRetention"/> did not keep them (<see cref="OpsLogError.PositionLost"/>):
    /// read the state and watch on. Or as for <see cref="RefreshAsync"/> and <see cref="OperationsAsync"/>.
    /// </exception>
    /// <exception cref="ObjectDisposedException">The store is closed.</exception>
    public IAsyncEnumerable<Change<T>> WatchAsync(CancellationToken cancellationToken = default)
    {
        var (stored, newest) = _engine.FeedEnd;
        return WatchAsync(stored, newest, cancellationToken);
    }

    /// <summary>The changes behind a position, then those to come: a consumer that keeps <see cref="Change{T}.Position"/> misses none.</summary>
    /// <param name="since">Where to begin.</param>
    /// <param name="cancellationToken">Ends the watch: the enumeration then throws <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="OpsLogException">
    /// The position is of another incarnation, or what lies behind it is no longer retained, perhaps since a checkpoint beside the watch (<see cref="OpsLogError.PositionLost"/>);
    /// or as for <see cref="RefreshAsync"/> and <see cref="OperationsAsync"/>.
    /// </exception>
    /// <exception cref="ObjectDisposedException">The store is closed.</exception>
    public IAsyncEnumerable<Change<T>> WatchAsync(FeedPosition since, CancellationToken cancellationToken = default) => WatchAsync(since, known: default, cancellationToken);

    // Without what the writer of a known revision had acknowledged by then.
    private async IAsyncEnumerable<Change<T>> WatchAsync(FeedPosition since, Revision known, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var position = since;
        while (true)
        {
            var signal = _engine.NextChange();
            await _engine.RefreshAsync(cancellationToken).ConfigureAwait(false);
            await foreach (var operation in OperationsAsync(position, cancellationToken).ConfigureAwait(false))
            {
                position = operation.Position;
                if (operation.Revision.Clock <= known.Clock && operation.Revision with { Clock = known.Clock } == known) continue;
                var (overwrittenBy, overwrote) = _engine.ConflictsOf(operation.Revision);
                yield return new Change<T>(operation) { OverwrittenBy = overwrittenBy, Overwrote = overwrote };
            }

            await _engine.WaitAsync(signal, cancellationToken).ConfigureAwait(false);
        }
    }
}
