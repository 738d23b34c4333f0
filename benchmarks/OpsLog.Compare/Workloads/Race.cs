using System.Diagnostics;
using OpsLog.Storage;

namespace OpsLog.Compare.Workloads;

/// <summary>Whether every agent gets through where several open, write, compact and close as fast as they can, and what the race for the manifest costs.</summary>
internal static class Race
{
    private const int Count = 8;

    public static async Task RunAsync(Run run)
    {
        var seconds = run.Settings.Quick ? 1 : 10;
        var comparison = new Comparison("race", $"{Count} agents open, set a record, compact and close as fast as they can, for {seconds} s: cycles of all", "cycles");
        comparison.Add("OpsLog", "a folder", () => CyclesAsync(seconds, run.Workspace.Fresh(), folder => new FileStorage(folder)), comparedTo: -1);
        comparison.Add("OpsLog", "memory", () => CyclesAsync(seconds, new MemoryStorage(), storage => storage), comparedTo: -1);
        comparison.Add("OpsLog", "memory without append", () => CyclesAsync(seconds, new MemoryStorage(append: false), storage => storage), comparedTo: -1);
        await run.ReportAsync(comparison, warmUp: false);
    }

    private static async Task<Outcome> CyclesAsync<T>(int seconds, T place, Func<T, IOpsStorage> open)
    {
        await using (var first = await OpenAsync(open(place), "first")) await first.SetAsync(Items.Id(0), Items.Make(0));
        var before = await RevisionAsync(open(place));
        using var stop = new CancellationTokenSource(TimeSpan.FromSeconds(seconds));
        var agents = await Task.WhenAll(Enumerable.Range(0, Count).Select(i => Task.Run(() => AgentAsync(() => open(place), i, stop.Token))));
        var swaps = await RevisionAsync(open(place)) - before;
        await using var last = await OpenAsync(open(place), "last");
        var missing = Enumerable.Range(0, Count).Sum(i => Enumerable.Range(0, agents[i].Cycles.Count).Count(cycle => !last.ContainsKey(Id(i, cycle))));
        if (missing > 0) throw new InvalidDataException($"{missing} acknowledged records are missing.");
        var all = agents.SelectMany(a => a.Cycles).ToArray();
        return new Outcome(all.Length)
        {
            More =
            {
                ["of the slowest agent"] = agents.Min(a => a.Cycles.Count),
                ["median cycle, ms"] = Figures.Median(all),
                ["longest cycle, ms"] = all.Max(),
                ["attempts for each change of the manifest"] = (swaps + agents.Sum(a => a.Conflicts)) / (double)swaps,
            },
        };
    }

    private static async Task<(List<double> Cycles, long Conflicts)> AgentAsync(Func<IOpsStorage> open, int agent, CancellationToken stop)
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

    private static ValueTask<OpsStore<Item>> OpenAsync(IOpsStorage storage, string agent) => OpsStore<Item>.OpenAsync(storage, new OpsStoreOptions
    {
        JsonTypeInfo = ItemJson.Default.Item,
        AgentId = agent,
        Durability = Durability.Os,
        Checkpoint = new CheckpointOptions { Automatic = false },
    });
}
