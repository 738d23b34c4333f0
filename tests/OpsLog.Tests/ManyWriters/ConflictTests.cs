using System.Text.Json;
using OpsLog.Storage;
using OpsLog.Tests.Faults;
using Xunit;

namespace OpsLog.Tests.ManyWriters;

/// <summary>
/// Goal: a change names the unseen write that it won over or lost to, and no other, in whatever order logs are read. Method: histories of three agents, told to a fourth; what is expected
/// follows from the history alone: of two writes next to each other by their stamps the later had not seen the earlier if its previous value is another.
/// </summary>
public sealed class ConflictTests
{
    private const string Long = "a record whose id does not fit into a slot";

    // The log that is read first holds the last write: what it was made on top of is read after it.
    [Theory, MemberData(nameof(Site.InMemory), MemberType = typeof(Site))]
    public async Task A_write_that_saw_the_last_of_several_is_in_conflict_with_none_of_them(string kind)
    {
        await using var site = new Site(kind);
        var follower = await site.OpenAsync("M");
        var (a, b) = (await site.OpenAsync("A"), await site.OpenAsync("B"));
        await b.SetAsync("k", Lab.Doc(1));
        await b.SetAsync("k", Lab.Doc(2));
        await a.RefreshAsync();
        await a.SetAsync("k", Lab.Doc(3));
        Assert.All(await ChangesAsync(follower, 3), change => Assert.Equal((Revision.None, Revision.None), (change.OverwrittenBy, change.Overwrote)));
    }

    [Theory, MemberData(nameof(Site.InMemory), MemberType = typeof(Site))]
    public async Task A_chain_of_writes_that_each_saw_the_last_has_no_conflict(string kind)
    {
        await using var site = new Site(kind);
        var follower = await site.OpenAsync("M");
        var agents = new[] { await site.OpenAsync("A"), await site.OpenAsync("C"), await site.OpenAsync("B") };
        for (var i = 0; i < agents.Length; i++)
        {
            await agents[i].RefreshAsync();
            await agents[i].SetAsync("k", Lab.Doc(i));
        }

        Assert.All(await ChangesAsync(follower, 3), change => Assert.Equal((Revision.None, Revision.None), (change.OverwrittenBy, change.Overwrote)));
    }

    [Theory, MemberData(nameof(Site.InMemory), MemberType = typeof(Site))]
    public async Task An_own_write_says_which_unseen_one_lost_to_it(string kind)
    {
        await using var site = new Site(kind);
        var (a, b) = (await site.OpenAsync("A"), await site.OpenAsync("B"));
        await a.SetAsync("k", Lab.Doc(1));
        var loser = await a.SetAsync("k", Lab.Doc(2));
        await b.SetAsync("other", Lab.Doc(3));
        var winner = await b.SetAsync("k", Lab.Doc(4));
        Assert.Equal(loser.Clock, winner.Clock);
        var changes = await ChangesAsync(b, 4);
        Assert.Equal(winner, changes.Single(c => c.Operation.Revision == loser).OverwrittenBy);
        Assert.Equal(loser, changes.Single(c => c.Operation.Revision == winner).Overwrote);
    }

    // C's write lies between the two of A by its stamp, and is read after both; k lies in a snapshot since.
    [Fact]
    public async Task A_write_that_is_read_late_is_in_conflict_though_its_record_has_moved_to_a_snapshot()
    {
        await using var site = new Site(Site.Append);
        var (m, c) = (await site.OpenAsync("M"), await site.OpenAsync("C"));
        await c.SetAsync("other", Lab.Doc(0));
        var a = await site.OpenAsync("A");
        var loser = await a.SetAsync("k", Lab.Doc(1));
        var winner = await a.SetAsync("k", Lab.Doc(2));
        await m.RefreshAsync();
        await MergeASnapshotAsync(site, m);
        var late = await c.SetAsync("k", Lab.Doc(9));
        Assert.Equal((winner, loser), await ConflictOfAsync(m, late));
    }

    [Fact]
    public async Task An_undo_is_no_conflict_though_its_record_has_moved_to_a_snapshot()
    {
        await using var site = new Site(Site.Append);
        var (m, a) = (await site.OpenAsync("M"), await site.OpenAsync("A"));
        await a.SetAsync("k", Lab.Doc(1));
        await a.SetAsync("k", Lab.Doc(2));
        var b = await site.OpenAsync("B");
        await b.SetAsync("other", Lab.Doc(0));
        Assert.True(await a.UndoAsync());
        for (var i = 1; i < 10; i++) await b.SetAsync("other", Lab.Doc(i));
        await m.RefreshAsync();
        await MergeASnapshotAsync(site, m);
        var later = await b.SetAsync("k", Lab.Doc(3));
        Assert.Equal((Revision.None, Revision.None), await ConflictOfAsync(m, later));
    }

