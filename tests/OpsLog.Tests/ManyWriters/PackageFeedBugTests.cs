using System.Text.Json;
using OpsLog.Storage;
using OpsLog.Testing;
using OpsLog.Tests.Faults;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.ManyWriters;

/// <summary>
/// Goal: archives, locks, readers and feeds of many writers do not fail as the npm package's do (docs/faults.md, 14 to 24). Method: as <see cref="PackageBugTests"/>.
/// </summary>
public sealed class PackageFeedBugTests
{
    [Fact]
    public async Task Bug14_an_archive_run_beside_the_packages_compaction_lock_is_whole()
    {
        await using var site = new Site(Site.Folder);
        var a = await site.OpenAsync("A");
        await a.SetAsync("k", Lab.Doc(1));
        await a.SetAsync("l", Lab.Doc(2));
        await File.WriteAllTextAsync(Path.Combine(site.StorePath, ".compact-lock"), "1");
        Assert.Equal(1, await a.ArchiveAsync(["k"], "2026"));
        await a.RefreshAsync();
        Assert.Equal(["2026"], a.Archives);
        await site.AssertAgreeAsync("l = {\"n\":2}", a);
        Assert.Equal(1, Lab.N((await a.LoadArchiveAsync("2026"))["k"]));
    }

    [Theory]
    [MemberData(nameof(Site.All), MemberType = typeof(Site))]
    public async Task Bug15_I9_a_compaction_by_an_agent_with_an_old_view_brings_nothing_back_from_the_archive(string kind)
    {
        await using var site = new Site(kind);
        var a = await site.OpenAsync("A");
        var b = await site.OpenAsync("B");
        await a.SetAsync("k", Lab.Doc(1));
        await b.SetAsync("b", Lab.Doc(2));
        await b.RefreshAsync();
        Assert.Equal(1, await a.ArchiveAsync(["k"], "2026"));
        await b.CompactAsync();
        await b.DisposeAsync();
        await site.AssertAgreeAsync("b = {\"n\":2}", a);
        Assert.Equal(["2026"], a.Archives);
        Assert.Equal(1, Lab.N((await a.LoadArchiveAsync("2026"))["k"]));
    }

    /// <summary>Two segments of one period are one archive, and a write that the archiver had not seen stays.</summary>
    [Theory]
    [MemberData(nameof(Site.All), MemberType = typeof(Site))]
    public async Task I9_archive_runs_of_several_agents_merge_and_bury_no_write_they_had_not_seen(string kind)
    {
        await using var site = new Site(kind);
        var a = await site.OpenAsync("A");
        var b = await site.OpenAsync("B");
        await b.SetAsync("b", Lab.Doc(0));
        await a.SetAsync("k", Lab.Doc(1));
        await a.SetAsync("l", Lab.Doc(2));
        await b.RefreshAsync();
        await b.SetAsync("k", Lab.Doc(3)); // A has not seen it
        Assert.Equal(2, await a.ArchiveAsync(["k", "l"], "2026"));
        Assert.Equal(1, await b.ArchiveAsync(["b"], "2026"));
        await site.AssertAgreeAsync("k = {\"n\":3}", a, b);
        var archived = await b.LoadArchiveAsync("2026");
        Assert.Equal(["b", "k", "l"], archived.Keys.Order(StringComparer.Ordinal));
        Assert.Equal(1, Lab.N(archived["k"]));
        await b.ArchiveAsync(["k"], "2026");
        await a.CompactAsync();
        await site.AssertAgreeAsync("", a, b);
        Assert.Equal(3, Lab.N((await a.LoadArchiveAsync("2026"))["k"]));
    }

