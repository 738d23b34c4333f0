using System.Diagnostics;
using OpsLog.Storage;

namespace OpsLog.Benchmarks.Sections;

/// <summary>A refresh costs what is new, not what the store holds; with nothing new it costs a look at the manifest and at each log.</summary>
internal static class Refreshes
{
    private const int News = 100;
    private const int Times = 20;

    public static async Task RunAsync(Settings settings, Workspace workspace)
    {
        int[] sizes = [10_000, settings.Most];
        var comparison = new Comparison($"A refresh that takes in {News} operations of another agent, `Durability.Os`", "µs a refresh");
        var idle = new Comparison("A refresh with nothing new, beside one other agent's log", "ns a refresh");
        var table = new Table("The same: what it asks for", "", "allocated bytes", "reads of the storage", "logs registered");
        var open = new List<IAsyncDisposable>();
        foreach (var size in sizes)
        {
            var folder = workspace.Fresh();
            await Stores.MakeAsync(folder, size, snapshot: true);
            var writer = await OpenAsync(new FileStorage(folder), "writer");
            var counting = new CountingStorage(new FileStorage(folder));
            var counted = await OpenAsync(counting, "counted");
            var reader = await OpenAsync(new FileStorage(folder), "reader");
            open.AddRange([writer, counted, reader]);
            var (random, variant) = (new Random(size), 0);
            comparison.Add($"{Figures.Records(size)} records", async () =>
            {
                var total = 0L;
                for (var time = 0; time < Times; time++)
                {
                    variant++;
                    for (var i = 0; i < News; i++)
                    {
                        var number = random.Next(size);
                        await writer.SetAsync(Items.Id(number), Items.Make(number, variant));
                    }

                    var start = Stopwatch.GetTimestamp();
                    var taken = await reader.RefreshAsync();
                    total += Stopwatch.GetTimestamp() - start;
                    if (taken != News) throw new InvalidOperationException($"{taken} operations were taken in.");
                }

                return Stopwatch.GetElapsedTime(0, total).TotalMicroseconds / Times;
            });
            idle.Add($"{Figures.Records(size)} records", async () =>
            {
                await reader.RefreshAsync();
                var start = Stopwatch.GetTimestamp();
                for (var i = 0; i < 1000; i++) await reader.RefreshAsync();
                return Figures.Nanoseconds(1000, start);
            });
            await writer.SetAsync(Items.Id(0), Items.Make(0));
            await counted.RefreshAsync();
            await reader.RefreshAsync();
            var reads = counting.Reads;
            await counted.RefreshAsync();
            reads = counting.Reads - reads;
            var bytes = await AllocatedAsync(reader);
            table.Row($"{Figures.Records(size)} records", $"{bytes}", $"{reads}", $"{counted.Agents.Count}");
        }

        var memory = new MemoryStorage();
        await using (var writer = await OpenAsync(memory, "writer"))
        {
            await writer.SetAsync(Items.Id(0), Items.Make(0));
            await using var reader = await OpenAsync(memory, "reader");
            table.Row("the engine alone, in memory", $"{await AllocatedAsync(reader)}", "", $"{reader.Agents.Count}");
        }

        await comparison.RunAsync(settings.Rounds);
        await idle.RunAsync(settings.Rounds);
        table.Print();
        foreach (var store in open) await store.DisposeAsync();
    }

    private static async Task<long> AllocatedAsync(OpsStore<Item> reader)
    {
        for (var i = 0; i < 10_000; i++) await reader.RefreshAsync(); // until the compiler is done with it
        var before = GC.GetTotalAllocatedBytes(precise: true);
        for (var i = 0; i < 1000; i++) await reader.RefreshAsync();
        return (GC.GetTotalAllocatedBytes(precise: true) - before) / 1000;
    }

    private static ValueTask<OpsStore<Item>> OpenAsync(IOpsStorage storage, string agent)
    {
        var options = Stores.Options(Durability.Os);
        options.AgentId = agent;
        return OpsStore<Item>.OpenAsync(storage, options);
    }
}
