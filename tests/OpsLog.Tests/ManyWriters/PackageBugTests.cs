using System.Text.Json;
using OpsLog.Storage;
using OpsLog.Testing;
using OpsLog.Tests.Faults;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.ManyWriters;

/// <summary>
/// Goal: none of the ways in which the npm package's agents lose acknowledged writes is one of ours (docs/faults.md, 1 to 13).
/// Method: each of its failing histories, step by step, on every kind of storage; races are held open at the storage call that decides them.
/// </summary>
public sealed class PackageBugTests
{
    [Theory]
    [MemberData(nameof(Site.All), MemberType = typeof(Site))]
    public async Task Bug01_a_compaction_and_a_close_keep_the_other_agents_work(string kind)
    {
        await using var site = new Site(kind);
        var a = await site.OpenAsync("A");
        var b = await site.OpenAsync("B");
        await b.SetAsync("b1", Lab.Doc(1));
        await a.SetAsync("a1", Lab.Doc(1));
        await a.CompactAsync();
        await b.SetAsync("b2", Lab.Doc(2));
        Assert.Contains(a.Agents, agent => agent.Agent == "B");
        await a.DisposeAsync();
        await site.AssertAgreeAsync("a1 = {\"n\":1}\nb1 = {\"n\":1}\nb2 = {\"n\":2}", b);
    }

    /// <summary>As above, with the defaults: closing makes a checkpoint if one is due.</summary>
    [Theory]
    [MemberData(nameof(Site.All), MemberType = typeof(Site))]
    public async Task Bug01_agents_that_each_insert_one_record_and_close_leave_all_of_them(string kind)
    {
        await using var site = new Site(kind);
        var agents = new List<OpsStore<JsonElement>>();
        for (var i = 0; i < 6; i++)
        {
            agents.Add(await site.OpenAsync($"agent-{i}", o => (o.Checkpoint.Automatic, o.Checkpoint.MinimumBytes, o.Checkpoint.MinimumOperations) = (true, 0, 1)));
        }

        for (var i = 0; i < 6; i++) await agents[i].SetAsync($"k{i}", Lab.Doc(i));
        await Task.WhenAll(agents.Select(a => a.DisposeAsync().AsTask()));
        await site.AssertAgreeAsync(string.Join('\n', Enumerable.Range(0, 6).Select(i => $"k{i} = {{\"n\":{i}}}")));
    }

    [Theory]
    [MemberData(nameof(Site.All), MemberType = typeof(Site))]
    public async Task Bug02_a_write_behind_anothers_compaction_is_in_a_log_that_counts(string kind)
    {
        await using var site = new Site(kind);
        var a = await site.OpenAsync("A");
        var b = await site.OpenAsync("B");
        await b.SetAsync("b1", Lab.Doc(1));
        await a.SetAsync("a1", Lab.Doc(1));
        for (var i = 0; i < 3; i++)
        {
            await a.CompactAsync();
            await b.SetAsync("b2", Lab.Doc(i));
            await b.RefreshAsync();
            Assert.Equal(i, Lab.N(b["b2"]));
        }

        await site.AssertAgreeAsync("a1 = {\"n\":1}\nb1 = {\"n\":1}\nb2 = {\"n\":2}", a, b);
    }

    [Theory]
    [MemberData(nameof(Site.All), MemberType = typeof(Site))]
    public async Task Bug03_F24_registrations_at_the_same_time_both_stand(string kind)
    {
        await using var site = new Site(kind);
        await site.WithAsync("first", async first => await first.SetAsync("k", Lab.Doc(0)));
        var gate = new Gate();
        var held = false;
        var a = await site.OpenAsync("A", wrap: storage => new HookedStorage(storage)
        {
            Before = (call, key) => held && call == StorageCalls.Put && key == Lab.Manifest ? gate.PassAsync() : Task.CompletedTask,
        });
        held = true;
        var write = a.SetAsync("a", Lab.Doc(1)).AsTask();
        await gate.Arrived; // A has read the manifest and is about to swap it
        var b = await site.OpenAsync("B");
        await b.SetAsync("b", Lab.Doc(2));
        gate.Open();
        await write;
        Assert.True(a.Statistics.ManifestConflicts > 0);
        await b.SetAsync("b", Lab.Doc(3));
        await site.AssertAgreeAsync("a = {\"n\":1}\nb = {\"n\":3}\nk = {\"n\":0}", a, b);
        Assert.Equal(2, a.Agents.Count(agent => !agent.IsSealed));
    }

