// Goal: a store lives in PostgreSQL as it does in a folder. Method: the store on top of the storage, on a real server: one writer, agents, checkpoints, watchers that are
// woken by notices, racers for one manifest, and faults by chance.
using OpsLog.Storage;
using OpsLog.Testing;
using Xunit;
using static OpsLog.RemoteTests.PostgreSql.PostgreSqlRig;

namespace OpsLog.RemoteTests.PostgreSql;

public sealed class PostgreSqlStoreTests : IAsyncLifetime
{
    private PostgreSqlRig _rig = null!;

    public async ValueTask InitializeAsync() => _rig = await PostgreSqlRig.StartAsync();

    public ValueTask DisposeAsync() => _rig.DisposeAsync();

    [Fact]
    public async Task What_one_writer_wrote_is_there_after_checkpoints_and_reopening()
    {
        var storage = _rig.Open();
        await using (var store = await OpsStore<Item>.OpenAsync(storage, cancellationToken: Token))
        {
            for (var i = 0; i < 100; i++) await store.SetAsync($"i{i % 40}", new Item(i), cancellationToken: Token);
            await store.CompactAsync(cancellationToken: Token);
            await store.DeleteAsync("i0", cancellationToken: Token);
            await store.BatchAsync(batch =>
            {
                batch.Set("a", new Item(1));
                batch.Delete("i1");
            }, cancellationToken: Token);
            await store.UndoAsync(cancellationToken: Token);
        }

        await using var again = await OpsStore<Item>.OpenAsync(_rig.Open(), cancellationToken: Token);
        Assert.Equal(39, again.Count);
        Assert.False(again.ContainsKey("a"));
        Assert.Equal(81, again["i1"].Value);
        Assert.Equal(4, await again.HistoryAsync("i0", Token).CountAsync(Token));
        Assert.True((await OpsStore.VerifyAsync(storage, cancellationToken: Token)).IsSound);
    }

    [Fact]
    public async Task Agents_share_a_store_and_compact_it()
    {
        await using var a = await OpsStore<Item>.OpenAsync(_rig.Open(), new OpsStoreOptions { AgentId = "a" }, Token);
        await using var b = await OpsStore<Item>.OpenAsync(_rig.Open(), new OpsStoreOptions { AgentId = "b" }, Token);
        await Task.WhenAll(WriteAsync(a), WriteAsync(b));
        await a.CompactAsync(cancellationToken: Token);
        await b.SetAsync("last", new Item(7), cancellationToken: Token);
        await a.RefreshAsync(Token);
        await b.RefreshAsync(Token);
        Assert.Equal(51, a.Count);
        Assert.Equal(a.OrderBy(r => r.Key, StringComparer.Ordinal), b.OrderBy(r => r.Key, StringComparer.Ordinal));
        await using var fresh = await OpsStore<Item>.OpenAsync(_rig.Open(), new OpsStoreOptions { ReadOnly = true }, Token);
        Assert.Equal(a.OrderBy(r => r.Key, StringComparer.Ordinal), fresh.OrderBy(r => r.Key, StringComparer.Ordinal));

        static async Task WriteAsync(OpsStore<Item> store)
        {
            for (var i = 0; i < 50; i++) await store.SetAsync($"i{i}", new Item(i), cancellationToken: Token);
        }
    }

    [Fact]
    public async Task A_watcher_is_woken_by_another_process_without_looking()
    {
        await using var a = await OpsStore<Item>.OpenAsync(_rig.Open(), new OpsStoreOptions { AgentId = "a" }, Token);
        // Its clock stands still, so it never looks unasked: only notices wake it.
        var still = new Microsoft.Extensions.Time.Testing.FakeTimeProvider(DateTimeOffset.UnixEpoch.AddYears(60));
        await using var b = await OpsStore<Item>.OpenAsync(_rig.Open(), new OpsStoreOptions { AgentId = "b", TimeProvider = still }, Token);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var seen = new List<string>();
        var watching = Task.Run(async () =>
        {
            await foreach (var change in b.WatchAsync(FeedPosition.Start, stop.Token))
            {
                seen.Add(change.Id);
                if (seen.Count == 20) return;
                await a.SetAsync($"i{seen.Count}", new Item(seen.Count), cancellationToken: Token); // each only once the one before was seen
            }
        }, Token);
        await a.SetAsync("i0", new Item(0), cancellationToken: Token);
        await watching.WaitAsync(TimeSpan.FromSeconds(60), Token);
        Assert.Equal(Enumerable.Range(0, 20).Select(i => $"i{i}"), seen);
    }

