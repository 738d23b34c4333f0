using OpsLog.Compare.Peers;

namespace OpsLog.Compare;

/// <summary>The jobs of a workload again and again in this process, for a profiler to look at.</summary>
internal static class Loop
{
    public static async Task<int> RunAsync(Settings settings, Workspace workspace)
    {
        var peer = AllPeers.Find("OpsLog")!;
        var jobs = OwnJobs.Wanted(settings);
        foreach (var (workload, title, _, needsStore, ofAll) in jobs)
        {
            var job = ofAll with { Records = settings.LoopRecords ?? ofAll.Records };
            var filled = workspace.Fresh();
            if (needsStore) await peer.RunAsync(job with { Kind = JobKind.Fill, Folder = filled });
            Console.WriteLine($"{workload}: {title}");
            for (var start = Environment.TickCount64; Environment.TickCount64 - start < settings.LoopSeconds * 1000;)
            {
                var folder = workspace.Fresh();
                if (needsStore) Workspace.Copy(filled, folder);
                Console.WriteLine(Figures.Text((await peer.RunAsync(job with { Folder = folder })).Figure));
                Workspace.Delete(folder);
            }

            Workspace.Delete(filled);
        }

        return jobs.Length > 0 ? 0 : 2;
    }
}
