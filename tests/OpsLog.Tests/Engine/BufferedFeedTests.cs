using System.Text.Json;
using OpsLog.Storage;
using OpsLog.Testing;
using OpsLog.Tests.Faults;
using Xunit;

namespace OpsLog.Tests.Engine;

/// <summary>
/// Goal: feeds of a store with writes that are not in the log yet, and feeds that are cancelled. Method: nothing is flushed by itself; appends that fail when they are told to.
/// </summary>
public sealed class BufferedFeedTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);
    private static readonly StorageException s_broken = new(StorageFault.Broken, "the medium is gone");

    [Theory]
    [InlineData(null, true)]
    [InlineData(null, false)]
    [InlineData("A", true)]
    [InlineData("A", false)]
    public async Task What_the_log_holds_is_read_behind_a_flush_that_failed(string? agent, bool append)
    {
        var gate = new Gate();
        var hooked = new HookedStorage(new MemoryStorage(append));
        var store = await OpenAsync(hooked, agent);
        await store.SetAsync("a", Lab.Doc(1));
        await store.FlushAsync();
        await store.SetAsync("b", Lab.Doc(2));
        hooked.Before = async (call, key) =>
        {
            if (!IsOfLog(call, key)) return;
            await gate.PassAsync();
            throw s_broken;
        };
        var flushing = store.FlushAsync().AsTask();
        await gate.Arrived.WaitAsync(s_patience);
        await store.SetAsync("c", Lab.Doc(3));
        gate.Open();
        await Assert.ThrowsAsync<OpsLogException>(() => flushing);

        Assert.Equal(["a"], (await Lab.OperationsAsync(store)).Select(o => o.Id));
        Assert.Single(await store.HistoryAsync("a", TestContext.Current.CancellationToken).ToListAsync(TestContext.Current.CancellationToken));
        await Lab.RefusedAsync(OpsLogError.ReadOnly, async Task () => await store.SetAsync("d", Lab.Doc(4)));
        await Assert.ThrowsAsync<OpsLogException>(async () => await store.DisposeAsync());
    }

    [Theory]
    [InlineData(null)]
    [InlineData("A")]
    public async Task A_flush_that_fails_for_a_reader_is_told_to_the_next_write(string? agent)
    {
        var hooked = new HookedStorage(new MemoryStorage());
        var store = await OpenAsync(hooked, agent);
        await store.SetAsync("a", Lab.Doc(1));
        await store.FlushAsync();
        await store.SetAsync("b", Lab.Doc(2));
        hooked.Before = (call, _) => call == StorageCalls.Append ? throw s_broken : Task.CompletedTask;
        Assert.Equal(["a"], (await Lab.OperationsAsync(store)).Select(o => o.Id));
        await Lab.RefusedAsync(OpsLogError.ReadOnly, async Task () => await store.SetAsync("c", Lab.Doc(3)));
        await Assert.ThrowsAsync<OpsLogException>(async () => await store.DisposeAsync());
    }

    [Theory]
    [InlineData(null, true)]
    [InlineData(null, false)]
    [InlineData("A", true)]
    [InlineData("A", false)]
    public async Task The_changes_from_now_on_are_not_those_that_were_acknowledged_and_not_flushed_yet(string? agent, bool append)
    {
        var disk = new MemoryStorage(append);
        await using var store = await OpenAsync(disk, agent);
        await store.SetAsync("flushed", Lab.Doc(0));
        await store.FlushAsync();
        await store.SetAsync("before", Lab.Doc(1));
        var watch = store.WatchAsync(TestContext.Current.CancellationToken).GetAsyncEnumerator(TestContext.Current.CancellationToken);
        await using (watch)
        {
            await store.SetAsync("after", Lab.Doc(2));
            await AssertNextAsync("after");
            var next = watch.MoveNextAsync().AsTask();
            await store.CompactAsync();
            await store.SetAsync("behind a checkpoint", Lab.Doc(3));
            Assert.True(await next.WaitAsync(s_patience));
            Assert.Equal("behind a checkpoint", watch.Current.Operation.Id);
        }

        async Task AssertNextAsync(string id)
        {
            Assert.True(await watch.MoveNextAsync().AsTask().WaitAsync(s_patience));
            Assert.Equal(id, watch.Current.Operation.Id);
        }
    }

    [Fact]
    public async Task What_another_agent_wrote_before_and_nobody_had_seen_is_a_change_from_now_on()
    {
        var disk = new MemoryStorage();
        await using var a = await OpenAsync(disk, "A");
        await using var b = await OpenAsync(disk, "B");
        await b.SetAsync("of b", Lab.Doc(1));
        await b.FlushAsync();
        for (var i = 0; i < 4; i++) await a.SetAsync("of a", Lab.Doc(i)); // clocks above that of b
        await using var watch = a.WatchAsync(TestContext.Current.CancellationToken).GetAsyncEnumerator(TestContext.Current.CancellationToken);
        Assert.True(await watch.MoveNextAsync().AsTask().WaitAsync(s_patience));
        Assert.Equal("of b", watch.Current.Operation.Id);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("A")]
    public async Task A_feed_that_is_cancelled_ends_at_once(string? agent)
    {
        await using var store = await OpenAsync(new MemoryStorage(), agent);
        for (var i = 0; i < 1000; i++) await store.SetAsync("k", Lab.Doc(i));
        using var cancellation = new CancellationTokenSource();
        var seen = 0;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (var operation in store.OperationsAsync(cancellationToken: cancellation.Token))
            {
                seen++;
                await cancellation.CancelAsync();
            }
        });
        Assert.Equal(1, seen);
    }

    private static bool IsOfLog(StorageCalls call, StorageKey key) => call is StorageCalls.Append or StorageCalls.Put && key.Value.StartsWith("ops/", StringComparison.Ordinal);

    private static ValueTask<OpsStore<JsonElement>> OpenAsync(IOpsStorage storage, string? agent) =>
        Lab.OpenAsync(storage, Lab.Options(o => (o.AgentId, o.Durability) = (agent, Durability.Buffered)));
}
