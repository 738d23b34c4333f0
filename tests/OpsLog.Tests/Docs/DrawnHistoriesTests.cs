using System.Text.Json;
using OpsLog.Tests.Faults;
using OpsLog.Tests.ManyWriters;
using Xunit;

namespace OpsLog.Tests.Docs;

/// <summary>
/// Goal: the histories that docs/multi-writer.md draws end as drawn. Method: each is played with the agents, values and order of the page.
/// The one named c2 is in <see cref="AgentClockTests"/>, those named c3 and g3 are there too, on every storage.
/// </summary>
public sealed class DrawnHistoriesTests
{
    [Fact]
    public async Task Two_writes_at_once_are_decided_by_the_agent_and_both_say_that_they_were_in_conflict()
    {
        await using var site = new Site(Site.Append);
        var (a, b) = (await site.OpenAsync("A"), await site.OpenAsync("B"));
        var one = await a.SetAsync("k", Lab.Doc(1));
        var two = await b.SetAsync("k", Lab.Doc(2));
        Assert.Equal(one.Clock, two.Clock);
        await site.AssertAgreeAsync("k = {\"n\":2}", a, b);
        foreach (var agent in new[] { a, b })
        {
            var changes = await TakeAsync(agent, 2);
            Assert.Equal(two, changes[0].OverwrittenBy);
            Assert.Equal(one, changes[1].Overwrote);
        }
    }

    [Fact]
    public async Task A_write_that_saw_the_other_wins_whatever_the_agents_are_called()
    {
        await using var site = new Site(Site.Append);
        var (a, b) = (await site.OpenAsync("A"), await site.OpenAsync("B"));
        var one = await b.SetAsync("k", Lab.Doc(1));
        await a.RefreshAsync();
        var two = await a.SetAsync("k", Lab.Doc(2));
        Assert.Equal(one.Clock + 1, two.Clock);
        await site.AssertAgreeAsync("k = {\"n\":2}", a, b);
        Assert.All(await TakeAsync(b, 2), change => Assert.Equal((Revision.None, Revision.None), (change.OverwrittenBy, change.Overwrote)));
    }

    [Fact]
    public async Task C3_a_write_that_knew_the_compacted_value_wins()
    {
        await using var site = new Site(Site.Append);
        var (a, b) = (await site.OpenAsync("A"), await site.OpenAsync("B"));
        for (var i = 1; i <= 10; i++) await a.SetAsync("k", Lab.Doc(i));
        await b.RefreshAsync();
        await a.CompactAsync();
        Assert.Equal(11, (await b.SetAsync("k", Lab.Doc(-1))).Clock);
        await site.AssertAgreeAsync("k = {\"n\":-1}", a, b);
    }

    [Fact]
    public async Task G3_the_floor_holds_the_tombstone_until_the_other_log_is_retired()
    {
        await using var site = new Site(Site.Append);
        var (a, b) = (await site.OpenAsync("A"), await site.OpenAsync("B"));
        await b.SetAsync("k", Lab.Doc(0));
        Assert.Equal(2, (await b.SetAsync("j", Lab.Doc(1))).Clock);
        await a.RefreshAsync();
        for (var i = 3; i <= 6; i++) await a.SetAsync("other", Lab.Doc(i));
        Assert.True(await a.DeleteAsync("k"));
        await a.CompactAsync();
        Assert.Equal((1, 2), (a.Statistics.Tombstones, a.Statistics.TombstoneFloor));
        Assert.StartsWith("ops/agent-B-", a.Statistics.TombstonesHeldBy, StringComparison.Ordinal);

        Assert.Equal(3, (await b.SetAsync("k", Lab.Doc(1))).Clock);
        await b.DisposeAsync();
        await site.AssertAgreeAsync("j = {\"n\":1}\nother = {\"n\":6}", a);
        await a.CompactAsync();
        Assert.Equal((0, 7), (a.Statistics.Tombstones, a.Statistics.TombstoneFloor));
        Assert.Null(a.Statistics.TombstonesHeldBy);
        await site.AssertAgreeAsync("j = {\"n\":1}\nother = {\"n\":6}", a);
    }

    [Theory]
    [MemberData(nameof(Site.InMemory), MemberType = typeof(Site))]
    public async Task A_fenced_agent_writes_once_and_into_a_log_that_counts(string kind)
    {
        await using var site = new Site(kind);
        var a = await site.OpenAsync("A", o => o.Checkpoint.SilentAfter = TimeSpan.Zero);
        var b = await site.OpenAsync("B");
        var before = await b.SetAsync("k", Lab.Doc(1));
        await a.CompactAsync();
        var behind = await b.SetAsync("k", Lab.Doc(2));
        Assert.Equal(1, b.Statistics.Fenced);
        Assert.NotEqual(before.Log, behind.Log);
        await site.AssertAgreeAsync("k = {\"n\":2}", a, b);
        Assert.Equal(2, (await TakeAsync(a, 2)).Count(change => change.Id == "k"));
    }

    [Fact]
    public async Task An_archive_buries_no_write_that_it_had_not_seen()
    {
        await using var site = new Site(Site.Append);
        var (a, b) = (await site.OpenAsync("A"), await site.OpenAsync("B"));
        await a.SetAsync("k", Lab.Doc(1));
        await b.RefreshAsync();
        await b.SetAsync("k", Lab.Doc(2));
        Assert.Equal(1, await a.ArchiveAsync((_, _) => true, "2026-Q4"));
        await site.AssertAgreeAsync("k = {\"n\":2}", a, b);
        Assert.Equal("{\"n\":1}", Assert.Single(await b.LoadArchiveAsync("2026-Q4")).Value.GetRawText());
    }

    [Fact]
    public async Task An_undo_shows_what_would_show_without_the_change()
    {
        await using var site = new Site(Site.Append);
        var (a, b) = (await site.OpenAsync("A"), await site.OpenAsync("B"));
        await a.SetAsync("k", Lab.Doc(1));
        await b.RefreshAsync();
        await b.SetAsync("k", Lab.Doc(2));
        Assert.True(await a.UndoAsync());
        await site.AssertAgreeAsync("k = {\"n\":2}", a, b);
        Assert.True(await b.UndoAsync());
        await site.AssertAgreeAsync("", a, b);
    }

    private static async Task<List<Change<JsonElement>>> TakeAsync(OpsStore<JsonElement> store, int count)
    {
        var changes = new List<Change<JsonElement>>();
        await foreach (var change in store.WatchAsync(FeedPosition.Start, TestContext.Current.CancellationToken))
        {
            changes.Add(change);
            if (changes.Count == count) break;
        }

        return changes;
    }
}
