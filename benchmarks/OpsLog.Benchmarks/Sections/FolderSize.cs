using System.Globalization;
using OpsLog.Storage;

namespace OpsLog.Benchmarks.Sections;

/// <summary>How much room a store takes while it is written to for a long time, without history.</summary>
internal static class FolderSize
{
    private const int Keys = 40_000;
    private const int LookEvery = 200;

    public static async Task RunAsync(Settings settings, Workspace workspace)
    {
        var updates = settings.Quick ? 300_000 : 1_000_000;
        var folder = workspace.Fresh();
        var counting = new CountingStorage(new FileStorage(folder));
        var options = Stores.Options(Durability.Os, checkpoints: true);
        options.HistoryRetention = HistoryRetention.None;
        var ids = Items.Ids(Keys);
        var sizes = new int[Keys];
        long live = 0;
        double largest = 0, largestInCheckpoint = 0;
        var samples = 0;
        long checkpoints;
        double closed;
        await using (var store = await OpsStore<Item>.OpenAsync(counting, options))
        {
            await Stores.FillAsync(store, Keys);
            for (var i = 0; i < Keys; i++) live += sizes[i] = ids[i].Length + Items.Json(Items.Make(i)).Length;
            var random = new Random(1);
            for (var i = 0; i < updates; i++)
            {
                var number = random.Next(Keys);
                var item = Items.Make(number, i / Keys);
                var size = ids[number].Length + Items.Json(item).Length;
                live += size - sizes[number];
                sizes[number] = size;
                await store.SetAsync(ids[number], item);
                if (i % LookEvery != 0) continue;
                var wasInCheckpoint = counting.IsInCheckpoint;
                var ratio = (double)Workspace.Size(folder) / live;
                if (wasInCheckpoint || counting.IsInCheckpoint) largestInCheckpoint = Math.Max(largestInCheckpoint, ratio);
                else largest = Math.Max(largest, ratio);
                samples++;
            }

            checkpoints = store.Statistics.Checkpoints;
        }

        closed = (double)Workspace.Size(folder) / live;
        await counting.DisposeAsync();
        var table = new Table(
            $"Folder size for each byte of live data: {updates:#,0} sets over {Keys:#,0} records, `HistoryRetention.None`",
            "live data, MB", "largest", "largest while a checkpoint runs", "after closing", "checkpoints", "samples");
        table.Row(
            (live / 1e6).ToString("0.0", CultureInfo.InvariantCulture), Figures.Ratio(largest), Figures.Ratio(largestInCheckpoint), Figures.Ratio(closed), $"{checkpoints}", $"{samples}");
        table.Print();
    }
}
