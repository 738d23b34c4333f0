using System.Text.Json;
using OpsLog.Storage;
using OpsLog.Testing;
using OpsLog.Tests.Faults;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.ManyWriters;

/// <summary>
/// Goal: a store changes hands between an only writer and agents, and between the living and the dead, without losing anything.
/// Method: rows x2 and x3 of what the npm package gets wrong: an opening over pending operations, and a death at every call of a compaction.
/// </summary>
public sealed class TakeoverTests
{
    private static string Fifty => string.Join('\n', Enumerable.Range(0, 50).Select(i => $"k{i:00} = {{\"n\":{i}}}"));

    [Theory]
    [MemberData(nameof(Site.All), MemberType = typeof(Site))]
    public async Task X2_an_agent_that_opens_a_single_writers_store_has_its_pending_operations(string kind)
    {
        await using var site = new Site(kind);
        await site.WithAsync(null, WriteFiftyAsync);
        var a = await site.OpenAsync("A");
        Assert.Equal(Fifty, Runs.Text(a));
        await a.SetAsync("a", Lab.Doc(-1));
        var b = await site.OpenAsync("B");
        await b.SetAsync("b", Lab.Doc(-2));
        await site.AssertAgreeAsync("a = {\"n\":-1}\nb = {\"n\":-2}\n" + Fifty, a, b);
        await a.CompactAsync();
        await a.DisposeAsync();
        await b.DisposeAsync();
        await site.AssertAgreeAsync("a = {\"n\":-1}\nb = {\"n\":-2}\n" + Fifty);
    }

    [Theory]
    [MemberData(nameof(Site.All), MemberType = typeof(Site))]
    public async Task X2_those_of_a_single_writer_that_died_too(string kind)
    {
        await using var site = new Site(kind);
        var single = await site.OpenAsync(null);
        await WriteFiftyAsync(single);
        await site.KillAsync(single);
        var a = await site.OpenAsync("A");
        Assert.Equal(Fifty, Runs.Text(a));
        Assert.True((await a.SetAsync("k49", Lab.Doc(-1))).Clock > 50);
        var expected = Fifty.Replace("\"n\":49", "\"n\":-1", StringComparison.Ordinal);
        await site.AssertAgreeAsync(expected, a);
        await a.CompactAsync();
        await site.AssertAgreeAsync(expected, a);
    }

    [Fact]
    public async Task X2_those_the_npm_package_left_in_its_log_too()
    {
        var disk = new MemoryStorage();
        await using (var store = await Lab.OpenAsync(disk)) await store.SetAsync("before", Lab.Doc(0));
        await Lab.WriteAsync(disk, Lab.Manifest, """
            {"version":1,"currentSnapshot":"snapshots/snap-1.jsonl","activeOps":"ops/ops-1.jsonl","archiveSegments":[],
             "stats":{"activeRecords":1,"archivedRecords":0,"opsCount":50,"created":"2026-01-01T00:00:00.000Z","lastCheckpoint":"2026-01-01T00:00:00.000Z"}}
            """u8.ToArray());
        await Lab.WriteAsync(disk, new StorageKey("snapshots/snap-1.jsonl"), "{\"version\":1,\"timestamp\":\"2026-01-01T00:00:00.000Z\"}\n{\"id\":\"before\",\"data\":{\"n\":0}}\n"u8.ToArray());
        var lines = Enumerable.Range(0, 50).Select(i => $"{{\"ts\":\"2026-01-01T00:00:00.000Z\",\"op\":\"set\",\"id\":\"k{i:00}\",\"data\":{{\"n\":{i}}},\"prev\":null}}\n");
        await Lab.WriteAsync(disk, new StorageKey("ops/ops-1.jsonl"), System.Text.Encoding.UTF8.GetBytes(string.Concat(lines)));
        await using var a = await Lab.OpenAsync(disk, Lab.Options(o => o.AgentId = "A"));
        Assert.Equal("before = {\"n\":0}\n" + Fifty, Runs.Text(a));
        await a.SetAsync("a", Lab.Doc(1));
        await a.CompactAsync();
        Assert.Equal("a = {\"n\":1}\nbefore = {\"n\":0}\n" + Fifty, await Lab.StateAsync(disk));
    }

