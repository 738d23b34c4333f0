using System.Diagnostics;

namespace OpsLog.Benchmarks.Sections;

/// <summary>What a set costs as the store grows, at default checkpoints.</summary>
internal static class Growth
{
    public static async Task RunAsync(Settings settings, Workspace workspace)
    {
        await AtSizesAsync(settings, workspace);
        await FromNothingAsync(settings, workspace);
    }

    private static async Task AtSizesAsync(Settings settings, Workspace workspace)
    {
        var sets = settings.Quick ? 10_000 : 40_000;
        int[] sizes = settings.Quick ? [1_000, 10_000, 100_000] : [1_000, 10_000, 100_000, 1_000_000];
        var comparison = new Comparison($"Sets of existing records, `Durability.Os`, default checkpoints, {Figures.Text(sets)} a round", "ns a set");
        var stores = new List<OpsStore<Item>>();
        var longest = new double[sizes.Length];
        foreach (var (size, index) in sizes.Select((s, i) => (s, i)))
        {
            var folder = workspace.Fresh();
            await Stores.MakeAsync(folder, size, snapshot: true);
            var store = await Stores.OpenAsync(folder, Durability.Os, checkpoints: true);
            stores.Add(store);
            var random = new Random(size);
            var variant = 0;
            comparison.Add($"{Figures.Records(size)} records", async () =>
            {
                var numbers = Enumerable.Range(0, sets).Select(_ => random.Next(size)).ToArray();
                var ids = numbers.Select(Items.Id).ToArray();
                variant++;
                var items = numbers.Select(n => Items.Make(n, variant)).ToArray();
                GC.Collect();
                var start = Stopwatch.GetTimestamp();
                var last = start;
                for (var i = 0; i < ids.Length; i++)
                {
                    await store.SetAsync(ids[i], items[i]);
                    var now = Stopwatch.GetTimestamp();
                    longest[index] = Math.Max(longest[index], Stopwatch.GetElapsedTime(last, now).TotalMilliseconds);
                    last = now;
                }

                return Figures.Nanoseconds(sets, start);
            });
        }

        await comparison.RunAsync(settings.Rounds);
        var table = new Table("The same: longest set, and checkpoints made meanwhile", "", "longest set, ms", "checkpoints");
        for (var i = 0; i < sizes.Length; i++)
        {
            table.Row($"{Figures.Records(sizes[i])} records", Figures.Text(longest[i]), $"{stores[i].Statistics.Checkpoints}");
            await stores[i].DisposeAsync();
        }

        table.Print();
    }

    private static async Task FromNothingAsync(Settings settings, Workspace workspace)
    {
        var raw = RawPauses(workspace.Fresh(), settings.Most);
        await using var store = await Stores.OpenAsync(workspace.Fresh(), Durability.Os, checkpoints: true);
        var times = new double[settings.Most];
        const int Step = 10_000;
        for (var first = 0; first < settings.Most; first += Step)
        {
            var ids = Items.Ids(Step, first);
            var items = Items.Make(Step, first, 0);
            for (var i = 0; i < Step; i++)
            {
                var start = Stopwatch.GetTimestamp();
                await store.SetAsync(ids[i], items[i]);
                times[first + i] = Stopwatch.GetElapsedTime(start).TotalMicroseconds;
            }
        }

        var table = new Table(
            $"A store growing from nothing to {Figures.Records(settings.Most)} records, `Durability.Os`, default checkpoints ({store.Statistics.Checkpoints} made)",
            "", "median, µs", "99.9 %, µs", "over 5 ms", "longest, ms");
        Row(table, "one write call for each record, nothing else", raw);
        for (var (from, to) = (0, 1_000); to <= settings.Most; (from, to) = (to, to * 10))
            Row(table, $"sets {from:#,0} to {to:#,0}", times[from..to]);
        table.Print();
    }

    private static void Row(Table table, string name, double[] times)
    {
        var sorted = times.Order().ToArray();
        table.Row(name, Figures.Text(sorted[sorted.Length / 2]), Figures.Text(sorted[(int)(sorted.Length * 0.999)]), $"{times.Count(t => t > 5000)}", Figures.Text(sorted[^1] / 1000));
    }

    // What the machine itself does to a caller now and then.
    private static double[] RawPauses(string path, int writes)
    {
        using var file = new RawLog(path);
        var line = new byte[340];
        var times = new double[writes];
        for (var i = 0; i < writes; i++)
        {
            var start = Stopwatch.GetTimestamp();
            file.Write(line);
            times[i] = Stopwatch.GetElapsedTime(start).TotalMicroseconds;
        }

        return times;
    }
}
