// Goal: none of the npm package's bugs on S3 is ours. Method: what made each of them happen there, on the real server. The numbers are those of docs/faults.md.
using Amazon.S3.Model;
using Microsoft.Extensions.Time.Testing;
using OpsLog.RemoteTests.Stores;
using OpsLog.S3;
using OpsLog.Storage;
using Xunit;

namespace OpsLog.RemoteTests.S3;

public sealed class S3PackageBugTests : IAsyncLifetime
{
    private readonly List<S3Storage> _clients = [];
    private S3Rig _rig = null!;

    public async ValueTask InitializeAsync() => _rig = await S3Rig.CreateAsync();

    public async ValueTask DisposeAsync()
    {
        foreach (var client in _clients) await client.DisposeAsync();
        await _rig.CleanAsync();
    }

    [Fact]
    public async Task B56_of_agents_that_open_together_none_vanishes()
    {
        var stores = await Task.WhenAll(Enumerable.Range(0, 6).Select(i => Task.Run(async () =>
        {
            var store = await OpenAsync($"agent-{i}");
            await store.SetAsync($"of-{i}", Item(i));
            return store;
        })));
        foreach (var store in stores)
        {
            await store.RefreshAsync();
            Assert.Equal(6, store.Count);
            Assert.Equal(6, store.Agents.Count(a => a.Agent.StartsWith("agent-", StringComparison.Ordinal)));
        }

        foreach (var store in stores) await store.DisposeAsync();
    }

    [Fact]
    public async Task B57_two_processes_with_one_agent_id_in_one_millisecond_overwrite_nothing()
    {
        var time = new FakeTimeProvider(); // it stands still
        await using var one = await OpenAsync("same", o => o.TimeProvider = time);
        await using var two = await OpenAsync("same", o => o.TimeProvider = time);
        for (var i = 0; i < 5; i++) await Task.WhenAll(one.SetAsync($"one-{i}", Item(i)).AsTask(), two.SetAsync($"two-{i}", Item(i)).AsTask());
        await one.RefreshAsync();
        await two.RefreshAsync();
        Assert.Equal(10, one.Count);
        Assert.Equal(10, two.Count);
        Assert.Equal(10, await one.OperationsAsync().CountAsync());
    }

