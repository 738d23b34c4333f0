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
        await using (await Runs.OpenAsync(rig, Version2()))
        {
        }

        Assert.Equal("a = {\"n\":1,\"v\":2}", await Runs.TextOfAsync(rig, SampleStore.ReadOnly));
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
