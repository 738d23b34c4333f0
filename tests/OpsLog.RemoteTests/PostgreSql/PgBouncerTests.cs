// Goal: a pooler in transaction mode may stand between a store and its server. Method: a real PgBouncer with fewer sessions than clients: the contract suite through it, agents and
// watchers, with notices (from the server itself) and without.
using Microsoft.Extensions.Time.Testing;
using OpsLog.PostgreSql;
using OpsLog.RemoteTests.Servers;
using OpsLog.Storage;
using OpsLog.Testing;
using Xunit;

namespace OpsLog.RemoteTests.PostgreSql;

public sealed class PgBouncerContract : StorageContract
{
    private readonly string _store = "contract " + Guid.NewGuid();
    private string _pooler = "";

    protected override int ListingSize => 20; // pages are the other suite's

    protected override async ValueTask<IOpsStorage> CreateAsync()
    {
        _pooler = await TestServer.PgBouncer.RequireAsync();
        return await ConnectAsync(null!);
    }

    protected override ValueTask<IOpsStorage> ConnectAsync(IOpsStorage storage) => new(new PostgreSqlStorage(_pooler, _store));
}

public sealed class PgBouncerTests
{
    private readonly string _store = Guid.NewGuid().ToString();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Agents_write_and_see_each_other_through_few_sessions()
    {
        var storages = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => OpenAsync()));
        var stores = new List<OpsStore<PostgreSqlStoreTests.Item>>();
        for (var i = 0; i < storages.Length; i++) stores.Add(await AgentAsync(storages[i], $"a{i}"));
        await Task.WhenAll(stores.Select((store, i) => Task.Run(async () =>
        {
            for (var n = 0; n < 20; n++) await store.SetAsync($"r{i}-{n}", new(n), cancellationToken: Token);
            if (i % 4 == 0) await store.CompactAsync(cancellationToken: Token);
        })));
        foreach (var store in stores)
        {
            await store.RefreshAsync(Token);
            Assert.Equal(160, store.Count);
        }

        foreach (var store in stores) await store.DisposeAsync();
        Assert.True((await OpsStore.VerifyAsync(storages[0], cancellationToken: Token)).IsSound);
        foreach (var storage in storages) await storage.DisposeAsync();
    }

    [Fact]
    public async Task A_watcher_that_listens_at_the_server_itself_is_woken_by_what_goes_through_the_pooler()
    {
        var direct = await TestServer.PgBouncer.RequireAsync("OPSLOG_TEST_PGBOUNCER_DIRECT");
        // Its clock stands still, so it never looks unasked.
        await WatchAsync(await OpenAsync(o => o.ListenConnectionString = direct), new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddYears(60)));
    }

    [Fact]
    public async Task A_watcher_to_whom_the_pooler_passes_no_notices_looks_by_itself() => await WatchAsync(await OpenAsync(), TimeProvider.System, seconds: 15);

    private async Task WatchAsync(PostgreSqlStorage watched, TimeProvider time, int seconds = 60)
    {
        await using var own = watched;
        await using var other = await OpenAsync();
        await using var a = await AgentAsync(other, "a");
        await using var b = await OpsStore<PostgreSqlStoreTests.Item>.OpenAsync(watched, new OpsStoreOptions { AgentId = "b", TimeProvider = time }, Token);
        var seen = new List<string>();
        using var next = new SemaphoreSlim(1);
        var watching = Task.Run(async () =>
        {
            await foreach (var change in b.WatchAsync(FeedPosition.Start, Token))
            {
                seen.Add(change.Id);
                next.Release();
                if (seen.Count == 5) return;
            }
        }, Token);
        var writing = Task.Run(async () =>
        {
            for (var i = 0; i < 5; i++)
            {
                await next.WaitAsync(Token); // each only once the one before was seen, and the watcher waits again
                await Task.Delay(500, Token);
                await a.SetAsync($"i{i}", new(i), cancellationToken: Token);
            }
        }, Token);
        await Task.WhenAll(watching, writing).WaitAsync(TimeSpan.FromSeconds(seconds), Token);
        Assert.Equal(["i0", "i1", "i2", "i3", "i4"], seen);
    }

    private async Task<PostgreSqlStorage> OpenAsync(Action<PostgreSqlStorageOptions>? change = null)
    {
        var options = new PostgreSqlStorageOptions();
        change?.Invoke(options);
        return new PostgreSqlStorage(await TestServer.PgBouncer.RequireAsync(), _store, options);
    }

    private static ValueTask<OpsStore<PostgreSqlStoreTests.Item>> AgentAsync(IOpsStorage storage, string agent) =>
        OpsStore<PostgreSqlStoreTests.Item>.OpenAsync(storage, new OpsStoreOptions { AgentId = agent }, Token);
}
