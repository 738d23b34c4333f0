using System.Text;
using System.Text.Json.Nodes;
using OpsLog.Storage;
using OpsLog.Tests.Faults;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.Maintenance;

/// <summary>
/// Goal: what is written after a repair, or by the npm package, is newer than what was archived before: it can be archived into the same period, and is what shows there (I9).
/// Method: a record with many operations is archived; then the package, which drops all stamps, writes it anew, or the store is repaired; then it is archived again.
/// </summary>
public sealed class ArchiveClockTests
{
    private const string Period = "2026-Q4";
    private const string Snapshot = "snapshots/snap-1795394388755";
    private const string Log = "ops/ops-1795394388755.jsonl";
    private const string Agents = "ops/agent-guest-1795394388755.jsonl";

    public static TheoryData<string, string?, bool> Histories()
    {
        var histories = new TheoryData<string, string?, bool>();
        foreach (var where in new[] { "snapshot", "json", "log", "agent's log", "log beside an agent's" })
        {
            foreach (var again in new[] { null, "B" })
            {
                histories.Add(where, again, false);
                histories.Add(where, again, true);
            }
        }

        return histories;
    }

    [Theory]
    [MemberData(nameof(Histories))]
    public async Task I9_what_the_package_wrote_is_newer_than_what_was_archived_before(string where, string? again, bool repairs)
    {
        var disk = await ArchivedAsync();
        await WriteAsThePackageAsync(disk, where, 2);
        Assert.Equal("k = {\"n\":2}", await Lab.StateAsync(disk));
        if (repairs) disk = await RepairedAsync(disk);
        Assert.Equal("k = {\"n\":2}", await Lab.StateAsync(disk));
        await AssertArchivedAgainAsync(disk, again, 2);
    }

    /// <summary>State, history and undo give the line one clock.</summary>
    [Fact]
    public async Task An_agent_takes_back_what_it_wrote_as_an_agent_of_the_package()
    {
        var disk = await ArchivedAsync();
        await WriteAsThePackageAsync(disk, "agent's log", 2);
        await using var guest = await Lab.OpenAsync(disk, Options("guest"));
        Assert.True(guest.TryGet("k", out _, out var revision));
        Assert.Equal(revision, Assert.Single(await Lab.OperationsAsync(guest), o => o.Id == "k").Revision);
        Assert.True(await guest.UndoAsync());
        Assert.Equal("k = {\"n\":0}", Runs.Text(guest));
    }

    /// <summary>The package's snapshot is damaged, and an older one of it is taken.</summary>
    [Theory]
    [InlineData(null)]
    [InlineData("B")]
    public async Task I9_an_older_snapshot_of_the_package_is_newer_than_what_was_archived_before(string? again)
    {
        var disk = await ArchivedAsync();
        await WriteAsThePackageAsync(disk, "log", 2);
        var manifest = await Lab.ManifestAsync(disk);
        manifest["currentSnapshot"] = "snapshots/snap-1795394388999.jsonl";
        manifest["activeOps"] = "ops/ops-1795394388999.jsonl";
        await Lab.WriteAsync(disk, Lab.Manifest, Encoding.UTF8.GetBytes(manifest.ToJsonString()));
        await Lab.WriteAsync(disk, new StorageKey("ops/ops-1795394388999.jsonl"), []);
        disk = await RepairedAsync(disk);
        Assert.Equal("k = {\"n\":2}", await Lab.StateAsync(disk));
        await AssertArchivedAgainAsync(disk, again, 2);
    }

    /// <summary>A program that we do not know of has put a snapshot without stamps in the place of ours, and left our part of the manifest.</summary>
    [Theory]
    [InlineData(null)]
    [InlineData("B")]
    public async Task I9_a_snapshot_that_came_without_the_manifest_is_newer_than_what_was_archived_before(string? again)
    {
        var disk = await ArchivedAsync();
        var ours = (await Lab.ManifestAsync(disk))["opslog"]!.DeepClone();
        await WriteAsThePackageAsync(disk, "snapshot", 2);
        var manifest = await Lab.ManifestAsync(disk);
        manifest["opslog"] = ours;
        await Lab.WriteAsync(disk, Lab.Manifest, Encoding.UTF8.GetBytes(manifest.ToJsonString()));
        await AssertArchivedAgainAsync(disk, again, 2);
    }

