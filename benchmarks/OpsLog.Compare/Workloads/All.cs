using System.Diagnostics;

namespace OpsLog.Compare.Workloads;

/// <summary>
/// All workloads, each measured in a process of its own: a peer whose native code crashes, or that hangs, costs its table and not the run.
/// </summary>
internal static class All
{
    /// <summary>Behind the name of a file of results: the file with the name of who is being measured.</summary>
    public const string At = ".at";

    private const int Hopeless = 8; // times what a workload may take, and some minutes for its stores

    // With how many tables each has: they share the time.
    private static readonly (string Name, int Tables, Func<Run, Task> Measure)[] s_all =
    [
        ("W1", 1, Puts.DurableAsync),
        ("W2", 1, Puts.SharedAsync),
        ("W3", 2, Puts.OsAsync),
        ("W3b", 1, Puts.BufferedAsync),
        ("W4", 1, Puts.BatchesAsync),
        ("W5", 6, Reads.GetAsync),
        ("W6", 4, Reads.ScanAsync),
        ("W7", 4, Opening.RunAsync), // W10 with it
        ("W7k", 1, Opening.KilledAsync),
        ("W8", 2, Growth.WrittenAsync),
        ("W9", 8, Growth.SizesAsync),
        ("W11", 1, Sharing.RefreshAsync),
        ("W12", 1, Sharing.MergeAsync),
        ("W13", 1, Sharing.CheckpointAsync),
        ("race", 1, Race.RunAsync),
    ];

    /// <summary>Measures the wanted ones one after the other; saves after each.</summary>
    public static async Task<Findings> MeasureAsync(Settings settings, Workspace workspace, string file)
    {
        var begun = Stopwatch.GetTimestamp();
        var head = Machine.Describe(settings) + Peers(settings, out var peers);
        var absent = Compare.Peers.AllPeers.Names.Where(settings.WantsPeer).Except(peers.Select(p => p.Name)).ToArray();
        Console.Write(head);
        var (results, loads) = (new List<Result>(), new List<double> { Machine.Load() });
        var wanted = s_all.Where(w => settings.Wants(w.Name) || (w.Name == "W7" && settings.Wants("W10"))).ToArray();
        for (var i = 0; i < wanted.Length; i++)
        {
            var left = Math.Max(0, (settings.Minutes * 60) - Stopwatch.GetElapsedTime(begun).TotalSeconds);
            var patience = left / wanted[i..].Sum(w => w.Tables);
            results.AddRange(await InOwnProcessAsync(settings, workspace, wanted[i].Name, absent, patience, patience * wanted[i].Tables));
            loads.Add(Machine.Load());
            Save();
            Console.Error.WriteLine($"[{wanted[i].Name} is done, after {Stopwatch.GetElapsedTime(begun).TotalSeconds:0} s; figures so far: {file}]");
        }

        return Save();

        Findings Save()
        {
            var findings = new Findings($"{head}\nThe run took {Stopwatch.GetElapsedTime(begun).TotalMinutes:0.0} minutes; the load, its own included, was {loads.Min():0.0} to {loads.Max():0.0}.\n", results);
            findings.Save(file);
            return findings;
        }
    }

    /// <summary>Such a process.</summary>
    public static async Task MeasureHereAsync(Settings settings, Workspace workspace)
    {
        Peers(settings, out var peers);
        var run = new Run(settings, workspace, peers);
        foreach (var (_, _, measure) in s_all.Where(w => settings.Wants(w.Name))) await measure(run);
    }

    private static async Task<IReadOnlyList<Result>> InOwnProcessAsync(Settings settings, Workspace workspace, string workload, string[] absent, double patience, double seconds)
    {
        var without = new List<string>(absent);
        while (true)
        {
            var results = workspace.Fresh();
            var (limit, killed) = (TimeSpan.FromSeconds((Hopeless * seconds) + 300), false);
            string[] arguments = [typeof(All).Assembly.Location, .. settings.ForWorkload(workload, workspace.Root, results, patience, without)];
            using var process = Process.Start(new ProcessStartInfo("dotnet", arguments))!;
            using var stop = new CancellationTokenSource(limit);
            try
            {
                await process.WaitForExitAsync(stop.Token);
            }
            catch (OperationCanceledException)
            {
                killed = true;
                process.Kill(entireProcessTree: true);
                await process.WaitForExitAsync(CancellationToken.None);
            }

            IReadOnlyList<Result> found = File.Exists(results) ? Findings.Load(results).Results : [];
            if (!killed && process.ExitCode == 0) return found;
            var at = File.Exists(results + At) ? await File.ReadAllTextAsync(results + At) : "";
            var how = killed ? $"did not end within {limit.TotalMinutes:0} minutes" : $"ended with exit code {process.ExitCode}";
            Console.Error.WriteLine($"[{workload}: the process {how} while {at} was measured]");
            if (without.Count == absent.Length && at is not ("" or "limit" or "OpsLog"))
            {
                without.Add(at);
                continue;
            }

            return [.. found, new Result(workload, "the table that is missing", "", $"The process {how} while {at} was measured.")];
        }
    }

    private static string Peers(Settings settings, out List<Compare.Peers.Peer> peers)
    {
        peers = [];
        var head = "";
        foreach (var name in Compare.Peers.AllPeers.Names.Where(settings.WantsPeer))
        {
            var peer = Compare.Peers.AllPeers.Find(name);
            var why = peer is null ? "its package is not part of this build" : peer.WhyAbsent();
            if (why is null) peers.Add(peer!);
            head += $"- {name}: {(why is null ? peer!.Version : $"absent, {why}")}\n";
        }

        return head;
    }
}