    [Theory]
    [MemberData(nameof(Site.InMemory), MemberType = typeof(Site))]
    public async Task Bug16_after_a_death_inside_a_compaction_the_next_one_compacts(string kind)
    {
        await using var site = new Site(kind);
        var gate = new Gate();
        var dying = await site.OpenAsync("A", wrap: storage => new HookedStorage(storage)
        {
            Before = (call, key) => call == StorageCalls.Put && key.Value.StartsWith("snapshots/snap-r0000000000", StringComparison.Ordinal)
                && !key.Value.StartsWith("snapshots/snap-r000000000000", StringComparison.Ordinal) ? gate.PassAsync() : Task.CompletedTask,
        });
        await dying.SetAsync("k", Lab.Doc(1));
        var compaction = dying.CompactAsync().AsTask();
        await gate.Arrived;
        for (var i = 0; i < 3; i++)
        {
            var b = await site.OpenAsync("B", o => o.Checkpoint.SilentAfter = TimeSpan.Zero);
            await b.SetAsync("b", Lab.Doc(i));
            await b.CompactAsync();
            Assert.Equal(1, b.Statistics.Checkpoints);
            Assert.True(b.Agents.Count <= 1, string.Join(", ", b.Agents.Select(x => x.Agent)));
            await b.DisposeAsync();
        }

        await site.AssertAgreeAsync("b = {\"n\":2}\nk = {\"n\":1}");
        gate.Open();
        await compaction; // it was not dead after all: it starts again, and takes nothing back
        await site.AssertAgreeAsync("b = {\"n\":2}\nk = {\"n\":1}", dying);
    }

    [Theory]
    [MemberData(nameof(Site.All), MemberType = typeof(Site))]
    public async Task Bug17_what_a_single_writer_left_stays_when_one_agent_after_another_opens(string kind)
    {
        await using var site = new Site(kind);
        await site.WithAsync(null, async single =>
        {
            await single.SetAsync("snapshot", Lab.Doc(1));
            await single.CompactAsync();
            await single.SetAsync("log", Lab.Doc(2));
        });
        foreach (var id in (string[])["A", "B", "A"])
            await site.WithAsync(id, async agent => await agent.SetAsync(id, Lab.Doc(3)));
        await site.AssertAgreeAsync("A = {\"n\":3}\nB = {\"n\":3}\nlog = {\"n\":2}\nsnapshot = {\"n\":1}");
        await site.WithAsync("C", async agent => await agent.CompactAsync());
        await site.AssertAgreeAsync("A = {\"n\":3}\nB = {\"n\":3}\nlog = {\"n\":2}\nsnapshot = {\"n\":1}");
    }

    [Theory]
    [MemberData(nameof(Site.All), MemberType = typeof(Site))]
    public async Task Bug18_an_opening_without_an_id_sees_all_agents_and_drops_none(string kind)
    {
        await using var site = new Site(kind);
        var a = await site.OpenAsync("A");
        var b = await site.OpenAsync("B");
        await a.SetAsync("a", Lab.Doc(1));
        await b.SetAsync("b", Lab.Doc(2));
        var reader = await site.OpenReadOnlyAsync();
        Assert.Equal("a = {\"n\":1}\nb = {\"n\":2}", Runs.Text(reader));
        await a.DisposeAsync();
        await b.DisposeAsync();
        await site.WithAsync(null, single =>
        {
            Assert.Equal("a = {\"n\":1}\nb = {\"n\":2}", Runs.Text(single));
            return Task.CompletedTask;
        });
        await site.AssertAgreeAsync("a = {\"n\":1}\nb = {\"n\":2}", reader);
    }

    [Theory]
    [MemberData(nameof(Site.InMemory), MemberType = typeof(Site))]
    public async Task Bug19_a_reader_with_an_agent_id_writes_nothing(string kind)
    {
        await using var site = new Site(kind);
        await site.WithAsync("A", async a => await a.SetAsync("a", Lab.Doc(1)));
        var before = await Lab.BytesAsync(site.Storage);
        await using (var reader = await site.OpenAsync("B", o => o.ReadOnly = true))
        {
            Assert.Equal("a = {\"n\":1}", Runs.Text(reader));
            await reader.RefreshAsync();
            await Lab.RefusedAsync(OpsLogError.ReadOnly, async Task () => await reader.SetAsync("b", Lab.Doc(2)));
            await Lab.RefusedAsync(OpsLogError.ReadOnly, () => reader.CompactAsync());
        }

        Assert.Equal(before, await Lab.BytesAsync(site.Storage));
    }

