using System.Globalization;

namespace OpsLog.Benchmarks.Sections;

/// <summary>Opening a store in a fresh process, from the first line of its program until every id can be read.</summary>
internal static class Opening
{
    public static async Task RunAsync(Settings settings, Workspace workspace)
    {
        foreach (var size in settings.Sizes)
        {
            var snapshot = workspace.Fresh();
            await Stores.MakeAsync(snapshot, size, snapshot: true);
            var log = workspace.Fresh();
            await Stores.MakeAsync(log, size, snapshot: false);
            var killed = workspace.Fresh();
            await Child.RunAsync(ChildSections.Prefix, ChildSections.Killed, killed, size.ToString(CultureInfo.InvariantCulture));

            var comparison = new Comparison($"Opening {Figures.Records(size)} records in a fresh process", "ms");
            comparison.Add("finding the lines of the snapshot, nothing else", () => FirstAsync(ChildSections.Lines, snapshot));
            comparison.Add("snapshot", () => FirstAsync(ChildSections.Open, snapshot));
            comparison.Add("snapshot, read-only", () => FirstAsync(ChildSections.OpenReadOnly, snapshot));
            var clean = comparison.Add("log", () => FirstAsync(ChildSections.Open, log));
            comparison.Add("log of a killed process (ratio to the log)", () => FirstAsync(ChildSections.OpenReadOnly, killed), clean);
            comparison.Add("snapshot, and every document made once", () => FirstAsync(ChildSections.OpenAndScan, snapshot));
            await comparison.RunAsync(settings.Rounds);
            Workspace.Delete(snapshot);
            Workspace.Delete(log);
            Workspace.Delete(killed);
        }
    }

    private static async Task<double> FirstAsync(string what, string folder) => (await Child.RunAsync(ChildSections.Prefix, what, folder))[0];
}