    [Fact]
    public async Task Of_sixteen_that_swap_one_manifest_exactly_one_does_in_each_of_200_rounds()
    {
        var clients = Enumerable.Range(0, 16).Select(_ => _rig.Open(options: o => o.Notices = false)).ToArray();
        var version = (await PutAsync(clients[0], "manifest.json", "-", PutCondition.IfAbsent)).Version;
        for (var round = 0; round < 200; round++)
        {
            var seen = version;
            var results = await Task.WhenAll(clients.Select((client, i) => Task.Run(() => PutAsync(client, "manifest.json", $"{round}.{i}", PutCondition.IfVersion(seen)))));
            var winner = Assert.Single(Enumerable.Range(0, 16), i => results[i].IsStored);
            Assert.All(results.Where(r => !r.IsStored), r => Assert.Equal(PutOutcome.Conflict, r.Outcome));
            Assert.Equal($"{round}.{winner}", await TextAsync(clients[(winner + 1) % 16], "manifest.json"));
            version = results[winner].Version;
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task No_acknowledged_write_is_lost_while_calls_fail_by_chance(int seed)
    {
        var acknowledged = new Dictionary<string, int>(StringComparer.Ordinal);
        var open = new HashSet<string>(StringComparer.Ordinal); // what nobody knows of
        for (var round = 0; round < 8; round++)
        {
            var faulty = new FaultyStorage(_rig.Open(), (seed * 100) + round) { FaultRate = 0.05 };
            try
            {
                await using var store = await OpsStore<Item>.OpenAsync(faulty, new OpsStoreOptions { AgentId = $"a{round % 3}" }, Token);
                for (var i = 0; i < 25; i++)
                {
                    var id = $"i{(round * 7) + i}";
                    open.Add(id);
                    await store.SetAsync(id, new Item((round * 100) + i), cancellationToken: Token);
                    open.Remove(id);
                    acknowledged[id] = (round * 100) + i;
                    if (i == 12) await store.CompactAsync(cancellationToken: Token);
                }
            }
            catch (OpsLogException)
            {
                // what was injected
            }
            catch (StorageException)
            {
                // the same, on opening
            }
        }

        await using var fresh = await OpsStore<Item>.OpenAsync(_rig.Open(), new OpsStoreOptions { ReadOnly = true }, Token);
        Assert.NotEmpty(acknowledged);
        foreach (var (id, value) in acknowledged)
            if (!open.Contains(id)) Assert.Equal(value, fresh[id].Value);
        Assert.True((await OpsStore.VerifyAsync(_rig.Open(), cancellationToken: Token)).IsSound);
    }

    [Fact]
    public async Task Callers_share_round_trips_and_idle_refreshes_cost_one_for_each_log_and_one_for_the_manifest()
    {
        var counted = new FaultyStorage(_rig.Open());
        await using var a = await OpsStore<Item>.OpenAsync(counted, new OpsStoreOptions { AgentId = "a" }, Token);
        await using var b = await OpsStore<Item>.OpenAsync(_rig.Open(), new OpsStoreOptions { AgentId = "b" }, Token);
        await a.SetAsync("first", new Item(0), cancellationToken: Token);
        await b.SetAsync("first", new Item(0), cancellationToken: Token);
        await a.RefreshAsync(Token);
        var before = counted.CountOf();
        for (var i = 0; i < 100; i++) await a.SetAsync($"i{i}", new Item(i), cancellationToken: Token);
        Assert.Equal(100, counted.CountOf() - before);
        before = counted.CountOf();
        await Task.WhenAll(Enumerable.Range(0, 16).Select(c => Task.Run(async () =>
        {
            for (var i = 0; i < 50; i++) await a.SetAsync($"c{c}-{i}", new Item(i), cancellationToken: Token);
        })));
        var shared = counted.CountOf() - before;
        TestContext.Current.SendDiagnosticMessage("800 operations of 16 callers: {0} requests", shared);
        Assert.InRange(shared, 50, 400);
        before = counted.CountOf();
        for (var i = 0; i < 100; i++) Assert.Equal(0, await a.RefreshAsync(Token));
        Assert.InRange(counted.CountOf() - before, 100, 200); // one other log, and the manifest
    }

    internal sealed record Item(int Value);
}
