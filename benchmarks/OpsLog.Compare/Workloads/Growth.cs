using System.Diagnostics;

namespace OpsLog.Compare.Workloads;

/// <summary>W8 and W9: what a store costs as it is written to, and as it grows.</summary>
internal static class Growth
{
    private const int Keys = 10_000;

    public static async Task WrittenAsync(Run run)
    {
        await ChurnAsync(run);
        await FolderSize.RunAsync(run);
    }

    private static async Task ChurnAsync(Run run)
    {
        var comparison = new Comparison(
            "W8", "100,000 updates over 10,000 records at the defaults: bytes written for each byte of JSON set", "written / set",
            "Who is slow is stopped after some seconds: \"sets\" says how many were made. Bytes are those given to write calls, in a process of its own. OpsLog keeps its history, which is its default. The limit writes nothing but the documents: a program's own memory.");
        foreach (var peer in run.For(JobKind.Churn))
            comparison.Add(peer.Name, peer.Mode(Promise.Os) ?? peer.Mode(Promise.Disk)!, () => run.InNewFolderAsync(peer, new Job(JobKind.Churn, "") { Records = Keys, Seconds = 8 * run.Settings.Seconds, Promise = Promise.Os }, ownProcess: true), comparedTo: -1);
        await run.ReportAsync(comparison, warmUp: false);
    }

    public static async Task SizesAsync(Run run)
    {
        int[] sizes = run.Settings.Quick ? [1_000, 10_000, 50_000] : [1_000, 10_000, 100_000, 1_000_000];
        foreach (var peer in run.For(JobKind.Update))
        {
            if (peer.Mode(Promise.Os) is not { } mode) continue;
            var comparison = new Comparison("W9", $"1,000 puts on stores of different sizes, default checkpoints: {peer.Name}", "puts/s");
            foreach (var size in sizes)
            {
                var job = new Job(JobKind.Update, "") { Records = size, Seconds = 4 * run.Settings.Seconds };
                comparison.Add($"{Figures.Records(size)} records", mode, () => peer.Name == "limit" ? run.InNewFolderAsync(peer, job) : run.OnCopyAsync(peer, new Job(JobKind.Fill, "") { Records = size }, job));
            }

            await run.ReportAsync(comparison, warmUp: !run.Settings.Quick);
        }

        await FromNothingAsync(run);
    }

    private static async Task FromNothingAsync(Run run)
    {
        var most = run.Settings.Most;
        var comparison = new Comparison("W9", $"The longest put while a store grows from nothing to {Figures.Records(most)} records, default checkpoints", "ms", "The limit is a program that only calls `write`: its pauses are the machine's.");
        comparison.Add("limit", "one write call each", () => Task.FromResult(Pauses(run.Workspace.Fresh(), most)));
        comparison.Add("OpsLog", "`Os`", async () =>
        {
            var folder = run.Workspace.Fresh();
            var times = new double[most];
            await using (var store = await OpsStore<Item>.OpenAsync(folder, new OpsStoreOptions { JsonTypeInfo = ItemJson.Default.Item, Durability = Durability.Os }))
            {
                const int Step = 10_000;
                for (var first = 0; first < most; first += Step)
                {
                    var (ids, items) = (Items.Ids(Step, first), Items.Make(Step, first, 0));
                    for (var i = 0; i < Step; i++)
                    {
                        var start = Stopwatch.GetTimestamp();
                        await store.SetAsync(ids[i], items[i]);
                        times[first + i] = Figures.Milliseconds(start);
                    }
                }
            }

            Workspace.Delete(folder);
            return Longest(times);
        });
        await run.ReportAsync(comparison, warmUp: false);
    }

    private static Outcome Pauses(string path, int writes)
    {
        using var file = new RawLog(path);
        var line = new byte[340];
        var times = new double[writes];
        for (var i = 0; i < writes; i++)
        {
            var start = Stopwatch.GetTimestamp();
            file.Write(line);
            times[i] = Figures.Milliseconds(start);
        }

        return Longest(times);
    }

    private static Outcome Longest(double[] times)
    {
        Array.Sort(times);
        return new Outcome(times[^1])
        {
            More = { ["median, µs"] = times[times.Length / 2] * 1000, ["99.9 %, µs"] = times[(int)(times.Length * 0.999)] * 1000, ["over 5 ms"] = times.Count(t => t > 5) },
        };
    }
}
