using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using OpsLog.Storage;
using OpsLog.Testing;
using OpsLog.Tests.Faults;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.ManyWriters;

/// <summary>
/// Goal: what a snapshot holds and no log tells any more is neither overlooked by who has the store open, nor lost with the snapshot that replaces it. Method: agents that were
/// behind when what they had yet to read was damaged, cut or deleted, or taken over from the npm package by a single writer; each makes the next checkpoint.
/// </summary>
public sealed class SnapshotAheadTests
{
    private const string Both = "x = {\"n\":1}\ny = {\"n\":2}";

    [Theory]
    [InlineData("gone", Recovery.SkipCorrupt)]
    [InlineData("damaged", Recovery.SkipCorrupt)]
    [InlineData("cut", Recovery.TolerateTornTail)]
    [InlineData("gone piece", Recovery.TolerateTornTail)]
    public async Task An_agent_that_can_no_longer_read_what_a_snapshot_covers_takes_it_from_the_snapshot(string damage, Recovery recovery)
    {
        var disk = new MemoryStorage(append: damage != "gone piece");
        var c = await Lab.OpenAsync(disk, Agent("C"));
        var log = (await c.SetAsync("x", Lab.Doc(1))).Log;
        await using var b = await Lab.OpenAsync(disk, Agent("B", recovery));
        await using var d = await Lab.OpenAsync(disk, Agent("D", recovery));
        await c.SetAsync("y", Lab.Doc(2));
        await using (var a = await Lab.OpenAsync(disk, Agent("A"))) await a.CompactAsync();
        switch (damage)
        {
            case "gone":
                await disk.DeleteAsync(new StorageKey(log), default);
                break;
            case "damaged":
                await Lab.ChangeAsync(disk, new StorageKey(log), bytes => Lab.FlipInLine(bytes, 1));
                break;
            case "cut":
                await Lab.ChangeAsync(disk, new StorageKey(log), bytes => bytes[..Lab.LineOf(bytes, 0).End]);
                break;
            default:
                await disk.DeleteAsync(new StorageKey((await Lab.NamesAsync(disk, log[..^".jsonl".Length] + "-n")).Max(StringComparer.Ordinal)!), default);
                break;
        }

        await b.RefreshAsync();
        Assert.Equal(Both, Runs.Text(b));
        await using (var watch = b.OperationsAsync().GetAsyncEnumerator())
            if (damage == "cut") Assert.True(await watch.MoveNextAsync()); // history may lack what was cut, and no more
        await b.CompactAsync();
        Assert.Equal(Both, Runs.Text(b));

        // Nor is it lost by who was behind as well, and looks only now.
        await d.RefreshAsync();
        Assert.Equal(Both, Runs.Text(d));
        await d.CompactAsync();
        Assert.Equal(Both, await Lab.StateAsync(disk));
        await Runs.AbandonAsync(c);
    }

    /// <summary>A power loss has cut it inside what a snapshot covers, and it was sealed and read to that seal; a checkpoint that knows nothing of the seal comes in between.</summary>
    [Fact]
    public async Task V9_a_cut_log_that_was_read_to_its_seal_is_kept_for_history_as_long_as_it_is()
    {
        var disk = new MemoryStorage();
        var c = await Lab.OpenAsync(disk, Agent("C"));
        var log = new StorageKey((await c.SetAsync("x", Lab.Doc(1))).Log);
        var end = (await Lab.ReadAsync(disk, log)).Length;
        await c.SetAsync("y", Lab.Doc(2));
        var hooked = new HookedStorage(disk);
        await using var a = await Lab.OpenAsync(hooked, Agent("A"));
        await a.CompactAsync();
        await Lab.ChangeAsync(disk, log, bytes => bytes[..end]);
        await using var b = await Lab.OpenAsync(disk, Agent("B"));
        await using (var d = await Lab.OpenAsync(disk, Agent("D"))) await d.SetAsync("z", Lab.Doc(3)); // or there would be nothing to make a checkpoint of
        hooked.Before = async (call, key) =>
        {
            if (call != StorageCalls.Put || !key.Value.StartsWith("snapshots/", StringComparison.Ordinal)) return;
            await Lab.ChangeAsync(disk, log, bytes => [.. bytes, (byte)'\n']);
            await b.RefreshAsync();
        };
        await a.CompactAsync();
        hooked.Before = null;
        await b.RefreshAsync();
        await b.CompactAsync();
        Assert.DoesNotContain(log.Value, (await Lab.ManifestAsync(disk))["opslog"]!["logs"]!.ToJsonString(), StringComparison.Ordinal);
        foreach (var store in new[] { a, b })
        {
            await store.RefreshAsync();
            Assert.Equal(["x", "z"], await IdsAsync(store, default));
            Assert.Equal(Both + "\nz = {\"n\":3}", Runs.Text(store));
        }

        await Runs.AbandonAsync(c);
    }

