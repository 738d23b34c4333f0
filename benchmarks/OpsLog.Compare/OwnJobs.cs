namespace OpsLog.Compare;

/// <summary>One job of OpsLog for each workload that one build can be compared to another by, or a profile be taken of.</summary>
/// <param name="Workload">The name in the table of targets.</param>
/// <param name="Title">What is measured, and its unit.</param>
/// <param name="MoreIsBetter">The figure is a rate, not a time.</param>
/// <param name="NeedsStore">It works on a store that is filled first.</param>
/// <param name="Job">The job, without its folder.</param>
internal sealed record OwnJob(string Workload, string Title, bool MoreIsBetter, bool NeedsStore, Job Job);

/// <summary>All of them.</summary>
internal static class OwnJobs
{
    private const int Size = 100_000;

    public static readonly OwnJob[] All =
    [
        new("W1", "durable puts, one caller, /s", true, false, new(JobKind.Put, "") { Promise = Promise.Disk, Records = 20_000, Seconds = 1 }),
        new("W2", "durable puts, 16 callers, /s", true, false, new(JobKind.Put, "") { Promise = Promise.Disk, Records = Size, Callers = 16, Seconds = 1 }),
        new("W3", "puts, new records, /s", true, false, new(JobKind.Put, "") { Records = Size }),
        new("W3", "puts, updates, /s", true, false, new(JobKind.Put, "") { Records = Size, Update = true }),
        new("W3b", "buffered puts, /s", true, false, new(JobKind.Put, "") { Promise = Promise.Buffered, Records = Size }),
        new("W4", "batches of 100, records/s", true, false, new(JobKind.Put, "") { Batch = 100, Records = Size }),
        new("W5", "gets, ids of 11 characters, ns", false, true, new(JobKind.Get, "") { Records = Size, Seconds = 0.5 }),
        new("W5", "gets, ids of 11 characters, beside a writer, ns", false, true, new(JobKind.Get, "") { Records = Size, Seconds = 0.5, BesideWriter = true }),
        new("W5", "gets, ids of 27 characters, ns", false, true, new(JobKind.Get, "") { Records = Size, Seconds = 0.5, LongIds = true }),
        new("W6", "scan, records/s", true, true, new(JobKind.Scan, "") { Records = Size, Seconds = 0.5 }),
        new("W6", "scan through LINQ, records/s", true, true, new(JobKind.Scan, "") { Records = Size, Seconds = 0.5, Linq = true }),
        new("W7", "opening a snapshot, ms", false, true, new(JobKind.Open, "") { Records = Size }),
        new("W7", "opening a snapshot, documents on disk, ms", false, true, new(JobKind.Open, "") { Records = Size, OnDisk = true }),
        new("W8", "100,000 updates of 10,000 records, bytes written for each set", false, false, new(JobKind.Churn, "") { Records = Size / 10 }),
        new("W9", "1,000 puts at 100k records, /s", true, true, new(JobKind.Update, "") { Records = Size }),
        new("W11", "refresh of 100 operations, µs", false, true, new(JobKind.Refresh, "") { Records = Size / 10 }),
        new("W12", "merge of two logs, operations/s", true, true, new(JobKind.Merge, "") { Records = Size, Callers = 2 }),
        new("W13", "checkpoint, ms", false, true, new(JobKind.Checkpoint, "") { Records = Size }),
        new("W13", "checkpoint beside a writer, ms", false, true, new(JobKind.Checkpoint, "") { Records = Size, BesideWriter = true }),
    ];

    /// <summary>Those that are wanted; says so if there are none.</summary>
    public static OwnJob[] Wanted(Settings settings)
    {
        var wanted = All.Where(j => settings.Wants(j.Workload) && j.Title.Contains(settings.Title, StringComparison.OrdinalIgnoreCase)).ToArray();
        if (wanted.Length == 0) Console.Error.WriteLine($"There is no such job. There are:\n{string.Join('\n', All.Select(j => $"  {j.Workload}: {j.Title}"))}");
        return wanted;
    }
}
