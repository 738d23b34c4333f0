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
            var refusal = await Lab.RefusedAsync(OpsLogError.Locked, async Task () => await OpsStore<JsonElement>.OpenAsync(folder.Path, Options(null)));
            Assert.DoesNotContain("..", refusal.Message, StringComparison.Ordinal);
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

    [Theory, MemberData(nameof(Forms))]
    public async Task Undo_takes_back_own_work_and_lets_others_show(bool append)
    {
        await using var storage = new MemoryStorage(append);
        await using var a = await OpenAsync(storage, "a");
        await using var b = await OpenAsync(storage, "b");
        await a.SetAsync("x", Lab.Doc(1));
        await a.SetAsync("x", Lab.Doc(2));
        Assert.True(await a.UndoAsync());
        Assert.Equal(1, Lab.N(a["x"]));
        Assert.True(await a.UndoAsync());
        Assert.False(a.ContainsKey("x"));
        Assert.False(await a.UndoAsync());
        Assert.True(await a.RedoAsync());
        Assert.Equal(1, Lab.N(a["x"]));
        await b.RefreshAsync();
        await b.SetAsync("x", Lab.Doc(7));
        Assert.True(await a.UndoAsync()); // b's value shows, before and after
        Assert.Equal(7, Lab.N(a["x"]));
        Assert.True(await b.UndoAsync()); // and without it nothing does: a has taken back its own
        Assert.False(b.ContainsKey("x"));
        await a.RefreshAsync();
        Assert.Equal(Runs.Text(a), Runs.Text(b));
    }

    [Theory, MemberData(nameof(Forms))]
    public async Task A_batch_is_undone_as_one_and_across_a_compaction(bool append)
    {
        await using var storage = new MemoryStorage(append);
        await using var a = await OpenAsync(storage, "a");
        await a.SetAsync("x", Lab.Doc(1));
        await a.BatchAsync(batch =>
        {
            batch.Set("x", Lab.Doc(2));
            batch.Set("y", Lab.Doc(3));
            batch.Set("x", Lab.Doc(4));
        });
        await a.CompactAsync();
        Assert.True(await a.UndoAsync());
        Assert.Equal(1, Lab.N(a["x"]));
        Assert.False(a.ContainsKey("y"));
        Assert.True(await a.RedoAsync());
        Assert.Equal(4, Lab.N(a["x"]));
        Assert.Equal(3, Lab.N(a["y"]));
    }

    [Theory, MemberData(nameof(Forms))]
    public async Task The_feed_has_each_operation_once_across_compactions_and_can_be_resumed(bool append)
    {
        await using var storage = new MemoryStorage(append);
        await using var a = await OpenAsync(storage, "a");
        var position = FeedPosition.Start;
        var seen = new List<string>();
        for (var round = 0; round < 4; round++)
        {
            await using (var b = await OpenAsync(storage, "b"))
            {
                await b.SetAsync($"b{round}", Lab.Doc(round));
                await b.BatchAsync(batch =>
                {
                    batch.Set($"b{round}.1", Lab.Doc(1));
                    batch.Set($"b{round}.2", Lab.Doc(2));
                });
                if (round == 2) await b.CompactAsync();
            }

            await a.SetAsync($"a{round}", Lab.Doc(round));
            await a.RefreshAsync();
            if (round == 1) await a.CompactAsync();
            foreach (var operation in await Lab.OperationsAsync(a, FeedPosition.Parse(position.ToString())))
            {
                position = operation.Position;
                seen.Add(operation.Id);
            }
        }

        Assert.Equal(16, seen.Count);
        Assert.Equal(16, seen.Distinct().Count());
        Assert.Equal(seen.Order(StringComparer.Ordinal), (await Lab.OperationsAsync(a)).Select(o => o.Id).Order(StringComparer.Ordinal));
    }

    [Theory, MemberData(nameof(Forms))]
    public async Task An_archive_run_moves_what_it_saw_and_never_a_newer_value(bool append)
    {
        await using var storage = new MemoryStorage(append);
        await using var a = await OpenAsync(storage, "a");
        await using var b = await OpenAsync(storage, "b");
        await a.SetAsync("x", Lab.Doc(1));
        await a.SetAsync("y", Lab.Doc(2));
        await b.RefreshAsync();
        await b.SetAsync("x", Lab.Doc(9)); // a has not seen it
        for (var i = 0; i < 10; i++) await a.SetAsync("other", Lab.Doc(i));
        Assert.Equal(2, await a.ArchiveAsync(["x", "y"], "p"));
        await a.RefreshAsync();
        await b.RefreshAsync();
        Assert.Equal(9, Lab.N(a["x"]));
        Assert.False(b.ContainsKey("y"));
        Assert.Equal(Runs.Text(a), Runs.Text(b));
        Assert.Equal(2, (await b.LoadArchiveAsync("p")).Count);
        await b.CompactAsync();
        await using var c = await OpenAsync(storage, "c");
        Assert.Equal(Runs.Text(a), Runs.Text(c));
    }

    [Fact]
    public async Task A_change_says_when_it_was_overwritten_unseen()
    {
        await using var storage = new MemoryStorage();
        await using var a = await OpenAsync(storage, "a");
        await using var b = await OpenAsync(storage, "b");
        await a.SetAsync("x", Lab.Doc(1));
        await b.SetAsync("x", Lab.Doc(2)); // the same clock: b wins, without having seen a's
        await b.SetAsync("y", Lab.Doc(3));
        await a.RefreshAsync();
        await a.SetAsync("y", Lab.Doc(4)); // has seen b's
        var changes = new List<Change<JsonElement>>();
        using var stop = new CancellationTokenSource();
        await foreach (var change in a.WatchAsync(FeedPosition.Start, stop.Token))
        {
            changes.Add(change);
            if (changes.Count == 4) break;
        }

        Assert.Equal(changes[1].Operation.Revision, changes[0].OverwrittenBy);
        Assert.Equal(changes[0].Operation.Revision, changes[1].Overwrote);
        Assert.Equal(Revision.None, changes[3].Overwrote);
    }

    [Theory, MemberData(nameof(Forms))]
    public async Task A_silent_agent_is_fenced_and_goes_on_in_a_new_log(bool append)
    {
        await using var storage = new MemoryStorage(append);
        await using var a = await Lab.OpenAsync(storage, Lab.Options(o =>
        {
            o.AgentId = "a";
            o.Checkpoint.SilentAfter = TimeSpan.Zero;
        }));
        await using var b = await OpenAsync(storage, "b");
        await b.SetAsync("x", Lab.Doc(1));
        await a.CompactAsync();
        Assert.Empty(a.Agents);
        await b.SetAsync("y", Lab.Doc(2));
        Assert.Equal(1, b.Statistics.Fenced);
        await a.RefreshAsync();
        await b.RefreshAsync();
        Assert.Equal(2, a.Count);
        Assert.Equal(Runs.Text(a), Runs.Text(b));
    }

    private static OpsStoreOptions Options(string? agent) => Lab.Options(o => o.AgentId = agent);

    private static ValueTask<OpsStore<JsonElement>> OpenAsync(IOpsStorage storage, string? agent) => Lab.OpenAsync(storage, Options(agent));
}
