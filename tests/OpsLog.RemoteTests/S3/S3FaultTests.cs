// Goal: a put whose answer is lost ends as what it was, on a real server. Method: the way to the server fails on demand.
using Microsoft.Extensions.Time.Testing;
using OpsLog.RemoteTests.Servers;
using OpsLog.S3;
using OpsLog.Storage;
using Xunit;

namespace OpsLog.RemoteTests.S3;

public sealed class S3FaultTests : IAsyncLifetime
{
    private static readonly StorageKey s_key = new("manifest.json");
    private readonly FaultyHttp _http = new();
    private S3Rig _rig = null!;
    private S3Storage _storage = null!;
    private S3Storage _other = null!;

    public async ValueTask InitializeAsync()
    {
        _rig = await S3Rig.CreateAsync();
        _storage = _rig.Connect(o => o.Through(_http));
        _other = _rig.Connect();
        await PutAsync(_storage, "warm", 0, PutCondition.IfAbsent); // the probe is over, then faults count
    }

    public async ValueTask DisposeAsync()
    {
        _http.Fault = null;
        await _storage.DisposeAsync();
        await _other.DisposeAsync();
        await _rig.CleanAsync();
    }

    [Theory]
    [InlineData(HttpFault.NotSent)]
    [InlineData(HttpFault.LostAnswer)]
    [InlineData(HttpFault.ServerError)]
    [InlineData(HttpFault.Throttled)]
    [InlineData(HttpFault.Busy)]
    public async Task A_put_that_failed_in_passing_is_stored_in_the_end(HttpFault fault)
    {
        foreach (var make in (Func<Task<PutCondition>>[])[
            () => Task.FromResult(PutCondition.IfAbsent),
            async () => PutCondition.IfVersion((await PutAsync(_other, s_key.Value, 1, PutCondition.Always)).Version),
            () => Task.FromResult(PutCondition.Always)])
        {
            var condition = await make();
            FailNextPut(fault);
            var result = await PutAsync(_storage, s_key.Value, 2, condition);
            Assert.Equal(PutOutcome.Stored, result.Outcome);
            Assert.Equal(2, await ReadAsync(_other));
            Assert.Equal(result.Version, (await _other.ReadAsync(s_key, default, Token))!.Version);
        }
    }

    [Theory]
    [InlineData(HttpFault.NotSent)]
    [InlineData(HttpFault.LostAnswer)]
    [InlineData(HttpFault.ServerError)]
    [InlineData(HttpFault.Throttled)]
    [InlineData(HttpFault.Busy)]
    public async Task A_put_that_lost_the_race_is_a_conflict_whatever_failed_on_the_way(HttpFault fault)
    {
        foreach (var exists in (bool[])[false, true])
        {
            var old = exists ? (await PutAsync(_other, s_key.Value, 1, PutCondition.Always)).Version : default;
            var condition = exists ? PutCondition.IfVersion(old) : PutCondition.IfAbsent;
            Assert.True((await PutAsync(_other, s_key.Value, 3, condition)).IsStored);
            FailNextPut(fault);
            Assert.Equal(PutOutcome.Conflict, (await PutAsync(_storage, s_key.Value, 2, condition)).Outcome);
            Assert.Equal(3, await ReadAsync(_other));
        }
    }

    [Fact]
    public async Task A_swap_that_others_have_swapped_again_before_it_was_read_back_is_stored()
    {
        var old = await PutAsync(_other, s_key.Value, 1, PutCondition.IfAbsent);
        FailNextPut(HttpFault.LostAnswer);
        _http.Behind = async request =>
        {
            _http.Behind = null;
            for (byte i = 10; i < 20; i++) await SwapAsync(i);
        };
        var result = await PutAsync(_storage, s_key.Value, 2, PutCondition.IfVersion(old.Version));
        Assert.Equal(PutOutcome.Stored, result.Outcome);
        Assert.Equal(19, await ReadAsync(_other));
        Assert.Equal(PutOutcome.Conflict, (await PutAsync(_storage, s_key.Value, 3, PutCondition.IfVersion(result.Version))).Outcome); // it is not the newest
    }

