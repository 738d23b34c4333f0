using System.Text.Json.Nodes;
using OpsLog.Format;
using OpsLog.Tests.Cli;
using OpsLog.Tests.Corpus;
using OpsLog.Tests.Faults;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.ManyWriters;

/// <summary>
/// Goal: an agent id is data. Two that share one lose nothing (row e), and none of them, nor an archive's period, is a path (row f).
/// Method: the same history with hostile texts as id and period, in a folder that is looked at from outside; every id comes back exactly.
/// </summary>
public sealed class AgentIdTests
{
    private static readonly string[] s_ids =
    [
        "../../evil", "..", ".", "../evil", "x/y", "x\\y", "/etc/evil", "C:\\evil", "a\0b", "\0", "CON", "nul", "com1.txt", " ", "a b", "-", "~", "%2E%2E", "\n", "é", "e\u0301",
        "😀", "__proto__", ".lock", "x\u2028y", new('a', 300), new('/', 300), new('.', 1000), string.Concat(Enumerable.Repeat("😀", 500)), "A", "a",
    ];

    public static TheoryData<int> Ids => [.. Enumerable.Range(0, s_ids.Length)];

    [Theory]
    [MemberData(nameof(Ids))]
    public async Task F_F35_an_agent_id_is_data_and_no_file_is_outside_the_store(int number)
    {
        var id = s_ids[number];
        await using var site = new Site(Site.Folder);
        var a = await site.OpenAsync(id);
        await a.SetAsync("k", Lab.Doc(1));
        await a.SetAsync("gone", Lab.Doc(1));
        await a.DeleteAsync("gone");
        Assert.Equal(id, a.Agents.Single(i => i.IsOwn).Agent);
        await a.CompactAsync();
        await a.SetAsync("k", Lab.Doc(2));
        var b = await site.OpenAsync("B");
        Assert.Contains(b.Agents, i => string.Equals(i.Agent, id, StringComparison.Ordinal));
        Assert.Equal([id], (await Lab.OperationsAsync(b)).Select(o => o.Revision.Agent).Distinct(StringComparer.Ordinal));
        await b.SetAsync("b", Lab.Doc(3));
        await site.AssertAgreeAsync("b = {\"n\":3}\nk = {\"n\":2}", a, b);
        Assert.True(await a.UndoAsync());
        await a.DisposeAsync();
        await b.CompactAsync();
        await b.DisposeAsync();
        await site.AssertAgreeAsync("b = {\"n\":3}\nk = {\"n\":1}");
        AssertInside(site);
    }

    [Theory]
    [InlineData("../../evil")]
    [InlineData("x/y")]
    [InlineData("a\0b")]
    [InlineData("CON")]
    [InlineData("..")]
    public async Task F_an_archive_period_is_data_and_no_file_is_outside_the_store(string period)
    {
        await using var site = new Site(Site.Folder);
        var a = await site.OpenAsync("A");
        var b = await site.OpenAsync("B");
        await a.SetAsync("k", Lab.Doc(1));
        await b.SetAsync("l", Lab.Doc(2));
        Assert.Equal(1, await a.ArchiveAsync(["k"], period));
        Assert.Equal(1, await b.ArchiveAsync(["l"], period));
        await b.CompactAsync();
        await site.AssertAgreeAsync("", a, b);
        Assert.Equal([period], b.Archives);
        Assert.Equal(["k", "l"], (await b.LoadArchiveAsync(period)).Keys.Order(StringComparer.Ordinal));
        await a.DisposeAsync();
        await b.DisposeAsync();
        AssertInside(site);
    }

    [Fact]
    public async Task F_a_period_of_300_characters_is_refused_before_anything_is_written()
    {
        await using var site = new Site(Site.Folder);
        var a = await site.OpenAsync("A");
        await a.SetAsync("k", Lab.Doc(1));
        await Assert.ThrowsAsync<ArgumentException>(() => a.ArchiveAsync(["k"], new string('p', 300)).AsTask());
        await site.AssertAgreeAsync("k = {\"n\":1}", a);
        Assert.Empty(a.Archives);
    }

    /// <summary>Ids that one system would take for the same file are different agents.</summary>
    [Theory]
    [MemberData(nameof(Site.All), MemberType = typeof(Site))]
    public async Task F_all_of_them_at_once_are_agents_of_their_own(string kind)
    {
        await using var site = new Site(kind);
        var agents = new List<OpsStore<System.Text.Json.JsonElement>>();
        foreach (var id in s_ids) agents.Add(await site.OpenAsync(id));
        foreach (var (agent, i) in agents.Select((a, i) => (a, i)))
        {
            await agent.SetAsync($"k{i:00}", Lab.Doc(i));
            if (i % 7 == 0) await agent.CompactAsync();
        }

        await site.AssertAgreeAsync(string.Join('\n', s_ids.Select((_, i) => $"k{i:00} = {{\"n\":{i}}}")), [.. agents]);
        Assert.Equal(s_ids.Length, (await Lab.OperationsAsync(agents[0])).Select(o => o.Revision.Agent).Distinct(StringComparer.Ordinal).Count());
    }

