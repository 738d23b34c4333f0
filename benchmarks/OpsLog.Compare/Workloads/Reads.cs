namespace OpsLog.Compare.Workloads;

/// <summary>W5 and W6: reads of a store that has been open for a while.</summary>
internal static class Reads
{
    public static async Task GetAsync(Run run)
    {
        foreach (var size in run.Settings.Sizes)
        {
            var job = new Job(JobKind.Get, "") { Records = size, Seconds = run.Settings.Seconds };
            await CompareAsync(run, run.For(job.Kind), "W5", $"Random gets of {Figures.Records(size)} records, ids of 11 characters", "ns a get", job);
            await CompareAsync(run, run.OpsLogAndLimit(job.Kind), "W5", $"Random gets of {Figures.Records(size)} records, ids of 11 characters, beside a writer", "ns a get", job with { BesideWriter = true });
            await CompareAsync(run, run.OpsLogAndLimit(job.Kind), "W5", $"Random gets of {Figures.Records(size)} records, ids of 27 characters", "ns a get", job with { LongIds = true });
        }
    }

    public static async Task ScanAsync(Run run)
    {
        foreach (var size in run.Settings.Sizes)
        {
            var job = new Job(JobKind.Scan, "") { Records = size, Seconds = run.Settings.Seconds };
            await CompareAsync(run, run.For(job.Kind), "W6", $"Counting {Figures.Records(size)} records by a predicate", "records/s", job);
            await CompareAsync(run, run.OpsLogAndLimit(job.Kind), "W6", $"Counting {Figures.Records(size)} records by a predicate, through LINQ", "records/s", job with { Linq = true });
        }
    }

    private static Task CompareAsync(Run run, IEnumerable<Peers.Peer> peers, string workload, string title, string unit, Job job)
    {
        var comparison = new Comparison(workload, title, unit);
        foreach (var peer in peers)
        {
            var fill = new Job(JobKind.Fill, "") { Records = job.Records, LongIds = job.LongIds };
            comparison.Add(peer.Name, Way(peer, job), async () =>
                job.BesideWriter ? await run.OnCopyAsync(peer, fill, job) : await peer.RunAsync(job with { Folder = await run.FilledAsync(peer, fill) }));
        }

        return run.ReportAsync(comparison);
    }

    private static string Way(Peers.Peer peer, Job job) => peer.Name switch
    {
        "SQLite" when job.Kind == JobKind.Scan => "`json_extract`, no objects made",
        "limit" => "`Dictionary<string, T>`",
        "OpsLog" or "npm 0.8.1" => "objects kept",
        _ => "objects made for each read",
    };
}
