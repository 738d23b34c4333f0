namespace OpsLog.Compare.Workloads;

/// <summary>W11 to W13: what others wrote, and the whole state written anew.</summary>
internal static class Sharing
{
    public static async Task RefreshAsync(Run run)
    {
        foreach (var peer in run.For(JobKind.Refresh))
        {
            var comparison = new Comparison("W11", $"A refresh that takes in 100 operations of another agent: {peer.Name}", "µs");
            foreach (var size in new[] { 10_000, run.Settings.Most })
            {
                comparison.Add($"{Figures.Records(size)} records", "", () => run.OnCopyAsync(peer, new Job(JobKind.Fill, "") { Records = size }, new Job(JobKind.Refresh, "") { Records = size }));
            }

            await run.ReportAsync(comparison, warmUp: !run.Settings.Quick);
        }
    }

    public static async Task MergeAsync(Run run)
    {
        var each = run.Settings.Most;
        var comparison = new Comparison("W12", $"Opening a store with the logs of two agents, {Figures.Records(each)} operations each", "operations/s", "The ratio is to OpsLog.");
        foreach (var peer in run.For(JobKind.Merge))
        {
            comparison.Add(peer.Name, "", async () =>
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
