using System.Text;
using System.Text.Json;
using OpsLog.Format;
using OpsLog.Storage;
using OpsLog.Tests.Faults;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.ManyWriters;

/// <summary>
/// Goal: what wins is what has the larger stamp, whoever compacted and whoever had not refreshed. Method: the histories in which the npm package
/// lets the loser win or brings the deleted back (rows c2, c3, c4 and g3), on every kind of storage.
/// </summary>
public sealed class AgentClockTests
{
    [Theory]
    [MemberData(nameof(Site.All), MemberType = typeof(Site))]
    public async Task C2_a_write_with_a_lower_clock_than_the_compacted_value_loses_to_it(string kind)
    {
        await using var site = new Site(kind);
        var a = await site.OpenAsync("A");
        var b = await site.OpenAsync("B");
        Assert.Equal(1, (await b.SetAsync("b's own", Lab.Doc(0))).Clock); // registered, with all that it has seen
        for (var i = 1; i <= 10; i++) await a.SetAsync("k", Lab.Doc(i));
        await a.SetAsync("a's other", Lab.Doc(11));
        await a.CompactAsync();

        Assert.Equal(2, (await b.SetAsync("k", Lab.Doc(-1))).Clock);
        await b.DisposeAsync();
        await site.AssertAgreeAsync("a's other = {\"n\":11}\nb's own = {\"n\":0}\nk = {\"n\":10}", a);
        await a.CompactAsync();
        await a.DisposeAsync();
        await site.AssertAgreeAsync("a's other = {\"n\":11}\nb's own = {\"n\":0}\nk = {\"n\":10}");
    }

    /// <summary>An agent that has written nothing is not registered yet: its first write comes after everything the manifest covers, and wins.</summary>
    [Theory]
    [MemberData(nameof(Site.All), MemberType = typeof(Site))]
    public async Task C2_the_first_write_of_an_agent_comes_behind_all_that_was_compacted_before_it(string kind)
    {
        await using var site = new Site(kind);
        var a = await site.OpenAsync("A");
        var b = await site.OpenAsync("B");
        var unseen = Revision.None;
        for (var i = 1; i <= 10; i++) unseen = await a.SetAsync("k", Lab.Doc(i));
        await a.SetAsync("a's other", Lab.Doc(11));
        await a.CompactAsync();
        var late = await b.SetAsync("k", Lab.Doc(-1));
        Assert.True(late.Clock > 11);
        await b.DisposeAsync();
        await site.AssertAgreeAsync("a's other = {\"n\":11}\nk = {\"n\":-1}", a);
        await foreach (var change in a.WatchAsync(FeedPosition.Start, TestContext.Current.CancellationToken))
        {
            if (change.Operation.Revision != late) continue;
            Assert.Equal(unseen, change.Overwrote);
            break;
        }
    }

    [Theory]
    [MemberData(nameof(Site.All), MemberType = typeof(Site))]
    public async Task C3_a_write_that_knew_the_compacted_value_wins(string kind)
    {
        await using var site = new Site(kind);
        var a = await site.OpenAsync("A");
        var b = await site.OpenAsync("B");
        await b.SetAsync("b's own", Lab.Doc(0));
        for (var i = 1; i <= 10; i++) await a.SetAsync("k", Lab.Doc(i));
        Assert.Equal(10, await b.RefreshAsync());
        await a.CompactAsync();
        Assert.True((await b.SetAsync("k", Lab.Doc(-1))).Clock > 10);
        await b.DisposeAsync();
        await site.AssertAgreeAsync("b's own = {\"n\":0}\nk = {\"n\":-1}", a);
    }

