using System.Text.Json;
using OpsLog.Storage;
using OpsLog.Tests.Faults;
using Xunit;

namespace OpsLog.Tests.Engine;

/// <summary>Goal: who watches a store sees what comes, for as long as the store is open. Method: a watch beside checkpoints that keep no history.</summary>
public sealed class WatchTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, false)]
    [InlineData(true, true)]
    [InlineData(false, true)]
    public async Task A_watch_that_has_seen_everything_goes_on_behind_checkpoints_that_keep_no_history(bool append, bool reads)
    {
        var disk = new MemoryStorage(append);
        await using var writer = await Lab.OpenAsync(disk, Lab.Options(o => o.HistoryRetention = HistoryRetention.None));
        await using var reader = await Lab.OpenAsync(disk, Lab.ReadOnly());
        var changes = (reads ? reader : writer).WatchAsync(TestContext.Current.CancellationToken).GetAsyncEnumerator(TestContext.Current.CancellationToken);
        await using (changes)
        {
            for (var n = 0; n < 4; n++)
            {
                var next = changes.MoveNextAsync().AsTask();
                for (var i = 0; i < n; i++) await writer.CompactAsync(); // from the second on they end logs without an operation
                await writer.SetAsync("k", Lab.Doc(n));
                Assert.True(await next.WaitAsync(s_patience));
                Assert.Equal(n, Lab.N(changes.Current.Operation.Value));
            }
        }
    }

    [Theory]
    [InlineData(null, false)]
    [InlineData(null, true)]
    [InlineData("A", false)]
    public async Task A_watch_ends_when_its_store_is_closed(string? agent, bool reads)
    {
        var disk = new MemoryStorage();
        await (await Lab.OpenAsync(disk)).DisposeAsync();
        var store = await Lab.OpenAsync(disk, Lab.Options(o => (o.AgentId, o.ReadOnly) = (agent, reads)));
        await using var changes = store.WatchAsync(TestContext.Current.CancellationToken).GetAsyncEnumerator(TestContext.Current.CancellationToken);
        var next = changes.MoveNextAsync().AsTask();
        await store.DisposeAsync();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => next.WaitAsync(s_patience));
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await Lab.OperationsAsync(store));
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await store.HistoryAsync("k", TestContext.Current.CancellationToken).GetAsyncEnumerator(TestContext.Current.CancellationToken).MoveNextAsync());
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await store.RefreshAsync(TestContext.Current.CancellationToken));
    }
}
