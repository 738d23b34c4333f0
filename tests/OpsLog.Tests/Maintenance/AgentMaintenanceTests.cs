using OpsLog.Format;
using OpsLog.Storage;
using OpsLog.Testing;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.Maintenance;

/// <summary>
/// Goal: verify, backup, copy, restore and repair take a store of agents for what opening takes it for. Method: stores in a state that only agents, or whoever comes after them, leave.
/// </summary>
public sealed class AgentMaintenanceTests
{
    [Fact]
    public async Task F32_a_single_writer_of_a_newer_version_that_takes_over_an_all_folded_store_migrates_it()
    {
        var rig = new StorageRig(append: true);
        await using (var store = await Runs.OpenAsync(rig, Runs.Options(change: o => o.AgentId = "a")))
        {
            await store.SetAsync("a", SampleStore.Json("""{"n":1}"""));
            await store.SetAsync("b", SampleStore.Json("""{"n":2}"""));
            await store.CompactAsync();
        }

        for (var stored = 1; stored <= 2; stored++)
        {
            await using var store = await Runs.OpenAsync(rig, Version2());
            Assert.Equal(stored, store.RecoveryReport.StoredSchemaVersion);
            if (stored == 1) await store.SetAsync("a", SampleStore.Json("""{"n":3,"v":2}"""));
            Assert.Equal("a = {\"n\":3,\"v\":2}\nb = {\"n\":2,\"v\":2}", Runs.Text(store));
        }

        await AssertCopiesAsync(rig, Version2(o => o.ReadOnly = true));
    }

    [Fact]
    public async Task F32_a_takeover_that_died_before_it_migrated_leaves_a_sound_store_that_is_migrated_later()
    {
        var rig = new StorageRig(append: true);
        await using (var store = await Runs.OpenAsync(rig)) await store.SetAsync("a", SampleStore.Json("""{"n":1}"""));
        await using (var store = await Runs.OpenAsync(rig)) await store.CompactAsync();
        await ChangeAsync(rig, m => m with { Logs = [.. m.Logs.Select(l => l with { Schema = 2 })] });
        await Runs.AssertSoundAsync(rig, "died");
        var refused = await Assert.ThrowsAsync<OpsLogException>(async () => await Runs.OpenAsync(rig)); // its next checkpoint would pass the old documents off as new ones
        Assert.Equal(OpsLogError.MigrationFailed, refused.Error);
        Assert.Equal("a = {\"n\":1}", await Runs.TextOfAsync(rig, SampleStore.ReadOnly));
        await using (await Runs.OpenAsync(rig, Version2()))
        {
        }

        Assert.Equal("a = {\"n\":1,\"v\":2}", await Runs.TextOfAsync(rig, SampleStore.ReadOnly));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task F15_a_log_that_is_registered_and_not_there_yet_is_an_empty_one_to_all(bool append)
    {
        var rig = await MakeAsync(append);
        await ChangeAsync(rig, m => m with { Logs = [.. m.Logs, new LogEntry(StoreKeys.Log("c", m.Revision, "0123abcd").Value, "c", m.Snapshot.Clock, 1, 0, m.Snapshot.Clock, false)] });
        Assert.Contains((await OpsStore.VerifyAsync(rig)).Notes, n => n.Kind == DamageKind.Missing);
        await AssertCopiesAsync(rig, SampleStore.ReadOnly);
        var target = new StorageRig(append);
        Assert.Empty((await OpsStore.RepairAsync(rig, target)).Losses);
        Assert.Equal(await SampleStore.StateAsync(rig), await SampleStore.StateAsync(target));

        await SampleStore.DamageAsync(rig, await SampleStore.SnapshotAsync(rig), 2);
        Assert.DoesNotContain((await OpsStore.RepairAsync(rig, new StorageRig(append))).Losses, l => l.File.StartsWith("ops/agent-c", StringComparison.Ordinal));
    }

    [Fact]
    public async Task F14_a_log_that_was_cut_inside_what_the_snapshot_covers_is_sound()
    {
        var rig = await MakeAsync(append: true);
        var truth = await SampleStore.StateAsync(rig);
        var covered = ManifestCodec.Read(await rig.BytesAsync(SampleStore.ManifestKey)).Manifest!.Logs.Single(l => l.Covered > 0);
        var key = new StorageKey(covered.Name);
        var bytes = await rig.BytesAsync(key);
        await rig.WriteAsync(key, bytes[..SampleStore.Lines(bytes)[2].Start]);
        Assert.Equal(truth, await SampleStore.StateAsync(rig));
        var report = await OpsStore.VerifyAsync(rig);
        Assert.True(report.IsSound, string.Join('\n', report.Damages));
        Assert.Contains(report.Notes, n => n.File == covered.Name);
        await AssertCopiesAsync(rig, SampleStore.ReadOnly);
    }

    // Two agents; what one wrote is covered by the other's snapshot.
    private static async Task<StorageRig> MakeAsync(bool append)
    {
        var rig = new StorageRig(append);
        await using var a = await Runs.OpenAsync(rig, Runs.Options(change: o => o.AgentId = "a"));
        await using var b = await Runs.OpenAsync(rig, Runs.Options(change: o => o.AgentId = "b"));
        for (var i = 0; i < 4; i++) await a.SetAsync($"k{i}", SampleStore.Json($$"""{"n":{{i}}}"""));
        await b.RefreshAsync();
        await b.CompactAsync();
        return rig;
    }

    private static async Task AssertCopiesAsync(StorageRig rig, OpsStoreOptions reading)
    {
        await Runs.AssertSoundAsync(rig, "store");
        var truth = await Runs.TextOfAsync(rig, reading);
        var append = (rig.Capabilities & StorageCapabilities.Append) != 0;
        var (backup, restored, copy) = (new StorageRig(append), new StorageRig(append), new StorageRig(append));
        await using (var store = await Runs.OpenAsync(rig, reading)) await store.BackupAsync(backup);
        await OpsStore.RestoreAsync(backup, restored);
        await OpsStore.CopyAsync(rig, copy);
        foreach (var made in new[] { backup, restored, copy })
        {
            Assert.Equal(truth, await Runs.TextOfAsync(made, reading));
            await Runs.AssertSoundAsync(made, "copy");
        }
    }

    private static async Task ChangeAsync(StorageRig rig, Func<Manifest, Manifest> change) =>
        await rig.WriteAsync(SampleStore.ManifestKey, ManifestCodec.Write(change(ManifestCodec.Read(await rig.BytesAsync(SampleStore.ManifestKey)).Manifest!)));

    private static OpsStoreOptions Version2(Action<OpsStoreOptions>? change = null) => Runs.Options(change: o =>
    {
        o.SchemaVersion = 2;
        o.Migrate = (node, _) =>
        {
            node!["v"] = 2;
            return node;
        };
        change?.Invoke(o);
    });
}
