using OpsLog.Tests.Faults;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.ManyWriters;

/// <summary>
/// Goal: what random schedules found once stays found. Method: the shortest history of each finding that needs no scheduler; the others are
/// seeds of the simulation.
/// </summary>
public sealed class FoundBySimulationTests
{
    [Theory]
    [MemberData(nameof(Site.All), MemberType = typeof(Site))]
    public async Task After_a_death_undo_goes_on_from_what_the_dead_process_took_back(string kind)
    {
        await using var site = new Site(kind);
        var a = await site.OpenAsync("A");
        await a.SetAsync("k", Lab.Doc(1));
        await a.SetAsync("k", Lab.Doc(2));
        await a.CompactAsync();
        Assert.True(await a.UndoAsync());
        Assert.Equal("k = {\"n\":1}", Runs.Text(a));
        await site.KillAsync(a);
        var again = await site.OpenAsync("A");
        Assert.True(await again.UndoAsync());
        Assert.Equal("", Runs.Text(again));
        Assert.False(await again.UndoAsync());
    }

    [Theory]
    [MemberData(nameof(Site.All), MemberType = typeof(Site))]
    public async Task Undo_takes_back_the_newest_change_of_two_processes_that_shared_an_id(string kind)
    {
        await using var site = new Site(kind);
        var (first, second) = (await site.OpenAsync("A"), await site.OpenAsync("A"));
        await first.SetAsync("k", Lab.Doc(1));
        await second.RefreshAsync();
        await second.SetAsync("k", Lab.Doc(2));
        await first.RefreshAsync();
        await first.SetAsync("k", Lab.Doc(3)); // in the older log
        await first.DisposeAsync();
        await second.DisposeAsync();
        var third = await site.OpenAsync("A");
        foreach (var shown in (string[])["k = {\"n\":2}", "k = {\"n\":1}", ""])
        {
            Assert.True(await third.UndoAsync());
            Assert.Equal(shown, Runs.Text(third));
        }

        Assert.False(await third.UndoAsync());
        Assert.True(await third.RedoAsync());
        await site.AssertAgreeAsync("k = {\"n\":1}", third);
    }

    [Theory]
    [MemberData(nameof(Site.All), MemberType = typeof(Site))]
    public async Task Undo_shows_what_another_wrote_unseen_though_an_earlier_undo_had_covered_it(string kind)
    {
        await using var site = new Site(kind);
        var b = await site.OpenAsync("B");
        await b.BatchAsync(batch =>
        {
            batch.Set("k", Lab.Doc(1));
            batch.Set("k", Lab.Doc(2));
        });
        var a = await site.OpenAsync("A");
        await b.SetAsync("k", Lab.Doc(3));
        await b.UndoAsync();
        Assert.Equal("k = {\"n\":2}", Runs.Text(b));
        Assert.Equal(3, (await a.SetAsync("k", Lab.Doc(0))).Clock); // older than the undo, newer than the batch
        await b.RefreshAsync();
        Assert.Equal("k = {\"n\":2}", Runs.Text(b));
        Assert.True(await b.UndoAsync());
        await site.AssertAgreeAsync("k = {\"n\":0}", a, b);
    }

    [Theory]
    [MemberData(nameof(Site.All), MemberType = typeof(Site))]
    public async Task A_reader_that_missed_the_agents_between_two_single_writers_has_what_they_wrote(string kind)
    {
        await using var site = new Site(kind);
        await site.WithAsync(null, async single => await single.SetAsync("s", Lab.Doc(1)));
        var reader = await site.OpenReadOnlyAsync();
        await site.WithAsync("A", async a =>
        {
            await a.SetAsync("a", Lab.Doc(2));
            await a.CompactAsync();
        });
        await site.WithAsync("B", async b => await b.CompactAsync());
        await site.WithAsync(null, async single => await single.SetAsync("t", Lab.Doc(3)));
        await reader.RefreshAsync();
        Assert.Equal("a = {\"n\":2}\ns = {\"n\":1}\nt = {\"n\":3}", Runs.Text(reader));
    }

    [Theory]
    [MemberData(nameof(Site.All), MemberType = typeof(Site))]
    public async Task A_position_behind_a_log_without_operations_is_not_lost_when_the_log_goes(string kind)
    {
        await using var site = new Site(kind);
        var position = default(FeedPosition);
        await site.WithAsync(null, async single =>
        {
            await single.SetAsync("s", Lab.Doc(1));
            await single.CompactAsync(); // its new log stays empty
            position = Assert.Single(await Lab.OperationsAsync(single)).Position;
        });
        await site.WithAsync("A", async a =>
        {
            position = Assert.Single(await Lab.OperationsAsync(a)).Position;
            await a.SetAsync("a", Lab.Doc(2));
            await a.CompactAsync();
        });
        await using var later = await site.OpenReadOnlyAsync();
        Assert.Equal("a", Assert.Single(await Lab.OperationsAsync(later, position)).Id);
    }
}
