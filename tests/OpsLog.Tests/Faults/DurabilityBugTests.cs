using OpsLog.Storage;
using OpsLog.Testing;
using OpsLog.Tests.Corpus;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.Faults;

/// <summary>
/// Goal: none of the package's known bugs in durability and recovery (numbers of docs/faults.md). Method: the scenario of each, on our store.
/// Those that a property or a row of the matrix covers are named there and not written again.
/// </summary>
public sealed class DurabilityBugTests
{
    [Fact]
    public async Task Bug25_whatever_is_acknowledged_at_disk_is_on_stable_storage_when_the_call_returns()
    {
        var disk = new CrashableStorage();
        await using var store = await Lab.OpenAsync(disk);
        for (var i = 0; i < 5; i++)
        {
            await store.SetAsync("a", Lab.Doc(i));
            if (i == 3) await store.CompactAsync();
            var log = new StorageKey(store.Statistics.Log);
            Assert.Equal((await Lab.ReadAsync(disk, log)).Length, disk.DurableLength(log));
            Assert.True(disk.DurableLength(log) > 0 || i == 3);
        }
    }

    [Fact]
    public async Task Bug33_a_checkpoint_that_fails_behind_a_batch_takes_nothing_of_it_back()
    {
        var disk = new MemoryStorage();
        var faulty = new FaultyStorage(disk);
        faulty.Inject(new InjectedFault { Calls = StorageCalls.Put, Keys = key => key.Value.StartsWith("snapshots/snap-r000000000002", StringComparison.Ordinal), Count = int.MaxValue });
        var store = await Lab.OpenAsync(faulty, Lab.Options(o =>
            (o.Checkpoint.Automatic, o.Checkpoint.MinimumBytes, o.Checkpoint.MinimumOperations, o.Checkpoint.Growth) = (true, 0, 1, 0.001)));
        await store.BatchAsync(b =>
        {
            b.Set("a", Lab.Doc(1));
            b.Set("b", Lab.Doc(2));
        });
        Assert.Equal(2, store.Count);
        await store.DisposeAsync();
        Assert.NotEmpty(faulty.Faults);
        Assert.NotNull(store.Statistics.CheckpointFailure);
        Assert.Equal("a = {\"n\":1}\nb = {\"n\":2}", await Lab.StateAsync(disk));
    }

    [Fact]
    public async Task Bug34_records_archived_again_after_a_crash_in_between_are_counted_once()
    {
        for (var call = 1; call < 8; call++)
        {
            var disk = new MemoryStorage();
            var faulty = new FaultyStorage(disk);
            var store = await Lab.OpenAsync(faulty);
            await store.SetAsync("a", Lab.Doc(1));
            faulty.Inject(new InjectedFault { Calls = StorageCalls.Writes, FirstCall = call, Count = int.MaxValue });
            try
            {
                await store.ArchiveAsync(["a"], "2026");
            }
            catch (OpsLogException)
            {
                // It died here.
            }

            await Runs.AbandonAsync(store);
            await using var next = await Lab.OpenAsync(disk);
            if (call <= 3) Assert.True(next.ContainsKey("a"), $"died at write {call}: in neither place");
            await next.ArchiveAsync(["a"], "2026");
            Assert.Empty(next);
            Assert.Equal(["a"], (await next.LoadArchiveAsync("2026")).Keys);
            Assert.True(next.Statistics.ArchivedRecords == 1, $"died at write {call}: {next.Statistics.ArchivedRecords} records counted");
        }
    }

    [Fact]
    public async Task Bug36_what_is_superseded_is_deleted_and_checkpoints_follow_growth()
    {
        var disk = new MemoryStorage();
        await using (var store = await Lab.OpenAsync(disk, Lab.Options(o => o.HistoryRetention = HistoryRetention.None)))
        {
            for (var i = 0; i < 20; i++)
            {
                await store.SetAsync("a", Lab.Doc(i));
                await store.CompactAsync();
            }
        }

        Assert.Single(await Lab.NamesAsync(disk, "snapshots/"));
        Assert.Single(await Lab.NamesAsync(disk, "ops/"));

        await using var large = await OpsStore<Dictionary<string, int>>.OpenAsync(new MemoryStorage(), new OpsStoreOptions { Durability = Durability.Os });
        for (var i = 0; i < 1000; i++) await large.SetAsync($"{i}", new() { ["n"] = i });
        Assert.Equal(0, large.Statistics.Checkpoints); // a hundred operations are no reason to write everything again
    }

    [Theory]
    [InlineData("manifest.json")]
    [InlineData("log")]
    public async Task Bug37_a_failed_opening_leaves_no_lock(string damaged)
    {
        using var folder = new TempFolder();
        await using (var store = await OpsStore<Dictionary<string, int>>.OpenAsync(folder.Path, Lab.Options())) await store.SetAsync("a", new() { ["n"] = 1 });
        var path = damaged == "log" ? Directory.GetFiles(folder["ops"], "*.jsonl").Single() : folder[damaged];
        var sound = await File.ReadAllBytesAsync(path);
        await File.WriteAllBytesAsync(path, [.. "{]"u8, .. sound]);
        for (var i = 0; i < 2; i++)
            await Lab.RefusedAsync(OpsLogError.Damaged, async Task () => await OpsStore<Dictionary<string, int>>.OpenAsync(folder.Path, Lab.Options()));
        await File.WriteAllBytesAsync(path, sound);
        await using var reopened = await OpsStore<Dictionary<string, int>>.OpenAsync(folder.Path, Lab.Options());
        Assert.Equal(1, reopened["a"]["n"]);
    }

