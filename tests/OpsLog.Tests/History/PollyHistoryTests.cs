using System.IO.Compression;
using System.Text;
using OpsLog.Tests.Corpus;
using OpsLog.Tests.Kill;
using Xunit;

namespace OpsLog.Tests.History;

/// <summary>
/// Goal: real input comes out as it must. The bundled stream is a public repository's history, each commit a batch; behind its last commit
/// the store must be the repository's final tree.
/// Method: the tool as a process, at every level, whole and killed half-way with the remainder applied from the last acknowledgement.
/// </summary>
public sealed class PollyHistoryTests
{
    public static TheoryData<string> Levels => ["disk", "os", "buffered"];

    [Theory]
    [MemberData(nameof(Levels))]
    public async Task The_whole_stream_ends_in_the_final_tree(string durability)
    {
        using var folder = new TempFolder();
        await File.WriteAllLinesAsync(folder["input.jsonl"], Lines("polly-history.jsonl.gz"));
        var (exitCode, _, errors) = await OpslogProcess.RunAsync("apply", folder["store"], folder["input.jsonl"], "--batch-by", "commit", "--durability", durability);
        Assert.True(exitCode == 0, errors);
        await AssertFinalTree(folder["store"]);
    }

    [Theory]
    [InlineData("disk", 5000)]
    [InlineData("os", 11000)]
    [InlineData("os", 200)]
    public async Task Killed_half_way_the_remainder_leads_to_the_final_tree(string durability, int killAfter)
    {
        using var folder = new TempFolder();
        var lines = Lines("polly-history.jsonl.gz");
        await File.WriteAllLinesAsync(folder["input.jsonl"], lines);
        var (acknowledged, _) = await OpslogProcess.ApplyAsync(folder["store"], folder["input.jsonl"], killAfter, "--batch-by", "commit", "--durability", durability);
        var last = acknowledged[^1];
        Assert.Equal(Enumerable.Range(1, last), acknowledged.Order());
        AssertWholeCommits(lines, last, await OpslogProcess.ExportAsync(folder["store"]));

        await File.WriteAllLinesAsync(folder["rest.jsonl"], lines.Skip(last));
        var (exitCode, _, errors) = await OpslogProcess.RunAsync("apply", folder["store"], folder["rest.jsonl"], "--batch-by", "commit", "--durability", durability);
        Assert.True(exitCode == 0, errors);
        await AssertFinalTree(folder["store"]);
    }

    /// <summary>What is there after the kill is the state behind a whole number of commits, and no fewer than were acknowledged.</summary>
    private static void AssertWholeCommits(List<string> lines, int acknowledged, Dictionary<string, object?> state)
    {
        var shown = state.ToDictionary(r => r.Key, r => (string)JsonTree.Object(r.Value)["commit"]!, StringComparer.Ordinal);
        var model = new Dictionary<string, string>(StringComparer.Ordinal);
        for (var i = 0; i < lines.Count; i++)
        {
            var operation = JsonTree.Object(JsonTree.Parse(lines[i]));
            var commit = (string)operation["commit"]!;
            if ((string)operation["op"]! == "set") model[(string)operation["id"]!] = commit;
            else model.Remove((string)operation["id"]!);
            var isLastOfCommit = i + 1 == lines.Count || !lines[i + 1].Contains($"\"commit\":\"{commit}\",\"op\"", StringComparison.Ordinal);
            if (isLastOfCommit && i + 1 >= acknowledged && model.Count == shown.Count && model.All(r => shown.GetValueOrDefault(r.Key) == r.Value)) return;
        }

        Assert.Fail($"{acknowledged} lines were acknowledged, and the store shows the state behind no whole number of commits from there on.");
    }

    private static async Task AssertFinalTree(string store)
    {
        var state = await OpslogProcess.ExportAsync(store);
        var shown = state.Select(r => $"{r.Key}\t{JsonTree.Object(r.Value)["blob"]}").Order(StringComparer.Ordinal);
        Assert.Equal(Lines("polly-final-tree.tsv.gz").Order(StringComparer.Ordinal), shown);
    }

    private static List<string> Lines(string name)
    {
        using var file = File.OpenRead(Path.Combine(AppContext.BaseDirectory, "polly-history", name));
        using var unzipped = new GZipStream(file, CompressionMode.Decompress);
        using var reader = new StreamReader(unzipped, Encoding.UTF8);
        return [.. reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries)];
    }
}