    // A power loss takes what was never synced, and a snapshot covers it: the records that lie there, and the writes that are remembered, were read before.
    [Theory, InlineData(0), InlineData(10)]
    public async Task A_log_that_was_cut_hides_nothing_that_was_read_of_it(int behindItsFirstLine)
    {
        await using var site = new Site(Site.Append);
        var (m, c) = (await site.OpenAsync("M"), await site.OpenAsync("C"));
        await c.SetAsync("other", Lab.Doc(0));
        var a = await site.OpenAsync("A");
        var first = await a.SetAsync("k", Lab.Doc(1));
        await a.SetAsync("k", Lab.Doc(2));
        await a.SetAsync("live", Lab.Doc(4));
        var b = await site.OpenAsync("B");
        await b.SetAsync("k", Lab.Doc(3));
        await m.RefreshAsync();
        await m.CompactAsync();
        await Lab.ChangeAsync(site.Storage, new StorageKey(first.Log), bytes => bytes[..(Lab.LineOf(bytes, 1).Start + behindItsFirstLine)]);
        await m.RefreshAsync();
        Assert.Equal((3, 4), (Lab.N(m["k"]), Lab.N(m["live"])));
        var late = await c.SetAsync("k", Lab.Doc(9));
        Assert.Equal(first.Clock, late.Clock);
        await m.RefreshAsync();
        await c.SetAsync("unrelated", Lab.Doc(5));
        await m.RefreshAsync();
        Assert.Equal((3, 4, 5), (Lab.N(m["k"]), Lab.N(m["live"]), Lab.N(m["unrelated"])));
    }

