using System.Text.Json;
using Xunit;

namespace OpsLog.Tests.Corpus;

/// <summary>
/// Goal: the logs of all the package's agents are merged by (clock, agent, log), whether by a reader or by an agent, and what an agent makes of the store keeps every
/// acknowledged change. Method: every many-writer store of the corpus, opened read-only and as an agent; damaged bytes are judged as those of a single writer's stores.
/// </summary>
public sealed class CorpusManyWritersTests
{
    public static TheoryData<string> ManyWriters => [.. CorpusStore.All.Where(s => s.IsMultiWriter).Select(s => s.Name)];

    [Theory]
    [MemberData(nameof(ManyWriters))]
    public async Task Reading_merges_all_agents_logs(string name)
    {
        var corpus = CorpusStore.Get(name);
        using var folder = CorpusTests.Copy(corpus);
        var options = corpus.Options(Recovery.SkipCorrupt);
        options.ReadOnly = true;
        await using (var store = await OpsStore<JsonElement>.OpenAsync(folder.Path, options))
        {
            CorpusTests.AssertState(corpus, store);
            Assert.Null(JsonTree.Difference(corpus.Archives, await StoreReading.ArchivesOf(store)));
        }

        CorpusTests.AssertUnchanged(corpus, folder);
    }

    [Theory]
    [MemberData(nameof(ManyWriters))]
    public async Task An_agent_opens_to_the_same_or_names_the_damaged_line(string name)
    {
        var corpus = CorpusStore.Get(name);
        using var folder = CorpusTests.Copy(corpus);
        var readOnly = corpus.Options();
        readOnly.ReadOnly = true;
        var (reader, refusal) = await TryOpenAsync(folder.Path, readOnly);
        if (reader is not null) await reader.DisposeAsync();
        var (agent, refused) = await TryOpenAsync(folder.Path, AsAgent(corpus, Recovery.TolerateTornTail));
        Assert.Equal(refusal?.Error, refused?.Error);
        Assert.Equal(refusal?.Damage, refused?.Damage);
        if (agent is null)
        {
            CorpusTests.AssertDeserved(corpus, refused!.Damage!);
            return;
        }

        await using (agent) CorpusTests.AssertState(corpus, agent);
    }

    [Theory]
    [MemberData(nameof(ManyWriters))]
    public async Task Agents_write_compact_and_close_and_nothing_is_gone(string name)
    {
        var corpus = CorpusStore.Get(name);
        using var folder = CorpusTests.Copy(corpus);
        Dictionary<string, object?> before;
        await using (var a = await OpsStore<JsonElement>.OpenAsync(folder.Path, AsAgent(corpus, Recovery.SkipCorrupt)))
        {
            CorpusTests.AssertState(corpus, a);
            before = StoreReading.StateOf(a);
            await using var b = await OpsStore<JsonElement>.OpenAsync(folder.Path, AsAgent(corpus, Recovery.SkipCorrupt, "another of ours"));
            Assert.Null(JsonTree.Difference(before, StoreReading.StateOf(b)));
            await a.SetAsync("added by the test", StoreReading.Element("""{"n":1}"""));
            await b.SetAsync("added by another", StoreReading.Element("""{"n":2}"""));
            before["added by the test"] = JsonTree.Parse("""{"n":1}""");
            before["added by another"] = JsonTree.Parse("""{"n":2}""");
            await b.CompactAsync();
            await a.RefreshAsync();
            Assert.Null(JsonTree.Difference(before, StoreReading.StateOf(a)));
            Assert.Null(JsonTree.Difference(corpus.Archives, await StoreReading.ArchivesOf(b)));
        }

        foreach (var readOnly in (bool[])[true, false])
        {
            var options = corpus.Options();
            options.ReadOnly = readOnly;
            await using var last = await OpsStore<JsonElement>.OpenAsync(folder.Path, options);
            Assert.Null(JsonTree.Difference(before, StoreReading.StateOf(last)));
            Assert.True(last.RecoveryReport.Skipped.Count == 0);
        }

        CorpusTests.AssertNothingIsGone(corpus, folder);
    }

    private static OpsStoreOptions AsAgent(CorpusStore corpus, Recovery recovery, string agent = "one of ours")
    {
        var options = corpus.Options(recovery);
        options.AgentId = agent;
        return options;
    }

    private static async Task<(OpsStore<JsonElement>? Store, OpsLogException? Refusal)> TryOpenAsync(string path, OpsStoreOptions options)
    {
        try
        {
            return (await OpsStore<JsonElement>.OpenAsync(path, options), null);
        }
        catch (OpsLogException e) when (e.Error == OpsLogError.Damaged)
        {
            return (null, e);
        }
    }
}