    [Theory]
    [MemberData(nameof(Site.All), MemberType = typeof(Site))]
    public async Task A_single_writer_that_opens_a_store_of_agents_has_all_of_theirs(string kind)
    {
        await using var site = new Site(kind);
        var a = await site.OpenAsync("A");
        var b = await site.OpenAsync("B");
        await a.SetAsync("a", Lab.Doc(1));
        await a.CompactAsync();
        await b.SetAsync("b", Lab.Doc(2));
        await a.SetAsync("a", Lab.Doc(3));
        await a.DisposeAsync();
        await site.KillAsync(b);
        var clock = 0L;
        await site.WithAsync(null, async single =>
        {
            Assert.Equal("a = {\"n\":3}\nb = {\"n\":2}", Runs.Text(single));
            clock = (await single.SetAsync("s", Lab.Doc(4))).Clock;
        });
        await site.AssertAgreeAsync("a = {\"n\":3}\nb = {\"n\":2}\ns = {\"n\":4}");
        await site.WithAsync("C", async c =>
        {
            Assert.Equal("a = {\"n\":3}\nb = {\"n\":2}\ns = {\"n\":4}", Runs.Text(c));
            Assert.True((await c.SetAsync("s", Lab.Doc(5))).Clock > clock);
        });
        await site.AssertAgreeAsync("a = {\"n\":3}\nb = {\"n\":2}\ns = {\"n\":5}");
    }

    [Fact]
    public async Task In_a_folder_a_single_writer_is_refused_while_an_agent_lives_and_the_other_way_round()
    {
        await using var site = new Site(Site.Folder);
        var a = await site.OpenAsync("A");
        await a.SetAsync("a", Lab.Doc(1));
        await Lab.RefusedAsync(OpsLogError.Locked, async Task () => await site.OpenAsync(null));
        await a.SetAsync("a", Lab.Doc(2));
        await a.DisposeAsync();
        var single = await site.OpenAsync(null);
        await single.SetAsync("s", Lab.Doc(3));
        await Lab.RefusedAsync(OpsLogError.Locked, async Task () => await site.OpenAsync("A"));
        await single.SetAsync("s", Lab.Doc(4));
        await single.DisposeAsync();
        await site.AssertAgreeAsync("a = {\"n\":2}\ns = {\"n\":4}");
    }

    /// <summary>Seed 2028705: in a folder, whoever sealed a log has let its lock go before the swap that says so.</summary>
    [Fact]
    public async Task A_single_writer_that_comes_between_an_agents_seal_and_its_swap_writes_nothing_that_is_lost()
    {
        await using var site = new Site(Site.Folder);
        var dead = await site.OpenAsync(null);
        await dead.SetAsync("s", Lab.Doc(1));
        await site.KillAsync(dead);
        var gate = new Gate();
        var agent = site.OpenAsync("A", o => o.TimeProvider = new HastyTime(), s => new HookedStorage(s)
        {
            Before = (call, key) => call == StorageCalls.Put && key == Lab.Manifest ? gate.PassAsync() : Task.CompletedTask,
        });
        await gate.Arrived;
        var single = await site.OpenAsync(null);
        gate.Open();
        var refusal = await Lab.RefusedAsync(OpsLogError.Locked, async Task () => await agent);
        Assert.Contains("single writer", refusal.Message, StringComparison.Ordinal);
        await single.SetAsync("t", Lab.Doc(2));
        await single.DisposeAsync();
        await site.WithAsync("A", async a => await a.SetAsync("a", Lab.Doc(3)));
        await site.AssertAgreeAsync("a = {\"n\":3}\ns = {\"n\":1}\nt = {\"n\":2}");
    }

    /// <summary>Where nothing tells that an agent lives, the only writer takes over; the agent's next write is refused, and nothing acknowledged is lost.</summary>
    [Theory]
    [MemberData(nameof(Site.InMemory), MemberType = typeof(Site))]
    public async Task In_memory_a_single_writer_fences_the_agents_and_keeps_what_they_wrote(string kind)
    {
        await using var site = new Site(kind);
        var a = await site.OpenAsync("A");
        await a.SetAsync("a", Lab.Doc(1));
        var single = await site.OpenAsync(null);
        await single.SetAsync("s", Lab.Doc(2));
        await Lab.RefusedAsync(OpsLogError.Locked, async Task () => await a.SetAsync("a", Lab.Doc(3)));
        Assert.Equal("a = {\"n\":1}", Runs.Text(a));
        await single.DisposeAsync();
        await a.SetAsync("a", Lab.Doc(4));
        await site.AssertAgreeAsync("a = {\"n\":4}\ns = {\"n\":2}", a);
    }

