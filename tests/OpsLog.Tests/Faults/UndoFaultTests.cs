using OpsLog.Storage;
using OpsLog.Testing;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.Faults;

/// <summary>
/// Goal: what an undo does under each fault (docs/faults.md, column undo). Method: an undo is an append like any other, so one fault at one
/// call; and what it has to read back (the logs kept for history) is damaged, missing or unreadable.
/// </summary>
public sealed class UndoFaultTests
{
    [Theory]
    [InlineData(StorageFault.Full, false)]
    [InlineData(StorageFault.Throttled, false)]
    [InlineData(StorageFault.Unavailable, false)]
    [InlineData(StorageFault.Denied, false)]
    [InlineData(StorageFault.Full, true)]
    public async Task F9_F25_F26_a_rejected_undo_changes_nothing_and_can_be_tried_again(StorageFault fault, bool partly)
    {
        var disk = new MemoryStorage();
        var faulty = new FaultyStorage(disk);
        await using (var store = await TwoAsync(faulty))
        {
            faulty.Inject(new InjectedFault { Calls = StorageCalls.Append, Fault = fault, Moment = partly ? FaultMoment.During : FaultMoment.Before, PartialBytes = 50 });
            await Lab.RefusedAsync(OpsLogError.StorageFailed, async Task () => await store.UndoAsync());
            Assert.Equal("a = {\"n\":2}", Runs.Text(store));
            Assert.True(await store.UndoAsync());
            Assert.Equal("a = {\"n\":1}", Runs.Text(store));
        }

        Assert.Equal("a = {\"n\":1}", await Lab.StateAsync(disk));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task F10_F11_an_undo_that_meets_an_io_error_or_a_failed_sync_ends_writing(bool sync)
    {
        var disk = new CrashableStorage();
        var faulty = new FaultyStorage(disk);
        var store = await TwoAsync(faulty);
        faulty.Inject(sync ? InjectedFault.SyncFails() : new InjectedFault { Calls = StorageCalls.Append });
        await Lab.RefusedAsync(OpsLogError.OutcomeUnknown, async Task () => await store.UndoAsync());
        await Lab.RefusedAsync(OpsLogError.ReadOnly, async Task () => await store.UndoAsync());
        Assert.Equal("a = {\"n\":2}", Runs.Text(store));
        await Runs.AbandonAsync(store);
        Assert.Equal("a = {\"n\":2}", await Lab.StateAsync(disk.Reopen()));
    }

    [Fact]
    public async Task F25_an_undo_whose_outcome_cannot_be_read_back_is_unknown_and_never_half()
    {
        var disk = new MemoryStorage();
        var faulty = new FaultyStorage(disk);
        var store = await Lab.OpenAsync(faulty);
        await store.BatchAsync(b =>
        {
            b.Set("a", Lab.Doc(1));
            b.Set("b", Lab.Doc(2));
        });
        faulty.Inject(new InjectedFault { Calls = StorageCalls.Append | StorageCalls.Read, Count = 2, Moment = FaultMoment.After, Fault = StorageFault.Unavailable });
        await Lab.RefusedAsync(OpsLogError.OutcomeUnknown, async Task () => await store.UndoAsync());
        Assert.Equal(2, store.Count);
        await Runs.AbandonAsync(store);
        Assert.Equal("", await Lab.StateAsync(disk));
    }

    [Fact]
    public async Task F27_an_undo_whose_answer_is_lost_is_done()
    {
        var disk = new MemoryStorage();
        var faulty = new FaultyStorage(disk);
        await using var store = await TwoAsync(faulty);
        faulty.Inject(new InjectedFault { Calls = StorageCalls.Append, Moment = FaultMoment.After, Fault = StorageFault.Unavailable });
        Assert.True(await store.UndoAsync());
        Assert.Equal("a = {\"n\":1}", Runs.Text(store));
        Assert.True(await store.UndoAsync());
        Assert.Equal("", await Lab.StateAsync(disk));
    }

    [Fact]
    public async Task F28_an_undo_that_loses_a_race_is_fenced()
    {
        var faulty = new FaultyStorage(new MemoryStorage());
        var store = await TwoAsync(faulty);
        faulty.Inject(InjectedFault.Conflict());
        await Lab.RefusedAsync(OpsLogError.Fenced, async Task () => await store.UndoAsync());
        Assert.Equal("a = {\"n\":2}", Runs.Text(store));
        await Runs.AbandonAsync(store);
    }

    [Fact]
    public async Task F8_a_damaged_snapshot_does_not_stop_an_undo_from_the_log()
    {
        var disk = new MemoryStorage();
        await using var store = await CheckpointFaultTests.PreparedAsync(disk);
        await Lab.ChangeAsync(disk, await Lab.SnapshotAsync(disk), CheckpointFaultTests.Flipped);
        Assert.True(await store.UndoAsync());
        Assert.Equal(2, Lab.N(store["b"]));
    }

    [Fact]
    public async Task F6_an_undo_that_reaches_a_damaged_line_is_refused_and_takes_back_nothing_else()
    {
        var disk = new MemoryStorage();
        await using var store = await RetiredAsync(disk);
        var retired = await RetiredLogAsync(disk);
        await Lab.ChangeAsync(disk, retired, bytes => Lab.FlipInLine(bytes, 1));
        var refusal = await Lab.RefusedAsync(OpsLogError.Damaged, async Task () => await store.UndoAsync());
        Assert.Equal(retired.Value, refusal.Damage!.File);
        Assert.Equal("a = {\"n\":2}", Runs.Text(store));
    }

    [Fact]
    public async Task F14_an_undo_sees_that_a_retired_log_was_cut()
    {
        var disk = new MemoryStorage();
        await using var store = await RetiredAsync(disk);
        await Lab.ChangeAsync(disk, await RetiredLogAsync(disk), bytes => bytes[..Lab.LineOf(bytes, 0).End]);
        await Lab.RefusedAsync(OpsLogError.Damaged, async Task () => await store.UndoAsync());
        Assert.Equal("a = {\"n\":2}", Runs.Text(store));
    }

    [Fact]
    public async Task F12_an_undo_that_cannot_read_is_rejected_and_can_be_tried_again()
    {
        var disk = new MemoryStorage();
        var faulty = new FaultyStorage(disk);
        await using var store = await RetiredAsync(faulty);
        faulty.Inject(new InjectedFault { Calls = StorageCalls.Read, Fault = StorageFault.Throttled });
        var refusal = await Lab.RefusedAsync(OpsLogError.StorageFailed, async Task () => await store.UndoAsync());
        Assert.True(refusal.IsTransient);
        Assert.Equal("a = {\"n\":2}", Runs.Text(store));
        Assert.True(await store.UndoAsync());
        Assert.Equal("a = {\"n\":1}", Runs.Text(store));
    }

    [Fact]
    public async Task F33_a_cancelled_undo_is_done_or_not_begun()
    {
        var disk = new MemoryStorage();
        var hooked = new HookedStorage(disk);
        using var cancellation = new CancellationTokenSource();
        await using var store = await TwoAsync(hooked);
        hooked.Before = (call, _) => call == StorageCalls.Append ? cancellation.CancelAsync() : Task.CompletedTask;
        Assert.True(await store.UndoAsync(cancellation.Token));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await store.UndoAsync(cancellation.Token));
        Assert.Equal("a = {\"n\":1}", await Lab.StateAsync(disk));
    }

