using System.Runtime.CompilerServices;
using OpsLog.Engine;

namespace OpsLog;

public sealed partial class OpsStore<T>
{
    /// <summary>
    /// Takes back this writer's newest operation (a whole batch, if it was one) that is not undone yet, by appending its inverse: history
    /// shows both. Consecutive undos walk back, as far as history is retained. One that reaches behind a checkpoint reads the whole log of that time, and writers wait meanwhile.
    /// </summary>
    /// <returns>False if there is nothing to undo.</returns>
    /// <exception cref="OpsLogException">
    /// As for <see cref="SetAsync"/>; a log that it has to read is damaged or not there any more (<see cref="OpsLogError.Damaged"/>); or the value to be restored cannot be migrated, or is of an older schema version and this program does not migrate it
    /// (<see cref="OpsLogError.MigrationFailed"/>).
    /// </exception>
    /// <exception cref="ObjectDisposedException">The store is closed.</exception>
    public ValueTask<bool> UndoAsync(CancellationToken cancellationToken = default) =>
        _engine.Telemetry.MeasureAsync(StoreCall.Undo, () => _engine.UndoAsync(cancellationToken));

    /// <summary>Takes back the newest undo, if nothing else was written since.</summary>
    /// <returns>False if there is nothing to redo.</returns>
    /// <exception cref="OpsLogException">
    /// As for <see cref="SetAsync"/>; a log that it has to read is damaged or not there any more (<see cref="OpsLogError.Damaged"/>); or the value to be restored cannot be migrated, or is of an older schema version and this program does not migrate it
    /// (<see cref="OpsLogError.MigrationFailed"/>).
    /// </exception>
    /// <exception cref="ObjectDisposedException">The store is closed.</exception>
    public ValueTask<bool> RedoAsync(CancellationToken cancellationToken = default) =>
        _engine.Telemetry.MeasureAsync(StoreCall.Redo, () => _engine.RedoAsync(cancellationToken));

    /// <summary>A record's operations, oldest first, as far as history is retained; also of a record that is deleted or archived now.</summary>
    /// <param name="id">The id.</param>
    /// <param name="cancellationToken">Stops reading: the enumeration then throws <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="OpsLogException">
    /// Stored bytes are damaged (<see cref="OpsLogError.Damaged"/>), no <typeparamref name="T"/> (<see cref="OpsLogError.InvalidDocument"/>) or cannot be migrated
    /// (<see cref="OpsLogError.MigrationFailed"/>), or the storage failed (<see cref="OpsLogError.StorageFailed"/>).
    /// </exception>
    /// <exception cref="ObjectDisposedException">The store is closed.</exception>
    public IAsyncEnumerable<Operation<T>> HistoryAsync(string id, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(id);
        return ReadAsync(FeedPosition.Start, id, cancellationToken);
    }

    /// <summary>All operations behind a position, oldest first, each acknowledged one once; ends at the newest there is.</summary>
    /// <param name="since">Where to begin: the <see cref="Operation{T}.Position"/> of the last one seen; the default: the oldest retained.</param>
    /// <param name="cancellationToken">Stops reading: the enumeration then throws <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="OpsLogException">What lies behind the position is no longer there (<see cref="OpsLogError.PositionLost"/>), or as for <see cref="HistoryAsync"/>.</exception>
    /// <exception cref="ObjectDisposedException">The store is closed.</exception>
    public IAsyncEnumerable<Operation<T>> OperationsAsync(FeedPosition since = default, CancellationToken cancellationToken = default) =>
        ReadAsync(since, id: null, cancellationToken);

    private async IAsyncEnumerable<Operation<T>> ReadAsync(FeedPosition since, string? id, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var raw in _engine.ReadFeedAsync(since, id, cancellationToken).ConfigureAwait(false))
            yield return OperationDecoder.Decode(raw, _documents, _engine.Migration);
    }
}
