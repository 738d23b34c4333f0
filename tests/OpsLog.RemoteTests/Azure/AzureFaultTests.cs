// Goal: a put or append whose answer is lost ends as what it was. Method: the way to the emulator fails on demand.
using Azure.Storage.Blobs.Specialized;
using OpsLog.AzureBlobs;
using OpsLog.RemoteTests.Servers;
using OpsLog.RemoteTests.Stores;
using OpsLog.Storage;
using Xunit;

namespace OpsLog.RemoteTests.Azure;

public sealed class AzureFaultTests : IAsyncLifetime
{
    private static readonly StorageKey s_key = new("manifest.json");
    private static readonly StorageKey s_log = new("ops/log.jsonl");
    private readonly FaultyHttp _http = new();
    private AzureRig _rig = null!;
    private AzureBlobStorage _storage = null!;
    private AzureBlobStorage _other = null!;

    public async ValueTask InitializeAsync()
    {
        _rig = await AzureRig.CreateAsync();
        _storage = _rig.Connect(http: _http);
        _other = _rig.Connect();
    }

    public async ValueTask DisposeAsync()
    {
        _http.Fault = null;
        await _storage.DisposeAsync();
        await _other.DisposeAsync();
        await _rig.CleanAsync();
    }

    public static TheoryData<HttpFault> Faults => [HttpFault.NotSent, HttpFault.LostAnswer, HttpFault.ServerError, HttpFault.Throttled];

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task A_put_that_failed_in_passing_is_stored_in_the_end(HttpFault fault)
    {
        foreach (var make in (Func<Task<PutCondition>>[])[
            () => Task.FromResult(PutCondition.IfAbsent),
            async () => PutCondition.IfVersion((await PutAsync(_other, 1, PutCondition.Always)).Version),
            () => Task.FromResult(PutCondition.Always)])
        {
            var condition = await make();
            FailNextPut(fault);
            var result = await PutAsync(_storage, 2, condition);
            Assert.Equal(PutOutcome.Stored, result.Outcome);
            Assert.Equal([2], await ReadAsync(s_key));
            Assert.Equal(result.Version, (await _other.ReadAsync(s_key, default, Token))!.Version);
        }
    }

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task A_put_that_lost_the_race_is_a_conflict_whatever_failed_on_the_way(HttpFault fault)
    {
        foreach (var exists in (bool[])[false, true])
        {
            var condition = exists ? PutCondition.IfVersion((await PutAsync(_other, 1, PutCondition.Always)).Version) : PutCondition.IfAbsent;
            Assert.True((await PutAsync(_other, 3, condition)).IsStored);
            FailNextPut(fault);
            Assert.Equal(PutOutcome.Conflict, (await PutAsync(_storage, 2, condition)).Outcome);
            Assert.Equal([3], await ReadAsync(s_key));
        }
    }

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task An_append_that_failed_in_passing_is_there_once(HttpFault fault)
    {
        foreach (var whole in (bool[])[false, true])
        {
            byte[] start = whole ? [7, 7] : []; // written whole, or made to be appended to
            await _other.PutAsync(s_log, new MemoryStream(start), PutCondition.Always, Token);
            FailNextPut(fault);
            Assert.Equal(PutOutcome.Stored, (await AppendAsync(_storage, [1, 2], start.Length)).Outcome);
            Assert.Equal([.. start, 1, 2], await ReadAsync(s_log));
            FailNextPut(fault, skip: whole ? 2 : 0); // behind the attempt as an append blob and the new block: the commit
            Assert.Equal(PutOutcome.Stored, (await AppendAsync(_storage, [3], start.Length + 2)).Outcome);
            Assert.Equal([.. start, 1, 2, 3], await ReadAsync(s_log));
        }
    }

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task An_append_that_lost_the_race_is_a_conflict_whatever_failed_on_the_way(HttpFault fault)
    {
        await _other.PutAsync(s_log, Stream.Null, PutCondition.Always, Token);
        Assert.True((await AppendAsync(_other, [9, 9, 9], 0)).IsStored);
        FailNextPut(fault);
        Assert.Equal(PutOutcome.Conflict, (await AppendAsync(_storage, [1, 2], 0)).Outcome);
        Assert.Equal([9, 9, 9], await ReadAsync(s_log));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)] // where its outcome was in doubt
    public async Task An_append_cancelled_once_it_is_sent_is_brought_to_its_end(bool fails)
    {
        await _other.PutAsync(s_log, Stream.Null, PutCondition.Always, Token);
        using var source = new CancellationTokenSource();
        _http.Fault = (request, _) =>
        {
            var isFirst = request.Method == HttpMethod.Put && !source.IsCancellationRequested;
            source.Cancel();
            return isFirst && fails ? HttpFault.ServerError : HttpFault.None;
        };
        Assert.True((await _storage.AppendAsync(s_log, new byte[] { 1, 2 }, 0, Flush.Synced, source.Token)).IsStored);
        Assert.Equal([1, 2], await ReadAsync(s_log));
    }

    [Fact]
    public async Task A_blob_that_a_lease_or_a_policy_keeps_is_denied_and_no_lost_race()
    {
        var version = (await PutAsync(_other, 1, PutCondition.IfAbsent)).Version;
        await _other.PutAsync(s_log, Stream.Null, PutCondition.IfAbsent, Token);
        foreach (var key in (StorageKey[])[s_key, s_log])
            await new BlobLeaseClient(_rig.Raw().GetBlobClient($"{_rig.Prefix}/{key}")).AcquireAsync(BlobLeaseClient.InfiniteLeaseDuration, cancellationToken: Token);
        await RefusedAsync("lease");
        _http.Fault = (request, _) => request.Method == HttpMethod.Get || request.Method == HttpMethod.Head ? HttpFault.None : HttpFault.Immutable;
        await RefusedAsync("policy");
        foreach (var key in (StorageKey[])[s_key, s_log]) await new BlobLeaseClient(_rig.Raw().GetBlobClient($"{_rig.Prefix}/{key}")).BreakAsync(TimeSpan.Zero, cancellationToken: Token);

        async Task RefusedAsync(string why)
        {
            foreach (var change in (Func<Task>[])[
                () => PutAsync(_storage, 2, PutCondition.IfVersion(version)), () => PutAsync(_storage, 2, PutCondition.Always), () => AppendAsync(_storage, [1], 0), () => _storage.DeleteAsync(s_key, Token).AsTask()])
            {
                var before = _http.Count;
                var failure = await Assert.ThrowsAsync<StorageException>(change);
                Assert.Equal((StorageFault.Denied, false), (failure.Fault, failure.OutcomeUnknown));
                Assert.Contains(why, failure.Message, StringComparison.Ordinal);
                Assert.Equal(before + 1, _http.Count);
            }
        }
    }

    [Fact]
    public async Task Of_sixteen_that_race_for_one_manifest_or_log_exactly_one_wins_each_of_200_rounds()
    {
        var clients = Enumerable.Range(0, 16).Select(_ => _rig.Connect()).ToArray();
        var version = (await PutAsync(_other, 0, PutCondition.IfAbsent)).Version;
        await _other.PutAsync(s_log, Stream.Null, PutCondition.Always, Token);
        for (var round = 0; round < 200; round++)
        {
            var (seen, length) = (version, round);
            var puts = await Task.WhenAll(clients.Select((client, i) => Task.Run(() => PutAsync(client, (byte)i, PutCondition.IfVersion(seen)))));
            version = Assert.Single(puts, r => r.IsStored).Version;
            var appends = await Task.WhenAll(clients.Select((client, i) => Task.Run(() => AppendAsync(client, [(byte)i], length))));
            var winner = Array.IndexOf(appends, Assert.Single(appends, r => r.IsStored));
            Assert.Equal(winner, (await ReadAsync(s_log))[round]);
            Assert.All(puts.Concat(appends).Where(r => !r.IsStored), r => Assert.Equal(PutOutcome.Conflict, r.Outcome));
        }
    }

    [Theory]
    [InlineData(null)]
    [InlineData("a")]
    public async Task A_store_goes_on_in_another_blob_before_one_is_full(string? agent)
    {
        await using var storage = _rig.Connect(o => o.AppendsPerBlob = 10);
        var options = new OpsStoreOptions { AgentId = agent, HistoryRetention = HistoryRetention.Forever, Checkpoint = { Automatic = false } };
        await using (var store = await OpsStore<RemoteStoreTests.Item>.OpenAsync(storage, options, Token))
            for (var i = 0; i < 60; i++) await store.SetAsync($"r{i % 7}", new("x", i), cancellationToken: Token);
        var logs = await storage.ListAsync(new StorageKey("ops"), null, Token).CountAsync(Token);
        Assert.InRange(logs, 3, 30);
        await using var again = await OpsStore<RemoteStoreTests.Item>.OpenAsync(storage, new OpsStoreOptions { ReadOnly = true }, Token);
        Assert.Equal(Enumerable.Range(53, 7), again.Values.Select(v => v.Number).Order());
        Assert.Equal(60, await again.OperationsAsync().CountAsync(Token));
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static Task<PutResult> PutAsync(AzureBlobStorage storage, byte value, PutCondition condition) =>
        storage.PutAsync(s_key, new MemoryStream([value]), condition, Token).AsTask();

    private static Task<PutResult> AppendAsync(AzureBlobStorage storage, byte[] bytes, long expectedLength) =>
        storage.AppendAsync(s_log, bytes, expectedLength, Flush.Synced, Token).AsTask();

    private async Task<byte[]> ReadAsync(StorageKey key) => (await (await _other.ReadAsync(key, default, Token))!.ReadToEndAsync(Token)).ToArray();

    private void FailNextPut(HttpFault fault, int skip = 0)
    {
        _http.Fault = (request, _) => request.Method == HttpMethod.Put && skip-- == 0 ? fault : HttpFault.None;
    }
}
