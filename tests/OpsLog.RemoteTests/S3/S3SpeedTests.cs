// Goal: a store over object storage costs few requests, and no more time than the bare requests. Method: counts of requests on the way to the server; raw puts of
// the same bytes by the same kind of client in the same run.
using System.Diagnostics;
using OpsLog.RemoteTests.Servers;
using OpsLog.RemoteTests.Stores;
using OpsLog.S3;
using OpsLog.Storage;
using Xunit;

namespace OpsLog.RemoteTests.S3;

public sealed class S3SpeedTests : IAsyncLifetime
{
    private const int Callers = 16;
    private readonly FaultyHttp _http = new();
    private S3Rig _rig = null!;
    private S3Storage _storage = null!;

    public async ValueTask InitializeAsync()
    {
        _rig = await S3Rig.CreateAsync();
        _storage = _rig.Connect(o => o.Through(_http));
    }

    public async ValueTask DisposeAsync()
    {
        await _storage.DisposeAsync();
        await _rig.CleanAsync();
    }

    [Theory]
    [InlineData(null)]
    [InlineData("a")]
    public async Task Sixteen_callers_share_requests_and_are_no_slower_than_raw_puts(string? agent)
    {
        const int each = 60;
        await using var store = await OpenAsync(_storage, agent);
        await store.SetAsync("warm", Item(0));
        var line = await _storage.ListAsync(new StorageKey("ops"), null, default).Select(entry => entry.Length).MaxAsync();
        await RawAsync("warm", 2);
        var ratios = new List<double>();
        var perOperation = 0.0;
        for (var round = 0; round < 3; round++)
        {
            var raw = await RawAsync($"raw-{round}", each);
            var before = _http.Count;
            var watch = Stopwatch.StartNew();
            await Task.WhenAll(Enumerable.Range(0, Callers).Select(c => Task.Run(async () =>
            {
                for (var i = 0; i < each; i++) await store.SetAsync($"r{round}-{c}-{i}", Item(i));
            })));
            ratios.Add(raw / watch.Elapsed);
            perOperation = (_http.Count - before) / (double)(Callers * each);
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"throughput against raw puts, three rounds: {string.Join(", ", ratios.Select(r => r.ToString("0.00", null)))}; {perOperation:0.000} requests per operation");
        Assert.True(ratios.Max() >= 0.7, $"{ratios.Max():0.00} of the throughput of raw puts");
        Assert.InRange(perOperation, 0, 1.05);

        // One put of a line's bytes for each operation, by as many callers.
        async Task<TimeSpan> RawAsync(string name, int count)
        {
            using var client = _rig.Raw();
            var bytes = new byte[line];
            var watch = Stopwatch.StartNew();
            await Task.WhenAll(Enumerable.Range(0, Callers).Select(c => Task.Run(async () =>
            {
                for (var i = 0; i < count; i++)
                {
                    await client.PutObjectAsync(new()
                    {
                        BucketName = S3Rig.Bucket,
                        Key = $"{_rig.Prefix}/raw/{name}-{c}-{i}",
                        InputStream = new MemoryStream(bytes),
                        UseChunkEncoding = false,
                        IfNoneMatch = "*",
                    });
                }
            })));
            return watch.Elapsed;
        }
    }

    [Fact]
    public async Task An_idle_refresh_costs_a_request_for_each_log_and_one_for_the_manifest()
    {
        await using var one = _rig.Connect();
        await using var two = _rig.Connect();
        await using var first = await OpenAsync(one, "one");
        await using var second = await OpenAsync(two, "two");
        await using var reader = await OpenAsync(_storage, "reader");
        await first.SetAsync("a", Item(1));
        await second.SetAsync("b", Item(2));
        await reader.SetAsync("c", Item(3));
        await reader.RefreshAsync();
        Assert.Equal(3, reader.Count);
        var before = _http.Count;
        for (var i = 0; i < 1000; i++) await reader.RefreshAsync();
        Assert.InRange(_http.Count - before, 1000, 3 * 1000);
    }

    [Fact]
    public async Task Many_pieces_are_read_a_few_at_a_time_and_once()
    {
        const int pieces = 300;
        await using (var writer = await OpenAsync(_storage, "writer"))
            for (var i = 0; i < pieces; i++) await writer.SetAsync($"r{i % 50}", Item(i));
        var (most, now) = (0, 0);
        _http.Fault = (_, _) =>
        {
            most = Math.Max(most, Interlocked.Increment(ref now));
            return HttpFault.None;
        };
        _http.Behind = _ =>
        {
            Interlocked.Decrement(ref now);
            return Task.CompletedTask;
        };
        var before = _http.Count;
        await using var reader = await OpenAsync(_storage, null, o => o.ReadOnly = true);
        Assert.Equal(50, reader.Count);
        Assert.InRange(_http.Count - before, pieces, pieces + 50);
        Assert.InRange(most, 4, 16);

        before = _http.Count;
        Assert.Equal(pieces, await reader.OperationsAsync().CountAsync());
        Assert.InRange(_http.Count - before, pieces, pieces + 50);
    }

    private static ValueTask<OpsStore<RemoteStoreTests.Item>> OpenAsync(IOpsStorage storage, string? agent, Action<OpsStoreOptions>? change = null)
    {
        var options = new OpsStoreOptions { AgentId = agent, Checkpoint = { Automatic = false } };
        change?.Invoke(options);
        return OpsStore<RemoteStoreTests.Item>.OpenAsync(storage, options);
    }

    private static RemoteStoreTests.Item Item(int i) => new(new string((char)('a' + (i % 26)), 200), i);
}
