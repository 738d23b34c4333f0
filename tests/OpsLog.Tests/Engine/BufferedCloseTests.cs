using System.Text.Json;
using OpsLog.Storage;
using OpsLog.Testing;
using OpsLog.Tests.Faults;
using Xunit;

namespace OpsLog.Tests.Engine;

/// <summary>
/// Goal: a store is closed once; everybody who closes it waits for that and is told how it ended, and buffered writes do not wait for a checkpoint. Method: storages that hold
/// an append or a snapshot; nothing is flushed by itself.
/// </summary>
public sealed class BufferedCloseTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    [Theory]
    [InlineData(null, false)]
    [InlineData(null, true)]
    [InlineData("A", false)]
    [InlineData("A", true)]
    public async Task Everybody_who_closes_a_store_waits_for_the_end_and_is_told_of_it(string? agent, bool fails)
    {
        var (gate, disk) = (new Gate(), new MemoryStorage());
        var hooked = new HookedStorage(disk);
        var store = await OpenAsync(hooked, agent);
        await store.SetAsync("k", Lab.Doc(1));
        hooked.Before = async (call, _) =>
        {
            if (call != StorageCalls.Append) return;
            await gate.PassAsync();
            if (fails) throw new StorageException(StorageFault.Broken, "the medium is gone");
        };
        var first = store.DisposeAsync().AsTask();
        await gate.Arrived.WaitAsync(s_patience);
        var second = store.DisposeAsync().AsTask();
        Assert.False(first.IsCompleted);
        Assert.False(second.IsCompleted);
        gate.Open();
        foreach (var closing in new[] { first, second, store.DisposeAsync().AsTask() })
        {
            if (!fails) await closing.WaitAsync(s_patience);
            else Assert.Equal(OpsLogError.OutcomeUnknown, (await Assert.ThrowsAsync<OpsLogException>(() => closing.WaitAsync(s_patience))).Error);
        }

        if (!fails) Assert.Equal("k = {\"n\":1}", await Lab.StateAsync(disk));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("A")]
    public async Task What_is_called_by_the_closing_may_close_the_store_too(string? agent)
    {
        var hooked = new HookedStorage(new MemoryStorage());
        var store = await OpenAsync(hooked, agent);
        await store.SetAsync("k", Lab.Doc(1));
        var calls = 0;
        hooked.Before = async (_, _) =>
        {
            calls++;
            await Task.Yield();
            await store.DisposeAsync();
        };
        await store.DisposeAsync().AsTask().WaitAsync(s_patience);
        Assert.True(calls > 0);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("A")]
    public async Task Buffered_writes_are_in_the_log_before_closing_waits_for_a_checkpoint(string? agent)
    {
        var (gate, disk, appended) = (new Gate(), new MemoryStorage(), new TaskCompletionSource());
        var hooked = new HookedStorage(disk);
        var store = await OpenAsync(hooked, agent, o => o.Checkpoint = new CheckpointOptions { MinimumOperations = 1, MinimumBytes = 0 });
        hooked.Before = (call, key) => call == StorageCalls.Put && key.Value.StartsWith("snapshots/", StringComparison.Ordinal) ? gate.PassAsync() : Task.CompletedTask;
        await store.SetAsync("k", JsonSerializer.SerializeToElement(new { text = new string('x', 1 << 16) }));
        await gate.Arrived.WaitAsync(s_patience);
        await store.SetAsync("last", Lab.Doc(1));
        hooked.After = (call, _) =>
        {
            if (call == StorageCalls.Append) appended.TrySetResult();
            return Task.CompletedTask;
        };
        var closing = store.DisposeAsync().AsTask();
        await appended.Task.WaitAsync(s_patience);
        Assert.False(closing.IsCompleted);
        gate.Open();
        await closing.WaitAsync(s_patience);
        await using var again = await Lab.OpenAsync(disk, Lab.ReadOnly());
        Assert.Equal(1, Lab.N(again["last"]));
        Assert.Empty((await OpsStore.VerifyAsync(disk)).Damages);
    }

    private static ValueTask<OpsStore<JsonElement>> OpenAsync(IOpsStorage storage, string? agent, Action<OpsStoreOptions>? change = null) => Lab.OpenAsync(storage, Lab.Options(o =>
    {
        (o.AgentId, o.Durability) = (agent, Durability.Buffered);
        change?.Invoke(o);
    }));
}
