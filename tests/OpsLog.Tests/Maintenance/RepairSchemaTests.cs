using System.Text.Json;
using OpsLog.Storage;
using OpsLog.Testing;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.Maintenance;

/// <summary>
/// Goal: a repair never passes a document off as one of another schema version (F8, F32). Method: stores with documents of two versions, damaged where the repair has to mix them; the
/// result is opened by a program that migrates, and refuses to do it twice.
/// </summary>
public sealed class RepairSchemaTests
{
    public static TheoryData<bool, bool, int> Damages => new(
        from append in new[] { true, false }
        from history in new[] { true, false }
        from line in new[] { 1, 2, 3 }
        select (append, history, line));

    [Theory]
    [MemberData(nameof(Damages))]
    public async Task F8_F32_a_migrated_store_whose_snapshot_is_damaged_is_repaired_to_migrated_documents(bool append, bool history, int line)
    {
        var rig = new StorageRig(append);
        var retention = history ? HistoryRetention.Forever : HistoryRetention.None;
        await using (var store = await Runs.OpenAsync(rig, Runs.Options(change: o => o.HistoryRetention = retention)))
        {
            for (var i = 0; i < 4; i++) await store.SetAsync($"k{i}", SampleStore.Json($$"""{"n":{{i}}}"""));
            await store.CompactAsync();
            await store.SetAsync("k1", SampleStore.Json("""{"n":11}"""));
        }

        await using (var store = await Runs.OpenAsync(rig, Version2(o => o.HistoryRetention = retention)))
        {
            await store.SetAsync("k2", SampleStore.Json("""{"n":22,"v":2}"""));
            await store.SetAsync("new", SampleStore.Json("""{"n":9,"v":2}"""));
        }

        var truth = await Runs.TextOfAsync(rig, Version2(o => o.ReadOnly = true));
        await SampleStore.DamageAsync(rig, await SampleStore.SnapshotAsync(rig), line);
        var target = new StorageRig(append);
        var report = await OpsStore.RepairAsync(rig, target);
        await Runs.AssertSoundAsync(target, "repaired");
        var repaired = await MigratedAsync(target);
        Assert.Equal(repaired.Split('\n').Length, report.Records);
        if (history || line == 1) Assert.Equal(truth, repaired);
        else Assert.Empty(repaired.Split('\n').Except(truth.Split('\n')));
    }

    [Fact]
    public async Task F6_F32_of_agents_with_another_version_than_the_snapshot_nothing_but_the_damaged_line_is_lost()
    {
        var rig = new StorageRig(append: true);
        await using (var store = await Runs.OpenAsync(rig, Runs.Options(change: o => o.AgentId = "a")))
        {
            for (var i = 0; i < 4; i++) await store.SetAsync($"k{i}", SampleStore.Json($$"""{"n":{{i}}}"""));
            await store.CompactAsync();
        }

        await using (var store = await Runs.OpenAsync(rig, Version2(o => o.AgentId = "b")))
            for (var i = 2; i < 6; i++) await store.SetAsync($"k{i}", SampleStore.Json($$"""{"n":{{i}}{{i}},"v":2}"""));
        var truth = await Runs.TextOfAsync(rig, Version2(o => o.ReadOnly = true));
        var log = (await SampleStore.ObjectsAsync(rig)).Keys.Last(k => k.StartsWith("ops/agent-b", StringComparison.Ordinal));
        await SampleStore.DamageAsync(rig, new StorageKey(log), 4); // k5
        var target = new StorageRig(append: true);
        var report = await OpsStore.RepairAsync(rig, target);
        Assert.Equal(log, Assert.Single(report.Losses, l => l.Kind != DamageKind.Missing).File);
        Assert.Contains(report.Assumptions, a => a.Contains("schema version 1", StringComparison.Ordinal));
        Assert.Equal(5, report.Records);
        await Runs.AssertSoundAsync(target, "repaired");
        Assert.Equal(truth[..truth.LastIndexOf('\n')], await MigratedAsync(target));
    }

    // As a program of version 2 shows it; what it leaves is all of that version.
    private static async Task<string> MigratedAsync(StorageRig target)
    {
        string shown;
        await using (var store = await Runs.OpenAsync(target, Version2()))
        {
            shown = Runs.Text(store);
            await store.CompactAsync();
        }

        await using var left = await OpsStore<JsonElement>.OpenAsync(target, SampleStore.ReadOnly);
        Assert.Equal(2, left.SchemaVersion);
        Assert.Equal(shown, Runs.Text(left));
        Assert.All(shown.Split('\n'), document => Assert.EndsWith(",\"v\":2}", document, StringComparison.Ordinal));
        await Runs.AssertSoundAsync(target, "migrated");
        return shown;
    }

    private static OpsStoreOptions Version2(Action<OpsStoreOptions>? change = null) => Runs.Options(change: o =>
    {
        Runs.ToVersion2(o);
        change?.Invoke(o);
    });
}