    /// <summary>Of what a snapshot covers a power loss has taken the last newline alone: who seals the log puts it back, and a position behind it stays one.</summary>
    [Theory]
    [InlineData(null)]
    [InlineData("B")]
    public async Task V9_history_keeps_a_log_that_lacks_the_newline_at_its_covered_position(string? next)
    {
        var disk = new MemoryStorage();
        var c = await Lab.OpenAsync(disk, Agent("C"));
        var log = new StorageKey((await c.SetAsync("w", Lab.Doc(0))).Log);
        await c.BatchAsync(batch =>
        {
            batch.Set("x", Lab.Doc(1));
            batch.Set("y", Lab.Doc(2));
        });
        FeedPosition behind = default;
        await foreach (var operation in c.OperationsAsync()) behind = operation.Position;
        await using (var a = await Lab.OpenAsync(disk, Agent("A"))) await a.CompactAsync();
        await Lab.ChangeAsync(disk, log, bytes => bytes[..^1]);
        await using (var store = await Lab.OpenAsync(disk, Lab.Options(o => (o.AgentId, o.Checkpoint.SilentAfter) = (next, TimeSpan.Zero))))
        {
            await store.CompactAsync();
            await store.SetAsync("z", Lab.Doc(3));
            await store.CompactAsync();
            Assert.Equal(["w", "x", "y", "z"], await IdsAsync(store, default));
            Assert.Equal(["z"], await IdsAsync(store, behind));
            Assert.Equal("w = {\"n\":0}\n" + Both + "\nz = {\"n\":3}", Runs.Text(store));
        }

        var report = await OpsStore.VerifyAsync(disk);
        Assert.True(report.IsSound, string.Join('\n', report.Damages));
        await Runs.AbandonAsync(c);
    }

    /// <summary>The line was damaged when it was read first, but somebody had read it before.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_was_skipped_is_taken_from_a_later_snapshot_that_has_it(bool appends)
    {
        var disk = new MemoryStorage(append: appends);
        var c = await Lab.OpenAsync(disk, Agent("C"));
        var log = (await c.SetAsync("x", Lab.Doc(1))).Log;
        await c.SetAsync("y", Lab.Doc(2));
        await c.SetAsync("z", Lab.Doc(3));
        await using var a = await Lab.OpenAsync(disk, Agent("A"));
        var damaged = appends ? log : (await Lab.NamesAsync(disk, log[..^".jsonl".Length] + "-n"))[1];
        await Lab.ChangeAsync(disk, new StorageKey(damaged), bytes => Lab.FlipInLine(bytes, appends ? 1 : 0));
        await using var opened = await Lab.OpenAsync(disk, Agent("B", Recovery.SkipCorrupt));
        Assert.Equal("x = {\"n\":1}\nz = {\"n\":3}", Runs.Text(opened));
        await a.CompactAsync();
        await opened.RefreshAsync();
        Assert.Equal(Both + "\nz = {\"n\":3}", Runs.Text(opened));
        await opened.CompactAsync();
        Assert.Equal(Both + "\nz = {\"n\":3}", await Lab.StateAsync(disk));
        await Runs.AbandonAsync(c);
    }

    [Fact]
    public async Task An_agent_shows_and_keeps_what_a_single_writer_took_over_from_the_package()
    {
        var disk = new MemoryStorage();
        await using var a = await Lab.OpenAsync(disk, Agent("A"));
        await a.CompactAsync();
        await a.SetAsync("a", Lab.Doc(1));
        await AppendTheirsAsync(disk);
        await (await Lab.OpenAsync(disk)).DisposeAsync();
        await a.RefreshAsync();
        const string expected = "a = {\"n\":1}\ntheirs = {\"n\":3}";
        Assert.Equal(expected, Runs.Text(a));
        await a.CompactAsync();
        Assert.Equal(expected, await Lab.StateAsync(disk));
    }

    [Fact]
    public async Task A_read_only_opening_shows_what_was_taken_over_from_the_package_meanwhile()
    {
        var disk = new MemoryStorage();
        await using (var a = await Lab.OpenAsync(disk, Agent("A")))
        {
            await a.CompactAsync();
            await a.SetAsync("a", Lab.Doc(1));
        }

        await using var reader = await Lab.OpenAsync(disk, Lab.ReadOnly());
        await AppendTheirsAsync(disk);
        await using (var b = await Lab.OpenAsync(disk, Agent("B"))) await b.SetAsync("b", Lab.Doc(4));
        await reader.RefreshAsync();
        Assert.Equal("a = {\"n\":1}\nb = {\"n\":4}\ntheirs = {\"n\":3}", Runs.Text(reader));
    }