    [Fact]
    public async Task A_swap_that_others_have_swapped_too_often_since_has_an_unknown_outcome()
    {
        var old = await PutAsync(_other, s_key.Value, 1, PutCondition.IfAbsent);
        FailNextPut(HttpFault.LostAnswer);
        _http.Behind = async request =>
        {
            _http.Behind = null;
            for (byte i = 10; i < 30; i++) await SwapAsync(i);
        };
        var failure = await Assert.ThrowsAsync<StorageException>(() => PutAsync(_storage, s_key.Value, 2, PutCondition.IfVersion(old.Version)));
        Assert.True(failure.OutcomeUnknown);
    }

    [Theory]
    [InlineData(HttpFault.LostAnswer, true, StorageFault.Unavailable)]
    [InlineData(HttpFault.ServerError, true, StorageFault.Unavailable)]
    [InlineData(HttpFault.NotSent, true, StorageFault.Unavailable)] // a client cannot tell that from a lost answer
    [InlineData(HttpFault.Throttled, false, StorageFault.Throttled)]
    [InlineData(HttpFault.Busy, false, StorageFault.Unavailable)]
    public async Task A_server_that_keeps_failing_is_given_up_when_the_budget_is_used_up(HttpFault fault, bool isUnknown, StorageFault expected)
    {
        var time = new FakeTimeProvider { AutoAdvanceAmount = TimeSpan.FromSeconds(4) };
        await using var storage = _rig.Connect(o =>
        {
            o.Through(_http);
            o.TimeProvider = new HurryingTime(time);
        });
        await PutAsync(storage, "warm", 1, PutCondition.IfVersion((await _other.ReadAsync(new StorageKey("warm"), default, Token))!.Version));
        _http.Fault = (_, _) => fault;
        var before = _http.Count;
        var failure = await Assert.ThrowsAsync<StorageException>(() => PutAsync(storage, s_key.Value, 2, PutCondition.IfAbsent));
        Assert.True(isUnknown == failure.OutcomeUnknown, failure.ToString());
        Assert.Equal(expected, failure.Fault);
        Assert.True(failure.IsTransient);
        Assert.InRange(_http.Count - before, 2, 40);
    }

    [Fact]
    public async Task A_read_that_breaks_off_is_read_again_and_only_absent_is_null()
    {
        var bytes = new byte[100_000];
        new Random(1).NextBytes(bytes);
        await _other.PutAsync(s_key, new MemoryStream(bytes), PutCondition.Always, Token);
        var failures = 3;
        _http.Fault = (_, _) => failures-- > 0 ? (HttpFault)(failures == 2 ? HttpFault.CutAnswer : failures == 1 ? HttpFault.ServerError : HttpFault.NotSent) : HttpFault.None;
        var found = await _storage.ReadAsync(s_key, Storage.ByteRange.All, Token);
        Assert.True((await found!.ReadToEndAsync(Token)).Span.SequenceEqual(bytes));
        Assert.True(failures < 0);
        Assert.Null(await _storage.ReadAsync(new StorageKey("absent"), Storage.ByteRange.All, Token));
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static Task<PutResult> PutAsync(S3Storage storage, string key, byte value, PutCondition condition) =>
        storage.PutAsync(new StorageKey(key), new MemoryStream([value]), condition, Token).AsTask();

    private static async Task<byte> ReadAsync(S3Storage storage) => (await (await storage.ReadAsync(s_key, default, Token))!.ReadToEndAsync(Token)).Span[0];

    private async Task SwapAsync(byte value)
    {
        var found = await _other.ReadAsync(s_key, default, Token);
        Assert.True((await PutAsync(_other, s_key.Value, value, PutCondition.IfVersion(found!.Version))).IsStored);
    }

    private void FailNextPut(HttpFault fault)
    {
        var failed = false;
        _http.Fault = (request, _) =>
        {
            if (failed || request.Method != HttpMethod.Put) return HttpFault.None;
            failed = true;
            return fault;
        };
    }
}
