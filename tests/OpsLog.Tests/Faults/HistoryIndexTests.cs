using System.Text.Json;
using OpsLog.Storage;
using OpsLog.Tests.Corpus;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.Faults;

/// <summary>
/// Goal: a damaged or missing history index costs nothing but, at worst, old history (docs/faults.md, F8, F15 and F17). Method: an index is
/// damaged every way; what opening, feeds, undo, verify, repair and the next checkpoint make of it is compared with what they made of the sound one.
/// </summary>
public sealed class HistoryIndexTests
{
    public static TheoryData<bool, string, Recovery> Damaged
    {
        get
        {
            var data = new TheoryData<bool, string, Recovery>();
            foreach (var append in (bool[])[true, false])
                foreach (var how in (string[])["flipped", "zeroed", "cut", "missing"])
                    foreach (var recovery in (Recovery[])[Recovery.TolerateTornTail, Recovery.SkipCorrupt]) data.Add(append, how, recovery);
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Damaged))]
    public async Task F8_F15_F17_its_logs_are_found_without_it_and_the_next_checkpoint_writes_it_anew(bool append, string how, Recovery recovery)
    {
        var disk = await PreparedAsync(append);
        var history = await HistoryAsync(disk);
        var index = await DamageAsync(disk, how);
        var options = Lab.Options(o => o.Recovery = recovery);
        await using (var store = await Lab.OpenAsync(disk, options))
        {
            var skipped = Assert.Single(store.RecoveryReport.Skipped);
            Assert.Equal((index.Value, how == "missing" ? DamageKind.Missing : DamageKind.CorruptObject), (skipped.File, skipped.Kind));
            Assert.EndsWith("all logs that it listed were found without it", skipped.Detail, StringComparison.Ordinal);
            Assert.Equal(0, store.Statistics.Checkpoints); // it waits for the next one that is due
            Assert.Equal(history, Ids(await Lab.OperationsAsync(store)));
            await store.CompactAsync();
        }

        await using var reopened = await Lab.OpenAsync(disk, Lab.Options(o => o.Recovery = Recovery.Strict));
        Assert.True(reopened.RecoveryReport.IsClean);
        Assert.Equal(history, Ids(await Lab.OperationsAsync(reopened)));
        Assert.Empty((await OpsStore.VerifyAsync(disk)).Damages);
        while (await reopened.UndoAsync())
        {
        }

        Assert.Equal("", Runs.Text(reopened)); // undo reaches back to the first operation
    }

    [Theory]
    [MemberData(nameof(Damaged))]
    public async Task F8_F15_F17_a_reader_shows_all_history_without_it_and_writes_nothing(bool append, string how, Recovery recovery)
    {
        var disk = await PreparedAsync(append);
        var history = await HistoryAsync(disk);
        var index = await DamageAsync(disk, how);
        var before = await Lab.BytesAsync(disk);
        await using (var reader = await Lab.OpenAsync(disk, Lab.ReadOnly(o => o.Recovery = recovery)))
        {
            Assert.Equal(index.Value, Assert.Single(reader.RecoveryReport.Skipped).File);
            Assert.Equal(history, Ids(await Lab.OperationsAsync(reader)));
        }

        Assert.Equal(before, await Lab.BytesAsync(disk));
    }

    [Theory]
    [InlineData("flipped")]
    [InlineData("missing")]
    public async Task F8_F15_strict_recovery_refuses_it_by_name_and_writes_nothing(string how)
    {
        var disk = await PreparedAsync(append: true);
        var index = await DamageAsync(disk, how);
        var before = await Lab.BytesAsync(disk);
        var refusal = await Lab.OpeningRefusedAsync(OpsLogError.Damaged, disk, Lab.Options(o => o.Recovery = Recovery.Strict));
        Assert.Equal(index.Value, refusal.Damage!.File);
        Assert.Equal(before, await Lab.BytesAsync(disk));
    }

    [Fact]
    public async Task F8_what_a_reader_opened_before_the_damage_reads_is_the_same()
    {
        var disk = await PreparedAsync(append: true);
        var history = await HistoryAsync(disk);
        await using var reader = await Lab.OpenAsync(disk, Lab.ReadOnly());
        await DamageAsync(disk, "flipped");
        Assert.Equal(history, Ids(await Lab.OperationsAsync(reader)));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task F8_F15_an_agents_checkpoint_finds_its_logs_and_writes_it_anew(bool append)
    {
        var disk = await PreparedAsync(append);
        await using var other = await Lab.OpenAsync(disk, Lab.Options(o => o.AgentId = "other"));
        await using (var agent = await Lab.OpenAsync(disk, Lab.Options(o => o.AgentId = "one")))
        {
            await agent.SetAsync("e", Lab.Doc(5));
            await other.SetAsync("f", Lab.Doc(6));
            await agent.CompactAsync();
            await agent.SetAsync("g", Lab.Doc(7));
        }

        var history = await HistoryAsync(disk);
        Assert.Equal(7, history.Count);
        await DamageAsync(disk, "flipped");
        Assert.Equal(history, await HistoryAsync(disk));
        Assert.Equal(history, Ids(await Lab.OperationsAsync(other)));
        await other.CompactAsync();
        await other.CompactAsync();
        Assert.Empty((await OpsStore.VerifyAsync(disk)).Damages);
        Assert.Equal(history, await HistoryAsync(disk));
        Assert.False((bool)(await Lab.ManifestAsync(disk))["opslog"]!["adopted"]!);
    }

    [Fact]
    public async Task F8_history_older_than_the_manifest_remembers_is_reported_and_never_deleted()
    {
        var disk = new MemoryStorage();
        await using (var store = await Lab.OpenAsync(disk))
        {
            for (var i = 0; i < 70; i++)
            {
                await store.SetAsync("a", Lab.Doc(i));
                await store.CompactAsync();
            }
        }

        await DamageAsync(disk, "flipped");
        var logs = await Lab.NamesAsync(disk, "ops/ops-");
        await using (var store = await Lab.OpenAsync(disk))
        {
            Assert.EndsWith("were found without it: history begins there now", Assert.Single(store.RecoveryReport.Skipped).Detail, StringComparison.Ordinal);
            Assert.Equal(64, (await Lab.OperationsAsync(store)).Count);
        }

        await using (var store = await Lab.OpenAsync(disk))
        {
            await store.SetAsync("a", Lab.Doc(70));
            await store.CompactAsync();
            await store.CompactAsync();
        }

        await using var reopened = await Lab.OpenAsync(disk);
        Assert.True(reopened.RecoveryReport.IsClean);
        Assert.Equal(65, (await Lab.OperationsAsync(reopened)).Count);
        Assert.Empty(logs.Except(await Lab.NamesAsync(disk, "ops/ops-"))); // of the old ones none
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task F8_F15_history_begins_behind_a_log_that_is_gone_or_cut_as_well(bool missing)
    {
        var disk = await PreparedAsync(append: true);
        await DamageAsync(disk, "flipped");
        var second = new StorageKey((string)(await Lab.ManifestAsync(disk))["opslog"]!["retired"]![1]!["name"]!);
        if (missing) await disk.DeleteAsync(second, default);
        else await Lab.ChangeAsync(disk, second, bytes => bytes[..^3]);
        await using var store = await Lab.OpenAsync(disk);
        Assert.Contains("history begins there now", Assert.Single(store.RecoveryReport.Skipped).Detail, StringComparison.Ordinal);
        Assert.Equal(["c 3", "d 4"], Ids(await Lab.OperationsAsync(store)));
    }

    [Fact]
    public async Task F8_logs_that_retention_dropped_do_not_come_back()
    {
        var disk = new MemoryStorage();
        var keepsOne = Lab.Options(o =>
        {
            o.HistoryRetention = HistoryRetention.ForBytes(150);
            o.Checkpoint.GracePeriod = TimeSpan.FromHours(1); // what was dropped still lies there
        });
        await using (var store = await Lab.OpenAsync(disk, keepsOne)) await FillAsync(store);
        var history = await HistoryAsync(disk);
        Assert.Equal(["c 3", "d 4"], history);
        await DamageAsync(disk, "flipped");
        Assert.Equal(history, await HistoryAsync(disk));
    }

    [Theory]
    [InlineData("flipped")]
    [InlineData("missing")]
    public async Task F8_F15_verify_reports_it_and_reads_its_logs_all_the_same(string how)
    {
        var disk = await PreparedAsync(append: true);
        var sound = await OpsStore.VerifyAsync(disk);
        var index = await DamageAsync(disk, how);
        var report = await OpsStore.VerifyAsync(disk);
        Assert.Equal(index.Value, Assert.Single(report.Damages).File);
        Assert.Equal(sound.Operations, report.Operations);
        var log = new StorageKey((string)(await Lab.ManifestAsync(disk))["opslog"]!["retired"]![0]!["name"]!);
        await Lab.ChangeAsync(disk, log, bytes => Lab.FlipInLine(bytes, 0));
        Assert.Equal([index.Value, log.Value], (await OpsStore.VerifyAsync(disk)).Damages.Select(d => d.File));
    }

    [Fact]
    public async Task F8_a_repair_lists_the_index_and_the_history_it_leaves_behind()
    {
        var disk = await PreparedAsync(append: true);
        var index = await DamageAsync(disk, "flipped");
        var target = new MemoryStorage();
        var report = await OpsStore.RepairAsync(disk, target);
        Assert.Equal([index.Value, index.Value], report.Losses.Select(l => l.File));
        Assert.StartsWith("history is not carried over: 3 operations of 3 logs", report.Losses[1].Detail, StringComparison.Ordinal);
        Assert.Equal([$"quarantine/{index.Value.Replace('/', '~')}"], report.Quarantined);
        Assert.Equal(await Lab.StateAsync(disk), await Lab.StateAsync(target));
    }

    // Three logs kept for history, of one operation each, an empty one between two of them, and a current one.
    private static async Task<MemoryStorage> PreparedAsync(bool append)
    {
        var disk = new MemoryStorage(append);
        await using var store = await Lab.OpenAsync(disk);
        await FillAsync(store);
        return disk;
    }

    private static async Task FillAsync(OpsStore<JsonElement> store)
    {
        await store.SetAsync("a", Lab.Doc(1));
        await store.CompactAsync();
        await store.SetAsync("b", Lab.Doc(2));
        await store.CompactAsync();
        await store.CompactAsync();
        await store.SetAsync("c", Lab.Doc(3));
        await store.CompactAsync();
        await store.SetAsync("d", Lab.Doc(4));
    }

    private static async Task<List<string>> HistoryAsync(MemoryStorage disk)
    {
        await using var store = await Lab.OpenAsync(disk, Lab.ReadOnly());
        return Ids(await Lab.OperationsAsync(store));
    }

    private static List<string> Ids(List<Operation<JsonElement>> operations) => operations.ConvertAll(o => $"{o.Id} {o.Revision.Clock}");

    private static async Task<StorageKey> DamageAsync(MemoryStorage disk, string how)
    {
        var reference = (await Lab.ManifestAsync(disk))["opslog"]!["history"]!["name"]!;
        var index = new StorageKey((string)reference!);
        if (how == "missing") await disk.DeleteAsync(index, default);
        else await Lab.ChangeAsync(disk, index, bytes => how switch
        {
            "flipped" => CheckpointFaultTests.Flipped(bytes),
            "zeroed" => CheckpointFaultTests.ZeroPage(bytes),
            _ => bytes[..(bytes.Length / 2)],
        });
        return index;
    }
}