    [Theory]
    [InlineData("../../evil")]
    [InlineData("x/y")]
    [InlineData("CON")]
    [InlineData("a\0b")]
    public async Task F_the_command_line_takes_them_as_data(string id)
    {
        using var runner = new CliRunner();
        Assert.Equal(0, (await runner.ApplyAsync(["""{"id":"k","data":{"n":1}}"""], "--agent", id)).Code);
        Assert.Equal(0, (await CliRunner.RunAsync("set", runner.Store, "l", "{}", "--agent", id)).Code);
        Assert.Equal(0, (await CliRunner.RunAsync("undo", runner.Store, "--agent", id)).Code);
        Assert.Equal(0, (await CliRunner.RunAsync("archive", runner.Store, "--id", "k", "--segment", id, "--agent", id)).Code);
        Assert.Equal(0, (await CliRunner.RunAsync("compact", runner.Store, "--agent", id)).Code);
        Assert.Empty(await runner.ExportAsync());
        Assert.Equal("""{"id":"k","data":{"n":1}}""", Assert.Single((await CliRunner.RunAsync("export", runner.Store, "--archive", id)).Lines));
        Assert.Equal([runner.Store], Directory.GetFileSystemEntries(Path.GetDirectoryName(runner.Store)!));
    }

    [Theory]
    [MemberData(nameof(Site.All), MemberType = typeof(Site))]
    public async Task E_two_openings_with_one_id_both_keep_everything(string kind)
    {
        await using var site = new Site(kind);
        var first = await site.OpenAsync("same");
        var second = await site.OpenAsync("same");
        for (var i = 0; i < 10; i++)
        {
            await first.SetAsync($"first-{i}", Lab.Doc(i));
            await second.SetAsync($"second-{i}", Lab.Doc(i));
            if (i == 3) await first.CompactAsync();
            if (i == 6) await second.CompactAsync();
        }

        await site.AssertAgreeAsync(
            string.Join('\n', Enumerable.Range(0, 10).Select(i => $"first-{i} = {{\"n\":{i}}}").Concat(Enumerable.Range(0, 10).Select(i => $"second-{i} = {{\"n\":{i}}}"))),
            first,
            second);
        var stamps = (await Lab.OperationsAsync(first)).ConvertAll(o => o.Revision);
        Assert.Equal(20, stamps.Count);
        Assert.Equal(20, stamps.Distinct().Count());
        Assert.True(stamps.Select(s => s.Log).Distinct(StringComparer.Ordinal).Count() > 1);
    }

    /// <summary>Equal clocks and equal ids: the log decides, for everybody alike.</summary>
    [Theory]
    [MemberData(nameof(Site.All), MemberType = typeof(Site))]
    public async Task E_with_one_id_and_one_clock_the_log_decides(string kind)
    {
        await using var site = new Site(kind);
        var first = await site.OpenAsync("same");
        var second = await site.OpenAsync("same");
        var (one, two) = (await first.SetAsync("k", Lab.Doc(1)), await second.SetAsync("k", Lab.Doc(2)));
        Assert.Equal(one.Clock, two.Clock);
        var winner = string.CompareOrdinal(one.Log, two.Log) > 0 ? 1 : 2;
        await site.AssertAgreeAsync($"k = {{\"n\":{winner}}}", first, second);
        await first.CompactAsync();
        await site.AssertAgreeAsync($"k = {{\"n\":{winner}}}", first, second);
    }

    [Theory]
    [MemberData(nameof(Site.All), MemberType = typeof(Site))]
    public async Task The_manifest_names_each_agents_newest_log_for_the_package(string kind)
    {
        await using var site = new Site(kind);
        var a = await site.OpenAsync("x/y");
        await a.SetAsync("k", Lab.Doc(1));
        var named = (JsonObject)(await Lab.ManifestAsync(site.Storage))["activeAgentOps"]!;
        Assert.Equal((await a.SetAsync("k", Lab.Doc(2))).Log, (string)named["x/y"]!);
        await a.CompactAsync();
        await a.DisposeAsync();
        await site.WithAsync("B", async b => await b.CompactAsync());
        Assert.Null((await Lab.ManifestAsync(site.Storage))["activeAgentOps"]);
    }

    private static void AssertInside(Site site)
    {
        var root = Path.GetDirectoryName(site.StorePath)!;
        Assert.Equal([site.StorePath], Directory.GetFileSystemEntries(root));
        Assert.DoesNotContain(Directory.EnumerateFileSystemEntries(Path.GetDirectoryName(root)!), entry => entry.Contains("evil", StringComparison.Ordinal));
        Assert.All(TempFolder.Contents(site.StorePath).Keys, name => Assert.Matches("^[A-Za-z0-9._%~/-]+$", name));
    }
}
