using System.Text.Json;
using OpsLog.Simulation.Programs;
using OpsLog.Storage;

namespace OpsLog.Simulation.Run;

/// <summary>The engine itself, at one opening of a process after the other.</summary>
/// <param name="process">The process.</param>
/// <param name="place">What an opening is given; asked at each.</param>
internal sealed class Engine(SimProcess process, Func<Place> place) : IEngine
{
    private OpsStore<JsonElement>? _store;

    public IOpenStore? Store { get; private set; }

    public void Leave() => (_store, Store) = (null, null);

    public async Task RunAsync(StepRun run)
    {
        var step = run.Step;
        switch (step.Kind)
        {
            case StepKind.Open:
                var (storage, clock, random) = place();
                _store = await OpsStore<JsonElement>.OpenAsync(storage, process.Options(clock, random)).ConfigureAwait(false);
                Store = new OpenStore(_store);
                break;
            case StepKind.Set:
                run.Result = await _store!.SetAsync(step.Parts[0].Id, step.Element(0)).ConfigureAwait(false);
                break;
            case StepKind.Delete:
                run.Result = await _store!.DeleteAsync(step.Parts[0].Id).ConfigureAwait(false);
                break;
            case StepKind.Batch:
                await _store!.BatchAsync(batch => Add(batch, step)).ConfigureAwait(false);
                break;
            case StepKind.Undo:
                run.Result = await _store!.UndoAsync().ConfigureAwait(false);
                break;
            case StepKind.Redo:
                run.Result = await _store!.RedoAsync().ConfigureAwait(false);
                break;
            case StepKind.Refresh:
                run.Result = await _store!.RefreshAsync().ConfigureAwait(false);
                break;
            case StepKind.Compact:
                await _store!.CompactAsync().ConfigureAwait(false);
                break;
            case StepKind.Archive:
                run.Result = await _store!.ArchiveAsync(step.Parts.Select(p => p.Id), step.Period).ConfigureAwait(false);
                break;
            case StepKind.LoadArchive:
                run.Result = _store!.Archives is [var period, ..] ? await _store.LoadArchiveAsync(period).ConfigureAwait(false) : null;
                break;
            case StepKind.Feed:
                await FeedAsync(run).ConfigureAwait(false);
                break;
            default:
                if (_store is not null) await _store.DisposeAsync().ConfigureAwait(false);
                break;
        }
    }

    private async Task FeedAsync(StepRun run)
    {
        var store = _store!;
        if (process.Role != Role.Single) await store.RefreshAsync().ConfigureAwait(false);
        var read = new List<Operation<JsonElement>>();
        run.Result = read;
        var most = process.StopsFeeds && run.Step.Number >= 0 ? run.Step.Number % 4 : 0; // 0: all there is
        await foreach (var operation in store.OperationsAsync(process.Feed.Position).ConfigureAwait(false))
        {
            read.Add(operation);
            run.StoppedFeed = read.Count == most;
            if (run.StoppedFeed) break;
        }
    }

    private static void Add(OpsBatch<JsonElement> batch, Step step)
    {
        for (var i = 0; i < step.Parts.Count; i++)
        {
            if (step.Parts[i].Deletes) batch.Delete(step.Parts[i].Id);
            else batch.Set(step.Parts[i].Id, step.Element(i));
        }
    }
}

/// <summary>What an opening is given.</summary>
internal readonly record struct Place(IOpsStorage Storage, TimeProvider Clock, Random Random);