    /// <summary>A compaction, a close and a new agent come between any two reads of a refresh.</summary>
    [Theory]
    [MemberData(nameof(Site.All), MemberType = typeof(Site))]
    public async Task Bug20_F24_F39_a_refresh_mixes_no_generations_whatever_happens_between_its_reads(string kind)
    {
        for (var at = 1; ; at++)
        {
            await using var site = new Site(kind);
            var a = await site.OpenAsync("A", o => o.HistoryRetention = HistoryRetention.None);
            await a.SetAsync("a", Lab.Doc(0));
            var reads = 0;
            var hit = false;
            Func<Task>? between = null;
            var reader = await site.OpenAsync(null, o => o.ReadOnly = true, storage => new HookedStorage(storage)
            {
                Before = async (call, _) =>
                {
                    if (call != StorageCalls.Read || between is null || ++reads != at) return;
                    hit = true;
                    await between();
                },
            });
            for (var i = 1; i <= 3; i++) await a.SetAsync("a", Lab.Doc(i));
            await a.DeleteAsync("a");
            await a.SetAsync("b", Lab.Doc(4));
            between = async () =>
            {
                await a.CompactAsync();
                await a.SetAsync("c", Lab.Doc(5));
                await a.CompactAsync();
                await site.WithAsync("B", async b =>
                {
                    await b.SetAsync("d", Lab.Doc(6));
                    await b.CompactAsync();
                });
            };
            await reader.RefreshAsync();
            var shown = Runs.Text(reader);
            Assert.Contains(shown, (string[])["b = {\"n\":4}", "b = {\"n\":4}\nc = {\"n\":5}", "b = {\"n\":4}\nc = {\"n\":5}\nd = {\"n\":6}"]);
            if (!hit)
            {
                Assert.True(at > 2, "A refresh reads manifest and logs.");
                return;
            }

            between = null;
            await site.AssertAgreeAsync("b = {\"n\":4}\nc = {\"n\":5}\nd = {\"n\":6}", reader, a);
        }
    }

    [Theory]
    [MemberData(nameof(Site.All), MemberType = typeof(Site))]
    public async Task Bug21_Bug22_V9_a_watch_gives_each_operation_of_every_agent_once_and_in_order(string kind)
    {
        await using var site = new Site(kind);
        var a = await site.OpenAsync("A");
        var b = await site.OpenAsync("B");
        var c = await site.OpenAsync("C");
        var reader = await site.OpenReadOnlyAsync();
        using var stop = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        var watches = ((OpsStore<JsonElement>[])[b, reader, reader]).Select(store => Task.Run(() => CollectAsync(store, 60, stop.Token))).ToArray();
        await Task.Delay(50);
        for (var i = 0; i < 20; i++)
        {
            await a.SetAsync($"a{i}", Lab.Doc(i));
            await c.SetAsync($"c{i}", Lab.Doc(i));
            await b.SetAsync("b", Lab.Doc(i));
            if (i % 6 == 5) await c.CompactAsync();
            if (i % 4 == 3) await b.RefreshAsync();
        }

        foreach (var watch in watches)
        {
            var seen = await watch;
            Assert.Equal(60, seen.Select(change => change.Operation.Revision).Distinct().Count());
            foreach (var agent in (string[])["A", "B", "C"])
            {
                var own = seen.Where(change => change.Operation.Revision.Agent == agent).ToList();
                Assert.Equal(Enumerable.Range(0, 20), own.Select(change => Lab.N(change.Value)));
                Assert.Equal(own.Select(change => change.Operation.Revision.Clock).Order(), own.Select(change => change.Operation.Revision.Clock));
            }
        }
    }

