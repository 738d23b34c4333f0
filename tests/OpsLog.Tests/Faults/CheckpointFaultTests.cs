using OpsLog.Storage;
using OpsLog.Testing;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.Faults;

/// <summary>
/// Goal: what a checkpoint, an archive run and the collector do under each fault (docs/faults.md, column checkpoint). Method: every storage
/// call they make fails once, in every way; then the store goes on, and what another opening finds is the same state, with every object the manifest names.
/// </summary>
public sealed class CheckpointFaultTests
{
    /// <summary>But for the logs that are written to: they are as durable as what is written to them.</summary>
    [Theory]
    [InlineData(Durability.Buffered, true)]
    [InlineData(Durability.Os, true)]
    [InlineData(Durability.Disk, true)]
    [InlineData(Durability.Buffered, false)]
    [InlineData(Durability.Os, false)]
    public async Task F3_the_manifest_moves_only_when_all_it_names_is_durable(Durability durability, bool holdsWriters)
    {
        var disk = new CrashableStorage();
        var hooked = new HookedStorage(disk) { Claimed = holdsWriters ? StorageCapabilities.HoldsWriters : StorageCapabilities.None };
        var (swaps, written, log) = (0, 0, default(StorageKey));
        await using var store = await Lab.OpenAsync(hooked, Lab.Options(o => o.Durability = durability));
        hooked.Before = async (call, key) =>
        {
            if (call == StorageCalls.Put && key.Value.StartsWith("snapshots/", StringComparison.Ordinal))
            {
                log = new StorageKey(store.Statistics.Log);
                written = (await Lab.ReadAsync(disk, log)).Length;
                await store.SetAsync("beside", Lab.Doc(swaps));
            }

            if (call != StorageCalls.Put || key != Lab.Manifest) return;
            swaps++;
            if (written > 0) Assert.True(disk.DurableLength(log) >= written); // history ends there
            var next = (await Lab.NamesAsync(disk, "ops/ops-"))[^1];
            foreach (var name in await Lab.NamesAsync(disk))
            {
                var length = (await Lab.ReadAsync(disk, new StorageKey(name))).Length;
                var isWritten = name.Equals(store.Statistics.Log, StringComparison.Ordinal) || name.Equals(next, StringComparison.Ordinal);
                if (durability == Durability.Disk || !isWritten) Assert.Equal(length, disk.DurableLength(new StorageKey(name)));
            }
        };
        for (var i = 0; i < 20; i++)
        {
            await store.SetAsync($"{i % 7}", Lab.Doc(i));
            if (i % 5 != 4) continue;
            if (i % 2 == 0) await Lab.OperationsAsync(store); // written to the log by this, and not synced
            await store.CompactAsync();
        }

        await store.ArchiveAsync(["0"], "2026");
        Assert.Equal(5, swaps);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task F5_a_swap_that_is_lost_leaves_the_previous_manifest_with_all_it_names(bool append)
    {
        var living = new MemoryStorage(append);
        var hooked = new HookedStorage(living);
        MemoryStorage disk = null!;
        await using (var store = await Lab.OpenAsync(hooked))
        {
            await store.SetAsync("a", Lab.Doc(1));
            await store.CompactAsync();
            await store.SetAsync("b", Lab.Doc(2));
            hooked.Before = async (call, key) =>
            {
                if (call == StorageCalls.Put && key == Lab.Manifest) disk = await Lab.CopyAsync(living);
            };
            await store.CompactAsync();
            hooked.Before = null;
        }

        Assert.Equal(2, (await Lab.NamesAsync(disk, "snapshots/")).Count);
        Assert.Equal("a = {\"n\":1}\nb = {\"n\":2}", await Lab.StateAsync(disk));
        await using (var store = await Lab.OpenAsync(disk))
        {
            await store.SetAsync("c", Lab.Doc(3));
            await store.CompactAsync();
            await store.SetAsync("d", Lab.Doc(4));
        }

        Assert.Equal("a = {\"n\":1}\nb = {\"n\":2}\nc = {\"n\":3}\nd = {\"n\":4}", await Lab.StateAsync(disk));
    }

    public static TheoryData<bool, StorageFault, FaultMoment> Failures
    {
        get
        {
            var data = new TheoryData<bool, StorageFault, FaultMoment>();
            foreach (var fault in new[] { StorageFault.Full, StorageFault.Broken, StorageFault.Throttled, StorageFault.Unavailable, StorageFault.Denied })
                foreach (var moment in Enum.GetValues<FaultMoment>()) data.Add(true, fault, moment);
            data.Add(false, StorageFault.Full, FaultMoment.Before);
            data.Add(false, StorageFault.Broken, FaultMoment.Before);
            data.Add(false, StorageFault.Unavailable, FaultMoment.After);
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Failures))]
    public async Task F9_F10_F11_F12_F25_F26_whichever_call_of_a_checkpoint_fails_nothing_is_lost(bool append, StorageFault fault, FaultMoment moment)
    {
        for (var call = 1; ; call++)
        {
            var disk = new MemoryStorage(append);
            var faulty = new FaultyStorage(disk);
            var store = await PreparedAsync(faulty);
            var expected = Runs.Text(store);
            faulty.Inject(InjectedFault.AtCall(call, StorageCalls.All & ~StorageCalls.Release, moment, fault));
            var isUnknown = false;
            var context = $"call {call}, {fault}, {moment}";
            var failed = await FailsAsync(async () =>
            {
                await store.CompactAsync();
                await store.ArchiveAsync(["c"], "2026");
            });
            if (faulty.Faults.Count == 0)
            {
                await store.DisposeAsync();
                Assert.True(call > 8, "hardly any call was made");
                return;
            }

            faulty.Clear();
            expected = store.ContainsKey("c") ? expected : Without(expected, "c");
            Assert.True(expected == Runs.Text(store), $"{context}, the living store shows\n{Runs.Text(store)}");
            if (store.Statistics.Failure is null)
            {
                await store.SetAsync("after", Lab.Doc(9));
                expected = Without(expected + "\nafter = {\"n\":9}", "");
                await store.CompactAsync();
            }
            else
            {
                Assert.True(failed, $"{context}: read-only, and nobody was told");
                isUnknown = true; // the deletes of the archive run may be in the log
            }

            await Runs.AbandonAsync(store);
            var reopened = await Lab.StateAsync(disk);
            if (isUnknown) expected = Without(expected, reopened.Contains("c =", StringComparison.Ordinal) ? "" : "c");
            Assert.True(expected == Sorted(reopened), $"{context}, reopened:\n{reopened}\nexpected:\n{expected}");
            await using var again = await Lab.OpenAsync(disk);
            Assert.True(expected == Sorted(Runs.Text(again)), $"{context}, opened for writing:\n{Runs.Text(again)}");
            Assert.NotEmpty(await Lab.OperationsAsync(again));
            foreach (var period in again.Archives) await again.LoadArchiveAsync(period);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task F1_what_a_dead_checkpoint_left_behind_is_collected(bool append)
    {
        for (var call = 1; call < 12; call++)
        {
            var disk = new MemoryStorage(append);
            var dying = new FaultyStorage(disk);
            var store = await PreparedAsync(dying);
            dying.Inject(new InjectedFault { Calls = StorageCalls.All & ~StorageCalls.Release, FirstCall = call, Count = int.MaxValue });
            await FailsAsync(async () => await store.CompactAsync());
            await Runs.AbandonAsync(store);
            await using (var next = await Lab.OpenAsync(disk, Lab.Options(o => o.HistoryRetention = HistoryRetention.None)))
            {
                await next.SetAsync("z", Lab.Doc(1));
                await next.CompactAsync();
                await next.SetAsync("z", Lab.Doc(2));
                await next.CompactAsync();
            }

            Assert.Single(await Lab.NamesAsync(disk, "snapshots/"));
            Assert.Single(await Lab.NamesAsync(disk, "ops/ops-"), n => !n.Contains("-n0", StringComparison.Ordinal));
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task F27_a_swap_whose_answer_is_lost_is_read_back(bool archives)
    {
        var disk = new MemoryStorage();
        var faulty = new FaultyStorage(disk);
        await using (var store = await PreparedAsync(faulty))
        {
            faulty.Inject(InjectedFault.LostAnswer() with { Keys = key => key == Lab.Manifest });
            if (archives) Assert.Equal(1, await store.ArchiveAsync(["a"], "2026"));
            else await store.CompactAsync();
            Assert.Single(faulty.Faults);
            await store.SetAsync("z", Lab.Doc(9));
        }

        Assert.EndsWith("z = {\"n\":9}", await Lab.StateAsync(disk), StringComparison.Ordinal);
    }

    [Fact]
    public async Task F28_a_swap_refused_for_no_reason_is_tried_again()
    {
        var disk = new MemoryStorage();
        var faulty = new FaultyStorage(disk);
        await using var store = await PreparedAsync(faulty);
        faulty.Inject(InjectedFault.Conflict() with { Keys = key => key == Lab.Manifest });
        await store.CompactAsync();
        Assert.Single(faulty.Faults);
        Assert.Equal(2, store.Statistics.Checkpoints);
    }

    [Fact]
    public async Task F6_F8_F17_a_checkpoint_never_reads_what_the_disk_made_of_the_log_and_heals_it()
    {
        var disk = new MemoryStorage();
        await using (var store = await PreparedAsync(disk))
        {
            await Lab.ChangeAsync(disk, await Lab.LogAsync(disk), bytes => Lab.FlipInLine(bytes, 0));
            await store.CompactAsync();
        }

        Assert.Equal("a = {\"n\":1}\nb = {\"n\":5}\nc = {\"n\":3}", await Lab.StateAsync(disk));
    }

    [Fact]
    public async Task F8_F15_F17_an_archive_run_that_needs_a_damaged_or_missing_archive_is_refused_and_the_store_goes_on()
    {
        foreach (var damage in new Func<byte[], byte[]?>[] { Flipped, ZeroPage, _ => null })
        {
            var disk = new MemoryStorage();
            await using var store = await PreparedAsync(disk);
            await store.ArchiveAsync(["c"], "2026");
            var key = await Lab.OnlyAsync(disk, "archive/");
            await DamageAsync(disk, key, damage);
            var before = await Lab.BytesAsync(disk);
            var refusal = await Lab.RefusedAsync(OpsLogError.Damaged, async Task () => await store.ArchiveAsync(["a"], "2026"));
            Assert.Equal(key.Value, refusal.Damage!.File);
            Assert.Equal(before["manifest.json"], (await Lab.BytesAsync(disk))["manifest.json"]);
            Assert.Equal("a = {\"n\":1}\nb = {\"n\":5}", Runs.Text(store));
            await store.SetAsync("a", Lab.Doc(7));
            Assert.Equal("a = {\"n\":7}\nb = {\"n\":5}", await Lab.StateAsync(disk));
        }
    }

    [Fact]
    public async Task F8_F15_F17_a_checkpoint_writes_a_damaged_or_missing_history_index_anew()
    {
        foreach (var damage in new Func<byte[], byte[]?>[] { Flipped, ZeroPage, _ => null })
        {
            var disk = new MemoryStorage();
            await using (var store = await PreparedAsync(disk))
            {
                await DamageAsync(disk, await Lab.OnlyAsync(disk, "ops/history-"), damage);
                await store.CompactAsync();
            }

            await using var reopened = await Lab.OpenAsync(disk);
            Assert.Equal(["a", "b", "c", "b"], (await Lab.OperationsAsync(reopened)).Select(o => o.Id));
        }
    }

    [Fact]
    public async Task F29_a_listing_that_lies_makes_nobody_delete_what_is_named()
    {
        var disk = new MemoryStorage();
        var hooked = new HookedStorage(disk);
        await using (var store = await PreparedAsync(hooked))
        {
            var stale = new List<StorageEntry>();
            hooked.Listing = entries =>
            {
                stale.AddRange(entries);
                return stale.AsEnumerable().Reverse().Concat(entries); // out of order, twice, and with what is long gone
            };
            for (var i = 0; i < 5; i++)
            {
                await store.SetAsync("a", Lab.Doc(i));
                await store.CompactAsync();
            }

            hooked.Listing = _ => [];
            await store.CompactAsync();
        }

        await using var reopened = await Lab.OpenAsync(disk);
        Assert.Equal("a = {\"n\":4}\nb = {\"n\":5}\nc = {\"n\":3}", Runs.Text(reopened));
        Assert.Equal(9, (await Lab.OperationsAsync(reopened)).Count);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task F33_a_checkpoint_cancelled_at_any_call_leaves_the_old_manifest_or_the_new_one(bool append)
    {
        for (var call = 1; ; call++)
        {
            var disk = new MemoryStorage(append);
            var hooked = new HookedStorage(disk);
            using var cancellation = new CancellationTokenSource();
            await using var store = await PreparedAsync(hooked);
            var expected = Runs.Text(store);
            var calls = 0;
            hooked.Before = (_, _) => ++calls == call ? cancellation.CancelAsync() : Task.CompletedTask;
            try
            {
                await store.CompactAsync(cancellation.Token);
            }
            catch (OperationCanceledException)
            {
                Assert.True(calls >= call);
            }

            hooked.Before = null;
            if (calls < call) return;
            Assert.Equal(expected, Runs.Text(store));
            Assert.Equal(expected, await Lab.StateAsync(disk));
            await store.SetAsync("z", Lab.Doc(9));
            await store.CompactAsync();
            Assert.Equal(expected + "\nz = {\"n\":9}", await Lab.StateAsync(disk));
        }
    }

    [Fact]
    public async Task F24_two_checkpoints_at_once_both_end_well()
    {
        var disk = new MemoryStorage();
        await using var store = await PreparedAsync(disk);
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(async () => await store.CompactAsync())));
        Assert.Equal(9, store.Statistics.Checkpoints);
        Assert.Equal(Runs.Text(store), await Lab.StateAsync(disk));
    }

    [Fact]
    public async Task F31_a_checkpoint_never_replaces_the_manifest_of_a_newer_program()
    {
        var disk = new MemoryStorage();
        var store = await PreparedAsync(disk);
        await Lab.ChangeManifestAsync(disk, ours => (ours["format"], ours["reader"]) = (2, 2));
        var newer = await Lab.ReadAsync(disk, Lab.Manifest);
        await Lab.RefusedAsync(OpsLogError.TooNew, () => store.CompactAsync());
        await Lab.RefusedAsync(OpsLogError.TooNew, async Task () => await store.ArchiveAsync(["a"], "2026"));
        await Runs.AbandonAsync(store);
        Assert.Equal(newer, await Lab.ReadAsync(disk, Lab.Manifest));
    }

    /// <summary>A store with a snapshot, a log, a retired log and its index: a, b and c, b written again behind the checkpoint.</summary>
    internal static async Task<OpsStore<System.Text.Json.JsonElement>> PreparedAsync(IOpsStorage storage)
    {
        var store = await Lab.OpenAsync(storage);
        await store.SetAsync("a", Lab.Doc(1));
        await store.SetAsync("b", Lab.Doc(2));
        await store.SetAsync("c", Lab.Doc(3));
        await store.CompactAsync();
        await store.SetAsync("b", Lab.Doc(5));
        return store;
    }

    private static async Task DamageAsync(MemoryStorage disk, StorageKey key, Func<byte[], byte[]?> damage)
    {
        if (damage(await Lab.ReadAsync(disk, key)) is { } damaged) await Lab.WriteAsync(disk, key, damaged);
        else await disk.DeleteAsync(key, default);
    }

    internal static byte[] Flipped(byte[] bytes)
    {
        bytes[bytes.Length / 2] ^= 1;
        return bytes;
    }

    internal static byte[] ZeroPage(byte[] bytes)
    {
        var length = Math.Min(512, bytes.Length / 2);
        bytes.AsSpan((bytes.Length - length) / 2, length).Clear();
        return bytes;
    }

    private static string Sorted(string state) => Without(state, "");

    private static string Without(string state, string id) =>
        string.Join('\n', state.Split('\n').Where(l => id.Length == 0 || !l.StartsWith(id + " =", StringComparison.Ordinal)).Order(StringComparer.Ordinal));

    private static async Task<bool> FailsAsync(Func<Task> action)
    {
        try
        {
            await action();
            return false;
        }
        catch (OpsLogException e)
        {
            Assert.True(e.Error is OpsLogError.StorageFailed or OpsLogError.OutcomeUnknown or OpsLogError.ReadOnly, $"{e.Error}: {e.Message}");
            return true;
        }
    }
}
