using System.Text.Json;
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
