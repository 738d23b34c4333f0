using System.Text;
using System.Text.Json.Nodes;
using OpsLog.Storage;
using OpsLog.Testing;
using OpsLog.Tests.Corpus;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.Faults;

/// <summary>
/// Goal: around a swap of the manifest nothing is acknowledged twice, lost or made up: swaps whose fate nobody knows, logs that become history,
/// archives and agents of somebody else (docs/faults.md, columns checkpoint and open). Method: the swap's answer and what it could be read back
/// by are taken away; what other programs left is put beside our own objects.
/// </summary>
public sealed class SwapFaultTests
{
    [Theory]
    [InlineData(5)]
    [InlineData(110)]
    public async Task F27_a_file_system_that_renames_the_manifest_and_says_it_failed_loses_nothing(int error)
    {
        using var folder = new TempFolder();
        await using var storage = new FileStorage(folder.Path);
        var store = await Lab.OpenAsync(storage);
        await store.SetAsync("a", Lab.Doc(1));
        storage.Renamed = path =>
        {
            if (!path.EndsWith(Lab.Manifest.Value, StringComparison.Ordinal)) return;
            storage.Renamed = null;
            throw new IOException("The server does not answer.", error);
        };
        var acknowledged = new List<string> { "a" };
        try
        {
            await store.CompactAsync();
            await store.SetAsync("b", Lab.Doc(2));
            acknowledged.Add("b");
        }
        catch (OpsLogException e)
        {
            Assert.Equal(OpsLogError.OutcomeUnknown, e.Error);
            await Lab.RefusedAsync(OpsLogError.ReadOnly, async Task () => await store.SetAsync("c", Lab.Doc(3)));
        }

        await Runs.AbandonAsync(store);
        await using var reopened = await Lab.OpenAsync(storage);
        Assert.Equal(acknowledged, reopened.Keys.Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task F25_F27_a_swap_that_nobody_can_tell_the_fate_of_is_unknown_and_ends_writing(bool archives)
    {
        var disk = new MemoryStorage();
        var faulty = new FaultyStorage(disk);
        var hooked = new HookedStorage(faulty);
        var store = await CheckpointFaultTests.PreparedAsync(hooked);
        var before = Runs.Text(store);
        hooked.Before = (call, key) =>
        {
            if (call != StorageCalls.Put || key != Lab.Manifest) return Task.CompletedTask;
            hooked.Before = null;
            faulty.Inject(InjectedFault.LostAnswer());
            faulty.Inject(new InjectedFault { Calls = StorageCalls.Read, Keys = k => k == Lab.Manifest, Fault = StorageFault.Unavailable });
            return Task.CompletedTask;
        };
        await Lab.RefusedAsync(OpsLogError.OutcomeUnknown, async Task () =>
        {
            if (archives) await store.ArchiveAsync(["a"], "2026");
            else await store.CompactAsync();
        });
        Assert.Equal(2, faulty.Faults.Count);
        Assert.NotNull(store.Statistics.Failure);
        await Lab.RefusedAsync(OpsLogError.ReadOnly, async Task () => await store.SetAsync("d", Lab.Doc(4)));
        Assert.Equal(before, Runs.Text(store));
        await Runs.AbandonAsync(store);
        Assert.Equal(before, await Lab.StateAsync(disk));
        await using var reopened = await Lab.OpenAsync(disk);
        await reopened.SetAsync("d", Lab.Doc(4));
        Assert.Equal(before + "\nd = {\"n\":4}", await Lab.StateAsync(disk));
    }

    [Fact]
    public async Task F11_a_swap_that_the_medium_failed_is_not_read_back_what_reads_well_may_not_be_on_it()
    {
        var faulty = new FaultyStorage(new MemoryStorage());
        var store = await CheckpointFaultTests.PreparedAsync(faulty);
        faulty.Inject(InjectedFault.LostAnswer() with { Keys = key => key == Lab.Manifest, Fault = StorageFault.Broken });
        await Lab.RefusedAsync(OpsLogError.OutcomeUnknown, () => store.CompactAsync());
        Assert.NotNull(store.Statistics.Failure);
        await Lab.RefusedAsync(OpsLogError.ReadOnly, async Task () => await store.SetAsync("d", Lab.Doc(4)));
        await Runs.AbandonAsync(store);
    }

    [Theory]
    [InlineData(StorageCapabilities.None)]
    [InlineData(StorageCapabilities.HoldsWriters)] // then no seal is appended, which would sync it as well
    public async Task F2_a_log_that_becomes_history_is_durable_to_its_end_whatever_the_level(StorageCapabilities claimed)
    {
        var disk = new CrashableStorage();
        var hooked = new HookedStorage(disk) { Claimed = claimed };
        var store = await Lab.OpenAsync(hooked, Lab.Options(o => o.Durability = Durability.Os));
        for (var i = 0; i < 5; i++) await store.SetAsync($"{i}", Lab.Doc(i));
        var log = await Lab.LogAsync(disk);
        var swaps = 0;
        hooked.Before = async (call, key) =>
        {
            if (call != StorageCalls.Put || key != Lab.Manifest) return;
            swaps++;
            Assert.Equal((await Lab.ReadAsync(disk, log)).Length, disk.DurableLength(log)); // before the manifest calls it history
        };
        await store.CompactAsync();
        Assert.Equal(1, swaps);
        var left = disk.Reopen(CrashLoss.Unsynced);
        await Runs.AbandonAsync(store);
        await using var reopened = await Lab.OpenAsync(left);
        Assert.Equal(["0", "1", "2", "3", "4"], (await Lab.OperationsAsync(reopened)).Select(o => o.Id));
        Assert.Empty((await OpsStore.VerifyAsync(left)).Damages);
    }

    [Fact]
    public async Task F24_an_archive_run_with_an_older_value_leaves_the_newer_one_in_the_archive()
    {
        var disk = new MemoryStorage();
        await using (var store = await CheckpointFaultTests.PreparedAsync(disk)) await store.ArchiveAsync(["c"], "2026");
        var older = await Lab.CopyAsync(disk);
        await using (var store = await Lab.OpenAsync(disk))
        {
            await store.SetAsync("a", Lab.Doc(9));
            Assert.Equal(1, await store.ArchiveAsync(["a"], "2026"));
        }

        var archive = await Lab.OnlyAsync(disk, "archive/");
        await Lab.WriteAsync(older, archive, await Lab.ReadAsync(disk, archive));
        await using var late = await Lab.OpenAsync(older);
        Assert.Equal(0, await late.ArchiveAsync(["a"], "2026"));
        Assert.Equal("a = {\"n\":1}\nb = {\"n\":5}", Runs.Text(late));
        Assert.Equal(9, Lab.N((await late.LoadArchiveAsync("2026"))["a"]));
        Assert.Equal(2, await late.ArchiveAsync(["a", "b"], "2027"));
    }

    [Fact]
    public async Task F25_an_archive_that_somebody_holds_is_not_taken_for_written()
    {
        var disk = new MemoryStorage();
        var faulty = new FaultyStorage(disk);
        await using var store = await CheckpointFaultTests.PreparedAsync(faulty);
        faulty.Inject(new InjectedFault { Calls = StorageCalls.Put, Keys = key => key.Value.StartsWith("archive/", StringComparison.Ordinal), Outcome = PutOutcome.Held });
        var before = await Lab.BytesAsync(disk);
        await Lab.RefusedAsync(OpsLogError.StorageFailed, async Task () => await store.ArchiveAsync(["a"], "2026"));
        Assert.Equal(before, await Lab.BytesAsync(disk));
        Assert.Empty(store.Archives);
        Assert.Equal(1, await store.ArchiveAsync(["a"], "2026"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task F33_a_swap_cancelled_once_it_is_sent_is_no_other_writers(bool archives)
    {
        var disk = new MemoryStorage();
        var hooked = new HookedStorage(disk);
        await using var store = await CheckpointFaultTests.PreparedAsync(hooked);
        using var source = new CancellationTokenSource();
        hooked.After = (_, key) => key == Lab.Manifest ? source.CancelAsync() : Task.CompletedTask;
        try
        {
            if (archives) await store.ArchiveAsync(["a"], "2026", source.Token);
            else await store.CompactAsync(source.Token);
        }
        catch (OperationCanceledException)
        {
            // cancelled behind the swap
        }

        Assert.True(source.IsCancellationRequested);
        hooked.After = null;
        await store.SetAsync("d", Lab.Doc(4));
        await store.CompactAsync();
        Assert.Null(store.Statistics.Failure);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task F31_an_agent_that_the_package_registered_over_our_manifest_adds_to_our_log(bool clean)
    {
        var disk = new MemoryStorage();
        var store = await CheckpointFaultTests.PreparedAsync(disk);
        if (clean) await store.DisposeAsync();
        else await Runs.AbandonAsync(store);
        const string log = "ops/agent-guest-1795394388755.jsonl";
        await Lab.WriteAsync(disk, new StorageKey(log), Encoding.UTF8.GetBytes("""
            {"ts":"2026-11-23T00:40:00.000Z","op":"set","id":"b","data":{"n":50},"prev":{"n":5},"agent":"guest","clock":5}
            {"ts":"2026-11-23T00:40:00.001Z","op":"set","id":"g","data":{"n":60},"prev":null,"agent":"guest","clock":6}

            """));
        var manifest = await Lab.ManifestAsync(disk);
        manifest["activeAgentOps"] = new JsonObject { ["guest"] = log };
        await Lab.WriteAsync(disk, Lab.Manifest, Encoding.UTF8.GetBytes(manifest.ToJsonString()));
        const string merged = "a = {\"n\":1}\nb = {\"n\":50}\nc = {\"n\":3}\ng = {\"n\":60}";
        Assert.Equal(merged, await Lab.StateAsync(disk));
        Assert.Empty((await OpsStore.VerifyAsync(disk)).Damages);
        await using (var adopting = await Lab.OpenAsync(disk))
        {
            Assert.Equal(merged, Runs.Text(adopting));
            await adopting.SetAsync("h", Lab.Doc(7));
        }

        Assert.Equal(merged + "\nh = {\"n\":7}", await Lab.StateAsync(disk));
        Assert.False((await Lab.ManifestAsync(disk)).ContainsKey("activeAgentOps"));
    }
}
