using System.Globalization;
using OpsLog.Storage;

namespace OpsLog.Benchmarks.Sections;

/// <summary>Bytes written for each byte of documents that was set, at default settings but for durability.</summary>
internal static class Amplification
{
    private const int Keys = 10_000;
    private const int Times = 10;

    public static async Task RunAsync(Settings settings, Workspace workspace)
    {
        var table = new Table(
            $"Bytes written for each byte of documents: {Keys:#,0} keys set {Times} times each, default settings, closed in the end",
            "", "documents, MB", "log, MB", "whole objects, MB", "ratio", "by the process's own count", "checkpoints");
        table.Row(await MeasureAsync(workspace, "an edit changes four of eight members", Items.Make));
        table.Row(await MeasureAsync(workspace, "every set changes everything", Items.MakeOther));
        table.Print();
    }

    private static async Task<string[]> MeasureAsync(Workspace workspace, string name, Func<int, int, Item> make)
    {
        long logical = 0;
        var before = Written();
        var storage = new CountingStorage(new FileStorage(workspace.Fresh()));
        var options = Stores.Options(Durability.Os, checkpoints: true);
        var ids = Items.Ids(Keys);
        long checkpoints;
        await using (var store = await OpsStore<Item>.OpenAsync(storage, options))
        {
            for (var round = 0; round < Times; round++)
            {
                for (var i = 0; i < Keys; i++)
                {
                    var item = make(i, round);
                    logical += Items.Json(item).Length;
                    await store.SetAsync(ids[i], item);
                }
            }

            checkpoints = store.Statistics.Checkpoints;
        }

        var written = storage.PutBytes + storage.AppendedBytes;
        var process = Written() - before;
        await storage.DisposeAsync();
        return
        [
            name, Megabytes(logical), Megabytes(storage.AppendedBytes), Megabytes(storage.PutBytes), Figures.Ratio((double)written / logical),
            process > 0 ? Figures.Ratio((double)process / logical) : "-", $"{checkpoints}",
        ];
    }

    // What the kernel counts as sent towards the disk; more than was asked for, as whole pages are written.
    private static long Written()
    {
        if (!OperatingSystem.IsLinux()) return 0;
        var line = File.ReadLines("/proc/self/io").First(l => l.StartsWith("write_bytes:", StringComparison.Ordinal));
        return long.Parse(line["write_bytes:".Length..], CultureInfo.InvariantCulture);
    }

    private static string Megabytes(long bytes) => (bytes / 1e6).ToString("0.0", CultureInfo.InvariantCulture);
}
