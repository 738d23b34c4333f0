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

(string Name, Func<Run, Task> Run)[] workloads =
[
    ("W1", Puts.DurableAsync),
    ("W2", Puts.SharedAsync),
    ("W3", Puts.OsAsync),
    ("W3b", Puts.BufferedAsync),
    ("W4", Puts.BatchesAsync),
    ("W5", Reads.GetAsync),
    ("W6", Reads.ScanAsync),
    ("W7", Opening.RunAsync),
    ("W7k", Opening.KilledAsync),
    ("W8", Growth.ChurnAsync),
    ("W9", Growth.SizesAsync),
    ("W11", Sharing.RefreshAsync),
    ("W12", Sharing.MergeAsync),
    ("W13", Sharing.CheckpointAsync),
];

var begun = Stopwatch.GetTimestamp();
var peers = new List<Peer>();
var head = Machine.Describe(settings);
foreach (var peerName in AllPeers.Names.Where(settings.WantsPeer))
{
    var why = AllPeers.Find(peerName) is { } found ? found.WhyAbsent() : "its package is not part of this build";
    if (why is null) peers.Add(AllPeers.Find(peerName)!);
    head += $"- {peerName}: {why switch { null => AllPeers.Find(peerName)!.Version, _ => "absent, " + why }}\n";
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
head += $"\nThe run took {Stopwatch.GetElapsedTime(begun).TotalMinutes:0} minutes.\n";
if (settings.JsonFile is { } file) await File.WriteAllTextAsync(file, JsonSerializer.Serialize(new { Head = head, run.Results }));
if (settings.Docs is { } docs)
    await Report.WriteAsync(Path.Join(docs, "performance.md"), head, run.Results, Plots.Write(Path.Join(docs, "images"), run.Results));
return 0;
