// Goal: a store works over a remote storage as it does in a folder. Method: the same small programs against each server, with several clients.
using System.Text.Json;
using OpsLog.Storage;
using OpsLog.Testing;
using Xunit;

namespace OpsLog.RemoteTests.Stores;

/// <summary>The programs; a storage's tests derive from it and say how to reach the server.</summary>
public abstract class RemoteStoreTests(string kind) : IAsyncLifetime
{
    private RemotePlace _place = null!;

    private static readonly string[] s_hostileIds =
        ["../../manifest.json", "a/b\\c", "con", "%2e%2e%2f", "\u0000", "ä\u2028", "🙂", "__proto__", " ", "?x=y&z#", "a\nb", new string('i', 2000)];

    public async ValueTask InitializeAsync() => _place = await RemotePlace.CreateAsync(kind);

    public ValueTask DisposeAsync() => _place.DisposeAsync();

    [Fact]
    public async Task A_store_is_written_closed_and_opened_again()
    {
        await using var storage = _place.Connect();
        var expected = new SortedDictionary<string, Item>(StringComparer.Ordinal);
        for (var run = 0; run < 4; run++)
        {
            await using var client = _place.Connect();
            await using var store = await OpenAsync(client);
            Same(expected, store);
            foreach (var id in s_hostileIds.Concat(Enumerable.Range(0, 10).Select(i => $"n{i}")))
                await store.SetAsync(id, expected[id] = new Item($"{run} of {id}", run));
            await store.DeleteAsync("n3");
            expected.Remove("n3");
            await store.BatchAsync(b =>
            {
                b.Set("both", expected["both"] = new Item("batch", run));
                b.Delete("n4");
            });
            expected.Remove("n4");
            if (run == 1) await store.CompactAsync();
            if (run == 2)
            {
                await store.ArchiveAsync(["n5"], "2026-Q4");
                expected.Remove("n5");
            }

            Same(expected, store);
        }

        await using (var store = await OpenAsync(storage, o => o.ReadOnly = true))
        {
            Same(expected, store);
            Assert.Single(await store.LoadArchiveAsync("2026-Q4"));
            Assert.Equal(4, await store.HistoryAsync("n1").CountAsync());
        }

        await using var names = _place.Connect();
        Assert.All(await names.ListAsync(StorageKey.Root, null, default).ToListAsync(), entry =>
            Assert.Matches("^(manifest\\.json|(ops|snapshots|archive)/[A-Za-z0-9._%~-]+)$", entry.Key.Value));
    }

    [Fact]
    public async Task Two_agents_write_and_see_each_other_and_either_may_compact()
    {
        await using var one = _place.Connect();
        await using var two = _place.Connect();
        var expected = new SortedDictionary<string, Item>(StringComparer.Ordinal);
        await using (var a = await OpenAsync(one, o => o.AgentId = "a"))
        await using (var b = await OpenAsync(two, o => o.AgentId = "b"))
        {
            for (var round = 0; round < 5; round++)
            {
                await Task.WhenAll(Enumerable.Range(0, 8).Select(async i =>
                {
                    var item = new Item($"round {round}", i);
                    await (i % 2 == 0 ? a : b).SetAsync($"r{round}-{i}", item);
                    lock (expected) expected[$"r{round}-{i}"] = item;
                }));
                await (round % 2 == 0 ? a : b).CompactAsync();
                await a.RefreshAsync();
                await b.RefreshAsync();
                await a.DeleteAsync($"r{round}-3");
                expected.Remove($"r{round}-3");
            }

            await b.SetAsync("r0-0", expected["r0-0"] = new Item("b's", 0));
            await a.RefreshAsync();
            await b.RefreshAsync();
            Same(expected, a);
            Same(expected, b);
        }

        await using var again = await OpenAsync(one, o => o.AgentId = "c");
        Same(expected, again);
        await again.CompactAsync();
        Same(expected, again);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Two_agents_lose_nothing_acknowledged_while_requests_fail(int seed)
    {
        var acknowledged = new Dictionary<string, HashSet<int>>(StringComparer.Ordinal);
        await using (var first = _place.Connect())
        await using (var second = _place.Connect())
        {
            await Task.WhenAll(WriteAsync(new FaultyStorage(first, seed), "a"), WriteAsync(new FaultyStorage(second, seed + 100), "b"));
        }

        await using var storage = _place.Connect();
        await using var store = await OpenAsync(storage, o => o.AgentId = "last");
        foreach (var (id, values) in acknowledged) Assert.Contains(store[id].Number, values);
        await store.CompactAsync();
        foreach (var (id, values) in acknowledged) Assert.Contains(store[id].Number, values);

        async Task WriteAsync(FaultyStorage faulty, string agent)
        {
            faulty.FaultRateCalls = StorageCalls.Writes | StorageCalls.Read;
            OpsStore<Item>? store = null;
            for (var i = 0; i < 60; i++)
            {
                var id = $"{agent}{i % 7}";
                HashSet<int> values;
                lock (acknowledged) if (!acknowledged.TryGetValue(id, out values!)) values = [];
                try
                {
                    store ??= await OpenAsync(faulty, o => o.AgentId = agent);
                    faulty.FaultRate = 0.05;
                    await store.SetAsync(id, new Item(agent, i));
                    values = [i];
                    if (i % 20 == 19) await store.CompactAsync();
                    if (i % 10 == 9) await store.RefreshAsync();
                }
                catch (Exception e) when (e is OpsLogException or StorageException)
                {
                    if (e is OpsLogException { Error: OpsLogError.OutcomeUnknown }) AddDoubtful(values, i);
                    faulty.FaultRate = 0;
                    if (e is OpsLogException { Error: OpsLogError.ReadOnly or OpsLogError.OutcomeUnknown } && store is not null)
                    {
                        await CloseAsync(store);
                        store = null;
                    }
                }

                lock (acknowledged)
                    if (values.Count > 0) acknowledged[id] = values;
            }

            faulty.FaultRate = 0;
            if (store is not null) await CloseAsync(store);
        }
    }

    // It may be there; a record that was never acknowledged may as well be absent, and is not looked for.
    private static void AddDoubtful(HashSet<int> values, int value)
    {
        if (values.Count > 0) values.Add(value);
    }

    protected static ValueTask<OpsStore<Item>> OpenAsync(IOpsStorage storage, Action<OpsStoreOptions>? change = null)
    {
        var options = new OpsStoreOptions { Checkpoint = { GracePeriod = TimeSpan.Zero } };
        change?.Invoke(options);
        return OpsStore<Item>.OpenAsync(storage, options, TestContext.Current.CancellationToken);
    }

    private static async Task CloseAsync(OpsStore<Item> store)
    {
        try
        {
            await store.DisposeAsync();
        }
        catch (OpsLogException e)
        {
            Assert.NotEqual(OpsLogError.Damaged, e.Error);
        }
    }

    private static void Same(SortedDictionary<string, Item> expected, OpsStore<Item> store) => Assert.Equal(
        JsonSerializer.Serialize(expected), JsonSerializer.Serialize(new SortedDictionary<string, Item>(store.ToDictionary(e => e.Key, e => e.Value), StringComparer.Ordinal)));

    /// <summary>A document.</summary>
    public sealed record Item(string Text, int Number);
}
