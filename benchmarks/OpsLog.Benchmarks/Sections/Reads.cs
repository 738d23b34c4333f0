using System.Diagnostics;

namespace OpsLog.Benchmarks.Sections;

/// <summary>Reading documents that have been made, against the dictionary they could lie in.</summary>
internal static class Reads
{
    public static async Task GetAsync(Settings settings, Workspace workspace)
    {
        foreach (var size in settings.Sizes)
        {
            await GetAsync(settings, workspace, size, "ids of 11 characters", Items.Id);
            await GetAsync(settings, workspace, size, "ids of 27 characters", Items.LongId);
        }
    }

    public static async Task ScanAsync(Settings settings, Workspace workspace)
    {
        foreach (var size in settings.Sizes)
        {
            await using var store = await Stores.OpenAsync(workspace.Fresh());
            await Stores.FillAsync(store, size);
            var dictionary = store.ToDictionary(StringComparer.Ordinal);
            var times = Math.Max(1, 1_000_000 / size);
            var comparison = new Comparison($"Counting by a predicate over {Figures.Records(size)} records, documents made", "records/s");
            comparison.Add("`Dictionary<string, T>.Values`, foreach", () => Rate(times, size, () =>
            {
                var count = 0;
                foreach (var item in dictionary.Values)
                    if (item.Priority > 3) count++;
                return count;
            }));
            comparison.Add("`store.Values`, foreach", () => Rate(times, size, () =>
            {
                var count = 0;
                foreach (var item in store.Values)
                    if (item.Priority > 3) count++;
                return count;
            }));
            comparison.Add("`store.Values`, LINQ", () => Rate(times, size, () => store.Values.Count(item => item.Priority > 3)));
            comparison.Add("the store (ids too), foreach", () => Rate(times, size, () =>
            {
                var count = 0;
                foreach (var (_, item) in store)
                    if (item.Priority > 3) count++;
                return count;
            }));
            comparison.Add("the store (ids too), LINQ", () => Rate(times, size, () => store.Count(record => record.Value.Priority > 3)));
            comparison.Add("a view, foreach", () => Rate(times, size, () =>
            {
                var count = 0;
                foreach (var (_, item) in store.View())
                    if (item.Priority > 3) count++;
                return count;
            }));
            await comparison.RunAsync(settings.Rounds);
        }
    }

    private static async Task GetAsync(Settings settings, Workspace workspace, int size, string name, Func<int, string> id)
    {
        await using var store = await Stores.OpenAsync(workspace.Fresh());
        await Stores.FillAsync(store, size, id);
        await store.CompactAsync();
        var random = new Random(size);
        var order = Enumerable.Range(0, Math.Min(size, 200_000)).Select(_ => random.Next(size)).Distinct().Select(id).ToArray();
        var first = Stopwatch.GetTimestamp();
        foreach (var key in order) _ = store[key];
        var firstRead = Figures.Nanoseconds(order.Length, first);
        var dictionary = store.ToDictionary(StringComparer.Ordinal); // makes every document; the same objects in both
        var comparison = new Comparison($"Random gets of {Figures.Records(size)} records, {name}", "ns a get");
        comparison.Add("`Dictionary<string, T>`", () => Time(order, key => dictionary[key].Priority));
        comparison.Add("store", () => Time(order, key => store[key].Priority));
        comparison.Add("store beside a writer", () => BesideWriterAsync(store, size, id, order));
        comparison.Note($"The first read of a record, which makes its document: {Figures.Text(firstRead)} ns. Bytes allocated by a later get: {Allocated(store, order):0.##}.");
        await comparison.RunAsync(settings.Rounds);
    }

    private static async Task<double> BesideWriterAsync(OpsStore<Item> store, int size, Func<int, string> id, string[] order)
    {
        using var stop = new CancellationTokenSource();
        var writer = Task.Run(async () =>
        {
            // Records that are not read, so that what is measured stays the read of a document that is there.
            for (var i = 0; !stop.IsCancellationRequested; i++) await store.SetAsync(id(size + (i % 1000)), Items.Make(i));
        });
        var time = Time(order, key => store[key].Priority);
        await stop.CancelAsync();
        await writer;
        return time;
    }

    private static double Time(string[] order, Func<string, int> get)
    {
        var times = Math.Max(1, 1_000_000 / order.Length);
        long sum = 0;
        var start = Stopwatch.GetTimestamp();
        for (var i = 0; i < times; i++)
            foreach (var key in order) sum += get(key);
        var time = Figures.Nanoseconds((long)times * order.Length, start);
        return sum > 0 ? time : throw new InvalidOperationException("Nothing was read.");
    }

    private static double Allocated(OpsStore<Item> store, string[] order)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        foreach (var key in order) _ = store[key];
        return (double)(GC.GetAllocatedBytesForCurrentThread() - before) / order.Length;
    }

    private static double Rate(int times, int size, Func<int> scan)
    {
        var start = Stopwatch.GetTimestamp();
        for (var i = 0; i < times; i++)
            if (scan() == 0) throw new InvalidOperationException("Nothing was found.");
        return Figures.Rate((long)times * size, start);
    }
}