    [Fact]
    public async Task Bug38_closing_waits_for_writes_under_way_and_nothing_is_written_after()
    {
        var disk = new MemoryStorage();
        var gate = new Gate();
        var hooked = new HookedStorage(disk);
        var store = await Lab.OpenAsync(hooked);
        hooked.Before = (call, _) => call == StorageCalls.Append ? gate.PassAsync() : Task.CompletedTask;
        var writing = store.SetAsync("a", Lab.Doc(1)).AsTask();
        await gate.Arrived;
        var queued = store.SetAsync("b", Lab.Doc(2)).AsTask();
        var closing = store.DisposeAsync().AsTask();
        Assert.False(closing.IsCompleted, "closed while a write was under way");
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await store.SetAsync("c", Lab.Doc(3)));
        gate.Open();
        await writing;
        await queued;
        await closing;
        var after = await Lab.BytesAsync(disk);
        Assert.Equal("a = {\"n\":1}\nb = {\"n\":2}", await Lab.StateAsync(disk));
        Assert.Equal(after, await Lab.BytesAsync(disk));
    }

    [Fact]
    public async Task Bug44_a_buffered_write_that_cannot_be_flushed_is_reported_by_flush_and_by_closing()
    {
        var disk = new MemoryStorage();
        var faulty = new FaultyStorage(disk);
        var store = await Lab.OpenAsync(faulty, Lab.Options(o => o.Durability = Durability.Buffered));
        await store.SetAsync("a", Lab.Doc(1));
        await store.FlushAsync();
        await store.SetAsync("b", Lab.Doc(2));
        await store.SetAsync("c", Lab.Doc(3));
        var sent = (await Lab.ReadAsync(disk, await Lab.LogAsync(disk))).Length;
        faulty.Inject(new InjectedFault { Calls = StorageCalls.Append, Fault = StorageFault.Full, Moment = FaultMoment.During, PartialBytes = sent });
        await Assert.ThrowsAsync<OpsLogException>(async () => await store.FlushAsync());
        await Lab.RefusedAsync(OpsLogError.ReadOnly, async Task () => await store.SetAsync("d", Lab.Doc(4)));
        await Assert.ThrowsAsync<OpsLogException>(async () => await store.DisposeAsync());
        await using var reopened = await Lab.OpenAsync(disk);
        Assert.Equal(["a", "b"], (await Lab.OperationsAsync(reopened)).Select(o => o.Id)); // what arrived is there once
    }

    [Fact]
    public async Task Bug44_a_flush_in_the_background_that_fails_is_not_swallowed()
    {
        var time = new Microsoft.Extensions.Time.Testing.FakeTimeProvider();
        var gate = new Gate();
        var faulty = new FaultyStorage(new MemoryStorage());
        var hooked = new HookedStorage(faulty);
        var store = await Lab.OpenAsync(hooked, Lab.Options(o => (o.Durability, o.TimeProvider, o.FlushInterval) = (Durability.Buffered, time, TimeSpan.FromMilliseconds(50))));
        hooked.Before = (call, _) => call == StorageCalls.Append ? gate.PassAsync() : Task.CompletedTask;
        faulty.Inject(new InjectedFault { Calls = StorageCalls.Append, Count = int.MaxValue });
        await store.SetAsync("a", Lab.Doc(1));
        while (!gate.Arrived.IsCompleted)
        {
            time.Advance(TimeSpan.FromMilliseconds(50));
            await Task.Yield();
        }

        gate.Open();
        await Assert.ThrowsAsync<OpsLogException>(async () => await store.DisposeAsync());
    }

    [Fact]
    public async Task Bug45_buffered_writes_and_batches_keep_their_order()
    {
        var disk = new MemoryStorage();
        await using (var store = await Lab.OpenAsync(disk, Lab.Options(o => o.Durability = Durability.Buffered)))
        {
            await store.SetAsync("a", Lab.Doc(1));
            await store.BatchAsync(b => b.Set("a", Lab.Doc(2)));
            Assert.Equal(2, Lab.N(store["a"]));
        }

        Assert.Equal("a = {\"n\":2}", await Lab.StateAsync(disk));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Bug46_an_undo_of_a_buffered_write_takes_back_that_write(bool append)
    {
        var disk = new MemoryStorage(append);
        await using (var store = await Lab.OpenAsync(disk, Lab.Options(o => o.Durability = Durability.Buffered)))
        {
            await store.SetAsync("a", Lab.Doc(1));
            await store.FlushAsync();
            await store.SetAsync("b", Lab.Doc(2));
            Assert.True(await store.UndoAsync());
            Assert.Equal(["a"], store.Keys);
        }

        Assert.Equal("a = {\"n\":1}", await Lab.StateAsync(disk));
    }

    [Fact]
    public async Task Bug48_operations_and_history_are_current_after_checkpoints_on_every_storage()
    {
        foreach (var append in new[] { true, false })
        {
            await using var store = await Lab.OpenAsync(new MemoryStorage(append));
            for (var i = 1; i <= 6; i++)
            {
                await store.SetAsync("a", Lab.Doc(i));
                await store.CompactAsync();
            }

            await store.SetAsync("a", Lab.Doc(7));
            Assert.Equal(Enumerable.Range(1, 7), (await Lab.OperationsAsync(store)).Select(o => Lab.N(o.Value)));
            var history = new List<int>();
            await foreach (var operation in store.HistoryAsync("a")) history.Add(Lab.N(operation.Value));
            Assert.Equal(Enumerable.Range(1, 7), history);
        }
    }
}
