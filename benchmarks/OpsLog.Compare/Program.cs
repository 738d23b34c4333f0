using System.Diagnostics;
using System.Text.Json;
using OpsLog.Compare;
using OpsLog.Compare.Peers;
using OpsLog.Compare.Workloads;

ThreadPool.SetMinThreads(32, 8); // callers of stores that block have a thread each
if (args is [Child.Verb, var name, var json]) return await Child.ServeAsync(name, Job.FromJson(json));

if (Settings.TryRead(args) is not { } settings)
{
    Console.Error.WriteLine(Settings.Usage);
    return 2;
}

using var workspace = new Workspace(settings.Folder);
if (settings.Builds.Count > 0) return await Guard.RunAsync(settings, workspace);

var findings = settings.From is { } earlier ? JsonSerializer.Deserialize<Findings>(await File.ReadAllTextAsync(earlier))! : await MeasureAsync(settings, workspace);
if (settings.JsonFile is { } file) await File.WriteAllTextAsync(file, JsonSerializer.Serialize(findings));
if (settings.Docs is { } docs)
    await Report.WriteAsync(Path.Join(docs, "performance.md"), findings, Plots.Write(Path.Join(docs, "images"), findings.Results));
return 0;

static async Task<Findings> MeasureAsync(Settings settings, Workspace workspace)
{
    (string Name, Func<Run, Task> Run)[] workloads =
    [
        ("W1", Puts.DurableAsync),
        ("W2", Puts.SharedAsync),
        ("W3", Puts.OsAsync),
        ("W3b", Puts.BufferedAsync),
        ("W4", Puts.BatchesAsync),
        ("W5", Reads.GetAsync),
        ("W6", Reads.ScanAsync),
        ("W7", Opening.RunAsync), // W10 with it
        ("W7k", Opening.KilledAsync),
        ("W8", Growth.ChurnAsync),
        ("W8", FolderSize.RunAsync),
        ("W9", Growth.SizesAsync),
        ("W11", Sharing.RefreshAsync),
        ("W12", Sharing.MergeAsync),
        ("W13", Sharing.CheckpointAsync),
        ("race", Race.RunAsync),
    ];
    var begun = Stopwatch.GetTimestamp();
    var peers = new List<Peer>();
    var head = Machine.Describe(settings);
    foreach (var name in AllPeers.Names.Where(settings.WantsPeer))
    {
        var peer = AllPeers.Find(name);
        var why = peer is null ? "its package is not part of this build" : peer.WhyAbsent();
        if (why is null) peers.Add(peer!);
        head += $"- {name}: {(why is null ? peer!.Version : $"absent, {why}")}\n";
    }

    Console.Write(head);
    var run = new Run(settings, workspace, peers);
    foreach (var (workload, measure) in workloads.Where(w => settings.Wants(w.Name) || (w.Name == "W7" && settings.Wants("W10"))))
    {
        var start = Stopwatch.GetTimestamp();
        await measure(run);
        Console.Error.WriteLine($"[{workload}: {Stopwatch.GetElapsedTime(start).TotalSeconds:0} s]");
    }

    run.Forget();
    return new Findings(head + $"\nThe run took {Stopwatch.GetElapsedTime(begun).TotalMinutes:0.0} minutes.\n", run.Results);
}
