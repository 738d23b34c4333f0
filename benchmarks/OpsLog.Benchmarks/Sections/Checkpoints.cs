using System.Diagnostics;

namespace OpsLog.Benchmarks.Sections;

/// <summary>A checkpoint of a large store, and what a writer beside it notices.</summary>
internal static class Checkpoints
{
    public static async Task RunAsync(Settings settings, Workspace workspace)
    {
        var folder = workspace.Fresh();
        await using var store = await Stores.OpenAsync(folder);
        await Stores.FillAsync(store, settings.Most);
        await store.CompactAsync();
        double longest = 0;
        var sets = 0;
        var comparison = new Comparison($"A checkpoint of {Figures.Records(settings.Most)} records", "ms");
        comparison.Add("copying the snapshot's file, and a sync", () =>
        {
            var target = workspace.Fresh();
            var start = Stopwatch.GetTimestamp();
            File.Copy(Path.Join(folder, store.Statistics.Snapshot), target);
            using (var file = File.OpenHandle(target, FileMode.Open, FileAccess.ReadWrite)) RandomAccess.FlushToDisk(file);
            var elapsed = Figures.Milliseconds(start);
            File.Delete(target);
            return elapsed;
        });
        comparison.Add("checkpoint, nothing else running", async () =>
        {
            var start = Stopwatch.GetTimestamp();
            await store.CompactAsync();
            return Figures.Milliseconds(start);
        });
        comparison.Add("checkpoint beside a writer", async () =>
        {
            var start = Stopwatch.GetTimestamp();
            var checkpoint = Task.Run(async () => await store.CompactAsync());
            for (var i = 0; !checkpoint.IsCompleted; i++, sets++)
            {
                var (id, item) = (Items.Id(i % settings.Most), Items.Make(i % settings.Most, i));
                var put = Stopwatch.GetTimestamp();
                await store.SetAsync(id, item);
                longest = Math.Max(longest, Figures.Milliseconds(put));
            }

            await checkpoint;
            return Figures.Milliseconds(start);
        });
        await comparison.RunAsync(settings.Rounds);
        Console.WriteLine($"\nOf {Figures.Text(sets)} sets beside the checkpoints the longest took {Figures.Text(longest)} ms.");
    }
}