    /// <summary>The package does not find a period whose name we had to encode, and makes an object of its own for it.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task I9_a_period_that_both_we_and_the_package_archived_to_keeps_the_objects_of_both(bool repairs)
    {
        const string period = "last year";
        var disk = new MemoryStorage();
        await using (var store = await Lab.OpenAsync(disk))
        {
            await store.SetAsync("ours", Lab.Doc(1));
            Assert.Equal(1, await store.ArchiveAsync(["ours"], period));
        }

        await WriteAsThePackageAsync(disk, "snapshot", 2);
        await PutAsync(disk, $"archive/archive-{period}.json", "{\"version\":1,\"period\":\"" + period + "\",\"timestamp\":\"2026-11-23T00:00:00.000Z\",\"records\":{\"theirs\":{\"n\":3}}}");
        var manifest = await Lab.ManifestAsync(disk);
        manifest["archiveSegments"]!.AsArray().Add($"archive/archive-{period}.json");
        await Lab.WriteAsync(disk, Lab.Manifest, Encoding.UTF8.GetBytes(manifest.ToJsonString()));
        if (repairs) disk = await RepairedAsync(disk);
        await using (var reader = await Lab.OpenAsync(disk, Lab.ReadOnly())) Assert.Equal(["ours", "theirs"], (await reader.LoadArchiveAsync(period)).Keys.Order());
        await using (var store = await Lab.OpenAsync(disk))
        {
            Assert.Equal([period], store.Archives);
            Assert.Equal(1, await store.ArchiveAsync(["k"], period));
            Assert.Equal(["k", "ours", "theirs"], (await store.LoadArchiveAsync(period)).Keys.Order());
        }

        await using var last = await Lab.OpenAsync(await RepairedAsync(disk));
        Assert.Equal(["k", "ours", "theirs"], (await last.LoadArchiveAsync(period)).Keys.Order());
    }

