using System.Diagnostics;

namespace OpsLog.Benchmarks.Sections;

/// <summary>Undo costs what it takes back, not what the store holds.</summary>
internal static class Undos
{
    private const int Units = 500;

    public static async Task RunAsync(Settings settings, Workspace workspace)
    {
        var comparison = new Comparison($"Taking {Units} sets back, one undo each, `Durability.Os`", "µs an undo");
        var stores = new List<OpsStore<Item>>();
        foreach (var size in new[] { 1_000, settings.Most })
        {
            var folder = workspace.Fresh();
            await Stores.MakeAsync(folder, size, snapshot: true);
            var store = await Stores.OpenAsync(folder);
            stores.Add(store);
            comparison.Add($"{Figures.Records(size)} records", async () =>
            {
                for (var i = 0; i < Units; i++) await store.SetAsync(Items.Id(i * (size / Units)), Items.Make(i, i));
                var start = Stopwatch.GetTimestamp();
                for (var i = 0; i < Units; i++)
                    if (!await store.UndoAsync()) throw new InvalidOperationException("There was nothing to undo.");
                return Figures.Nanoseconds(Units, start) / 1000;
            });
        }

        await comparison.RunAsync(settings.Rounds);
        foreach (var store in stores) await store.DisposeAsync();
    }
}
