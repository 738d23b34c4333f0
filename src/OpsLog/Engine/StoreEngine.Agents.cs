using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using OpsLog.Engine.Agents;
using OpsLog.Format;

namespace OpsLog.Engine;

internal sealed partial class StoreEngine
{
    public IReadOnlyList<AgentInfo> Agents => _agents?.Agents ?? [];

    /// <summary>The write that won over another unseen, and the one that it won over.</summary>
    public (Revision OverwrittenBy, Revision Overwrote) ConflictsOf(Revision revision)
    {
        if (State.Conflicts is not { } conflicts) return default;
        lock (State.Gate) return conflicts.Of(revision);
    }

    private async IAsyncEnumerable<RawOperation> ReadAgentFeedAsync(AgentSession agents, FeedPosition since, string? id, [EnumeratorCancellation] CancellationToken ct)
    {
        while (true)
        {
            var revision = agents.Merger.Entered.Revision;
            ExceptionDispatchInfo? lost = null;
            var feed = agents.Feed.ReadAsync(since, id, ct).GetAsyncEnumerator(ct);
            await using (feed.ConfigureAwait(false))
            {
                while (lost is null)
                {
                    try
                    {
                        if (!await feed.MoveNextAsync().ConfigureAwait(false)) yield break;
                    }
                    catch (OpsLogException e) when (e.Error is OpsLogError.PositionLost or OpsLogError.Damaged)
                    {
                        lost = ExceptionDispatchInfo.Capture(e);
                        break;
                    }
                    catch (Storage.StorageException e)
                    {
                        throw new OpsLogException(OpsLogError.StorageFailed, $"The logs cannot be read: {e.Message}", e);
                    }

                    since = new FeedPosition(feed.Current.Next);
                    yield return feed.Current.Raw with { Position = since };
                }
            }

            // Unless a checkpoint came in between: then what was being read is gone, or has moved, for a good reason.
            await RefreshAsync(ct).ConfigureAwait(false);
            if (agents.Merger.Entered.Revision == revision) lost!.Throw();
        }
    }

    private async ValueTask<bool> TakeBackAmongManyAsync(UndoMark mark, CancellationToken ct)
    {
        RequireWriter();
        for (var tries = 1; ; tries++)
        {
            await RefreshAsync(ct).ConfigureAwait(false);
            var revision = _agents!.Merger.Entered.Revision;
            try
            {
                return await TryTakeBackAsync(mark, ct).ConfigureAwait(false);
            }
            catch (OpsLogException e) when (e.Error is OpsLogError.PositionLost or OpsLogError.Damaged && tries < MostTries)
            {
                // Unless a checkpoint came in between: then what was being read is gone, or has moved, for a good reason.
                await RefreshAsync(ct).ConfigureAwait(false);
                if (_agents.Merger.Entered.Revision == revision) throw;
            }
        }
    }

    private async ValueTask<bool> TryTakeBackAsync(UndoMark mark, CancellationToken ct)
    {
        var undo = new AgentUndo(_storage, _settings, _agents!.Merger, _agents.Feed, Migration);
        var done = false;
        var request = new ExclusiveRequest(async () =>
        {
            if (_writer!.HasUnflushed) await _writer.FlushHeldAsync().ConfigureAwait(false);
            for (var isOutdated = true; isOutdated;)
            {
                var items = mark == UndoMark.Undo ? await undo.NextUndoAsync().ConfigureAwait(false) : await undo.NextRedoAsync().ConfigureAwait(false);
                if (items is null) return;
                var batch = new BatchRequest(items) { OnlyIfSeen = true };
                await _writer.CommitAsync([batch]).ConfigureAwait(false);
                batch.ThrowIfFailed();
                isOutdated = batch.IsOutdated;
            }

            done = true;
        });
        using (await _writer!.HoldFlushesAsync(ct).ConfigureAwait(false)) await Submit(request, ct).ConfigureAwait(false);
        request.ThrowIfFailed();
        return done;
    }
}