    [Theory]
    [InlineData(null, "")]
    [InlineData("B", "")]
    [InlineData(null, "manifest.json")]
    [InlineData("B", "manifest.json")]
    [InlineData(null, "snapshots/")]
    [InlineData(null, "snapshots/ manifest.json")]
    public async Task I9_what_is_written_behind_a_repair_is_newer_than_what_was_archived_before(string? again, string lost)
    {
        var disk = await ArchivedAsync();
        foreach (var prefix in lost.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            foreach (var name in await Lab.NamesAsync(disk, prefix)) await disk.DeleteAsync(new StorageKey(name), default);
        disk = await RepairedAsync(disk);
        await using (var store = await Lab.OpenAsync(disk, Options(again))) await store.SetAsync("k", Lab.Doc(2));
        await AssertArchivedAgainAsync(disk, again, 2);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_revision_from_before_a_repair_is_none_of_a_record_written_behind_it(bool losesManifest)
    {
        var disk = await ArchivedAsync();
        var before = new List<Revision>();
        await using (var store = await Lab.OpenAsync(disk))
        {
            for (var i = 0; i < 3; i++) before.Add(await store.SetAsync("k", Lab.Doc(i)));
            await store.DeleteAsync("k");
            await store.CompactAsync();
        }

        if (losesManifest) await disk.DeleteAsync(Lab.Manifest, default);
        disk = await RepairedAsync(disk);
        await using var repaired = await Lab.OpenAsync(disk);
        for (var i = 0; i < 30; i++) Assert.DoesNotContain(await repaired.SetAsync("k", Lab.Doc(i)), before);
    }

    // k was archived with the value 1, behind some operations, and a snapshot covers all of it.
    private static async Task<MemoryStorage> ArchivedAsync()
    {
        var disk = new MemoryStorage();
        await using var store = await Lab.OpenAsync(disk, Lab.Options(o => o.HistoryRetention = HistoryRetention.None));
        for (var i = 0; i < 5; i++) await store.SetAsync("k", Lab.Doc(10 + i));
        await store.SetAsync("k", Lab.Doc(1));
        Assert.Equal(1, await store.ArchiveAsync(["k"], Period));
        await store.CompactAsync();
        return disk;
    }

    private static async Task AssertArchivedAgainAsync(MemoryStorage disk, string? agent, int value)
    {
        await using (var store = await Lab.OpenAsync(disk, Options(agent)))
        {
            Assert.Equal(value, Lab.N(store["k"]));
            Assert.Equal(1, await store.ArchiveAsync(["k"], Period));
            Assert.Equal("", Runs.Text(store));
            Assert.Equal(value, Lab.N((await store.LoadArchiveAsync(Period))["k"]));
            await store.SetAsync("other", Lab.Doc(3));
        }

        // A single writer merges all objects of the period into one.
        await using (var store = await Lab.OpenAsync(disk))
        {
            Assert.Equal(1, await store.ArchiveAsync(["other"], Period));
            Assert.Equal(value, Lab.N((await store.LoadArchiveAsync(Period))["k"]));
        }

        await using var last = await Lab.OpenAsync(disk, Lab.ReadOnly());
        Assert.Equal((0, value), (last.Count, Lab.N((await last.LoadArchiveAsync(Period))["k"])));
        Assert.True((await OpsStore.VerifyAsync(disk)).IsSound);
    }

    private static async Task<MemoryStorage> RepairedAsync(MemoryStorage disk)
    {
        var target = new MemoryStorage();
        await OpsStore.RepairAsync(disk, target);
        return target;
    }

    // As by its checkpoint: the member opslog goes. What it wrote of k stands in its snapshot, or in a log behind that.
    private static async Task WriteAsThePackageAsync(MemoryStorage disk, string where, int value)
    {
        var (isJson, inSnapshot) = (where == "json", where is "snapshot" or "json");
        var snapshot = Snapshot + (isJson ? ".json" : ".jsonl");
        var record = $"{{\"n\":{(inSnapshot ? value : 0)}}}";
        const string head = "{\"version\":1,\"timestamp\":\"2026-11-23T00:00:00.000Z\"";
        await PutAsync(disk, snapshot, isJson ? head + ",\"records\":{\"k\":" + record + "}}" : head + "}\n{\"id\":\"k\",\"data\":" + record + "}\n");
        var line = "{\"ts\":\"2026-11-23T00:00:00.000Z\",\"op\":\"set\",\"id\":\"k\",\"data\":{\"n\":" + value + "},\"prev\":{\"n\":0}}";
        await PutAsync(disk, Log, where.StartsWith("log", StringComparison.Ordinal) ? line + "\n" : "");
        var ours = await Lab.ManifestAsync(disk);
        var manifest = new JsonObject
        {
            ["version"] = 1,
            ["currentSnapshot"] = snapshot,
            ["activeOps"] = Log,
            ["archiveSegments"] = ours["archiveSegments"]!.DeepClone(),
            ["stats"] = ours["stats"]!.DeepClone(),
        };
        if (where.Contains("agent", StringComparison.Ordinal))
        {
            await PutAsync(disk, Agents, where == "agent's log" ? line[..^1] + ",\"agent\":\"guest\",\"clock\":1}\n" : "");
            manifest["activeAgentOps"] = new JsonObject { ["guest"] = Agents };
            if (where == "agent's log") manifest["activeOps"] = Agents;
        }

        await Lab.WriteAsync(disk, Lab.Manifest, Encoding.UTF8.GetBytes(manifest.ToJsonString()));
    }

    private static async Task PutAsync(MemoryStorage disk, string name, string text) => await Lab.WriteAsync(disk, new StorageKey(name), Encoding.UTF8.GetBytes(text));

    private static OpsStoreOptions Options(string? agent) => Lab.Options(o => o.AgentId = agent);
}