    [Theory]
    [MemberData(nameof(Site.All), MemberType = typeof(Site))]
    public async Task C4_a_refresh_behind_a_compaction_never_takes_the_clock_back(string kind)
    {
        await using var site = new Site(kind);
        var a = await site.OpenAsync("A");
        var b = await site.OpenAsync("B");
        await b.SetAsync("b's own", Lab.Doc(0));
        for (var i = 1; i <= 10; i++) await a.SetAsync("k", Lab.Doc(i));
        await a.CompactAsync();
        await b.RefreshAsync();
        var revision = await b.SetAsync("k", Lab.Doc(-1));
        Assert.True(revision.Clock > 10, $"{revision}");
        await b.CompactAsync();
        Assert.True((await b.SetAsync("k", Lab.Doc(-2))).Clock > revision.Clock);
        await b.DisposeAsync();

        // Nor does any number of compactions and openings.
        var clock = 0L;
        for (var i = 0; i < 5; i++)
        {
            await site.WithAsync("C", async c =>
            {
                await c.CompactAsync();
                var next = (await c.SetAsync("c", Lab.Doc(i))).Clock;
                Assert.True(next > clock && next > revision.Clock + 1, $"{next} after {clock}");
                clock = next;
            });
        }

        await site.AssertAgreeAsync("b's own = {\"n\":0}\nc = {\"n\":4}\nk = {\"n\":-2}", a);
    }

    [Theory]
    [MemberData(nameof(Site.All), MemberType = typeof(Site))]
    public async Task G3_a_deleted_record_stays_deleted_when_an_older_set_turns_up_behind_the_compaction(string kind)
    {
        await using var site = new Site(kind);
        var a = await site.OpenAsync("A");
        var b = await site.OpenAsync("B");
        await b.SetAsync("b's own", Lab.Doc(0));
        for (var i = 1; i <= 5; i++) await a.SetAsync("k", Lab.Doc(i));
        await a.SetAsync("a's other", Lab.Doc(6));
        Assert.True(await a.DeleteAsync("k"));
        await a.CompactAsync();
        Assert.Equal(1, a.Statistics.Tombstones);
        Assert.Equal(2, (await b.SetAsync("k", Lab.Doc(-1))).Clock);
        await b.DisposeAsync();

        const string Expected = "a's other = {\"n\":6}\nb's own = {\"n\":0}";
        await site.AssertAgreeAsync(Expected, a);
        await a.CompactAsync();
        await site.AssertAgreeAsync(Expected, a);
        await site.WithAsync("C", async c => await c.CompactAsync());
        await site.AssertAgreeAsync(Expected, a);
    }

    [Theory]
    [MemberData(nameof(Site.All), MemberType = typeof(Site))]
    public async Task G3_a_deleted_record_stays_deleted_when_the_older_set_was_there_before_the_compaction(string kind)
    {
        await using var site = new Site(kind);
        var a = await site.OpenAsync("A");
        var b = await site.OpenAsync("B");
        await b.SetAsync("k", Lab.Doc(-1));
        for (var i = 1; i <= 5; i++) await a.SetAsync("k", Lab.Doc(i));
        await a.SetAsync("a's other", Lab.Doc(6));
        Assert.True(await a.DeleteAsync("k"));
        await a.CompactAsync();
        await b.DisposeAsync();
        await site.AssertAgreeAsync("a's other = {\"n\":6}", a);
    }

    [Theory]
    [MemberData(nameof(Site.All), MemberType = typeof(Site))]
    public async Task A_deleted_record_is_forgotten_once_nobody_can_write_an_older_set(string kind)
    {
        await using var site = new Site(kind);
        var a = await site.OpenAsync("A");
        var b = await site.OpenAsync("B");
        await b.SetAsync("b's own", Lab.Doc(0));
        await a.SetAsync("k", Lab.Doc(1));
        await a.SetAsync("l", Lab.Doc(1));
        await a.DeleteAsync("k");
        await a.CompactAsync();
        Assert.Equal(1, a.Statistics.Tombstones);
        Assert.Equal((await b.SetAsync("b's own", Lab.Doc(1))).Log, a.Statistics.TombstonesHeldBy);

        await b.CompactAsync(); // b's log ends with it, and b's next one begins above the deletion
        await b.SetAsync("b's own", Lab.Doc(2));
        await a.CompactAsync();
        Assert.Equal(0, a.Statistics.Tombstones);
        Assert.Null(a.Statistics.TombstonesHeldBy);
        await site.AssertAgreeAsync("b's own = {\"n\":2}\nl = {\"n\":1}", a, b);
    }

