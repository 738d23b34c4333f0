using System.Text;
using System.Text.Json;
using OpsLog.Storage;
using OpsLog.Tests.Faults;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.ManyWriters;

/// <summary>
/// Goal: damage in what one agent wrote is refused by file and line, is skipped only on request and then takes nothing of the others, and never changes what a
/// living agent shows. Method: a store with a snapshot and the logs of two agents, with each kind of damage in each object; opened, and refreshed by an agent that was there before.
/// </summary>
public sealed class AgentDamageTests
{
    private const string State = "a0 = {\"n\":0}\na1 = {\"n\":1}\na2 = {\"n\":2}\nb0 = {\"n\":0}\nb1 = {\"n\":1}\nb2 = {\"n\":2}\nold = {\"n\":9}";

    [Theory]
    [InlineData("F6 middle of a log", "ops/agent-A", true)]
    [InlineData("F7 last line of a log", "ops/agent-A", true)]
    [InlineData("F17 zeros in a log", "ops/agent-A", true)]
    [InlineData("F17 lines changed places", "ops/agent-A", true)]
    [InlineData("F15 log missing", "ops/agent-A", true)]
    [InlineData("F8 snapshot", "snapshots/", true)]
    [InlineData("F15 snapshot missing", "snapshots/", false)]
    [InlineData("F8 manifest", "manifest.json", false)]
    public async Task F6_F7_F8_F15_F17_damage_is_refused_by_file_and_skipping_it_takes_nothing_of_the_others(string damage, string file, bool isSkippable)
    {
        var disk = await MakeAsync();
        var key = new StorageKey((await Lab.NamesAsync(disk, file)).Max(StringComparer.Ordinal)!);
        await using var living = await Lab.OpenAsync(disk, Agent("L"));
        await DamageAsync(disk, key, damage);
        var before = await Lab.BytesAsync(disk);
        var refusal = await Lab.OpeningRefusedAsync(OpsLogError.Damaged, disk, Agent("C"));
        Assert.Equal(key.Value, refusal.Damage!.File);
        Assert.Equal(before, await Lab.BytesAsync(disk));

        // Who has read it before keeps what it shows; what it has read is not read again.
        var refreshed = await Record.ExceptionAsync(() => living.RefreshAsync().AsTask());
        Assert.True(refreshed is null or OpsLogException { Error: OpsLogError.Damaged }, $"{refreshed}");
        Assert.Equal(State, Runs.Text(living));
        if (!isSkippable) return;
        await using var skipping = await Lab.OpenAsync(disk, Agent("C", o => (o.Recovery, o.ReadOnly) = (Recovery.SkipCorrupt, true)));
        Assert.NotEmpty(skipping.RecoveryReport.Skipped);
        Assert.All(skipping.RecoveryReport.Skipped, d => Assert.Equal(key.Value, d.File));
        foreach (var id in (string[])["b0", "b1", "b2"]) Assert.True(skipping.ContainsKey(id), id);
    }

    /// <summary>What a snapshot covers of it is there; the next checkpoint retires the rest, and nobody else is refused any more.</summary>
    [Theory]
    [InlineData(Site.Folder)]
    [InlineData(Site.Append)]
    public async Task F15_agents_that_skip_damage_go_on_when_a_covered_log_is_gone(string kind)
    {
        foreach (var wasOpen in (bool[])[true, false])
        {
            await using var site = new Site(kind);
            var a = await site.OpenAsync("A", o => o.Recovery = Recovery.SkipCorrupt);
            var b = await site.OpenAsync("B");
            var log = (await b.SetAsync("b", Lab.Doc(1))).Log;
            await a.CompactAsync(); // covers B's log, which goes on
            await site.KillAsync(b);
            if (!wasOpen) await a.DisposeAsync();
            await site.Storage.DeleteAsync(new StorageKey(log), default);
            await Lab.OpeningRefusedAsync(OpsLogError.Damaged, site.Storage, Agent("C"));
            if (!wasOpen) a = await site.OpenAsync("A", o => o.Recovery = Recovery.SkipCorrupt);
            await a.SetAsync("a", Lab.Doc(2));
            await a.RefreshAsync();
            Assert.Contains(a.RecoveryReport.Notes.Concat(a.RecoveryReport.Skipped), d => d.Kind == DamageKind.Missing && d.File == log);
            await a.CompactAsync();
            await a.RefreshAsync();
            Assert.DoesNotContain(a.Agents, agent => agent.Log == log);
            Assert.Equal([2], (await Lab.OperationsAsync(a)).Select(o => Lab.N(o.Value)));
            var c = await site.OpenAsync("C");
            await c.SetAsync("c", Lab.Doc(3));
            await site.AssertAgreeAsync("a = {\"n\":2}\nb = {\"n\":1}\nc = {\"n\":3}", a, c);
        }
    }

