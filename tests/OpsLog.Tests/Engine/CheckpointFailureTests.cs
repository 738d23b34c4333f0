using OpsLog.Storage;
using OpsLog.Testing;
using OpsLog.Tests.Faults;
using Xunit;

namespace OpsLog.Tests.Engine;

/// <summary>Goal: a checkpoint's failure is told for as long as it matters. Method: a disk that is full for a while.</summary>
public sealed class CheckpointFailureTests
{
    [Theory]
    [InlineData(null)]
    [InlineData("A")]
    public async Task A_checkpoint_that_was_asked_for_clears_the_failure_of_one_before(string? agent)
    {
        var isFull = true;
        var hooked = new HookedStorage(new MemoryStorage())
        {
            Before = (call, key) => isFull && call == StorageCalls.Put && key.Value.StartsWith("snapshots/", StringComparison.Ordinal)
                ? throw new StorageException(StorageFault.Unavailable, "The disk is full.")
                : Task.CompletedTask,
        };
        isFull = false;
        await (await Lab.OpenAsync(hooked)).DisposeAsync();
        isFull = true;
        await using var store = await Lab.OpenAsync(hooked, Lab.Options(o =>
        {
            o.AgentId = agent;
            o.Checkpoint.Automatic = true;
            (o.Checkpoint.MinimumOperations, o.Checkpoint.MinimumBytes) = (4, 0);
        }));
        using var enough = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        for (var i = 0; store.Statistics.CheckpointFailure is null; i++)
        {
            await store.SetAsync($"{i}", Lab.Doc(i), cancellationToken: enough.Token);
            await Task.Delay(10, enough.Token);
        }

        isFull = false;
        await store.CompactAsync(enough.Token);
        Assert.Null(store.Statistics.CheckpointFailure);
        Assert.True(store.Statistics.Checkpoints > 0);
    }
}
