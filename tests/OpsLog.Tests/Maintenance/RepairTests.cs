using System.Text;
using System.Text.Json;
using OpsLog.Storage;
using OpsLog.Testing;
using OpsLog.Tests.Corpus;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.Maintenance;

/// <summary>
/// Goal: a repair saves whatever bytes can vouch for, lists what it could not, and never touches the source (F6, F8, F15, F17). Method: a
/// small store damaged in every object and at every line; the package's stores without their manifests.
/// </summary>
public sealed class RepairTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Whatever_byte_is_damaged_the_result_is_sound_and_the_loss_is_listed(bool append)
    {
        var rig = await SampleStore.MakeAsync(append);
        var truth = await SampleStore.StateAsync(rig);
        var named = (await SampleStore.SnapshotAsync(rig)).Value;
        var log = (await SampleStore.LogAsync(rig)).Value;
        foreach (var (name, bytes) in await SampleStore.ObjectsAsync(rig))
        {
            var isCurrent = name == named || name.StartsWith(log[..^6], StringComparison.Ordinal) || name is "manifest.json" or "archive/archive-2026-Q1.json";
            for (var i = 0; i < bytes.Length; i += 3)
            {
                bytes[i] ^= (byte)(1 << (i % 8));
                await rig.WriteAsync(new StorageKey(name), bytes);
                var target = new StorageRig(append);
                var report = await OpsStore.RepairAsync(rig, target);
                await Runs.AssertSoundAsync(target, $"byte {i} of {name}");
                var state = await SampleStore.StateAsync(target);
                Assert.True(state == truth || (isCurrent && report.Losses.Any(l => l.File == name)) || report.Notes.Count > 0, $"byte {i} of {name} gives\n{state}\nbut lists only {string.Join("; ", report.Losses)}");
                foreach (var copy in report.Quarantined) Assert.Equal(bytes, await target.BytesAsync(new StorageKey(copy)));
                bytes[i] ^= (byte)(1 << (i % 8));
            }

            await rig.WriteAsync(new StorageKey(name), bytes);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Whatever_object_but_the_log_is_missing_nothing_is_lost_while_history_goes_back_to_the_beginning(bool append)
    {
        var rig = await SampleStore.MakeAsync(append);
        var truth = await SampleStore.StateAsync(rig);
        var log = (await SampleStore.LogAsync(rig)).Value;
        foreach (var (name, bytes) in await SampleStore.ObjectsAsync(rig))
        {
            if (name.StartsWith(log[..^6], StringComparison.Ordinal) || name.StartsWith("archive/", StringComparison.Ordinal)) continue;
            await rig.DeleteAsync(new StorageKey(name), default);
            var target = new StorageRig(append);
            await OpsStore.RepairAsync(rig, target);
            Assert.True(truth == await SampleStore.StateAsync(target), $"without {name}:\n{await SampleStore.StateAsync(target)}\ninstead of\n{truth}");
            await rig.WriteAsync(new StorageKey(name), bytes);
        }
    }

    [Fact]
    public async Task F8_a_member_of_the_manifest_that_only_damage_explains_is_taken_from_the_echo()
    {
        var rig = await SampleStore.MakeAsync();
        var truth = await SampleStore.StateAsync(rig);
        var manifest = Encoding.UTF8.GetString(await rig.BytesAsync(SampleStore.ManifestKey));
        foreach (var (from, to) in (KeyValuePair<string, string>[])[new("\"activeOps\": \"ops/o", "\"activeOps\": \"ops/n"), new("\"version\": 1", "\"version\": 3")])
        {
            var at = manifest.IndexOf(from, StringComparison.Ordinal);
            await rig.WriteAsync(SampleStore.ManifestKey, Encoding.UTF8.GetBytes(manifest[..at] + to + manifest[(at + from.Length)..]));
            var target = new StorageRig(append: true);
            var report = await OpsStore.RepairAsync(rig, target);
            Assert.Equal("manifest.json", Assert.Single(report.Losses, NotHistory).File);
            Assert.Equal(truth, await SampleStore.StateAsync(target));
            await using var repaired = await Runs.OpenAsync(target);
            Assert.Equal(1, repaired.SchemaVersion);
        }
    }

    [Fact]
    public async Task F6_each_damaged_line_of_a_log_costs_its_own_operation_only()
    {
        var rig = new StorageRig(append: true);
        await using (var store = await Runs.OpenAsync(rig))
            for (var i = 1; i <= 9; i++) await store.SetAsync($"k{i}", SampleStore.Json("{}"));
        var log = await SampleStore.LogAsync(rig);
        var before = await rig.BytesAsync(log);
        for (var line = 1; line <= 9; line++)
        {
            await SampleStore.DamageAsync(rig, log, line);
            var target = new StorageRig(append: true);
            var report = await OpsStore.RepairAsync(rig, target);
            var loss = Assert.Single(report.Losses);
            Assert.Equal((log.Value, line, SampleStore.Lines(before)[line - 1].Start), (loss.File, loss.Line, loss.Offset));
            Assert.Equal(8, report.Records);
            Assert.DoesNotContain($"k{line} ", await SampleStore.StateAsync(target), StringComparison.Ordinal);
            Assert.Equal([$"quarantine/{log.Value.Replace('/', '~')}"], report.Quarantined);
            await rig.WriteAsync(log, before);
        }
    }

    [Fact]
    public async Task A_batch_with_a_damaged_line_is_lost_as_a_whole()
    {
        var rig = await SampleStore.MakeAsync();
        var log = await SampleStore.LogAsync(rig);
        await SampleStore.DamageAsync(rig, log, 3); // lines 2 to 4 are a batch
        var target = new StorageRig(append: true);
        var report = await OpsStore.RepairAsync(rig, target);
        Assert.Equal([2, 3, 4], report.Losses.Where(l => l.File == log.Value).Select(l => (int)l.Line).Order());
        var state = await SampleStore.StateAsync(target);
        Assert.Contains("k3 = {\"n\":3}", state, StringComparison.Ordinal);
        Assert.Contains("k4 = {\"n\":4}", state, StringComparison.Ordinal);
        Assert.DoesNotContain("new =", state, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    public async Task F8_a_damaged_snapshot_without_history_gives_its_other_records_and_the_log(int line)
    {
        var rig = await SampleStore.MakeAsync(retention: HistoryRetention.None);
        await OnlyWhatIsNamedAsync(rig);
        var truth = (await SampleStore.StateAsync(rig)).Split('\n');
        var snapshot = await SampleStore.SnapshotAsync(rig);
        await SampleStore.DamageAsync(rig, snapshot, line);
        var target = new StorageRig(append: true);
        var report = await OpsStore.RepairAsync(rig, target);
        Assert.Contains(report.Losses, l => l.File == snapshot.Value && l.Line == line);
        Assert.NotEmpty(report.Assumptions);
        var state = (await SampleStore.StateAsync(target)).Split('\n');
        Assert.Empty(state.Except(truth));
        Assert.InRange(truth.Length - state.Length, 0, line == 1 ? 0 : 1);
        await Runs.AssertSoundAsync(target, "repaired");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task F6_F8_a_damaged_snapshot_and_a_damaged_line_of_the_log_cost_no_other_line(int line)
    {
        var rig = await SampleStore.MakeAsync(retention: HistoryRetention.None);
        await OnlyWhatIsNamedAsync(rig);
        await SampleStore.DamageAsync(rig, await SampleStore.SnapshotAsync(rig), line);
        var log = await SampleStore.LogAsync(rig);
        await SampleStore.DamageAsync(rig, log, 5); // k5 = 55, at clock 15
        var target = new StorageRig(append: true);
        var report = await OpsStore.RepairAsync(rig, target);
        Assert.Contains(report.Losses, l => l.File == log.Value && l.Line == 5);
        Assert.Contains(report.Losses, l => l.Detail.Contains("clocks 15 to 15", StringComparison.Ordinal));
        var state = await SampleStore.StateAsync(target);
        foreach (var kept in new[] { "k1 = {\"n\":12,\"more\":\"ž\"}", "k3 = {\"n\":33}", "new = {}", "last = {\"n\":99}" }) Assert.Contains(kept, state, StringComparison.Ordinal);
        Assert.DoesNotContain("k4 =", state, StringComparison.Ordinal);
        await Runs.AssertSoundAsync(target, "repaired");
    }

    [Fact]
    public async Task F6_F8_a_damaged_snapshot_of_agents_costs_no_line_that_it_does_not_cover()
    {
        var rig = new StorageRig(append: true);
        await using (var a = await Runs.OpenAsync(rig, Runs.Options(change: o => (o.AgentId, o.HistoryRetention) = ("a", HistoryRetention.None))))
        await using (var b = await Runs.OpenAsync(rig, Runs.Options(change: o => (o.AgentId, o.HistoryRetention) = ("b", HistoryRetention.None))))
        {
            for (var i = 0; i < 4; i++) await a.SetAsync($"k{i}", SampleStore.Json("{}"));
            await b.RefreshAsync();
            await b.CompactAsync();
            await a.RefreshAsync();
            for (var i = 0; i < 4; i++) await a.SetAsync($"a{i}", SampleStore.Json("{}"));
        }

        await SampleStore.DamageAsync(rig, await SampleStore.SnapshotAsync(rig), 2);
        var log = (await SampleStore.ObjectsAsync(rig)).Last(o => o.Key.StartsWith("ops/agent-a", StringComparison.Ordinal) && o.Value.Length > 2);
        await SampleStore.DamageAsync(rig, new StorageKey(log.Key), SampleStore.Lines(log.Value).FindLastIndex(l => l.Length > 2));
        var target = new StorageRig(append: true);
        var report = await OpsStore.RepairAsync(rig, target);
        var state = await SampleStore.StateAsync(target);
        foreach (var kept in new[] { "k0 =", "k1 =", "k2 =", "k3 =", "a0 =", "a1 =", "a3 =" }) Assert.True(state.Contains(kept, StringComparison.Ordinal), state + "\n" + string.Join('\n', report.Losses));
    }

    [Fact]
    public async Task F15_a_missing_snapshot_without_history_gives_the_log_and_says_what_is_missing()
    {
        var rig = await SampleStore.MakeAsync(retention: HistoryRetention.None);
        await OnlyWhatIsNamedAsync(rig);
        await rig.DeleteAsync(await SampleStore.SnapshotAsync(rig), default);
        var target = new StorageRig(append: true);
        var report = await OpsStore.RepairAsync(rig, target);
        Assert.Contains(report.Losses, l => l.Detail.Contains("clocks 1 to 10", StringComparison.Ordinal));
        Assert.Contains("last = ", await SampleStore.StateAsync(target), StringComparison.Ordinal);
        await Runs.AssertSoundAsync(target, "repaired");
    }

    [Fact]
    public async Task A_whole_operation_glued_to_a_torn_line_is_saved()
    {
        var rig = new StorageRig(append: true);
        await using (var store = await Runs.OpenAsync(rig)) await store.SetAsync("a", SampleStore.Json("{}"));
        var log = await SampleStore.LogAsync(rig);
        var whole = """{"ts":"2026-01-02T03:04:05.678Z","op":"set","id":"glued","data":{"ts":"x"},"prev":null}""";
        await rig.WriteAsync(log, [.. await rig.BytesAsync(log), .. Encoding.UTF8.GetBytes("{\"ts\":\"2026-01-02T03:04:05.678Z\",\"op\":\"set\",\"id\":\"to" + whole + "\n")]);
        Assert.False((await OpsStore.VerifyAsync(rig)).IsSound);
        var target = new StorageRig(append: true);
        var report = await OpsStore.RepairAsync(rig, target);
        Assert.Equal(2, Assert.Single(report.Losses).Line);
        Assert.Contains("glued = {\"ts\":\"x\"}", await SampleStore.StateAsync(target), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Archives_are_kept_and_a_damaged_one_is_listed_and_quarantined()
    {
        var rig = await SampleStore.MakeAsync();
        await using (var store = await Runs.OpenAsync(rig)) await store.ArchiveAsync(["k5"], "2026-Q2");
        var bad = new StorageKey("archive/archive-2026-Q1.json");
        await SampleStore.DamageAsync(rig, bad, 3);
        var target = new StorageRig(append: true);
        var report = await OpsStore.RepairAsync(rig, target);
        Assert.Equal(bad.Value, Assert.Single(report.Losses, NotHistory).File);
        Assert.Equal(["quarantine/archive~archive-2026-Q1.json"], report.Quarantined);
        await using var repaired = await OpsStore<JsonElement>.OpenAsync(target, SampleStore.ReadOnly);
        Assert.Equal(["2026-Q2"], repaired.Archives);
        Assert.Equal(["k5"], (await repaired.LoadArchiveAsync("2026-Q2")).Keys);
        Assert.Equal(1, repaired.Statistics.ArchivedRecords);
    }

    [Fact]
    public async Task The_source_is_never_touched_the_schema_is_kept_and_the_incarnation_is_new()
    {
        var rig = new StorageRig(append: true);
        await using (var store = await Runs.OpenAsync(rig, Runs.Options(change: o => o.SchemaVersion = 7))) await store.SetAsync("a", SampleStore.Json("{}"));
        var log = await SampleStore.LogAsync(rig);
        await rig.WriteAsync(log, [.. await rig.BytesAsync(log), .. "garbage\n"u8]);
        var before = await SampleStore.ObjectsAsync(rig);
        var (watched, target) = (new FaultyStorage(rig), new StorageRig(append: true));
        var report = await OpsStore.RepairAsync(watched, target);
        Assert.Equal(0, watched.CountOf(StorageCalls.Writes));
        await SampleStore.AssertSameObjectsAsync(before, rig);
        Assert.Equal(1, report.Records);
        await using var repaired = await Runs.OpenAsync(target);
        Assert.Equal(7, repaired.SchemaVersion);
        Assert.NotEqual(Incarnation(before["manifest.json"]), Incarnation(await target.BytesAsync(SampleStore.ManifestKey)));
    }

    [Fact]
    public async Task A_torn_tail_is_a_note_and_no_loss_and_nothing_there_is_not_found()
    {
        var rig = await SampleStore.MakeAsync();
        var truth = await SampleStore.StateAsync(rig);
        var log = await SampleStore.LogAsync(rig);
        await rig.WriteAsync(log, [.. await rig.BytesAsync(log), .. "{\"ts\":\"2026"u8]);
        var target = new StorageRig(append: true);
        var report = await OpsStore.RepairAsync(rig, target);
        Assert.Equal((0, 1), (report.Losses.Count(NotHistory), report.Notes.Count));
        Assert.Equal(truth, await SampleStore.StateAsync(target));
        Assert.Equal(OpsLogError.NotFound, (await Assert.ThrowsAsync<OpsLogException>(async () => await OpsStore.RepairAsync(new MemoryStorage(), new MemoryStorage()))).Error);
    }

    [Theory]
    [MemberData(nameof(CorpusTests.SingleWriter), MemberType = typeof(CorpusTests))]
    public async Task A_store_of_the_package_is_repaired_to_what_it_holds(string name) => await AssertRepairsAsync(CorpusStore.Get(name), withManifest: true);

    [Theory]
    [MemberData(nameof(CorpusTests.SingleWriter), MemberType = typeof(CorpusTests))]
    public async Task A_store_of_the_package_without_its_manifest_is_repaired_to_what_it_holds(string name) => await AssertRepairsAsync(CorpusStore.Get(name), withManifest: false);

    private static async Task AssertRepairsAsync(CorpusStore corpus, bool withManifest)
    {
        using var folder = CorpusTests.Copy(corpus);
        using var repaired = new TempFolder();
        if (!withManifest) File.Delete(folder["manifest.json"]);
        await using (var source = new FileStorage(folder.Path))
        await using (var target = new FileStorage(repaired.Path))
        {
            try
            {
                var report = await OpsStore.RepairAsync(source, target);
                Assert.Equal(withManifest ? (await OpsStore.VerifyAsync(source)).Damages.Count : report.Losses.Count, report.Losses.Count);
            }
            catch (OpsLogException e) when (e.Error == OpsLogError.NotFound && !withManifest)
            {
                Assert.Contains(corpus.AllowedStates(), s => s.Count == 0);
                return;
            }

            Assert.True((await OpsStore.VerifyAsync(target)).IsSound);
        }

        var options = corpus.Options();
        options.ReadOnly = true;
        await using var store = await OpsStore<JsonElement>.OpenAsync(repaired.Path, options);
        var state = StoreReading.StateOf(store);
        // A line that no reader takes may hold an acknowledged operation behind a torn one: a repair saves it.
        var extra = corpus.Name.StartsWith("undo-unicode", StringComparison.Ordinal) ? 1 : 0;
        Assert.Contains(corpus.AllowedStates(), allowed => extra == 0
            ? JsonTree.Difference(allowed, state) is null
            : allowed.Keys.All(state.ContainsKey) && state.Count <= allowed.Count + extra);
    }

    // Removes what a checkpoint superseded, as the collector does in time.
    private static async Task OnlyWhatIsNamedAsync(StorageRig rig)
    {
        var (log, snapshot) = (await SampleStore.LogAsync(rig), await SampleStore.SnapshotAsync(rig));
        foreach (var name in (await rig.LengthsAsync()).Keys)
        {
            var isOld = name.StartsWith("snapshots/", StringComparison.Ordinal) ? name != snapshot.Value : name.StartsWith("ops/", StringComparison.Ordinal) && name != log.Value;
            if (isOld) await rig.DeleteAsync(new StorageKey(name), default);
        }
    }

    // A repair never takes history over, and says so.
    private static bool NotHistory(Damage loss) => !loss.Detail.StartsWith("history is not carried over", StringComparison.Ordinal);

    private static object? Incarnation(byte[] manifest) => JsonTree.Object(JsonTree.Object(JsonTree.Parse(manifest))["opslog"])["incarnation"];
}
