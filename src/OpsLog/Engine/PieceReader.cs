using OpsLog.Format;
using OpsLog.Storage;

namespace OpsLog.Engine;

/// <summary>
/// Reads the objects of a numbered log one behind the other, up to the first that is not there, with the next ones already on their way: one at first,
/// twice as many behind each that was found, 16 at most. What is asked for in vain behind the end stays in proportion to what was found.
/// </summary>
internal sealed class PieceReader(IOpsStorage storage, StorageKey log, long pieces, long window, CancellationToken ct) : IAsyncDisposable
{
    private const int MostAhead = 16;

    private readonly Queue<Task<StoredObject?>> _coming = new();
    private long _asked = pieces;
    private int _ahead = 1;

    /// <summary>The next object, with as many bytes as the window has; null if it is not there (yet).</summary>
    public async ValueTask<StoredObject?> NextAsync()
    {
        while (_coming.Count < _ahead) _coming.Enqueue(storage.ReadAsync(StoreKeys.Piece(log, ++_asked), new ByteRange(0, window), ct).AsTask());
        var found = await _coming.Dequeue().ConfigureAwait(false);
        if (found is null) await PassRestAsync().ConfigureAwait(false);
        else _ahead = Math.Min(2 * _ahead, MostAhead);
        return found;
    }

    /// <summary>Passes over what is still coming. A storage that fails there is not to be believed that this is the end.</summary>
    public async ValueTask PassRestAsync()
    {
        while (_coming.TryDequeue(out var task))
            if (await task.ConfigureAwait(false) is { } behind) await behind.DisposeAsync().ConfigureAwait(false);
    }

    /// <summary>Lets go of what was asked for and is not needed.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (var task in _coming)
        {
            await ((Task)task).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // nobody waits for it any more
            if (task.IsCompletedSuccessfully && task.Result is { } found) await found.DisposeAsync().ConfigureAwait(false);
        }
    }
}
