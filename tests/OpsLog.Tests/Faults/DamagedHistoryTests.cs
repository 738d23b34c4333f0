using OpsLog.Format;
using OpsLog.Storage;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.Faults;

/// <summary>
/// Goal: behind damage that was skipped a store is sound again, and damage of a log kept for history is called damage (docs/faults.md, F6, F8 and F15). Method: a store
/// with history is damaged and opened for writing with SkipCorrupt; verify, backup, restore, history and undo are tried on what it became.
/// </summary>
public sealed class DamagedHistoryTests
{
    [Theory]
    [InlineData(true, "log")]
    [InlineData(false, "log")]
    [InlineData(true, "snapshot")]
    [InlineData(true, "missing log")]
    public async Task F6_F8_F15_history_begins_behind_skipped_damage_and_the_store_is_sound(bool append, string which)
    {
        var disk = new MemoryStorage(append);
        await using (var store = await CheckpointFaultTests.PreparedAsync(disk)) await store.SetAsync("d", Lab.Doc(6));
        var logs = await Lab.NamesAsync(disk, "ops/ops-");
        var log = await Lab.LogAsync(disk);
        if (which == "snapshot") await Lab.ChangeAsync(disk, await Lab.SnapshotAsync(disk), bytes => Lab.FlipInLine(bytes, 1));
        else if (which == "missing log") await disk.DeleteAsync(log, default);
        else await Lab.ChangeAsync(disk, append ? log : StoreKeys.Piece(log, 1), bytes => Lab.FlipInLine(bytes, 0));
        await using (var store = await Lab.OpenAsync(disk, Lab.Options(o => o.Recovery = Recovery.SkipCorrupt)))
        {
            Assert.NotEmpty(store.RecoveryReport.Skipped);
            Assert.Empty(await Lab.OperationsAsync(store));
            foreach (var id in (string[])["a", "b", "c"]) await store.SetAsync(id, Lab.Doc(7));
        }

        await using (var store = await Lab.OpenAsync(disk, Lab.Options(o => o.Checkpoint.GracePeriod = TimeSpan.Zero)))
        {
            Assert.True(store.RecoveryReport.IsClean);
            await store.CompactAsync();
            await store.SetAsync("e", Lab.Doc(8));
            await store.CompactAsync();
            await store.CompactAsync();
            Assert.Equal(["a", "b", "c", "e"], (await Lab.OperationsAsync(store)).Select(o => o.Id));
            var (backup, restored) = (new MemoryStorage(), new MemoryStorage());
            await store.BackupAsync(backup);
            await OpsStore.RestoreAsync(backup, restored);
            Assert.Equal(Runs.Text(store), await Lab.StateAsync(restored));
            for (var i = 0; i < 4; i++) Assert.True(await store.UndoAsync());
            Assert.False(await store.UndoAsync());
        }

        Assert.Empty((await OpsStore.VerifyAsync(disk)).Damages);
        if (which == "missing log") logs.Remove(log.Value);
        Assert.Empty(logs.Except(await Lab.NamesAsync(disk))); // the damaged bytes are still there, and what was kept in front of them

        // Nor does the search for history without its index bring the damage back.
        await Lab.ChangeAsync(disk, new StorageKey((string)(await Lab.ManifestAsync(disk))["opslog"]!["history"]!["name"]!), CheckpointFaultTests.Flipped);
        await using var reader = await Lab.OpenAsync(disk, Lab.ReadOnly());
        Assert.Equal(["a", "b", "c", "e"], (await Lab.OperationsAsync(reader)).Take(4).Select(o => o.Id));
        Assert.EndsWith("all logs that it listed were found without it", Assert.Single(reader.RecoveryReport.Skipped).Detail, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task F6_history_begins_behind_an_agents_log_in_which_damage_was_skipped(bool append)
    {
        var disk = new MemoryStorage(append);
        string log;
        await using (var one = await Lab.OpenAsync(disk, Lab.Options(o => o.AgentId = "one")))
        {
            log = (await one.SetAsync("a", Lab.Doc(1))).Log;
            await one.SetAsync("b", Lab.Doc(2));
        }

        var damaged = append ? new StorageKey(log) : StoreKeys.Piece(new StorageKey(log), 1);
        await Lab.ChangeAsync(disk, damaged, bytes => Lab.FlipInLine(bytes, 0));
        await using (var two = await Lab.OpenAsync(disk, Lab.Options(o => (o.AgentId, o.Recovery) = ("two", Recovery.SkipCorrupt))))
        {
            await two.SetAsync("c", Lab.Doc(3));
            await two.CompactAsync();
            Assert.Empty(await Lab.OperationsAsync(two));
        }

        await using (var three = await Lab.OpenAsync(disk, Lab.Options(o =>
        {
            o.AgentId = "three";
            o.Checkpoint.GracePeriod = TimeSpan.Zero;
        })))
        {
            Assert.True(three.RecoveryReport.IsClean);
            await three.SetAsync("d", Lab.Doc(4));
            await three.CompactAsync();
            await three.CompactAsync();
            Assert.Equal(["d"], (await Lab.OperationsAsync(three)).Select(o => o.Id));
        }

        Assert.Empty((await OpsStore.VerifyAsync(disk)).Damages);
        Assert.Contains(damaged.Value, await Lab.NamesAsync(disk));
    }

    [Theory]
    [InlineData(true, null)]
    [InlineData(false, null)]
    [InlineData(true, "one")]
    public async Task F15_a_log_kept_for_history_that_is_gone_is_damage_and_no_lost_position(bool append, string? agent)
    {
        var disk = new MemoryStorage(append);
        var options = Lab.Options(o => o.AgentId = agent);
        await using var store = await Lab.OpenAsync(disk, options);
        var log = new StorageKey(store.Statistics.Log);
        var revision = await store.SetAsync("a", Lab.Doc(1));
        if (agent is not null) log = new StorageKey(revision.Log);
        await store.CompactAsync();
        await store.SetAsync("b", Lab.Doc(2));
        await disk.DeleteAsync(log, default);
        if (!append) await disk.DeleteAsync(StoreKeys.Piece(log, 1), default);
        await using var reader = await Lab.OpenAsync(disk, Lab.ReadOnly());
        foreach (var opened in (OpsStore<System.Text.Json.JsonElement>[])[store, reader])
        {
            var refusal = await Lab.RefusedAsync(OpsLogError.Damaged, async Task () => await Lab.OperationsAsync(opened));
            Assert.Equal((DamageKind.Missing, log.Value), (refusal.Damage!.Kind, refusal.Damage.File));
            await Lab.RefusedAsync(OpsLogError.Damaged, async Task () =>
            {
                await foreach (var _ in opened.HistoryAsync("a"))
                {
                }
            });
        }

        if (agent is null) Assert.True(await store.UndoAsync());
        var undo = await Lab.RefusedAsync(OpsLogError.Damaged, async Task () => await store.UndoAsync());
        Assert.Equal((DamageKind.Missing, log.Value), (undo.Damage!.Kind, undo.Damage.File));
    }
}