    /// <summary>Behind what is covered, the end of a log cannot be told from where it ended when power was lost; what is covered is in the snapshot.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public async Task F14_a_log_that_was_cut_at_a_line_is_an_earlier_state_of_that_agent_alone(int lines)
    {
        var disk = await MakeAsync();
        await using var living = await Lab.OpenAsync(disk, Agent("L"));
        var key = new StorageKey((await Lab.NamesAsync(disk, "ops/agent-A")).Max(StringComparer.Ordinal)!);
        await Lab.ChangeAsync(disk, key, bytes => bytes[..Lab.LineOf(bytes, lines).Start]);
        var kept = State.Replace("a2 = {\"n\":2}\n", "", StringComparison.Ordinal);
        if (lines < 2) kept = kept.Replace("a1 = {\"n\":1}\n", "", StringComparison.Ordinal);
        Assert.Equal(kept, await Lab.StateAsync(disk));
        // Who has read further knows better, and says so.
        await Lab.RefusedAsync(OpsLogError.Damaged, async Task () => await living.RefreshAsync());
        await Lab.RefusedAsync(OpsLogError.Damaged, () => living.CompactAsync());
        Assert.Equal(State, Runs.Text(living));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task F4_F41_a_line_that_is_still_being_written_is_waited_for_and_no_error(bool dies)
    {
        var source = new MemoryStorage();
        var writer = await Lab.OpenAsync(source, Agent("A"));
        await writer.SetAsync("k", Lab.Doc(1));
        var log = new StorageKey((await writer.SetAsync("k", Lab.Doc(2))).Log);
        var before = (await Lab.ReadAsync(source, log)).Length;
        await writer.BatchAsync(batch =>
        {
            batch.Set("x", Lab.Doc(3));
            batch.Set("y", Lab.Doc(4));
        });
        var whole = await Lab.ReadAsync(source, log);
        for (var length = before + 1; length < whole.Length; length++)
        {
            var disk = await Lab.CopyAsync(source);
            await Lab.WriteAsync(disk, log, whole[..length]);
            await using var b = await Lab.OpenAsync(disk, Agent("B"));
            Assert.Equal("k = {\"n\":2}", Runs.Text(b));
            Assert.Equal(0, await b.RefreshAsync());
            if (!dies)
            {
                await Lab.WriteAsync(disk, log, whole);
                Assert.Equal(2, await b.RefreshAsync());
                Assert.Equal("k = {\"n\":2}\nx = {\"n\":3}\ny = {\"n\":4}", Runs.Text(b));
                continue;
            }

            await b.SetAsync("b", Lab.Doc(5));
            await b.CompactAsync(); // seals it where it stands
            Assert.Equal("b = {\"n\":5}\nk = {\"n\":2}", await Lab.StateAsync(disk));
            var report = await OpsStore.VerifyAsync(disk);
            Assert.True(report.IsSound, $"cut at {length}: {string.Join('\n', report.Damages)}");
        }
    }

    [Theory]
    [MemberData(nameof(Site.All), MemberType = typeof(Site))]
    public async Task F12_F13_F25_F26_a_refresh_that_cannot_read_says_so_keeps_the_view_and_works_later(string kind)
    {
        for (var at = 1; ; at++)
        {
            await using var site = new Site(kind);
            var (reads, fails, drips) = (0, false, false);
            var a = await site.OpenAsync("A");
            await a.SetAsync("a", Lab.Doc(1));
            var b = await site.OpenAsync("B", wrap: storage => new HookedStorage(storage)
            {
                Before = (call, _) => fails && call == Testing.StorageCalls.Read && ++reads == at
                    ? throw new StorageException(StorageFault.Unavailable, "The share is gone.")
                    : Task.CompletedTask,
                Reading = found => drips ? new StoredObject(new DrippingStream(found.Content), found.Length, found.Version) : found,
            });
            await b.SetAsync("b", Lab.Doc(1));
            await a.SetAsync("a", Lab.Doc(2));
            await a.CompactAsync();
            await a.SetAsync("c", Lab.Doc(3));
            fails = true;
            var failure = await Record.ExceptionAsync(() => b.RefreshAsync().AsTask());
            fails = false;
            if (failure is null && reads < at) return;
            Assert.True(failure is null or OpsLogException { Error: OpsLogError.StorageFailed, IsTransient: true }, $"{failure}");
            if (failure is not null) Assert.Contains(Runs.Text(b), (string[])["a = {\"n\":1}\nb = {\"n\":1}", "a = {\"n\":2}\nb = {\"n\":1}", "a = {\"n\":2}\nb = {\"n\":1}\nc = {\"n\":3}"]);
            drips = true;
            await site.AssertAgreeAsync("a = {\"n\":2}\nb = {\"n\":1}\nc = {\"n\":3}", b, a);
        }
    }

    /// <summary>A backup is another store: places in the feed of the original mean nothing there, and its agents begin anew.</summary>
    [Fact]
    public async Task F16_a_restored_backup_refuses_positions_of_the_original()
    {
        var (disk, backup, restored) = (await MakeAsync(), new MemoryStorage(), new MemoryStorage());
        await using var a = await Lab.OpenAsync(disk, Agent("A"));
        var position = (await Lab.OperationsAsync(a))[^1].Position;
        await a.BackupAsync(backup);
        await OpsStore.RestoreAsync(backup, restored);
        await using var again = await Lab.OpenAsync(restored, Agent("A"));
        Assert.Equal(State, Runs.Text(again));
        await Lab.RefusedAsync(OpsLogError.PositionLost, async Task () => await Lab.OperationsAsync(again, position));
        var revision = await again.SetAsync("k", Lab.Doc(1));
        Assert.True(revision.Clock > (await a.SetAsync("k", Lab.Doc(2))).Clock - 2);
    }

    /// <summary>The store under a living agent becomes an older one: what it acknowledges from then on is in the store, or it says that it cannot.
    /// (Without append nothing can tell it: the next piece of a log that nobody names is created like any other.)</summary>
    [Fact]
    public async Task F16_an_agent_whose_store_went_back_in_time_acknowledges_nothing_that_is_not_there()
    {
        var disk = new MemoryStorage();
        await using (var first = await Lab.OpenAsync(disk, Agent("first"))) await first.SetAsync("old", Lab.Doc(1));
        var older = await Lab.CopyAsync(disk);
        var a = await Lab.OpenAsync(disk, Agent("A"));
        await a.SetAsync("a", Lab.Doc(1));
        foreach (var name in await Lab.NamesAsync(disk)) await disk.DeleteAsync(new StorageKey(name), default);
        foreach (var name in await Lab.NamesAsync(older)) await Lab.WriteAsync(disk, new StorageKey(name), await Lab.ReadAsync(older, new StorageKey(name)));
        var failure = await Record.ExceptionAsync(async () => await a.SetAsync("b", Lab.Doc(2)));
        Assert.True(failure is null or OpsLogException, $"{failure}");
        await Runs.AbandonAsync(a);
        var state = await Lab.StateAsync(disk);
        Assert.Contains("old = {\"n\":1}", state, StringComparison.Ordinal);
        if (failure is null) Assert.Contains("b = {\"n\":2}", state, StringComparison.Ordinal);
    }

    private static OpsStoreOptions Agent(string id, Action<OpsStoreOptions>? change = null) => Lab.Options(o =>
    {
        o.AgentId = id;
        o.Checkpoint.SilentAfter = TimeSpan.Zero;
        change?.Invoke(o);
    });

    private static async Task<MemoryStorage> MakeAsync()
    {
        var disk = new MemoryStorage();
        await using (var first = await Lab.OpenAsync(disk, Agent("first", o => o.HistoryRetention = HistoryRetention.None)))
        {
            await first.SetAsync("old", Lab.Doc(9));
            await first.CompactAsync();
        }

        // Their processes end without a word; what they wrote first is covered, what they wrote then is not.
        var a = await Lab.OpenAsync(disk, Agent("A"));
        var b = await Lab.OpenAsync(disk, Agent("B"));
        for (var i = 0; i < 3; i++)
        {
            await a.SetAsync($"a{i}", Lab.Doc(i));
            await b.SetAsync($"b{i}", Lab.Doc(i));
            if (i > 0) continue;
            await using var compactor = await Lab.OpenAsync(disk, Agent("first", o => (o.HistoryRetention, o.Checkpoint.SilentAfter) = (HistoryRetention.None, TimeSpan.FromDays(1))));
            await compactor.CompactAsync();
        }

        return disk;
    }

    private static async Task DamageAsync(MemoryStorage disk, StorageKey key, string damage)
    {
        if (damage.EndsWith("missing", StringComparison.Ordinal)) await disk.DeleteAsync(key, default);
        else
        {
            await Lab.ChangeAsync(disk, key, bytes => damage switch
            {
                "F7 last line of a log" => Lab.FlipInLine(bytes, 2),
                "F17 zeros in a log" => Zeroed(bytes),
                "F17 lines changed places" => Swapped(bytes),
                "F8 manifest" => Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(bytes).Replace("\"agent\": \"A\"", "\"agent\": \"Z\"", StringComparison.Ordinal)),
                _ => Lab.FlipInLine(bytes, 1),
            });
        }
    }

    private static byte[] Zeroed(byte[] bytes)
    {
        var (start, end) = Lab.LineOf(bytes, 1);
        bytes.AsSpan(start..(end - 1)).Clear();
        return bytes;
    }

    private static byte[] Swapped(byte[] bytes)
    {
        var (second, third) = (Lab.LineOf(bytes, 1), Lab.LineOf(bytes, 2));
        return [.. bytes[..second.Start], .. bytes[third.Start..third.End], .. bytes[second.Start..second.End], .. bytes[third.End..]];
    }
}
