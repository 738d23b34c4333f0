using System.Diagnostics;
using System.Globalization;

namespace OpsLog.Benchmarks;

/// <summary>A folder for stores and files, deleted in the end.</summary>
internal sealed class Workspace : IDisposable
{
    private int _next;

    public Workspace(string parent)
    {
        Root = Path.Join(Path.GetFullPath(parent), $"opslog-benchmarks-{Environment.ProcessId}");
        Directory.CreateDirectory(Root);
    }

    public string Root { get; }

    /// <summary>A path that nothing lies at.</summary>
    public string Fresh() => Path.Join(Root, (++_next).ToString(CultureInfo.InvariantCulture));

    public static void Delete(string path)
    {
        if (Directory.Exists(path)) Directory.Delete(path, recursive: true);
        else File.Delete(path);
    }

    /// <summary>The bytes of all files below a folder, however it changes meanwhile.</summary>
    public static long Size(string folder)
    {
        long bytes = 0;
        foreach (var file in new DirectoryInfo(folder).EnumerateFiles("*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = 0 }))
        {
            try
            {
                bytes += file.Length;
            }
            catch (FileNotFoundException)
            {
                // Deleted since it was listed: it takes no room any more.
            }
        }

        return bytes;
    }

    public void Dispose() => Delete(Root);
}

/// <summary>Opens and fills stores.</summary>
internal static class Stores
{
    private const int LoadBatch = 1000;

    /// <summary>Options of a store that survives a killed process and makes no checkpoint by itself, so that a figure is of puts alone.</summary>
    public static OpsStoreOptions Options(Durability durability, bool checkpoints = false) => new()
    {
        Durability = durability,
        JsonTypeInfo = ItemJson.Default.Item,
        Checkpoint = new CheckpointOptions { Automatic = checkpoints },
    };

    public static ValueTask<OpsStore<Item>> OpenAsync(string folder, Durability durability = Durability.Os, bool checkpoints = false) =>
        OpsStore<Item>.OpenAsync(folder, Options(durability, checkpoints));

    /// <summary>Adds records in batches.</summary>
    public static async Task FillAsync(OpsStore<Item> store, int count, Func<int, string>? id = null)
    {
        id ??= Items.Id;
        for (var first = 0; first < count; first += LoadBatch)
        {
            var start = first;
            await store.BatchAsync(batch =>
            {
                for (var i = start; i < Math.Min(count, start + LoadBatch); i++) batch.Set(id(i), Items.Make(i));
            });
        }
    }

    /// <summary>A new store with records, in a snapshot or in its log.</summary>
    public static async Task MakeAsync(string folder, int count, bool snapshot)
    {
        await using var store = await OpenAsync(folder);
        await FillAsync(store, count);
        if (snapshot) await store.CompactAsync();
    }
}

/// <summary>This program again, for what only a fresh process shows.</summary>
internal static class Child
{
    /// <summary>Runs it and returns the numbers it prints, separated by blanks.</summary>
    public static async Task<double[]> RunAsync(params string[] arguments)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true };
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet") start.ArgumentList.Add(typeof(Child).Assembly.Location);
        foreach (var argument in arguments) start.ArgumentList.Add(argument);
        using var process = Process.Start(start)!;
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        if (process.ExitCode != 0 && output.Length == 0) throw new InvalidOperationException($"'{string.Join(' ', arguments)}' failed with exit code {process.ExitCode}.");
        return [.. output.Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(n => double.Parse(n, CultureInfo.InvariantCulture))];
    }
}
