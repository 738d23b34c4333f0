using System.Text.Json;
using OpsLog.Storage;
using OpsLog.Testing;
using OpsLog.Tests.Faults;
using Xunit;

namespace OpsLog.Tests.ManyWriters;

/// <summary>
/// Goal: a consumer that keeps its position gets every operation once, in order within a log, whoever writes to the store meanwhile (V9). Method: it stops anywhere, and
/// goes on behind a change from agents to a single writer or the other way round.
/// </summary>
public sealed class FeedTakeoverTests
{
    [Theory]
    [MemberData(nameof(Site.All), MemberType = typeof(Site))]
    public async Task A_position_of_agents_is_good_when_a_single_writer_has_taken_over(string kind)
    {
        for (var taken = 1; taken <= 8; taken++)
        {
            await using var site = new Site(kind);
            var feed = new Consumer();
            await WriteAsAgentsAsync(site);
            await site.WithAsync("C", c => feed.TakeAsync(c, taken));
            await site.WithAsync(null, single => WriteAsync(single, 8, 9));
            await site.WithAsync(null, async single =>
            {
                await feed.TakeAsync(single, 1);
                await single.CompactAsync();
                await WriteAsync(single, 10, 11);
                await feed.TakeAsync(single, 2);
            });
            await site.WithAsync("D", async d =>
            {
                await d.SetAsync("n", Lab.Doc(12));
                await feed.TakeAsync(d, int.MaxValue);
            });
            feed.AssertOnce(0, 12);
        }
    }

    /// <summary>A single writer reads the logs of agents one after the other, not in the order of their names' revisions.</summary>
    [Theory]
    [MemberData(nameof(Site.All), MemberType = typeof(Site))]
    public async Task A_position_of_a_single_writer_in_the_midst_of_agents_logs_is_good_among_agents(string kind)
    {
        for (var taken = 1; taken <= 8; taken++)
        {
            await using var site = new Site(kind);
            var feed = new Consumer();
            await WriteAsAgentsAsync(site);
            await site.WithAsync(null, single => feed.TakeAsync(single, taken));
            await site.WithAsync("C", async c =>
            {
                await c.SetAsync("n", Lab.Doc(8));
                await feed.TakeAsync(c, int.MaxValue);
            });
            feed.AssertOnce(0, 8);
        }
    }

    /// <summary>What is written beside a checkpoint lies in the log that ends and again in the next one.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_a_checkpoint_carried_over_to_the_next_log_does_not_come_twice(bool append)
    {
        var disk = new MemoryStorage(append);
        var feed = new Consumer();
        var gate = new Gate();
        var held = false;
        var hooked = new HookedStorage(disk) { Before = (call, key) => held && call == StorageCalls.Put && key.Value.StartsWith("snapshots/", StringComparison.Ordinal) ? gate.PassAsync() : Task.CompletedTask };
        await using (var single = await Lab.OpenAsync(hooked, Lab.Options()))
        {
            await WriteAsync(single, 0, 1);
            held = true;
            var checkpoint = single.CompactAsync().AsTask();
            await gate.Arrived;
            await WriteAsync(single, 2, 4);
            await feed.TakeAsync(single, 4);
            gate.Open();
            await checkpoint;
        }

        await using var a = await Lab.OpenAsync(disk, Lab.Options(o => o.AgentId = "A"));
        await a.SetAsync("n", Lab.Doc(5));
        await feed.TakeAsync(a, int.MaxValue);
        feed.AssertOnce(0, 5);
    }

    // The agent with the larger id has the older log.
    private static async Task WriteAsAgentsAsync(Site site)
    {
        var b = await site.OpenAsync("B");
        await b.SetAsync("n", Lab.Doc(0));
        var a = await site.OpenAsync("A");
        await WriteAsync(a, 1, 2);
        await b.RefreshAsync();
        await b.SetAsync("n", Lab.Doc(3));
        await b.BatchAsync(batch =>
        {
            batch.Set("n", Lab.Doc(4));
            batch.Set("n", Lab.Doc(5));
        });
        await a.RefreshAsync();
        await WriteAsync(a, 6, 7);
        await a.DisposeAsync();
        await b.DisposeAsync();
    }

    private static async Task WriteAsync(OpsStore<JsonElement> store, int first, int last)
    {
        for (var n = first; n <= last; n++) await store.SetAsync("n", Lab.Doc(n));
    }

    private sealed class Consumer
    {
        private readonly List<int> _got = [];
        private readonly Dictionary<string, long> _clocks = new(StringComparer.Ordinal);
        private FeedPosition _position;

        public async Task TakeAsync(OpsStore<JsonElement> store, int most)
        {
            await foreach (var operation in store.OperationsAsync(_position))
            {
                _position = FeedPosition.Parse(operation.Position.ToString());
                _got.Add(Lab.N(operation.Value));
                var (log, clock) = (operation.Revision.Log, operation.Revision.Clock);
                Assert.True(clock > _clocks.GetValueOrDefault(log, -1), $"{log} went back to {clock}, {operation.Position}, behind {string.Join(' ', _got)}");
                _clocks[log] = clock;
                if (--most == 0) break;
            }
        }

        public void AssertOnce(int first, int last) => Assert.Equal(Enumerable.Range(first, last - first + 1), _got.Order());
    }
}