    [Theory]
    [MemberData(nameof(Site.All), MemberType = typeof(Site))]
    public async Task Bug04_F23_who_open_an_empty_place_at_once_end_in_one_store(string kind)
    {
        await using var site = new Site(kind);
        var agents = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => Task.Run(async () =>
        {
            var agent = await site.OpenAsync($"agent-{i}");
            await agent.SetAsync($"k{i}", Lab.Doc(i));
            return agent;
        })));
        await site.AssertAgreeAsync(string.Join('\n', Enumerable.Range(0, 8).Select(i => $"k{i} = {{\"n\":{i}}}")), agents);
    }

    /// <summary>The same, held at the decisive call: the loser of the race to create the store opens the winner's.</summary>
    [Theory]
    [MemberData(nameof(Site.All), MemberType = typeof(Site))]
    public async Task Bug04_F23_who_loses_the_race_to_create_the_store_is_an_agent_of_the_winners(string kind)
    {
        await using var site = new Site(kind);
        var gate = new Gate();
        var held = true;
        var opening = site.OpenAsync("A", wrap: storage => new HookedStorage(storage)
        {
            Before = (call, key) => held && call == StorageCalls.Put && key == Lab.Manifest ? gate.PassAsync() : Task.CompletedTask,
        });
        await gate.Arrived;
        held = false;
        var b = await site.OpenAsync("B");
        await b.SetAsync("b", Lab.Doc(1));
        gate.Open();
        var a = await opening;
        Assert.Equal("b = {\"n\":1}", Runs.Text(a));
        await a.SetAsync("a", Lab.Doc(2));
        await site.AssertAgreeAsync("a = {\"n\":2}\nb = {\"n\":1}", a, b);
    }

    /// <summary>Nobody ever sees a manifest that is not whole, and no swap trips over another's temporary file.</summary>
    [Fact]
    public async Task Bug05_swaps_at_the_same_time_in_one_folder_never_show_half_a_manifest()
    {
        await using var site = new Site(Site.Folder);
        await site.WithAsync("first", async first => await first.SetAsync("k", Lab.Doc(0)));
        using var done = new CancellationTokenSource();
        var reading = Task.Run(async () =>
        {
            for (var reads = 0; ; reads++)
            {
                if (done.IsCancellationRequested) return reads;
                Assert.NotNull((await Lab.ManifestAsync(site.Storage))["opslog"]);
            }
        });
        await Task.WhenAll(Enumerable.Range(0, 4).Select(i => Task.Run(async () =>
        {
            for (var round = 0; round < 5; round++)
                await site.WithAsync($"agent-{i}", async agent => await agent.SetAsync($"k{i}-{round}", Lab.Doc(round)));
        })));
        await done.CancelAsync();
        Assert.True(await reading > 10);
        Assert.Equal(21, (await site.StateAsync()).Split('\n').Length);
        Assert.DoesNotContain(Directory.EnumerateFiles(site.StorePath), file => file.EndsWith(".tmp", StringComparison.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Site.All), MemberType = typeof(Site))]
    public async Task Bug06_V6_clocks_never_go_back_over_compaction_refresh_and_opening(string kind)
    {
        await using var site = new Site(kind);
        var clock = 0L;
        for (var opening = 0; opening < 4; opening++)
        {
            var a = await site.OpenAsync("A");
            for (var i = 0; i < 3; i++)
            {
                clock = Above(clock, await a.SetAsync("k", Lab.Doc(i)));
                await a.CompactAsync();
                await a.RefreshAsync();
                clock = Above(clock, await a.SetAsync("l", Lab.Doc(i)));
                Assert.Equal(clock, a.Statistics.Clock);
            }

            await a.DisposeAsync();
        }

        static long Above(long clock, Revision revision)
        {
            Assert.True(revision.Clock > clock, $"{revision} after {clock}");
            return revision.Clock;
        }
    }

    [Theory]
    [MemberData(nameof(Site.All), MemberType = typeof(Site))]
    public async Task Bug07_Bug08_stamps_and_deletions_are_in_the_snapshot(string kind)
    {
        await using var site = new Site(kind);
        var a = await site.OpenAsync("A");
        var b = await site.OpenAsync("B");
        await b.SetAsync("b", Lab.Doc(0)); // clock 1
        for (var i = 1; i <= 5; i++) await a.SetAsync("kept", Lab.Doc(i));
        await a.SetAsync("gone", Lab.Doc(6));
        await a.DeleteAsync("gone"); // clock 7
        await a.CompactAsync();
        await a.CompactAsync();
        foreach (var id in (string[])["kept", "gone"]) Assert.True((await b.SetAsync(id, Lab.Doc(-1))).Clock < 6);
        const string Expected = "b = {\"n\":0}\nkept = {\"n\":5}";
        await site.AssertAgreeAsync(Expected, a, b);
        await b.CompactAsync();
        await site.AssertAgreeAsync(Expected, a, b);
        var late = await site.OpenAsync("C");
        Assert.True(late.TryGet("kept", out _, out var revision));
        Assert.Equal(("A", 5), (revision.Agent, revision.Clock));
    }

    [Theory]
    [MemberData(nameof(Site.All), MemberType = typeof(Site))]
    public async Task Bug09_a_write_that_loses_says_so_and_history_keeps_it(string kind)
    {
        await using var site = new Site(kind);
        var a = await site.OpenAsync("A");
        var b = await site.OpenAsync("B");
        var start = (await a.SetAsync("start", Lab.Doc(0)), await b.SetAsync("b's start", Lab.Doc(0)));
        Assert.Equal(start.Item1.Clock, start.Item2.Clock);
        using var stop = new CancellationTokenSource();
        await using var changes = a.WatchAsync(stop.Token).GetAsyncEnumerator();
        var first = changes.MoveNextAsync().AsTask();
        await b.SetAsync("k", Lab.Doc(-1)); // clock 2
        var winner = await b.SetAsync("k", Lab.Doc(-2)); // clock 3
        var loser = await a.SetAsync("k", Lab.Doc(1)); // clock 2, and A shows it
        Assert.True(loser.Clock < winner.Clock);
        var seen = new List<Change<JsonElement>>();
        while (seen.Count(c => c.Id == "k") < 3)
        {
            Assert.True(await first);
            seen.Add(changes.Current);
            if (seen.Count(c => c.Id == "k") < 3) first = changes.MoveNextAsync().AsTask();
        }

        await site.AssertAgreeAsync("b's start = {\"n\":0}\nk = {\"n\":-2}\nstart = {\"n\":0}", a, b);
        Assert.Contains(seen, c => c.Operation.Revision.Agent == "B" && c.Overwrote == loser);
        await a.CompactAsync();
        var history = new List<int>();
        await foreach (var operation in a.HistoryAsync("k")) history.Add(Lab.N(operation.Value));
        Assert.Equal([-2, -1, 1], history.Order());
        await stop.CancelAsync();
    }

    [Theory]
    [InlineData("a", "B")]
    [InlineData("z", "ä")]
    [InlineData("agent-10", "agent-9")]
    [InlineData("i", "I")]
    public async Task Bug10_equal_clocks_are_decided_by_code_unit(string one, string other)
    {
        await using var site = new Site(Site.Append);
        var (a, b) = (await site.OpenAsync(one), await site.OpenAsync(other));
        Assert.Equal((await a.SetAsync("k", Lab.Doc(1))).Clock, (await b.SetAsync("k", Lab.Doc(2))).Clock);
        await site.AssertAgreeAsync($"k = {{\"n\":{(string.CompareOrdinal(one, other) > 0 ? 1 : 2)}}}", a, b);
    }

    [Theory]
    [MemberData(nameof(Site.All), MemberType = typeof(Site))]
    public async Task Bug11_with_one_id_twice_every_operation_has_a_stamp_of_its_own_and_undo_takes_ones_own(string kind)
    {
        await using var site = new Site(kind);
        var (first, second) = (await site.OpenAsync("same"), await site.OpenAsync("same"));
        var x = await first.SetAsync("x", Lab.Doc(1));
        var y = await second.SetAsync("y", Lab.Doc(2));
        Assert.Equal(x.Clock, y.Clock);
        Assert.NotEqual(x, y);
        Assert.True(await first.UndoAsync());
        await site.AssertAgreeAsync("y = {\"n\":2}", first, second);
        Assert.False(await first.UndoAsync());
        Assert.True(await second.UndoAsync());
        await site.AssertAgreeAsync("", first, second);
    }

    [Theory]
    [MemberData(nameof(Site.All), MemberType = typeof(Site))]
    public async Task Bug12_an_undo_behind_anothers_compaction_takes_back_what_it_says(string kind)
    {
        await using var site = new Site(kind);
        var a = await site.OpenAsync("A");
        var b = await site.OpenAsync("B");
        await a.SetAsync("k", Lab.Doc(1));
        await a.SetAsync("k", Lab.Doc(2));
        await b.SetAsync("b", Lab.Doc(3));
        await b.CompactAsync();
        Assert.True(await a.UndoAsync());
        await site.AssertAgreeAsync("b = {\"n\":3}\nk = {\"n\":1}", a, b);
        await b.CompactAsync();
        Assert.True(await a.RedoAsync());
        await site.AssertAgreeAsync("b = {\"n\":3}\nk = {\"n\":2}", a, b);
    }

    [Theory]
    [MemberData(nameof(Site.All), MemberType = typeof(Site))]
    public async Task Bug13_an_undo_uses_no_clock_again_and_takes_nothing_of_what_others_built_on(string kind)
    {
        await using var site = new Site(kind);
        var a = await site.OpenAsync("A");
        var b = await site.OpenAsync("B");
        await a.SetAsync("k", Lab.Doc(1));
        await a.SetAsync("k", Lab.Doc(2));
        await b.RefreshAsync();
        await b.SetAsync("k", Lab.Doc(3));
        Assert.True(await a.UndoAsync()); // B's value is built on it: it stays
        await site.AssertAgreeAsync("k = {\"n\":3}", a, b);
        await a.SetAsync("q", Lab.Doc(4));
        Assert.True(await b.UndoAsync()); // now the newest that is not undone shows
        await site.AssertAgreeAsync("k = {\"n\":1}\nq = {\"n\":4}", a, b);
        var stamps = (await Lab.OperationsAsync(a)).ConvertAll(o => (o.Revision.Clock, o.Revision.Agent));
        Assert.Equal(stamps.Count, stamps.Distinct().Count());
    }
}
