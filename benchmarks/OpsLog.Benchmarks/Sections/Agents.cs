using System.Diagnostics;
using OpsLog.Storage;

namespace OpsLog.Benchmarks.Sections;

/// <summary>Whether every agent gets through where several open, write, compact and close as fast as they can, and what the race for the manifest costs.</summary>
internal static class Agents
{
    private const int Count = 8;

    public static async Task RunAsync(Settings settings, Workspace workspace)
    {
        var seconds = settings.Quick ? 5 : 20;
        await RaceAsync("a folder", seconds, () => new FileStorage(Path.Join(workspace.Root, "agents")));
        var memory = new MemoryStorage();
        await RaceAsync("memory", seconds, () => memory);
        var numbered = new MemoryStorage(append: false);
        await RaceAsync("memory without append", seconds, () => numbered);
    }

    private static async Task RaceAsync(string place, int seconds, Func<IOpsStorage> open)
    {
        await using (var first = await OpenAsync(open(), "first")) await first.SetAsync(Items.Id(0), Items.Make(0));
        var before = await RevisionAsync(open());
        using var stop = new CancellationTokenSource(TimeSpan.FromSeconds(seconds));
        var agents = await Task.WhenAll(Enumerable.Range(0, Count).Select(i => Task.Run(() => CyclesAsync(open, i, stop.Token))));
        var swaps = await RevisionAsync(open()) - before;

        var table = new Table(
            $"{Count} agents in {place} open, set a record, compact and close for {seconds} s",
            "", "cycles", "median cycle, ms", "longest cycle, ms", "lost races for the manifest", "lost races a cycle");
        foreach (var (agent, i) in agents.Select((a, i) => (a, i))) Row($"agent {i}", agent.Cycles, agent.Conflicts);
        Row("all", [.. agents.SelectMany(a => a.Cycles)], agents.Sum(a => a.Conflicts));
        table.Print();
        Console.WriteLine($"\n{swaps} changes of the manifest, {Figures.Ratio((swaps + agents.Sum(a => a.Conflicts)) / (double)swaps)} attempts each.");

        await using var last = await OpenAsync(open(), "last");
        var missing = Enumerable.Range(0, Count).Sum(i => Enumerable.Range(0, agents[i].Cycles.Count).Count(cycle => !last.ContainsKey(Id(i, cycle))));
        Console.WriteLine($"{missing} of {agents.Sum(a => a.Cycles.Count)} acknowledged records are missing; {agents.Count(a => a.Cycles.Count == 0)} agents never got through.");

        void Row(string name, List<double> cycles, long conflicts) => table.Row(
            name,
            $"{cycles.Count}",
            cycles.Count == 0 ? "-" : Figures.Text(Figures.Median(cycles)),
            cycles.Count == 0 ? "-" : Figures.Text(cycles.Max()),
            $"{conflicts}",
            cycles.Count == 0 ? "-" : Figures.Ratio(conflicts / (double)cycles.Count));
    }

    private static async Task<(List<double> Cycles, long Conflicts)> CyclesAsync(Func<IOpsStorage> open, int agent, CancellationToken stop)
    {
        var cycles = new List<double>();
        var conflicts = 0L;
        while (!stop.IsCancellationRequested)
        {
            var start = Stopwatch.GetTimestamp();
            var store = await OpenAsync(open(), $"agent-{agent}");
            await store.SetAsync(Id(agent, cycles.Count), Items.Make(cycles.Count), cancellationToken: CancellationToken.None);
            await store.CompactAsync(CancellationToken.None);
            await store.DisposeAsync();
            conflicts += store.Statistics.ManifestConflicts;
            cycles.Add(Figures.Milliseconds(start));
        }

        return (cycles, conflicts);
    }

    private static string Id(int agent, int cycle) => $"{agent}-{cycle}";

    private static async Task<long> RevisionAsync(IOpsStorage storage)
    {
        await using var store = await OpsStore<Item>.OpenAsync(storage, new OpsStoreOptions { JsonTypeInfo = ItemJson.Default.Item, ReadOnly = true });
        return store.Statistics.ManifestRevision;
    }

    private static ValueTask<OpsStore<Item>> OpenAsync(IOpsStorage storage, string agent)
    {
        var options = Stores.Options(Durability.Os);
        options.AgentId = agent;
        return OpsStore<Item>.OpenAsync(storage, options);
    }
}
