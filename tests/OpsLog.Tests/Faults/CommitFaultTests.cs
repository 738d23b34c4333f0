using System.Text.Json;
using OpsLog.Storage;
using OpsLog.Testing;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.Faults;

/// <summary>
/// Goal: what a set or a batch does under each fault of the matrix (docs/faults.md, column commit). Method: one fault at one call of the
/// storage under a living store; then what is acknowledged, what is shown, and what another opening finds.
/// </summary>
public sealed class CommitFaultTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(60)]
    public async Task F9_a_full_disk_rejects_the_write_and_the_next_one_works(int arrived)
    {
        var disk = new MemoryStorage();
        var faulty = new FaultyStorage(disk);
        await using (var store = await Lab.OpenAsync(faulty))
        {
            await store.SetAsync("a", Lab.Doc(1));
            faulty.Inject(new InjectedFault { Calls = StorageCalls.Append, Fault = StorageFault.Full, Moment = FaultMoment.During, PartialBytes = arrived });
            await Lab.RefusedAsync(OpsLogError.StorageFailed, async Task () => await store.SetAsync("b", Lab.Doc(2)));
            Assert.False(store.ContainsKey("b"));
            await store.SetAsync("c", Lab.Doc(3));
        }

        await using var reopened = await Lab.OpenAsync(disk);
        Assert.Equal(["a", "c"], reopened.Keys.Order(StringComparer.Ordinal));
        Assert.Empty(reopened.RecoveryReport.Skipped);
        Assert.Equal(["a", "c"], (await Lab.OperationsAsync(reopened)).Select(o => o.Id));
    }

    [Fact]
    public async Task F9_of_callers_that_share_an_append_only_those_whose_lines_are_cut_fail()
    {
        var disk = new MemoryStorage();
        var faulty = new FaultyStorage(disk);
        var gate = new Gate();
        var hooked = new HookedStorage(faulty);
        var store = await Lab.OpenAsync(hooked);
        await store.SetAsync("w", Lab.Doc(1));
        var line = (await Lab.ReadAsync(disk, await Lab.LogAsync(disk))).Length;
        hooked.Before = (call, _) => call == StorageCalls.Append ? gate.PassAsync() : Task.CompletedTask;
        var first = store.SetAsync("x", Lab.Doc(2)).AsTask();
        await gate.Arrived;
        var whole = store.SetAsync("y", Lab.Doc(3)).AsTask();
        var cut = store.SetAsync("z", Lab.Doc(4)).AsTask();
        faulty.Inject(new InjectedFault { Calls = StorageCalls.Append, FirstCall = 2, Fault = StorageFault.Full, Moment = FaultMoment.During, PartialBytes = line + 7 });
        gate.Open();
        await first;
        await whole;
        await Lab.RefusedAsync(OpsLogError.StorageFailed, () => cut);
        Assert.Equal(["w", "x", "y"], store.Keys.Order(StringComparer.Ordinal));
        await store.DisposeAsync();
        Assert.Equal("w = {\"n\":1}\nx = {\"n\":2}\ny = {\"n\":3}", await Lab.StateAsync(disk));
    }

    [Theory]
    [InlineData(30)]
    [InlineData(1)]
    public async Task F9_where_the_rest_cannot_be_voided_the_store_is_read_only_and_the_next_opening_voids_it(int arrived)
    {
        var disk = new MemoryStorage();
        var faulty = new FaultyStorage(disk);
        var store = await Lab.OpenAsync(faulty);
        await store.SetAsync("a", Lab.Doc(1));
        faulty.Inject(InjectedFault.DiskFull(partialBytes: arrived));
        await Lab.RefusedAsync(OpsLogError.OutcomeUnknown, async Task () => await store.SetAsync("b", Lab.Doc(2)));
        faulty.Clear();
        await Lab.RefusedAsync(OpsLogError.ReadOnly, async Task () => await store.SetAsync("c", Lab.Doc(3)));
        Assert.Equal(["a"], store.Keys);
        Assert.Single(await store.HistoryAsync("a").ToListAsync(TestContext.Current.CancellationToken));
        Assert.Single(await Lab.OperationsAsync(store));
        await Runs.AbandonAsync(store);

        await using (var reopened = await Lab.OpenAsync(disk))
        {
            Assert.Equal(["a"], reopened.Keys);
            Assert.Single(reopened.RecoveryReport.Notes);
            await reopened.SetAsync("d", Lab.Doc(4));
        }

        Assert.Equal("a = {\"n\":1}\nd = {\"n\":4}", await Lab.StateAsync(disk));
    }

    [Theory]
    [InlineData(FaultMoment.Before)]
    [InlineData(FaultMoment.During)]
    [InlineData(FaultMoment.After)]
    public async Task F10_an_io_error_makes_the_store_read_only_and_keeps_the_cause(FaultMoment moment)
    {
        var disk = new MemoryStorage();
        var faulty = new FaultyStorage(disk);
        var store = await Lab.OpenAsync(faulty);
        await store.SetAsync("a", Lab.Doc(1));
        faulty.Inject(new InjectedFault { Calls = StorageCalls.Append, Moment = moment });
        var failure = await Lab.RefusedAsync(OpsLogError.OutcomeUnknown, async Task () => await store.SetAsync("b", Lab.Doc(2)));
        Assert.IsType<StorageException>(failure.InnerException);
        var refusal = await Lab.RefusedAsync(OpsLogError.ReadOnly, async Task () => await store.BatchAsync(b => b.Set("c", Lab.Doc(3))));
        Assert.Same(failure, refusal.InnerException);
        Assert.Equal(failure.Message, store.Statistics.Failure);
        Assert.Equal("a = {\"n\":1}", Runs.Text(store));
        await Runs.AbandonAsync(store);
        await using var reopened = await Lab.OpenAsync(disk);
        Assert.Equal(moment == FaultMoment.After, reopened.ContainsKey("b"));
        Assert.False(reopened.ContainsKey("c"));
    }

    [Fact]
    public async Task F11_a_sync_that_fails_once_is_not_acknowledged_by_trying_again()
    {
        var disk = new CrashableStorage();
        var faulty = new FaultyStorage(disk);
        var store = await Lab.OpenAsync(faulty);
        await store.SetAsync("a", Lab.Doc(1));
        faulty.Inject(InjectedFault.SyncFails());
        await Lab.RefusedAsync(OpsLogError.OutcomeUnknown, async Task () => await store.SetAsync("b", Lab.Doc(2)));
        var appends = faulty.CountOf(StorageCalls.Append);
        await Lab.RefusedAsync(OpsLogError.ReadOnly, async Task () => await store.SetAsync("b", Lab.Doc(2)));
        await Lab.RefusedAsync(OpsLogError.ReadOnly, () => store.FlushAsync());
        Assert.Equal(appends, faulty.CountOf(StorageCalls.Append));
        await Runs.AbandonAsync(store);
        Assert.Equal("a = {\"n\":1}", await Lab.StateAsync(disk.Reopen()));
    }

    [Fact]
    public async Task F25_a_write_that_cannot_be_read_back_is_unknown_and_ends_writing()
    {
        var disk = new MemoryStorage();
        var faulty = new FaultyStorage(disk);
        var store = await Lab.OpenAsync(faulty);
        faulty.Inject(new InjectedFault { Calls = StorageCalls.Append | StorageCalls.Read, Count = 2, Moment = FaultMoment.After, Fault = StorageFault.Unavailable });
        await Lab.RefusedAsync(OpsLogError.OutcomeUnknown, async Task () => await store.SetAsync("a", Lab.Doc(1)));
        await Lab.RefusedAsync(OpsLogError.ReadOnly, async Task () => await store.SetAsync("b", Lab.Doc(2)));
        Assert.Empty(store);
        await Runs.AbandonAsync(store);
        Assert.Equal("a = {\"n\":1}", await Lab.StateAsync(disk));
    }

    [Theory]
    [InlineData(StorageFault.Throttled, true)]
    [InlineData(StorageFault.Throttled, false)]
    [InlineData(StorageFault.Unavailable, true)]
    [InlineData(StorageFault.Unavailable, false)]
    public async Task F26_a_passing_failure_rejects_the_write_as_transient(StorageFault fault, bool append)
    {
        var disk = new MemoryStorage(append);
        var faulty = new FaultyStorage(disk);
        await using var store = await Lab.OpenAsync(faulty);
        faulty.Inject(new InjectedFault { Calls = StorageCalls.Put | StorageCalls.Append, Fault = fault });
        var refusal = await Lab.RefusedAsync(OpsLogError.StorageFailed, async Task () => await store.SetAsync("a", Lab.Doc(1)));
        Assert.True(refusal.IsTransient);
        Assert.Empty(store);
        await store.SetAsync("a", Lab.Doc(2));
        Assert.Equal("a = {\"n\":2}", await Lab.StateAsync(disk));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task F25_a_write_that_was_said_not_to_be_there_does_not_come_later(bool append)
    {
        var disk = new MemoryStorage(append);
        var hooked = new HookedStorage(disk);
        await using (var store = await Lab.OpenAsync(hooked))
        {
            await store.SetAsync("a", Lab.Doc(1));
            hooked.GoesUnanswered = _ => Once(hooked);
            await Lab.RefusedAsync(OpsLogError.StorageFailed, async Task () => await store.SetAsync("b", Lab.Doc(2)));
            Assert.False((await hooked.LandAsync()).IsStored);
            await store.SetAsync("c", Lab.Doc(3));
        }

        Assert.Equal("a = {\"n\":1}\nc = {\"n\":3}", await Lab.StateAsync(disk));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task F25_a_write_that_comes_while_it_is_being_shut_out_is_acknowledged(bool append)
    {
        var disk = new MemoryStorage(append);
        var hooked = new HookedStorage(disk);
        await using (var store = await Lab.OpenAsync(hooked))
        {
            await store.SetAsync("a", Lab.Doc(1));
            hooked.GoesUnanswered = _ =>
            {
                hooked.Before = async (call, _) =>
                {
                    if (call is not (StorageCalls.Append or StorageCalls.Put)) return;
                    hooked.Before = null;
                    Assert.True((await hooked.LandAsync()).IsStored);
                };
                return Once(hooked);
            };
            await store.SetAsync("b", Lab.Doc(2));
            await store.SetAsync("c", Lab.Doc(3));
        }

        Assert.Equal("a = {\"n\":1}\nb = {\"n\":2}\nc = {\"n\":3}", await Lab.StateAsync(disk));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task F27_a_lost_answer_is_read_back_and_acknowledged(bool append)
    {
        var disk = new MemoryStorage(append);
        var faulty = new FaultyStorage(disk);
        await using (var store = await Lab.OpenAsync(faulty))
        {
            faulty.Inject(new InjectedFault { Calls = StorageCalls.Put | StorageCalls.Append, Moment = FaultMoment.After, Fault = StorageFault.Unavailable });
            await store.SetAsync("a", Lab.Doc(1));
            faulty.Inject(new InjectedFault { Calls = StorageCalls.Put | StorageCalls.Append, Moment = FaultMoment.After, Fault = StorageFault.Unavailable });
            await store.BatchAsync(b =>
            {
                b.Set("b", Lab.Doc(2));
                b.Delete("a");
            });
            Assert.Equal("b = {\"n\":2}", Runs.Text(store));
            Assert.Equal(2, faulty.Faults.Count);
        }

        await using var reopened = await Lab.OpenAsync(disk);
        Assert.Equal(3, (await Lab.OperationsAsync(reopened)).Count);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task F28_a_conflict_is_never_taken_for_success(bool append)
    {
        var disk = new MemoryStorage(append);
        var faulty = new FaultyStorage(disk);
        var store = await Lab.OpenAsync(faulty);
        faulty.Inject(InjectedFault.Conflict());
        await Lab.RefusedAsync(OpsLogError.Fenced, async Task () => await store.SetAsync("a", Lab.Doc(1)));
        Assert.Empty(store);
        await Runs.AbandonAsync(store);
        await using var reopened = await Lab.OpenAsync(disk);
        Assert.Empty(reopened);
        await reopened.SetAsync("a", Lab.Doc(2));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task F33_a_write_cancelled_in_the_queue_is_never_written(bool batch)
    {
        var disk = new MemoryStorage();
        var gate = new Gate();
        var hooked = new HookedStorage(disk);
        using var cancellation = new CancellationTokenSource();
        await using (var store = await Lab.OpenAsync(hooked))
        {
            hooked.Before = (call, _) => call == StorageCalls.Append ? gate.PassAsync() : Task.CompletedTask;
            var first = store.SetAsync("a", Lab.Doc(1)).AsTask();
            await gate.Arrived;
            var waiting = batch
                ? store.BatchAsync(b => b.Set("b", Lab.Doc(2)), cancellation.Token).AsTask()
                : store.SetAsync("b", Lab.Doc(2), cancellationToken: cancellation.Token).AsTask();
            await cancellation.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
            gate.Open();
            await first;
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await store.DeleteAsync("a", cancellationToken: cancellation.Token));
            Assert.Equal("a = {\"n\":1}", Runs.Text(store));
        }

        Assert.Equal("a = {\"n\":1}", await Lab.StateAsync(disk));
    }

    [Fact]
    public async Task F33_a_write_cancelled_once_it_has_begun_completes()
    {
        var disk = new MemoryStorage();
        var hooked = new HookedStorage(disk);
        using var cancellation = new CancellationTokenSource();
        await using var store = await Lab.OpenAsync(hooked);
        hooked.Before = (call, _) => call == StorageCalls.Append ? cancellation.CancelAsync() : Task.CompletedTask;
        await store.SetAsync("a", Lab.Doc(1), cancellationToken: cancellation.Token);
        Assert.Equal("a = {\"n\":1}", await Lab.StateAsync(disk));
    }

    [Fact]
    public async Task F24_appends_and_checkpoints_race_and_nothing_acknowledged_is_lost()
    {
        var disk = new MemoryStorage();
        await using (var store = await Lab.OpenAsync(disk))
        {
            var writers = Enumerable.Range(0, 4).Select(w => Task.Run(async () =>
            {
                for (var i = 0; i < 100; i++) await store.SetAsync($"{w}-{i}", Lab.Doc(i));
            }));
            var checkpoints = Enumerable.Range(0, 2).Select(_ => Task.Run(async () =>
            {
                for (var i = 0; i < 10; i++) await store.CompactAsync();
            }));
            await Task.WhenAll([.. writers, .. checkpoints]);
            Assert.Equal(400, store.Count);
            Assert.Equal(20, store.Statistics.Checkpoints);
        }

        await using var reopened = await Lab.OpenAsync(disk);
        foreach (var w in Enumerable.Range(0, 4))
            foreach (var i in Enumerable.Range(0, 100)) Assert.Equal(i, Lab.N(reopened[$"{w}-{i}"]));
        var operations = await Lab.OperationsAsync(reopened);
        Assert.Equal(400, operations.Count);
        Assert.Equal(operations.OrderBy(o => o.Revision.Clock).Select(o => o.Id), operations.Select(o => o.Id));
    }

    private static bool Once(HookedStorage hooked)
    {
        hooked.GoesUnanswered = null;
        return true;
    }
}
