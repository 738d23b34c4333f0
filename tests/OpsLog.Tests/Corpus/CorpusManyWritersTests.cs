using System.Text.Json;
using Xunit;

namespace OpsLog.Tests.Corpus;

/// <summary>
/// Goal: a reader merges the logs of all the package's agents by (clock, agent, log), whether or not it is an agent itself.
/// Method: every many-writer store of the corpus, opened read-only.
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
}