    /// <summary>With a single writer before and after: its old log tells nothing of it, its new one neither.</summary>
    [Fact]
    public async Task A_read_only_opening_of_a_single_writers_store_shows_it_too()
    {
        var disk = new MemoryStorage();
        await using (var single = await Lab.OpenAsync(disk)) await single.SetAsync("s", Lab.Doc(1));
        await using var reader = await Lab.OpenAsync(disk, Lab.ReadOnly());
        const string log = "ops/agent-guest-1795394388755.jsonl";
        const string line = """{"ts":"2026-11-23T00:00:00.000Z","op":"set","id":"theirs","data":{"n":3},"prev":null,"agent":"guest","clock":9}""" + "\n";
        await Lab.WriteAsync(disk, new StorageKey(log), Encoding.UTF8.GetBytes(line));
        var manifest = await Lab.ManifestAsync(disk);
        manifest["activeAgentOps"] = new JsonObject { ["guest"] = log };
        await Lab.WriteAsync(disk, Lab.Manifest, Encoding.UTF8.GetBytes(manifest.ToJsonString()));
        await using (var single = await Lab.OpenAsync(disk)) await single.SetAsync("s", Lab.Doc(4));
        await reader.RefreshAsync();
        Assert.Equal("s = {\"n\":4}\ntheirs = {\"n\":3}", Runs.Text(reader));
    }

    /// <summary>What stood on a damaged line of a snapshot is not taken for deleted by who has it.</summary>
    [Fact]
    public async Task An_agent_that_skips_damage_in_a_snapshot_keeps_what_it_knows_of_it()
    {
        var disk = new MemoryStorage();
        await using var b = await Lab.OpenAsync(disk, Agent("B", Recovery.SkipCorrupt));
        var c = await Lab.OpenAsync(disk, Agent("C"));
        var log = new StorageKey((await c.SetAsync("x", Lab.Doc(1))).Log);
        await b.RefreshAsync();
        await c.SetAsync("y", Lab.Doc(2));
        await c.DisposeAsync();
        await using (var a = await Lab.OpenAsync(disk, Agent("A"))) await a.CompactAsync();
        await disk.DeleteAsync(log, default); // the snapshot alone has y
        await Lab.ChangeAsync(disk, await Lab.SnapshotAsync(disk), bytes => Lab.FlipInLine(bytes, 1));
        await b.RefreshAsync();
        Assert.Equal(Both, Runs.Text(b));
    }

    /// <summary>Its clocks begin anew: an older one would win over them.</summary>
    [Fact]
    public async Task An_agent_does_not_go_on_in_a_store_that_began_anew()
    {
        var disk = new MemoryStorage();
        var a = await Lab.OpenAsync(disk, Agent("A"));
        await a.SetAsync("a", Lab.Doc(1));
        await a.CompactAsync();
        await using var reader = await Lab.OpenAsync(disk, Lab.ReadOnly());
        await Lab.ChangeManifestAsync(disk, manifest => manifest["incarnation"] = new string('a', 32));
        foreach (var store in new[] { a, reader }) await Lab.RefusedAsync(OpsLogError.Fenced, async Task () => await store.RefreshAsync());
        await Runs.AbandonAsync(a);
    }

    [Fact]
    public async Task While_a_single_writer_has_the_store_no_agent_that_is_open_swaps_the_manifest()
    {
        var disk = new MemoryStorage();
        await using var agent = await Lab.OpenAsync(disk, Agent("A"));
        await using var single = await Lab.OpenAsync(disk);
        await single.SetAsync("k", Lab.Doc(1));
        await agent.RefreshAsync();
        Assert.Equal("k = {\"n\":1}", Runs.Text(agent));
        await Lab.RefusedAsync(OpsLogError.Locked, async Task () => await agent.CompactAsync());
        await Lab.RefusedAsync(OpsLogError.Locked, async Task () => await agent.ArchiveAsync(["k"]));
        await single.SetAsync("k", Lab.Doc(2));
        await single.CompactAsync(); // it is not fenced
        Assert.Equal("k = {\"n\":2}", await Lab.StateAsync(disk));
        await single.DisposeAsync();
        Assert.Equal(1, await agent.ArchiveAsync(["k"])); // it finds that by itself
    }

    private static async Task<List<string>> IdsAsync(OpsStore<JsonElement> store, FeedPosition since)
    {
        var ids = new List<string>();
        await foreach (var operation in store.OperationsAsync(since)) ids.Add(operation.Id);
        return ids;
    }

    private static OpsStoreOptions Agent(string id, Recovery recovery = Recovery.TolerateTornTail) => Lab.Options(o => (o.AgentId, o.Recovery) = (id, recovery));

    private static async Task AppendTheirsAsync(MemoryStorage disk)
    {
        const string line = """{"ts":"2026-11-23T00:00:00.000Z","op":"set","id":"theirs","data":{"n":3},"prev":null}""" + "\n";
        await Lab.ChangeAsync(disk, await Lab.LogAsync(disk), bytes => [.. bytes, .. Encoding.UTF8.GetBytes(line)]);
    }
}
