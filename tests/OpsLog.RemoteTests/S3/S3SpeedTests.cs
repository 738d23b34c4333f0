// Goal: a store over object storage costs few requests. Method: counts of requests on the way to the server.
using OpsLog.RemoteTests.Servers;
using OpsLog.RemoteTests.Stores;
using OpsLog.S3;
using OpsLog.Storage;
using Xunit;

namespace OpsLog.RemoteTests.S3;

public sealed class S3SpeedTests : IAsyncLifetime
{
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
