using OpsLog.Storage;

namespace OpsLog.Compare.Workloads;

/// <summary>How much room a store takes while it is written to for a long time, without history.</summary>
internal static class FolderSize
{
    private const int Keys = 40_000;
    private const int LookEvery = 200;

    public static async Task RunAsync(Run run)
    {
        var sets = run.Settings.Quick ? 100_000 : 1_000_000;
        var comparison = new Comparison(
            "W8", $"Largest folder for each byte of live data: {sets:#,0} sets over {Keys:#,0} records, `HistoryRetention.None`, default checkpoints", "folder / live",
            "Live data is ids and documents. While a checkpoint runs both snapshots and both logs are there.");
        comparison.Add("OpsLog", "`Os`", () => MeasureAsync(run.Workspace.Fresh(), sets), comparedTo: -1);
        await run.ReportAsync(comparison, warmUp: false);
    }

    private static async Task<Outcome> MeasureAsync(string folder, int sets)
    {
        var storage = new WatchedStorage(new FileStorage(folder));
        var ids = Items.Ids(Keys);
        var sizes = new int[Keys];
        long live = 0, checkpoints;
        double largest = 0, inCheckpoint = 0;
        await using (var store = await OpsStore<Item>.OpenAsync(storage, new OpsStoreOptions
        {
            JsonTypeInfo = ItemJson.Default.Item,
            Durability = Durability.Os,
            HistoryRetention = HistoryRetention.None,
        }))
        {
            var random = new Random(1);
            for (var i = 0; i < Keys + sets; i++)
            {
                var number = i < Keys ? i : random.Next(Keys);
                var item = Items.Make(number, i / Keys);
                var size = ids[number].Length + Items.Json(item).Length;
                live += size - sizes[number];
                sizes[number] = size;
                await store.SetAsync(ids[number], item);
                if (i < Keys || i % LookEvery != 0) continue;
                var was = storage.IsInCheckpoint;
                var ratio = (double)Workspace.Size(folder) / live;
                if (was || storage.IsInCheckpoint) inCheckpoint = Math.Max(inCheckpoint, ratio);
                else largest = Math.Max(largest, ratio);
            }

            checkpoints = store.Statistics.Checkpoints;
        }

        var closed = (double)Workspace.Size(folder) / live;
        await storage.DisposeAsync();
        Workspace.Delete(folder);
        return new Outcome(largest)
        {
            More = { ["while a checkpoint runs"] = inCheckpoint, ["after closing"] = closed, ["checkpoints"] = checkpoints, ["live data, MB"] = live / 1e6 },
        };
    }
}
