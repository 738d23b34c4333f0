namespace OpsLog.Compare.Workloads;

/// <summary>W11 to W13: what others wrote, and the whole state written anew.</summary>
internal static class Sharing
{
    private const int Few = 10_000;

    public static async Task RefreshAsync(Run run)
    {
        var comparison = new Comparison("W11", "A refresh that takes in 100 operations of another agent", "µs", "The limit reads as many bytes, and looks at one file when there is nothing new.");
        foreach (var peer in run.For(JobKind.Refresh))
        {
            var few = double.NaN;
            foreach (var size in peer.Name == "limit" ? [Few] : new[] { Few, run.Settings.Most })
            {
                var job = new Job(JobKind.Refresh, "") { Records = size };
                comparison.Add(peer.Name, peer.Name == "limit" ? "34 kB of a file" : $"{Figures.Records(size)} records", async () =>
                {
                    var outcome = peer.Name == "limit" ? await run.InNewFolderAsync(peer, job) : await run.OnCopyAsync(peer, new Job(JobKind.Fill, "") { Records = size }, job);
                    if (size == Few) few = outcome.Figure;
                    else outcome.More["times that at 10k"] = outcome.Figure / few;
                    return outcome;
                });
            }
        }

        await run.ReportAsync(comparison, warmUp: !run.Settings.Quick);
    }

    public static async Task MergeAsync(Run run)
    {
        var each = run.Settings.Most;
        var comparison = new Comparison("W12", $"Opening a store with the logs of two agents, {Figures.Records(each)} operations each", "operations/s");
        foreach (var peer in run.For(JobKind.Merge))
        {
            comparison.Add(peer.Name, peer.Name == "limit" ? "finding the lines of the logs" : "", async () =>
            {
                var folder = await run.FilledAsync(peer, new Job(JobKind.Fill, "") { Records = each, Callers = 2 });
                return await peer.RunAsync(new Job(JobKind.Merge, folder) { Records = each });
            });
        }

        await run.ReportAsync(comparison, warmUp: !run.Settings.Quick);
    }

    public static async Task CheckpointAsync(Run run)
    {
        var size = run.Settings.Most;
        var comparison = new Comparison("W13", $"A checkpoint of {Figures.Records(size)} records", "ms");
        foreach (var peer in run.For(JobKind.Checkpoint))
        {
            Add(peer, peer.Name == "limit" ? "copying the snapshot's file, and a sync" : "nothing else running", beside: false);
            if (peer.Name == "OpsLog") Add(peer, "beside a writer", beside: true);
        }

        await run.ReportAsync(comparison, warmUp: !run.Settings.Quick);

        void Add(Peers.Peer peer, string mode, bool beside) => comparison.Add(
            peer.Name, mode, () => run.OnCopyAsync(peer, new Job(JobKind.Fill, "") { Records = size }, new Job(JobKind.Checkpoint, "") { Records = size, BesideWriter = beside }));
    }
}
