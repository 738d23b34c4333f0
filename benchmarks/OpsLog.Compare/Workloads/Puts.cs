namespace OpsLog.Compare.Workloads;

/// <summary>W1 to W4: puts, each promise for itself. Ids and documents are made before the timer.</summary>
internal static class Puts
{
    public static Task DurableAsync(Run run) => CompareAsync(run, "W1", "Durable puts, one caller", new Job(JobKind.Put, "")
    {
        Promise = Promise.Disk,
        Records = run.Settings.Quick ? 5_000 : 30_000,
        Seconds = run.Settings.Seconds,
    });

    public static Task SharedAsync(Run run) => CompareAsync(run, "W2", "Durable puts, 16 callers", new Job(JobKind.Put, "")
    {
        Promise = Promise.Disk,
        Callers = 16,
        Records = Count(run),
        Seconds = run.Settings.Seconds,
    });

    public static async Task OsAsync(Run run)
    {
        var job = new Job(JobKind.Put, "") { Promise = Promise.Os, Records = Count(run), Seconds = 2 * run.Settings.Seconds };
        await CompareAsync(run, "W3", "Puts that survive a killed process, one caller, new records", job);
        await CompareAsync(run, "W3", "Puts that survive a killed process, one caller, updates", job with { Update = true });
    }

    public static Task BufferedAsync(Run run) => CompareAsync(run, "W3b", "Buffered puts, until acknowledged", new Job(JobKind.Put, "")
    {
        Promise = Promise.Buffered,
        Records = Count(run),
        Seconds = 2 * run.Settings.Seconds,
    });

    public static Task BatchesAsync(Run run) => CompareAsync(run, "W4", "Batches of 100 that survive a killed process, records", new Job(JobKind.Put, "")
    {
        Promise = Promise.Os,
        Batch = 100,
        Records = Count(run),
        Seconds = 2 * run.Settings.Seconds,
    });

    private static int Count(Run run) => run.Settings.Quick ? 50_000 : 200_000;

    private static Task CompareAsync(Run run, string workload, string title, Job job)
    {
        var comparison = new Comparison(workload, title, job.Batch > 1 ? "records/s" : "puts/s");
        foreach (var peer in run.For(job.Kind, job.Promise)) comparison.Add(peer.Name, peer.Mode(job.Promise)!, () => run.InNewFolderAsync(peer, job));
        return run.ReportAsync(comparison);
    }
}