    [Fact]
    public async Task B58_a_clock_that_goes_back_reorders_nothing()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddYears(60)) { AutoAdvanceAmount = TimeSpan.Zero };
        await using (var store = await OpenAsync(null, o => o.TimeProvider = time)) await store.SetAsync("a", Item(1));
        var earlier = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddYears(50));
        await using (var store = await OpenAsync(null, o => o.TimeProvider = earlier))
        {
            await store.SetAsync("a", Item(2));
            Assert.Equal(2, store["a"].Number);
        }

        await using var again = await OpenAsync(null, o => o.TimeProvider = earlier);
        Assert.Equal(2, again["a"].Number);
        Assert.Equal([1, 2], await again.HistoryAsync("a").Select(o => o.Value!.Number).ToListAsync());
        Assert.True(await again.UndoAsync());
        Assert.Equal(1, again["a"].Number);
    }

    [Fact]
    public async Task B59_a_reader_sees_an_undo()
    {
        await using var writer = await OpenAsync("writer");
        await using var reader = await OpenAsync("reader");
        await writer.SetAsync("a", Item(1));
        await writer.SetAsync("u", Item(2));
        await reader.RefreshAsync();
        Assert.Equal(["a", "u"], reader.Keys.Order(StringComparer.Ordinal));
        Assert.True(await writer.UndoAsync());
        await reader.RefreshAsync();
        Assert.Equal(["a"], reader.Keys);
    }

    [Fact]
    public async Task B60_an_undo_takes_a_batch_back_as_a_whole_and_rewrites_no_object()
    {
        await using var store = await OpenAsync(null);
        await store.SetAsync("a", Item(0));
        await store.BatchAsync(b =>
        {
            b.Set("a", Item(1));
            b.Set("b", Item(1));
        });
        var before = await ObjectsAsync("ops/");
        Assert.True(await store.UndoAsync());
        Assert.Equal(["a"], store.Keys);
        Assert.Equal(0, store["a"].Number);
        var after = await ObjectsAsync("ops/");
        Assert.Equal(before, after.Where(o => before.ContainsKey(o.Key)).ToDictionary());
        Assert.Equal(before.Count + 1, after.Count);
    }

    [Fact]
    public async Task B61_more_than_a_thousand_objects_are_read_and_collected()
    {
        const int pieces = 1050;
        await using (var store = await OpenAsync(null))
            for (var i = 0; i < pieces; i++) await store.SetAsync($"r{i % 30}", Item(i));
        Assert.InRange((await ObjectsAsync("ops/")).Count, pieces, pieces + 5);
        await using (var store = await OpenAsync(null, o => o.HistoryRetention = HistoryRetention.None))
        {
            Assert.Equal(Enumerable.Range(pieces - 30, 30), store.Values.Select(v => v.Number).Order());
            await store.CompactAsync();
        }

        Assert.InRange((await ObjectsAsync("ops/")).Count, 1, 10);
        await using var again = await OpenAsync(null);
        Assert.Equal(30, again.Count);
    }

    [Fact]
    public async Task B62_a_snapshot_written_with_indentation_is_read()
    {
        using var client = _rig.Raw();
        await WriteAsync("manifest.json", "{\n  \"version\": 1,\n  \"currentSnapshot\": \"snapshots/snap-1.json\",\n  \"activeOps\": \"ops/ops-1.jsonl\",\n  \"archiveSegments\": [],\n  \"stats\": {\n    \"activeRecords\": 2,\n    \"archivedRecords\": 0,\n    \"opsCount\": 0,\n    \"created\": \"2026-01-01T00:00:00.000Z\",\n    \"lastCheckpoint\": \"2026-01-01T00:00:00.000Z\"\n  }\n}");
        await WriteAsync("snapshots/snap-1.json", "{\n  \"version\": 1,\n  \"timestamp\": \"2026-01-01T00:00:00.000Z\",\n  \"records\": {\n    \"a\": {\n      \"text\": \"x\",\n      \"number\": 1\n    },\n    \"b\": {\n      \"text\": \"y\",\n      \"number\": 2\n    }\n  }\n}");
        await WriteAsync("ops/ops-1.jsonl", "");
        await using var store = await OpenAsync(null);
        Assert.Equal([1, 2], store.Values.Select(v => v.Number).Order());

        Task WriteAsync(string name, string text) => client.PutObjectAsync(
            new PutObjectRequest { BucketName = S3Rig.Bucket, Key = $"{_rig.Prefix}/{name}", ContentBody = text, UseChunkEncoding = false });
    }

    [Fact]
    public async Task B63_a_refresh_never_fails_because_others_undo_and_collect()
    {
        await using var writer = await OpenAsync("writer");
        await using var reader = await OpenAsync("reader");
        var writing = Task.Run(async () =>
        {
            for (var i = 0; i < 40; i++)
            {
                await writer.SetAsync($"r{i % 5}", Item(i));
                if (i % 3 == 0) await writer.UndoAsync();
                if (i % 5 == 0) await writer.CompactAsync();
            }
        });
        while (!writing.IsCompleted) await reader.RefreshAsync();
        await writing;
        await reader.RefreshAsync();
        Assert.Equal(writer.OrderBy(r => r.Key, StringComparer.Ordinal), reader.OrderBy(r => r.Key, StringComparer.Ordinal));
    }

    private async Task<Dictionary<string, string>> ObjectsAsync(string folder)
    {
        using var client = _rig.Raw();
        return await client.Paginators.ListObjectsV2(new ListObjectsV2Request { BucketName = S3Rig.Bucket, Prefix = $"{_rig.Prefix}/{folder}" }).S3Objects
            .ToDictionaryAsync(o => o.Key, o => o.ETag);
    }

    private ValueTask<OpsStore<RemoteStoreTests.Item>> OpenAsync(string? agent, Action<OpsStoreOptions>? change = null)
    {
        var client = _rig.Connect();
        _clients.Add(client);
        var options = new OpsStoreOptions { AgentId = agent, Checkpoint = { GracePeriod = TimeSpan.Zero } };
        change?.Invoke(options);
        return OpsStore<RemoteStoreTests.Item>.OpenAsync(client, options);
    }

    private static RemoteStoreTests.Item Item(int i) => new("x", i);
}
