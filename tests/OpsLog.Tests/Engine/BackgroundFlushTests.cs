using System.Text.Json;
using OpsLog.Storage;
using OpsLog.Testing;
using OpsLog.Tests.Faults;
using Xunit;

namespace OpsLog.Tests.Engine;

/// <summary>Goal: buffered writes are flushed once a MiB of them waits, however long the interval is. Method: an interval of an hour, by a clock that tells when the wait begins.</summary>
public sealed class BackgroundFlushTests
{
    private static readonly TimeSpan s_interval = TimeSpan.FromHours(1);
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_MiB_that_comes_in_while_a_flush_is_being_waited_for_cuts_the_wait_short(bool append)
    {
        var (time, stored) = (new WatchedTime(), new TaskCompletionSource());
        var storage = new HookedStorage(new MemoryStorage(append));
        await using var store = await OpsStore<JsonElement>.OpenAsync(storage, new OpsStoreOptions { Durability = Durability.Buffered, FlushInterval = s_interval, TimeProvider = time });
        storage.After = (call, key) =>
        {
            if (call is StorageCalls.Append or StorageCalls.Put && key.Value.StartsWith("ops/", StringComparison.Ordinal)) stored.TrySetResult();
            return Task.CompletedTask;
        };
        await store.SetAsync("small", Lab.Doc(1));
        await time.Waits.WaitAsync(s_patience);
        Assert.False(stored.Task.IsCompleted);
        for (var i = 0; i < 16; i++) await store.SetAsync($"large-{i}", JsonSerializer.SerializeToElement(new { text = new string('x', 1 << 16) }));
        await stored.Task.WaitAsync(s_patience);
    }

    [Fact]
    public async Task The_interval_is_waited_for_as_before_where_less_comes_in()
    {
        var (time, stored) = (new Microsoft.Extensions.Time.Testing.FakeTimeProvider(), new TaskCompletionSource());
        var storage = new HookedStorage(new MemoryStorage());
        await using var store = await OpsStore<JsonElement>.OpenAsync(storage, new OpsStoreOptions { Durability = Durability.Buffered, FlushInterval = s_interval, TimeProvider = time });
        storage.After = (call, _) =>
        {
            if (call == StorageCalls.Append) stored.TrySetResult();
            return Task.CompletedTask;
        };
        for (var round = 0; round < 3; round++)
        {
            stored = new TaskCompletionSource();
            await store.SetAsync($"small-{round}", Lab.Doc(1));
            await Task.Delay(50);
            Assert.False(stored.Task.IsCompleted);
            for (var tries = 0; tries < 600 && !stored.Task.IsCompleted; tries++)
            {
                time.Advance(s_interval); // again, should the wait not have begun
                await Task.Delay(50);
            }

            Assert.True(stored.Task.IsCompleted);
        }
    }

    /// <summary>Tells when somebody begins to wait for the interval.</summary>
    private sealed class WatchedTime : TimeProvider
    {
        private readonly TaskCompletionSource _waits = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Waits => _waits.Task;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            if (dueTime == s_interval) _waits.TrySetResult();
            return base.CreateTimer(callback, state, dueTime, period);
        }
    }
}