    [Theory]
    [InlineData(true, CrashLoss.Nothing)]
    [InlineData(true, CrashLoss.Unsynced)]
    [InlineData(false, CrashLoss.Nothing)]
    public async Task X3_F1_F34_a_process_that_dies_at_any_call_of_a_compaction_leaves_a_store_that_compacts(bool append, CrashLoss loss)
    {
        var rehearsal = new StorageRig(append);
        var (a, _) = await TwoAgentsAsync(rehearsal);
        var before = rehearsal.Calls.Count;
        await a.CompactAsync();
        var points = rehearsal.Points.Where(p => p.Call > before).ToList();
        Assert.True(points.Count > 5);
        foreach (var (call, moment) in points)
        {
            var context = $"died at call {call} ({moment}): {rehearsal.Calls[call - 1]}";
            var rig = new StorageRig(append);
            var (dying, _) = await TwoAgentsAsync(rig);
            rig.CrashAt(call, moment);
            var outcome = await Record.ExceptionAsync(() => dying.CompactAsync().AsTask());
            Assert.True(outcome is null or OpsLogException, $"{context}: {outcome}");

            var survivor = rig.Survivor(loss);
            await using (var next = await Lab.OpenAsync(survivor, Agent("C")))
            {
                Assert.True(Expected == Runs.Text(next), $"{context}\n{Runs.Text(next)}");
                await next.SetAsync("c", Lab.Doc(9));
                await next.CompactAsync();
                Assert.True(next.Statistics.Checkpoints == 1, context);
                await next.SetAsync("c", Lab.Doc(10));
            }

            Assert.True(Expected.Replace("k = ", "c = {\"n\":10}\nk = ", StringComparison.Ordinal) == await Lab.StateAsync(survivor), context);
            await Runs.AssertSoundAsync(survivor, context);
            await OnlyNamedObjectsAsync(survivor, context);
        }
    }

    [Theory]
    [InlineData("4100222")]
    [InlineData("1")]
    [InlineData("")]
    public async Task X3_the_packages_compaction_lock_stops_nobody(string pid)
    {
        await using var site = new Site(Site.Folder);
        var a = await site.OpenAsync("A");
        await a.SetAsync("a", Lab.Doc(1));
        await File.WriteAllTextAsync(Path.Combine(site.StorePath, ".compact-lock"), pid);
        await a.CompactAsync();
        Assert.Equal(1, a.Statistics.Checkpoints);
        await site.AssertAgreeAsync("a = {\"n\":1}", a);
    }

    private const string Expected = "a0 = {\"n\":1}\na1 = {\"n\":1}\nb = {\"n\":2}\nk = {\"n\":3}";

    private static OpsStoreOptions Agent(string id) => Lab.Options(o =>
    {
        o.AgentId = id;
        o.Checkpoint.SilentAfter = TimeSpan.Zero; // the dead are known as such at once
        o.HistoryRetention = HistoryRetention.None;
    });

    private static async Task<(OpsStore<JsonElement> A, OpsStore<JsonElement> B)> TwoAgentsAsync(StorageRig rig)
    {
        var a = await Lab.OpenAsync(rig, Seeded("A", 1));
        var b = await Lab.OpenAsync(rig, Seeded("B", 2));
        await a.SetAsync("a0", Lab.Doc(1));
        await b.SetAsync("gone", Lab.Doc(1));
        await a.SetAsync("a1", Lab.Doc(1));
        await b.SetAsync("b", Lab.Doc(2));
        await b.DeleteAsync("gone");
        await a.RefreshAsync();
        await a.SetAsync("k", Lab.Doc(3));
        return (a, b);

        OpsStoreOptions Seeded(string id, int seed)
        {
            var options = Agent(id);
            options.Random = new Random(seed);
            return options;
        }
    }

    private static async Task WriteFiftyAsync(OpsStore<JsonElement> store)
    {
        for (var i = 0; i < 50; i++) await store.SetAsync($"k{i:00}", Lab.Doc(i));
    }

    /// <summary>What the dead one left behind goes: a snapshot for each name that the manifest has, and no other.</summary>
    private static async Task OnlyNamedObjectsAsync(IOpsStorage storage, string context)
    {
        await using (var last = await Lab.OpenAsync(storage, Agent("D"))) await last.CompactAsync();
        var snapshots = await Lab.NamesAsync(storage, "snapshots/");
        Assert.True(snapshots.Count == 1, $"{context}\n{string.Join('\n', snapshots)}");
    }
}
