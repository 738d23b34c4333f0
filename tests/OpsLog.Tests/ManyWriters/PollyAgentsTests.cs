using System.IO.Compression;
using System.Text;
using System.Text.Json;
using OpsLog.Tests.Corpus;
using Xunit;

namespace OpsLog.Tests.ManyWriters;

/// <summary>
/// Goal: a real history by 89 authors, each an agent with an opening of its own, ends in the final tree. Method: the commits in their order, each a
/// batch by its author, who refreshes first as somebody who pulls before pushing; agents chosen by chance compact, refresh, close and open on the way.
/// </summary>
public sealed class PollyAgentsTests
{
    [Theory]
    [InlineData(Site.Folder, 1)]
    [InlineData(Site.Append, 2)]
    [InlineData(Site.Numbered, 3)]
    public async Task The_history_split_by_author_ends_in_the_final_tree(string kind, int seed)
    {
        var random = new Random(seed);
        await using var site = new Site(kind);
        var agents = new Dictionary<string, OpsStore<JsonElement>>(StringComparer.Ordinal);
        var compactions = 0;
        foreach (var commit in Commits())
        {
            if (!agents.TryGetValue(commit.Agent, out var author)) agents[commit.Agent] = author = await site.OpenAsync(commit.Agent, o => o.Durability = Durability.Os);
            await author.RefreshAsync();
            await author.BatchAsync(batch =>
            {
                foreach (var (id, document) in commit.Changes)
                {
                    if (document is { } value) batch.Set(id, value);
                    else batch.Delete(id);
                }
            });

            var other = agents.ElementAt(random.Next(agents.Count));
            switch (random.Next(100))
            {
                case < 2:
                    await other.Value.CompactAsync();
                    compactions++;
                    break;
                case < 12:
                    await other.Value.RefreshAsync();
                    break;
                case < 14:
                    await other.Value.DisposeAsync();
                    agents.Remove(other.Key);
                    break;
            }
        }

        Assert.True(compactions > 10);
        var tree = Lines("polly-final-tree.tsv.gz").Order(StringComparer.Ordinal).ToList();
        foreach (var agent in agents.Values)
        {
            await agent.RefreshAsync();
            Assert.Equal(tree, TreeOf(agent));
        }

        foreach (var agent in agents.Values) await agent.DisposeAsync();
        var reader = await site.OpenReadOnlyAsync();
        Assert.Equal(tree, TreeOf(reader));
        var authors = new HashSet<string>(StringComparer.Ordinal);
        await foreach (var operation in reader.OperationsAsync()) authors.Add(operation.Revision.Agent);
        Assert.Equal(89, authors.Count);
    }

    private static IEnumerable<string> TreeOf(OpsStore<JsonElement> store) =>
        store.Select(r => $"{r.Key}\t{r.Value.GetProperty("blob").GetString()}").Order(StringComparer.Ordinal);

    private static IEnumerable<(string Agent, List<(string Id, JsonElement? Document)> Changes)> Commits()
    {
        var changes = new List<(string, JsonElement?)>();
        string agent = "", commit = "";
        foreach (var line in Lines("polly-history.jsonl.gz"))
        {
            var operation = StoreReading.Element(line);
            var next = operation.GetProperty("commit").GetString()!;
            if (next != commit && changes.Count > 0)
            {
                yield return (agent, changes);
                changes = [];
            }

            (agent, commit) = (operation.GetProperty("agent").GetString()!, next);
            changes.Add((operation.GetProperty("id").GetString()!, operation.GetProperty("op").GetString() == "set" ? operation.GetProperty("data") : null));
        }

        yield return (agent, changes);
    }

    private static List<string> Lines(string name)
    {
        using var file = File.OpenRead(Path.Combine(AppContext.BaseDirectory, "polly-history", name));
        using var unzipped = new GZipStream(file, CompressionMode.Decompress);
        using var reader = new StreamReader(unzipped, Encoding.UTF8);
        return [.. reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries)];
    }
}