    // What cannot be read any more is no conflict, and no failure of a refresh.
    [Fact]
    public async Task A_log_that_was_cut_on_disk_stops_no_refresh()
    {
        await using var site = new Site(Site.Folder);
        var m = await site.OpenAsync("M", o => (o.Documents, o.DocumentCacheBytes) = (DocumentPlacement.OnDisk, 0));
        var c = await site.OpenAsync("C");
        await c.SetAsync("other", Lab.Doc(0));
        var a = await site.OpenAsync("A");
        var first = await a.SetAsync("k", Lab.Doc(1));
        for (var i = 0; i < 3; i++) await a.SetAsync("large", JsonSerializer.SerializeToElement(new { n = i, text = new string((char)('a' + i), 2 << 20) }));
        await a.SetAsync("k", Lab.Doc(2));
        var b = await site.OpenAsync("B");
        foreach (var id in (string[])["k", "large"]) await b.SetAsync(id, Lab.Doc(3));
        await m.RefreshAsync();
        await m.CompactAsync();
        await site.KillAsync(a);
        var path = Path.Combine(site.StorePath, first.Log);
        var start = Lab.LineOf(await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken), 1).Start;
        await using (var file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite)) file.SetLength(start);
        await m.RefreshAsync();
        await c.SetAsync("k", Lab.Doc(9));
        Assert.Equal(1, await m.RefreshAsync());
        Assert.Equal(3, Lab.N(m["k"]));
    }

    [Theory, MemberData(nameof(Site.InMemory), MemberType = typeof(Site))]
    public async Task Random_histories_show_the_conflicts_that_they_have(string kind)
    {
        var conflicts = 0;
        for (var seed = 1; seed <= 80; seed++)
        {
            var random = new Random(seed);
            await using var site = new Site(kind);
            var follower = await site.OpenAsync("M");
            string[] names = ["C", "Z", "A"];
            var agents = new[] { await site.OpenAsync(names[0]), await site.OpenAsync(names[1]), await site.OpenAsync(names[2]) };
            var (written, seen) = (new List<(string Agent, int Seen)>(), new int[agents.Length]);
            for (var n = 0; n < 40; n++)
            {
                var (who, what) = (random.Next(agents.Length), random.Next(20));
                var id = random.Next(2) == 0 ? "k" : Long;
                if (what >= 10) await (what < 19 ? agents[who] : follower).RefreshAsync();
                if (what is >= 10 and < 19) seen[who] = written.Count;
                if (what < 8) await agents[who].SetAsync(id, Lab.Doc(n));
                if (what < 8 || (what < 10 && await agents[who].DeleteAsync(id))) written.Add((names[who], seen[who]));
            }

            conflicts += await AssertConflictsAsync(follower, seed);
            foreach (var agent in agents) await AssertUnseenAsync(agent, written, seed);
        }

        Assert.InRange(conflicts, 100, int.MaxValue);
    }

    // The logs of an agent that keeps no history come and go: what was missed of them is in the snapshot, and all records lie there from then on.
    private static async Task MergeASnapshotAsync(Site site, OpsStore<JsonElement> store)
    {
        await using var agent = await site.OpenAsync("D", o => o.HistoryRetention = HistoryRetention.None);
        for (var i = 0; i < 3; i++)
        {
            await agent.SetAsync("d", Lab.Doc(i));
            await agent.CompactAsync();
        }

        await store.RefreshAsync();
        Assert.Equal(2, Lab.N(store["d"]));
    }

    // Of what is merged from now on.
    private static async Task<(Revision OverwrittenBy, Revision Overwrote)> ConflictOfAsync(OpsStore<JsonElement> store, Revision revision)
    {
        await foreach (var change in store.WatchAsync(TestContext.Current.CancellationToken))
            if (change.Operation.Revision == revision) return (change.OverwrittenBy, change.Overwrote);
        throw new InvalidOperationException($"{revision} was not told.");
    }

    private static async Task<int> AssertConflictsAsync(OpsStore<JsonElement> store, int seed)
    {
        await store.RefreshAsync();
        var operations = new List<Operation<JsonElement>>();
        await foreach (var operation in store.OperationsAsync()) operations.Add(operation);
        var (overwrittenBy, overwrote) = (new Dictionary<Revision, Revision>(), new Dictionary<Revision, Revision>());
        foreach (var writes in operations.GroupBy(o => o.Id))
        {
            var ordered = writes.OrderBy(o => o.Revision.Clock).ThenBy(o => o.Revision.Agent, StringComparer.Ordinal).ThenBy(o => o.Revision.Log, StringComparer.Ordinal).ToList();
            foreach (var (earlier, later) in ordered.Zip(ordered.Skip(1)))
            {
                if (earlier.Revision.Log == later.Revision.Log || Text(later.HasPrevious, later.Previous) == Text(earlier.Kind == OperationKind.Set, earlier.Value)) continue;
                (overwrittenBy[earlier.Revision], overwrote[later.Revision]) = (later.Revision, earlier.Revision);
            }
        }

        foreach (var change in await ChangesAsync(store, operations.Count))
        {
            var revision = change.Operation.Revision;
            Assert.True(
                (change.OverwrittenBy, change.Overwrote) == (overwrittenBy.GetValueOrDefault(revision), overwrote.GetValueOrDefault(revision)),
                $"seed {seed}: {revision} on {change.Id} is overwritten by {change.OverwrittenBy}, not {overwrittenBy.GetValueOrDefault(revision)}, and overwrote {change.Overwrote}, not {overwrote.GetValueOrDefault(revision)}");
        }

        return overwrittenBy.Count;

        static string Text(bool isThere, JsonElement value) => isThere ? value.GetRawText() : "";
    }

    // Who wrote too remembers of its own writes the last one only, and may name that instead of the one before it; but never a write that was seen.
    private static async Task AssertUnseenAsync(OpsStore<JsonElement> store, List<(string Agent, int Seen)> written, int seed)
    {
        var places = new Dictionary<Revision, int>();
        var changes = await ChangesAsync(store, written.Count);
        foreach (var own in changes.Select(c => c.Operation.Revision).GroupBy(r => r.Agent))
            foreach (var (revision, place) in own.OrderBy(r => r.Clock).Zip(Enumerable.Range(0, written.Count).Where(i => written[i].Agent == own.Key))) places.Add(revision, place);
        foreach (var change in changes.Where(c => c.Overwrote != Revision.None))
        {
            var (winner, loser) = (change.Operation.Revision, change.Overwrote);
            Assert.True(winner.Agent != loser.Agent && places[loser] >= written[places[winner]].Seen, $"seed {seed}: {winner} on {change.Id} is said to have overwritten {loser} unseen, but had seen it");
        }
    }

    private static async Task<List<Change<JsonElement>>> ChangesAsync(OpsStore<JsonElement> store, int count)
    {
        await store.RefreshAsync();
        var changes = new List<Change<JsonElement>>();
        await foreach (var change in store.WatchAsync(FeedPosition.Start, TestContext.Current.CancellationToken))
        {
            changes.Add(change);
            if (changes.Count == count) break;
        }

        return changes;
    }
}
