using System.Text;
using System.Text.Json.Nodes;
using OpsLog.Storage;
using OpsLog.Tests.Faults;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.ManyWriters;

/// <summary>
/// Goal: what the npm package wrote to a store of agents that had closed is taken in, over what they had written (F31). Method: agents leave logs behind that no checkpoint has folded;
/// then the lines that the package would append to the log it is left with, or to that of an agent it registers.
/// </summary>
public sealed class IdleLogTests
{
    private const string Theirs = "ops/agent-guest-1795394388755.jsonl";

    [Theory]
    [InlineData(false, null)]
    [InlineData(false, "B")]
    [InlineData(true, null)]
    [InlineData(true, "B")]
    public async Task F31_lines_of_the_package_over_agents_logs_are_newer_than_all_of_those(bool registers, string? agent)
    {
        var disk = new MemoryStorage();
        await using (var a = await Lab.OpenAsync(disk, Agent("A")))
        {
            await a.SetAsync("folded", Lab.Doc(1));
            await a.SetAsync("both", Lab.Doc(2));
            await a.CompactAsync();
            for (var i = 0; i < 20; i++) await a.SetAsync("both", Lab.Doc(i));
            await a.SetAsync("a's", Lab.Doc(3));
        }

        await AppendAsync(disk, await Lab.LogAsync(disk), Line("folded", 10), Line("both", 20), Line("theirs", 30));
        var expected = "a's = {\"n\":3}\nboth = {\"n\":20}\nfolded = {\"n\":10}\ntheirs = {\"n\":30}";
        if (registers)
        {
            await Lab.WriteAsync(disk, new StorageKey(Theirs), Encoding.UTF8.GetBytes(Guests("a's", 41, 22) + Guests("guest's", 40, 23))); // counted from nothing, over our snapshot
            var manifest = await Lab.ManifestAsync(disk);
            manifest["activeAgentOps"]!["guest"] = Theirs;
            await Lab.WriteAsync(disk, Lab.Manifest, Encoding.UTF8.GetBytes(manifest.ToJsonString()));
            expected = expected.Replace("a's = {\"n\":3}", "a's = {\"n\":41}", StringComparison.Ordinal).Replace("\ntheirs", "\nguest's = {\"n\":40}\ntheirs", StringComparison.Ordinal);
        }

        Assert.Equal(expected, await Lab.StateAsync(disk));
        var report = await OpsStore.VerifyAsync(disk);
        Assert.True(report.IsSound, string.Join('\n', report.Damages));
        var repaired = new MemoryStorage();
        Assert.DoesNotContain((await OpsStore.RepairAsync(disk, repaired)).Losses, l => l.Kind != DamageKind.Missing); // history is not carried over
        Assert.Equal(expected, await Lab.StateAsync(repaired));
        await using (var next = await Lab.OpenAsync(disk, agent is null ? Lab.Options() : Agent(agent)))
        {
            Assert.Equal(expected, Runs.Text(next));
            await next.SetAsync("z", Lab.Doc(50));
        }

        expected += "\nz = {\"n\":50}";
        Assert.Equal(expected, await Lab.StateAsync(disk));
        Assert.True((await OpsStore.VerifyAsync(disk)).IsSound);
        await using var last = await Lab.OpenAsync(disk, Agent("C"));
        Assert.Equal(expected, Runs.Text(last));
        Assert.Equal(2 + 20 + 1 + 3 + (registers ? 2 : 0) + 1, (await Lab.OperationsAsync(last)).Count);
    }

    /// <summary>The snapshot covers the set, and has forgotten the delete: the log must not be read from its beginning.</summary>
    [Fact]
    public async Task F31_what_was_deleted_and_forgotten_stays_deleted()
    {
        var disk = new MemoryStorage();
        await using (var b = await Lab.OpenAsync(disk, Agent("B")))
        {
            await using var a = await Lab.OpenAsync(disk, Agent("A"));
            await a.SetAsync("gone", Lab.Doc(1));
            await b.RefreshAsync();
            await b.DeleteAsync("gone");
            await a.RefreshAsync();
            await a.SetAsync("k", Lab.Doc(2));
            await b.CompactAsync();
            Assert.Equal(0, b.Statistics.Tombstones);
        }

        await AppendAsync(disk, await Lab.LogAsync(disk), Line("theirs", 3));
        const string expected = "k = {\"n\":2}\ntheirs = {\"n\":3}";
        Assert.Equal(expected, await Lab.StateAsync(disk));
        var repaired = new MemoryStorage();
        await OpsStore.RepairAsync(disk, repaired);
        Assert.Equal(expected, await Lab.StateAsync(repaired));
        await using (var single = await Lab.OpenAsync(disk)) Assert.Equal(expected, Runs.Text(single));
        Assert.Equal(expected, await Lab.StateAsync(disk));
    }

    [Fact]
    public async Task F31_an_agent_that_lives_loses_nothing_to_whoever_takes_the_packages_lines_in()
    {
        await using var site = new Site(Site.Folder);
        var a = await site.OpenAsync("A");
        await a.CompactAsync();
        await a.SetAsync("a", Lab.Doc(1));
        await AppendAsync(site.Storage, await Lab.LogAsync(site.Storage), Line("theirs", 3));
        foreach (var agent in new[] { null, "B" }) await Lab.RefusedAsync(OpsLogError.Locked, async Task () => await site.OpenAsync(agent));
        await a.SetAsync("a", Lab.Doc(2));
        await a.DisposeAsync();
        await site.WithAsync(null, async single =>
        {
            Assert.Equal("a = {\"n\":2}\ntheirs = {\"n\":3}", Runs.Text(single));
            await single.SetAsync("s", Lab.Doc(4));
        });
        await site.AssertAgreeAsync("a = {\"n\":2}\ns = {\"n\":4}\ntheirs = {\"n\":3}");
    }

    /// <summary>Where no lock tells, the agent's log is ended: it acknowledges nothing more there.</summary>
    [Fact]
    public async Task F31_an_agent_whose_life_nobody_can_tell_is_fenced_first()
    {
        var disk = new MemoryStorage();
        var a = await Lab.OpenAsync(disk, Agent("A"));
        await a.CompactAsync();
        await a.SetAsync("a", Lab.Doc(1));
        await AppendAsync(disk, await Lab.LogAsync(disk), Line("theirs", 3));
        await using (var single = await Lab.OpenAsync(disk))
        {
            await Lab.RefusedAsync(OpsLogError.Locked, async Task () => await a.SetAsync("a", Lab.Doc(2)));
            Assert.Equal("a = {\"n\":1}\ntheirs = {\"n\":3}", Runs.Text(single));
        }

        await Runs.AbandonAsync(a);
        Assert.Equal("a = {\"n\":1}\ntheirs = {\"n\":3}", await Lab.StateAsync(disk));
    }

    private static OpsStoreOptions Agent(string id) => Lab.Options(o => o.AgentId = id);

    private static string Line(string id, int n) => $$"""{"ts":"2026-11-23T00:00:00.000Z","op":"set","id":"{{id}}","data":{"n":{{n}}},"prev":null}""" + "\n";

    private static string Guests(string id, int n, long clock) => Line(id, n).Replace("}\n", $",\"agent\":\"guest\",\"clock\":{clock}}}\n", StringComparison.Ordinal);

    private static async Task AppendAsync(IOpsStorage storage, StorageKey log, params string[] lines) =>
        await Lab.ChangeAsync(storage, log, bytes => [.. bytes, .. Encoding.UTF8.GetBytes(string.Concat(lines))]);
}
