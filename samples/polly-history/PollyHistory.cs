// Loads the history of a public repository (App-vNext/Polly: 16,291 operations in 2,211 commits) into a fresh store on the default
// storage at the default durability, each commit one batch, and proves the result against the repository's final tree.
//
//     dotnet run --project samples/polly-history -c Release [-- FOLDER]
//
// Exits with 1 if anything is not as it must be. The store stays in FOLDER (.demo/polly-history) to be looked at.

using System.Diagnostics;
using System.Globalization;
using System.IO.Compression;
using System.Text.Json;
using OpsLog;
using OpsLog.Samples;

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
var folder = args.Length > 0 ? args[0] : Path.Combine(".demo", "polly-history");
if (args.Length == 0 && Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
var expected = ReadFinalTree();
var failures = 0;

Console.WriteLine($"Loading App-vNext/Polly's history into {folder}");
await using (var store = await OpsStore<TrackedFile>.OpenAsync(folder))
{
    if (store.Count > 0) throw new InvalidOperationException($"{folder} holds a store already: name an empty folder.");
    var started = Stopwatch.GetTimestamp();
    var (operations, commits) = await LoadAsync(store);
    var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
    Console.WriteLine($"  {operations:N0} operations in {commits:N0} commits, each one batch, each on stable storage: "
        + $"{seconds:0.0} s ({commits / seconds:N0} commits/s, {operations / seconds:N0} operations/s)");

    await ShowAsync(store);
    await UndoAndRedoAsync(store);
    Check("the state is the repository's final tree", IsFinalTree(store));
}

var reopening = Stopwatch.GetTimestamp();
await using (var store = await OpsStore<TrackedFile>.OpenAsync(folder))
{
    var report = store.RecoveryReport;
    Console.WriteLine($"Reopened in {Stopwatch.GetElapsedTime(reopening).TotalMilliseconds:0} ms: "
        + $"{report.SnapshotRecords:N0} records from the snapshot, {report.ReplayedOperations:N0} operations from the log");
    Check("nothing was torn, skipped or lost", report.IsClean);
    Check("the state is the repository's final tree", IsFinalTree(store));
}

Console.WriteLine(failures == 0 ? $"OK: all {expected.Count:N0} files are as they must be" : $"FAILED: {failures} checks");
return failures == 0 ? 0 : 1;

static async Task<(int Operations, int Commits)> LoadAsync(OpsStore<TrackedFile> store)
{
    var (operations, commits) = (0, 0);
    var batch = new List<Line>();
    using var reader = OpenBundled("polly-history.jsonl.gz");
    while (await reader.ReadLineAsync() is { } text)
    {
        var line = JsonSerializer.Deserialize<Line>(text, JsonSerializerOptions.Web)!;
        if (batch.Count > 0 && batch[0].Commit != line.Commit) await CommitAsync();
        batch.Add(line);
    }

    await CommitAsync();
    return (operations, commits);

    async Task CommitAsync()
    {
        await store.BatchAsync(b =>
        {
            foreach (var line in batch)
            {
                if (line.Op == "set") b.Set(line.Id, line.Data!);
                else b.Delete(line.Id);
            }
        });
        operations += batch.Count;
        commits++;
        batch.Clear();
    }
}

static async Task ShowAsync(OpsStore<TrackedFile> store)
{
    var kinds = store.Values.GroupBy(f => f.Extension ?? "", StringComparer.Ordinal).OrderByDescending(g => g.Count()).Take(4);
    Console.WriteLine($"State: {store.Count:N0} files; most are {string.Join(", ", kinds.Select(g => $"{g.Key} ({g.Count():N0})"))}");

    const string File = "src/Polly.Core/ResiliencePipeline.cs";
    var history = new List<Operation<TrackedFile>>();
    await foreach (var operation in store.HistoryAsync(File)) history.Add(operation);
    Console.WriteLine($"History of {File}: {history.Count} operations, the last three:");
    foreach (var operation in history.TakeLast(3))
    {
        var file = operation.Value!; // the file lives to the end: nothing here is a delete
        Console.WriteLine($"  {file.At[..10]}  {file.Kind,-8}  blob {file.Blob[..10]}  commit {file.Commit[..10]}, "
            + $"operation {operation.BatchIndex + 1} of {operation.BatchSize}");
    }
}

async Task UndoAndRedoAsync(OpsStore<TrackedFile> store)
{
    const string File = "Directory.Packages.props"; // what the last commit changed
    var after = store[File].Blob;
    var undone = await store.UndoAsync();
    var before = store[File].Blob;
    Console.WriteLine($"Undo of the last commit: {File} is blob {before[..10]} again; redo: blob {after[..10]}");
    Check("an undo brings back what the commit replaced", undone && before != after);
    Check("a redo brings back the commit", await store.RedoAsync() && store[File].Blob == after);
}

bool IsFinalTree(OpsStore<TrackedFile> store) =>
    store.Count == expected.Count && expected.All(file => store.TryGetValue(file.Key, out var found) && found.Blob == file.Value);

void Check(string what, bool holds)
{
    Console.WriteLine($"  {(holds ? "OK    " : "FAILED")}  {what}");
    if (!holds) failures++;
}

static Dictionary<string, string> ReadFinalTree()
{
    var tree = new Dictionary<string, string>(StringComparer.Ordinal);
    using var reader = OpenBundled("polly-final-tree.tsv.gz");
    while (reader.ReadLine() is { } line)
    {
        var tab = line.IndexOf('\t', StringComparison.Ordinal);
        tree.Add(line[..tab], line[(tab + 1)..]);
    }

    return tree;
}

static StreamReader OpenBundled(string name) =>
    new(new GZipStream(File.OpenRead(Path.Combine(AppContext.BaseDirectory, name)), CompressionMode.Decompress));

namespace OpsLog.Samples
{
    /// <summary>One line of the bundled stream.</summary>
    internal sealed record Line(string Commit, string Op, string Id, TrackedFile? Data);

    /// <summary>The document: a file of the repository, as one commit left it.</summary>
    internal sealed record TrackedFile(
        string Path, string Blob, string Mode, string Commit, string Agent, string At, string Kind,
        string? Extension, int Depth, string[] Folders);
}