    /// <summary>From every position on, what is behind it comes, however often the store was compacted and opened meanwhile.</summary>
    [Theory]
    [MemberData(nameof(Site.All), MemberType = typeof(Site))]
    public async Task V9_a_watch_goes_on_from_any_position(string kind)
    {
        await using var site = new Site(kind);
        var a = await site.OpenAsync("A");
        var b = await site.OpenAsync("B");
        for (var i = 0; i < 6; i++)
        {
            await a.SetAsync($"a{i}", Lab.Doc(i));
            await b.SetAsync($"b{i}", Lab.Doc(i));
            if (i == 2) await a.CompactAsync();
        }

        await b.DisposeAsync();
        await a.CompactAsync();
        var all = await Lab.OperationsAsync(a);
        Assert.Equal(12, all.Count);
        var late = await site.OpenAsync("C");
        for (var i = 0; i < all.Count; i++)
        {
            var rest = await Lab.OperationsAsync(late, FeedPosition.Parse(all[i].Position.ToString()));
            Assert.Equal(all.Skip(i + 1).Select(o => o.Revision), rest.Select(o => o.Revision));
        }

        await late.SetAsync("c", Lab.Doc(9));
        Assert.Equal("c", Assert.Single(await Lab.OperationsAsync(late, all[^1].Position)).Id);
    }

    [Theory]
    [MemberData(nameof(Site.All), MemberType = typeof(Site))]
    public async Task Bug23_F37_a_reader_sees_an_undo_and_a_set_as_two_events_and_goes_on_behind_compactions(string kind)
    {
        await using var site = new Site(kind);
        var a = await site.OpenAsync("A");
        await a.SetAsync("k", Lab.Doc(1));
        await a.SetAsync("k", Lab.Doc(2));
        var reader = await site.OpenReadOnlyAsync();
        var b = await site.OpenAsync("B");
        var position = (await Lab.OperationsAsync(reader))[^1].Position;
        Assert.True(await a.UndoAsync());
        await a.SetAsync("l", Lab.Doc(3));
        Assert.Equal(2, await reader.RefreshAsync());
        Assert.Equal(2, await b.RefreshAsync());
        Assert.Equal([OperationMark.Undo, OperationMark.None], (await Lab.OperationsAsync(reader, position)).Select(o => o.Mark));
        for (var i = 0; i < 3; i++)
        {
            await a.CompactAsync();
            await a.SetAsync("m", Lab.Doc(i));
            await site.AssertAgreeAsync($"k = {{\"n\":1}}\nl = {{\"n\":3}}\nm = {{\"n\":{i}}}", reader, b);
        }

        Assert.Equal(5, (await Lab.OperationsAsync(reader, position)).Count);
    }

    [Theory]
    [MemberData(nameof(Site.All), MemberType = typeof(Site))]
    public async Task Bug24_the_first_write_of_an_opening_is_above_everything_it_was_opened_with(string kind)
    {
        await using var site = new Site(kind);
        await site.WithAsync("A", async a =>
        {
            for (var i = 0; i < 9; i++) await a.SetAsync("k", Lab.Doc(i));
        });
        var b = await site.OpenAsync("B");
        Assert.Equal(10, (await b.SetAsync("k", Lab.Doc(-1))).Clock);
        await site.AssertAgreeAsync("k = {\"n\":-1}", b);
    }

    private static async Task<List<Change<JsonElement>>> CollectAsync(OpsStore<JsonElement> store, int count, CancellationToken cancellationToken)
    {
        var seen = new List<Change<JsonElement>>();
        await foreach (var change in store.WatchAsync(FeedPosition.Start, cancellationToken))
        {
            seen.Add(change);
            if (seen.Count >= count) break;
        }

        return seen;
    }
}