    [Fact]
    public async Task F40_equal_clocks_are_decided_by_code_unit()
    {
        string[] agents = ["a", "B", "ä", "z", "i", "I", "ı", "İ", "A\u0301", "Á", "\uFFFD", "😀"];
        await using var site = new Site(Site.Append);
        var openings = new List<OpsStore<JsonElement>>();
        foreach (var agent in agents) openings.Add(await site.OpenAsync(agent));
        foreach (var (store, i) in openings.Select((s, i) => (s, i))) Assert.Equal(1, (await store.SetAsync("k", Lab.Doc(i))).Clock);
        var winner = Array.IndexOf(agents, "\uFFFD"); // above the halves of the pair, though not above the character
        await site.AssertAgreeAsync($"k = {{\"n\":{winner}}}", [.. openings]);
        await openings[0].CompactAsync();
        await site.AssertAgreeAsync($"k = {{\"n\":{winner}}}", [.. openings]);
    }

    /// <summary>A clock near the end would leave no room for those above it: the line does not count, and is reported. As far as 2^40 above the one before it is believed.</summary>
    [Theory]
    [InlineData(9007199254740990, false)]
    [InlineData((1L << 40) + 3, false)]
    [InlineData((1L << 40) + 2, true)]
    public async Task F18_a_poisoned_clock_is_bounded_and_reported(long clock, bool isBelieved)
    {
        var disk = new MemoryStorage();
        var a = await Lab.OpenAsync(disk, Lab.Options(o => o.AgentId = "A"));
        await a.SetAsync("k", Lab.Doc(1));
        var log = new StorageKey((await a.SetAsync("k", Lab.Doc(2))).Log);
        var bytes = await Lab.ReadAsync(disk, log);
        var (start, end) = Lab.LineOf(bytes, 1);
        var poisoned = Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(bytes[start..end]).Replace("\"clock\":2,", $"\"clock\":{clock},", StringComparison.Ordinal));
        JsonLines.Reseal(poisoned.AsSpan(0, poisoned.Length - 1), bytes.Length);
        await disk.AppendAsync(log, poisoned, bytes.Length, Flush.Synced, default);

        await using var b = await Lab.OpenAsync(disk, Lab.Options(o => o.AgentId = "B"));
        (DamageKind, string, int)[] notes = isBelieved ? [] : [(DamageKind.ImplausibleClock, log.Value, 3)];
        Assert.Equal(notes, b.RecoveryReport.Notes.Select(note => (note.Kind, note.File, (int)note.Line)));
        Assert.Equal(isBelieved ? clock + 1 : 3, (await b.SetAsync("k", Lab.Doc(3))).Clock);
        Assert.Equal("k = {\"n\":3}", await Lab.StateAsync(disk));
    }

    /// <summary>The wall clock decides nothing: it runs backwards between the agents' writes.</summary>
    [Theory]
    [MemberData(nameof(Site.InMemory), MemberType = typeof(Site))]
    public async Task F18_a_wall_clock_that_jumps_changes_no_order(string kind)
    {
        await using var site = new Site(kind);
        var time = new ShiftingTime();
        var a = await site.OpenAsync("A", o => o.TimeProvider = time);
        var b = await site.OpenAsync("B", o => o.TimeProvider = time);
        for (var i = 0; i < 20; i++)
        {
            var (writer, other) = i % 2 == 0 ? (a, b) : (b, a);
            time.Shift(TimeSpan.FromDays(i % 3 == 0 ? 4000 : -3000));
            await writer.RefreshAsync();
            await writer.SetAsync("k", Lab.Doc(i));
            if (i % 5 == 4) await other.CompactAsync();
        }

        await site.AssertAgreeAsync("k = {\"n\":19}", a, b);
    }
}
