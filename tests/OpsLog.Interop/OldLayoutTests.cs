using System.Text;
using System.Text.Json;
using OpsLog.Tests.Corpus;
using Xunit;

namespace OpsLog.Interop;

/// <summary>
/// Goal: what is written with <see cref="SnapshotFormat.Json"/> is a store as package 0.3.0 lays it out.
/// Method: compared member by member with the 0.3.0 stores of the corpus, and read by 0.3.0's loading rule in Node (0.3.0 is not published).
/// </summary>
public sealed class OldLayoutTests
{
    private static readonly OpsStoreOptions s_oldLayout = new() { Durability = Durability.Os, SnapshotFormat = SnapshotFormat.Json };

    public static TheoryData<string> OldStores => [.. CorpusStore.All
        .Where(s => s.Name.EndsWith("__0.3.0", StringComparison.Ordinal) && s.Opens && !s.IsMultiWriter && s.Expected["warnings"] is List<object?> { Count: 0 })
        .Select(s => s.Name)];

    public static TheoryData<int> Programs => InteropTests.Programs;

    [Theory]
    [MemberData(nameof(OldStores))]
    public async Task A_checkpoint_has_the_members_of_an_old_one(string name)
    {
        var corpus = CorpusStore.Get(name);
        using var folder = new TempFolder();
        corpus.CopyTo(folder.Path);
        Dictionary<string, object?> state;
        await using (var store = await OpsStore<JsonElement>.OpenAsync(folder.Path, s_oldLayout))
        {
            await store.SetAsync("added", StoreReading.Element("{}"));
            await store.CompactAsync();
            state = StoreReading.StateOf(store);
        }

        var files = TempFolder.Contents(folder.Path);
        var theirs = JsonTree.Object(JsonTree.Parse(corpus.Files["manifest.json"]));
        var ours = JsonTree.Object(JsonTree.Parse(files["manifest.json"]));
        AssertHasMembersOf(theirs, ours);
        AssertHasMembersOf(JsonTree.Object(theirs["stats"]), JsonTree.Object(ours["stats"]));
        var path = (string)ours["currentSnapshot"]!;
        Assert.StartsWith("snapshots/snap-", path, StringComparison.Ordinal);
        Assert.EndsWith(".json", path, StringComparison.Ordinal);

        var snapshot = JsonTree.Object(JsonTree.Parse(files[path]));
        var old = JsonTree.Object(JsonTree.Parse(corpus.Files[(string)theirs["currentSnapshot"]!]));
        Assert.Equal(old.Keys, snapshot.Keys.Take(old.Count));
        AssertHasMembersOf(old, snapshot);
        Assert.Null(JsonTree.Difference(state, snapshot["records"]));
        Assert.StartsWith("{\n  \"version\": ", Encoding.UTF8.GetString(files[path]), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Programs))]
    public async Task Both_packages_read_the_old_layout(int seed)
    {
        await PeerPackage.RequireAsync();
        var program = new ProgramGenerator(seed + 1_000_000);
        var trace = new List<string>();
        using var folder = new TempFolder();
        PeerReport ours;
        await using (var store = await OpsStore<JsonElement>.OpenAsync(folder.Path, s_oldLayout))
        {
            var steps = program.Ours(20).Append(new Step("compact")).Concat(program.Ours(program.Next(0, 10))).ToList();
            trace.AddRange(steps.Select(s => s.ToString()));
            foreach (var step in steps) await step.ApplyAsync(store);
            ours = new PeerReport(StoreReading.StateOf(store), await StoreReading.ArchivesOf(store), [], false);
        }

        var old = await PeerPackage.ReadAsOldPackageAsync(folder.Path);
        Assert.True(old.IsPretty);
        InteropTests.AssertSame(seed, trace, "0.3.0 reads what we wrote", ours with { Archives = [] }, old);
        InteropTests.AssertSame(seed, trace, "0.8.1 reads what we wrote", ours, await PeerPackage.RunAsync(folder.Path, """{"readOnly":true}""", []));
    }

    private static void AssertHasMembersOf(Dictionary<string, object?> theirs, Dictionary<string, object?> ours)
    {
        foreach (var (name, value) in theirs)
        {
            Assert.True(ours.TryGetValue(name, out var mine), $"{name} is missing");
            Assert.Equal(value?.GetType(), mine?.GetType());
        }
    }
}
