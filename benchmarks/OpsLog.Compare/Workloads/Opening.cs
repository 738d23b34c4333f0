namespace OpsLog.Compare.Workloads;

/// <summary>W7, W7k and W10: opening in a fresh process, after a clean close and after a kill, and the memory it takes.</summary>
internal static class Opening
{
    public static async Task RunAsync(Run run)
    {
        foreach (var size in run.Settings.Sizes)
        {
            var comparison = new Comparison(
                "W7", $"Opening {Figures.Records(size)} records in a fresh process until every id can be read", "ms",
                "Memory (W10) is read after opening. LMDB, SQLite, RocksDB and LiteDB load nothing at opening: they pay at each read.");
            foreach (var peer in run.For(JobKind.Open))
            {
                comparison.Add(peer.Name, peer.Name == "limit" ? "finding the lines of the snapshot" : "", () => OpenAsync(run, peer, size));
                if (peer.Name != "OpsLog") continue;
                comparison.Add(peer.Name, "from its log, no snapshot", () => OpenAsync(run, peer, size, log: true));
                comparison.Add(peer.Name, "documents on disk", () => OpenAsync(run, peer, size, onDisk: true));
                if (!run.Settings.Quick) comparison.Add(peer.Name, "in a program published ready-to-run", async () => await OpenAsync(run, peer, size, program: await run.ReadyToRunAsync()));
            }

            await run.ReportAsync(comparison, warmUp: false);
            await FirstScanAsync(run, size);
        }
    }

    public static async Task KilledAsync(Run run)
    {
        var size = run.Settings.Quick ? 5_000 : 100_000;
        var comparison = new Comparison("W7k", $"Opening {Figures.Records(size)} records, put one by one, after `kill -9`", "ms", "\"lost\" counts acknowledged records that are missing; the ratio is to OpsLog.");
        foreach (var peer in run.For(JobKind.Killed).OrderBy(p => p.Name == "OpsLog" ? 0 : 1))
        {
            foreach (var promise in new[] { Promise.Os, Promise.Disk, Promise.Buffered }.Where(p => peer.Mode(p) is not null).Take(1))
                comparison.Add(peer.Name, peer.Mode(promise)!, () => KilledAsync(run, peer, size, promise));
            if (peer.Name is "OpsLog" or "ZoneTree") comparison.Add(peer.Name, peer.Mode(Promise.Buffered)!, () => KilledAsync(run, peer, size, Promise.Buffered));
        }

        await run.ReportAsync(comparison, warmUp: false);
    }

    private static async Task FirstScanAsync(Run run, int size)
    {
        var comparison = new Comparison(
            "W7", $"The first scan of {Figures.Records(size)} records, opening included", "ms",
            "Memory (W10) is read behind the scan. OpsLog and the dictionary keep all documents that were made; what is not private are mapped files and programs.");
        foreach (var peer in run.For(JobKind.Open).Where(p => p.Name is "limit" or "OpsLog" or "LMDB" or "RocksDB" or "SQLite" or "ZoneTree"))
        {
            comparison.Add(peer.Name, peer.Name == "limit" ? "each line of the snapshot parsed into a dictionary" : "", async () =>
            {
                var outcome = await OpenAsync(run, peer, size, scan: true);
                outcome.More.Remove("lost");
                outcome.More.Remove("first scan, ms", out var scan);
                return outcome with { Figure = outcome.Figure + scan };
            });
        }

        await run.ReportAsync(comparison, warmUp: false);
    }

    private static async Task<Outcome> OpenAsync(Run run, Peers.Peer peer, int size, bool log = false, bool scan = false, bool onDisk = false, string? program = null)
    {
        var folder = await run.FilledAsync(peer, new Job(JobKind.Fill, "") { Records = size, Update = log });
        var outcome = await InOwnProcessAsync(peer, new Job(JobKind.Open, folder) { Records = size, Update = scan, OnDisk = onDisk }, program);
        if (outcome.More.TryGetValue("memory, MiB", out var memory)) outcome.More["memory, B/record"] = memory * (1 << 20) / size;
        return outcome;
    }

    private static async Task<Outcome> KilledAsync(Run run, Peers.Peer peer, int size, Promise promise)
    {
        var job = run.Fresh(JobKind.Killed) with { Records = peer.Name is "npm 0.8.1" or "LiteDB" ? Math.Min(size, 2_000) : size, Promise = promise };
        await InOwnProcessAsync(peer, job);
        var outcome = await InOwnProcessAsync(peer, job with { Kind = JobKind.Open });
        outcome.More.Remove("memory, MiB");
        outcome.More.Remove("private, MiB");
        outcome.More["records"] = job.Records;
        Workspace.Delete(job.Folder);
        return outcome;
    }

    private static Task<Outcome> InOwnProcessAsync(Peers.Peer peer, Job job, string? program = null) =>
        peer is Peers.NpmPeer ? peer.RunAsync(job) : Child.RunAsync(peer.Name, job, program);
}