    [Fact]
    public async Task F24_F37_undos_race_checkpoints_and_each_takes_back_one_operation()
    {
        var disk = new MemoryStorage();
        await using (var store = await Lab.OpenAsync(disk))
        {
            for (var i = 0; i < 60; i++) await store.SetAsync($"{i:D2}", Lab.Doc(i));
            var checkpoints = Task.Run(async () =>
            {
                for (var i = 0; i < 10; i++) await store.CompactAsync();
            });
            var undos = Enumerable.Range(0, 2).Select(_ => Task.Run(async () =>
            {
                for (var i = 0; i < 20; i++) Assert.True(await store.UndoAsync());
            }));
            await Task.WhenAll([checkpoints, .. undos]);
            Assert.Equal(Enumerable.Range(0, 20).Select(i => $"{i:D2}"), store.Keys.Order(StringComparer.Ordinal));
        }

        await using var reopened = await Lab.OpenAsync(disk);
        Assert.Equal(20, reopened.Count);
        Assert.Equal(100, (await Lab.OperationsAsync(reopened)).Count);
    }

    [Fact]
    public async Task F37_a_second_undo_walks_back_and_a_reader_sees_every_step()
    {
        var disk = new MemoryStorage();
        await using var store = await TwoAsync(disk);
        await using var reader = await Lab.OpenAsync(disk, Lab.ReadOnly());
        var before = (await Lab.OperationsAsync(reader))[^1].Position;
        Assert.True(await store.UndoAsync());
        await store.CompactAsync();
        Assert.True(await store.UndoAsync());
        Assert.False(await store.UndoAsync());
        Assert.Equal(2, await reader.RefreshAsync());
        Assert.Empty(reader);
        var seen = await Lab.OperationsAsync(reader, before);
        Assert.Equal([(OperationKind.Set, 2L), (OperationKind.Delete, 1L)], seen.Select(o => (o.Kind, o.Marked.Clock)));
        Assert.All(seen, o => Assert.Equal(OperationMark.Undo, o.Mark));
    }

    private static async Task<OpsStore<System.Text.Json.JsonElement>> TwoAsync(IOpsStorage storage)
    {
        var store = await Lab.OpenAsync(storage);
        await store.SetAsync("a", Lab.Doc(1));
        await store.SetAsync("a", Lab.Doc(2));
        return store;
    }

    /// <summary>Both operations lie in a log that is kept for history.</summary>
    private static async Task<OpsStore<System.Text.Json.JsonElement>> RetiredAsync(IOpsStorage storage)
    {
        var store = await TwoAsync(storage);
        await store.CompactAsync();
        return store;
    }

    private static async Task<StorageKey> RetiredLogAsync(IOpsStorage storage)
    {
        var current = await Lab.LogAsync(storage);
        return new StorageKey(Assert.Single(await Lab.NamesAsync(storage, "ops/ops-"), n => n != current.Value));
    }
}
