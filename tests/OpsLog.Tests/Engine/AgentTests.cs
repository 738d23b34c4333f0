using System.Text.Json;
using OpsLog.Storage;
using OpsLog.Tests.Faults;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.Engine;

public sealed class AgentTests
{
    public static TheoryData<bool> Forms => [true, false];

    [Theory, MemberData(nameof(Forms))]
    public async Task Two_agents_see_each_other_after_a_refresh(bool append)
    {
        await using var storage = new MemoryStorage(append);
        await using var a = await OpenAsync(storage, "a");
        await using var b = await OpenAsync(storage, "b");
        await a.SetAsync("x", Lab.Doc(1));
        await b.SetAsync("y", Lab.Doc(2));
        Assert.Equal(1, await a.RefreshAsync());
        Assert.Equal(1, await b.RefreshAsync());
        Assert.Equal(2, a.Count);
        Assert.Equal(Runs.Text(a), Runs.Text(b));
        Assert.Equal(0, await a.RefreshAsync());
        Assert.Equal(["a", "b"], a.Agents.Select(i => i.Agent).Where(i => i.Length > 0));
    }

    [Theory, MemberData(nameof(Forms))]
    public async Task The_write_with_the_larger_clock_wins_everywhere(bool append)
    {
        await using var storage = new MemoryStorage(append);
        await using var a = await OpenAsync(storage, "a");
        await using var b = await OpenAsync(storage, "b");
        await b.SetAsync("x", Lab.Doc(1));
        for (var i = 10; i < 15; i++) await a.SetAsync("x", Lab.Doc(i));
        await a.RefreshAsync();
        await b.RefreshAsync();
        Assert.Equal(14, Lab.N(b["x"]));
        await b.DeleteAsync("x");
        await a.RefreshAsync();
        Assert.False(a.ContainsKey("x"));
        Assert.Equal(Runs.Text(a), Runs.Text(b));
    }

    [Theory, MemberData(nameof(Forms))]
    public async Task What_was_closed_is_folded_by_the_next_who_compacts_and_nothing_is_lost(bool append)
    {
        await using var storage = new MemoryStorage(append);
        await using (var a = await OpenAsync(storage, "a")) await a.SetAsync("x", Lab.Doc(1));
        await using (var b = await OpenAsync(storage, "b"))
        {
            await b.SetAsync("y", Lab.Doc(2));
            await b.CompactAsync();
            Assert.Empty(b.Agents);
            await b.SetAsync("z", Lab.Doc(3));
            Assert.Single(b.Agents);
        }

        await using (var c = await OpenAsync(storage, "c"))
        {
            Assert.Equal(3, c.Count);
            await c.CompactAsync();
            Assert.Empty(c.Agents);
            Assert.Equal(3, c.Count);
        }

        await using var single = await OpenAsync(storage, null);
        Assert.Equal(3, single.Count);
        await single.SetAsync("w", Lab.Doc(4));
        Assert.Equal(4, single.Count);
    }

    [Theory, MemberData(nameof(Forms))]
    public async Task A_deleted_record_stays_deleted_when_an_older_set_comes_later(bool append)
    {
        await using var storage = new MemoryStorage(append);
        await using var a = await OpenAsync(storage, "a");
        await using var b = await OpenAsync(storage, "b");
        await b.SetAsync("other", Lab.Doc(0));
        await a.SetAsync("x", Lab.Doc(1));
        await a.SetAsync("x", Lab.Doc(2));
        await a.DeleteAsync("x");
        await a.CompactAsync();
        await b.SetAsync("x", Lab.Doc(9)); // clock 2: older than the delete
        Assert.Equal(2, (await a.RefreshAsync()) + 1);
        Assert.False(a.ContainsKey("x"));
        await b.RefreshAsync();
        Assert.False(b.ContainsKey("x"));
        await using var c = await OpenAsync(storage, "c");
        Assert.False(c.ContainsKey("x"));
        Assert.Equal(Runs.Text(a), Runs.Text(c));
    }

    [Theory, MemberData(nameof(Forms))]
    public async Task An_agent_takes_over_a_single_writers_store_and_back(bool append)
    {
        await using var storage = new MemoryStorage(append);
        await using (var single = await OpenAsync(storage, null))
            for (var i = 0; i < 50; i++) await single.SetAsync($"k{i}", Lab.Doc(i));
        await using (var a = await OpenAsync(storage, "a"))
        {
            Assert.Equal(50, a.Count);
            await a.SetAsync("k0", Lab.Doc(100));
        }

        await using (var single = await OpenAsync(storage, null))
        {
            Assert.Equal(50, single.Count);
            Assert.Equal(100, Lab.N(single["k0"]));
            await single.SetAsync("k1", Lab.Doc(101));
        }

        await using var b = await OpenAsync(storage, "b");
        Assert.Equal(101, Lab.N(b["k1"]));
        Assert.Equal(100, Lab.N(b["k0"]));
    }

    [Theory, MemberData(nameof(Forms))]
    public async Task A_follower_keeps_up_across_compactions(bool append)
    {
        await using var storage = new MemoryStorage(append);
        await using var a = await OpenAsync(storage, "a");
        await a.SetAsync("x", Lab.Doc(1));
        await using var follower = await Lab.OpenAsync(storage, Lab.ReadOnly());
        Assert.Single(follower);
        for (var round = 0; round < 5; round++)
        {
            await using (var b = await OpenAsync(storage, "b")) await b.SetAsync($"b{round}", Lab.Doc(round));
            await a.SetAsync($"a{round}", Lab.Doc(round));
            await a.CompactAsync();
            await a.DeleteAsync($"a{round}");
            await follower.RefreshAsync();
            Assert.Equal(Runs.Text(a), Runs.Text(follower));
        }
    }

    [Fact]
    public async Task In_a_folder_a_single_writer_is_refused_while_an_agent_lives()
    {
        using var folder = new Corpus.TempFolder();
        await using (var a = await OpsStore<JsonElement>.OpenAsync(folder.Path, Options("a")))
        {
            await a.SetAsync("x", Lab.Doc(1));
            await Lab.RefusedAsync(OpsLogError.Locked, async Task () => await OpsStore<JsonElement>.OpenAsync(folder.Path, Options(null)));
            await using var b = await OpsStore<JsonElement>.OpenAsync(folder.Path, Options("b"));
            await b.SetAsync("y", Lab.Doc(2));
            await b.CompactAsync();
            await a.SetAsync("x", Lab.Doc(3));
            await a.RefreshAsync();
            Assert.Equal(2, a.Count);
        }

        await using var single = await OpsStore<JsonElement>.OpenAsync(folder.Path, Options(null));
        Assert.Equal(3, Lab.N(single["x"]));
    }

    private static OpsStoreOptions Options(string? agent) => Lab.Options(o => o.AgentId = agent);

    private static ValueTask<OpsStore<JsonElement>> OpenAsync(IOpsStorage storage, string? agent) => Lab.OpenAsync(storage, Options(agent));
}
