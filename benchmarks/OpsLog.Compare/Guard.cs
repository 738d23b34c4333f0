using OpsLog.Compare.Peers;

namespace OpsLog.Compare;

/// <summary>
/// Compares two builds of OpsLog: each job in fresh processes of the one and the other, in turn, so that what else the machine does hits
/// both alike. What counts is the median of the quotients, each of one round; the machine's limit would cancel out of it.
/// </summary>
internal static class Guard
{
    private const double Tolerated = 0.8;

    public static async Task<int> RunAsync(Settings settings, Workspace workspace)
    {
        var jobs = OwnJobs.Wanted(settings);
        if (jobs.Length == 0) return 2;
        var before = await PrepareAsync(settings.Builds[0], workspace);
        var after = settings.Builds.Count > 1 ? await PrepareAsync(settings.Builds[1], workspace) : AppContext.BaseDirectory;
        var worse = 0;
        Console.WriteLine("| | | before | after | after, as good as before times |\n|---|---|---:|---:|---:|");
        foreach (var (workload, title, moreIsBetter, needsStore, job) in jobs)
        {
            var figures = await MeasureAsync(settings.Rounds);
            // A noisy machine gets a second chance to say so.
            if (figures.Quotient < Tolerated) figures = await MeasureAsync(settings.Rounds * 2);
            var verdict = figures.Quotient < Tolerated ? " **worse**" : "";
            if (verdict.Length > 0) worse++;
            Console.WriteLine($"| {workload} | {title} | {Figures.Text(figures.Before)} | {Figures.Text(figures.After)} | {Figures.Ratio(figures.Quotient)}{verdict} |");

            async Task<(double Before, double After, double Quotient)> MeasureAsync(int rounds)
            {
                var filled = needsStore ? workspace.Fresh() : null;
                if (filled is not null) await Child.RunAsync("OpsLog", job with { Kind = JobKind.Fill, Folder = filled }, before);
                var (befores, afters) = (new List<double>(), new List<double>());
                for (var round = 0; round < rounds; round++)
                {
                    foreach (var isAfter in round % 2 == 0 ? new[] { false, true } : [true, false])
                    {
                        // Each has a copy: some jobs change the store.
                        var folder = workspace.Fresh();
                        if (filled is not null) Workspace.Copy(filled, folder);
                        var outcome = await Child.RunAsync("OpsLog", job with { Folder = folder, WarmUp = job.Kind != JobKind.Open }, isAfter ? after : before);
                        (isAfter ? afters : befores).Add(outcome.Figure);
                        Workspace.Delete(folder);
                    }
                }

                if (filled is not null) Workspace.Delete(filled);
                var quotients = befores.Zip(afters, (b, a) => moreIsBetter ? a / b : b / a);
                return (Figures.Median(befores), Figures.Median(afters), Figures.Median(quotients));
            }
        }

        Console.WriteLine(worse == 0 ? "\nNothing is more than 20 % worse." : $"\n{worse} figures are more than 20 % worse.");
        return worse == 0 ? 0 : 1;
    }

    // A copy of this program with that library in it; for a revision it is built against that revision's source.
    private static async Task<string> PrepareAsync(string build, Workspace workspace)
    {
        if (!Directory.Exists(build)) return await BuildAsync(build, workspace);
        var copy = workspace.Fresh();
        Workspace.Copy(AppContext.BaseDirectory, copy);
        File.Copy(Path.Join(build, "OpsLog.dll"), Path.Join(copy, "OpsLog.dll"), overwrite: true);
        return copy;
    }

    private static async Task<string> BuildAsync(string revision, Workspace workspace)
    {
        var (tree, artifacts, repository) = (workspace.Fresh(), workspace.Fresh(), Path.GetDirectoryName(Project.File)!);
        await RunAsync("git", "-C", repository, "worktree", "add", "--detach", "--force", tree, revision);
        try
        {
            var library = Path.Join(tree, "src", "OpsLog", "OpsLog.csproj");
            await RunAsync("dotnet", "build", Project.File, "-c", "Release", "-v", "q", $"-p:OpsLogProject={library}", "--artifacts-path", artifacts);
        }
        finally
        {
            await RunAsync("git", "-C", repository, "worktree", "remove", "--force", tree);
        }

        return Path.Join(artifacts, "bin", "OpsLog.Compare", "release");

        static Task<string> RunAsync(string program, params string[] arguments) => Child.OutputAsync(program, arguments, mustSucceed: true);
    }
}
