using OpsLog.Storage;
using OpsLog.Tests.Faults;
using Xunit;

namespace OpsLog.Tests.Engine;

/// <summary>Goal: any age that may be given can be kept. Method: the longest ones, over checkpoints.</summary>
public sealed class RetentionTests
{
    [Theory]
    [InlineData(long.MaxValue)]
    [InlineData(TimeSpan.TicksPerDay * 366 * 2100)]
    [InlineData(TimeSpan.TicksPerDay)]
    public async Task An_age_beyond_the_beginning_of_time_is_for_ever(long ticks)
    {
        await using var store = await Lab.OpenAsync(new MemoryStorage(), Lab.Options(o => o.HistoryRetention = HistoryRetention.ForAge(new TimeSpan(ticks))));
        await store.SetAsync("a", Lab.Doc(1));
        await store.CompactAsync();
        await store.SetAsync("a", Lab.Doc(2));
        await store.CompactAsync();
        Assert.Equal(2, (await Lab.OperationsAsync(store)).Count);
        Assert.Null(store.Statistics.CheckpointFailure);
    }
}
