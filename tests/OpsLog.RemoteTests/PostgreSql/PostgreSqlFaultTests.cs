// Goal: no lost answer, broken connection or refusal of the server is ever taken for another outcome than it had. Method: a way to a real server that breaks on
// demand, before a request or behind it, and what lies in the tables afterwards.
using Microsoft.Extensions.Time.Testing;
using OpsLog.RemoteTests.Servers;
using OpsLog.Storage;
using Xunit;
using static OpsLog.RemoteTests.PostgreSql.PostgreSqlRig;

namespace OpsLog.RemoteTests.PostgreSql;

public sealed class PostgreSqlFaultTests : IAsyncLifetime
{
    private PostgreSqlRig _rig = null!;

    public async ValueTask InitializeAsync() => _rig = await PostgreSqlRig.StartAsync();

    public ValueTask DisposeAsync() => _rig.DisposeAsync();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_append_whose_answer_or_request_is_lost_is_there_once(bool isSent)
    {
        var (way, storage) = await _rig.OpenFaultyAsync();
        await PutAsync(storage, "ops/x.jsonl", "one\n");
        Break(way, isSent, "length = length +");
        Assert.True((await AppendAsync(storage, "ops/x.jsonl", "two\n", 4)).IsStored);
        Assert.Equal(1, way.Broken);
        Assert.Equal("one\ntwo\n", await TextAsync(storage, "ops/x.jsonl"));
        Assert.True((await AppendAsync(storage, "ops/x.jsonl", "three\n", 8)).IsStored);
    }

    [Fact]
    public async Task An_append_whose_answer_is_lost_is_recognised_behind_another_writers()
    {
        var (way, storage) = await _rig.OpenFaultyAsync();
        var other = _rig.Open();
        await PutAsync(storage, "ops/x.jsonl", "one\n");
        way.Behind = async () => Assert.True((await AppendAsync(other, "ops/x.jsonl", "seal\n", 8)).IsStored);
        way.LoseAnswerTo("length = length +");
        Assert.True((await AppendAsync(storage, "ops/x.jsonl", "two\n", 4)).IsStored);
        Assert.Equal("one\ntwo\nseal\n", await TextAsync(other, "ops/x.jsonl"));
    }

    [Fact]
    public async Task Equal_bytes_of_another_writer_are_not_taken_for_ones_own()
    {
        var (way, storage) = await _rig.OpenFaultyAsync();
        var other = _rig.Open();
        await PutAsync(storage, "ops/x.jsonl", "one\n");
        way.LoseRequest("length = length +");
        Assert.True((await AppendAsync(other, "ops/x.jsonl", "\n", 4)).IsStored);
        Assert.Equal(PutOutcome.Conflict, (await AppendAsync(storage, "ops/x.jsonl", "\n", 4)).Outcome);
        Assert.Equal("one\n\n", await TextAsync(other, "ops/x.jsonl"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_put_whose_answer_or_request_is_lost_is_there_once(bool isSent)
    {
        var (way, storage) = await _rig.OpenFaultyAsync();
        Break(way, isSent, "ON CONFLICT DO NOTHING");
        var made = await PutAsync(storage, "manifest.json", "1", PutCondition.IfAbsent);
        Assert.True(made.IsStored);
        Break(way, isSent, "gone AS (DELETE");
        var swapped = await PutAsync(storage, "manifest.json", "2", PutCondition.IfVersion(made.Version));
        Assert.True(swapped.IsStored);
        Assert.Equal(2, way.Broken);
        Assert.Equal("2", await TextAsync(storage, "manifest.json"));
    }

    [Fact]
    public async Task A_put_without_condition_is_not_sent_twice()
    {
        var (way, storage) = await _rig.OpenFaultyAsync();
        way.LoseAnswerTo("ON CONFLICT DO NOTHING");
        Assert.True((await PutAsync(storage, "x", "1")).IsStored);
        way.LoseRequest("gone AS (DELETE");
        var failure = await Assert.ThrowsAsync<StorageException>(() => PutAsync(storage, "x", "2")); // sent again, it could undo what another has put since
        Assert.True(failure.OutcomeUnknown);
        Assert.Equal("1", await TextAsync(storage, "x"));
    }

    [Fact]
    public async Task A_swap_whose_answer_is_lost_and_that_another_swapped_since_is_unknown()
    {
        var (way, storage) = await _rig.OpenFaultyAsync();
        var other = _rig.Open();
        var made = await PutAsync(storage, "manifest.json", "1", PutCondition.IfAbsent);
        way.Behind = async () => Assert.True((await PutAsync(other, "manifest.json", "3")).IsStored);
        way.LoseAnswerTo("gone AS (DELETE");
        var failure = await Assert.ThrowsAsync<StorageException>(() => PutAsync(storage, "manifest.json", "2", PutCondition.IfVersion(made.Version)));
        Assert.True(failure.OutcomeUnknown);
        Assert.Equal("3", await TextAsync(other, "manifest.json"));
    }

    [Theory]
    [InlineData(true, true)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public async Task A_large_put_whose_answer_or_request_is_lost_is_there_once(bool isSent, bool canSeek)
    {
        var (way, storage) = await _rig.OpenFaultyAsync();
        var content = new byte[3_500_000];
        new Random(1).NextBytes(content);
        Break(way, isSent, "COMMIT\0");
        Stream stream = canSeek ? new MemoryStream(content) : new OneWay(content);
        Assert.True((await storage.PutAsync(Key("snapshots/x"), stream, PutCondition.IfAbsent, Token)).IsStored);
        Assert.Equal(1, way.Broken);
        await using var found = await storage.ReadAsync(Key("snapshots/x"), ByteRange.All, Token);
        Assert.True((await found!.ReadToEndAsync(Token)).Span.SequenceEqual(content));
        Assert.Equal(4, await _rig.SqlAsync($"SELECT count(*) FROM {_rig.Schema}.opslog_pieces WHERE length(bytes) > 100"));
    }

    [Fact]
    public async Task A_large_put_that_cannot_be_sent_again_and_did_not_happen_says_that()
    {
        var (way, storage) = await _rig.OpenFaultyAsync();
        way.LoseRequest("ON CONFLICT DO NOTHING");
        var failure = await Assert.ThrowsAsync<StorageException>(async () => await storage.PutAsync(Key("snapshots/x"), new OneWay(new byte[3_500_000]), PutCondition.IfAbsent, Token));
        Assert.Equal(StorageFault.Unavailable, failure.Fault);
        Assert.False(failure.OutcomeUnknown);
        Assert.Null(await TextAsync(storage, "snapshots/x"));
    }

    [Fact]
    public async Task What_stays_out_of_reach_is_unavailable_and_says_whether_the_outcome_is_known()
    {
        var time = new FakeTimeProvider { AutoAdvanceAmount = TimeSpan.FromSeconds(1) };
        var (way, storage) = await _rig.OpenFaultyAsync(options => options.TimeProvider = new HurryingTime(time));
        await PutAsync(storage, "ops/x.jsonl", "one\n");
        way.LoseRequest("", int.MaxValue);
        var failure = await Assert.ThrowsAsync<StorageException>(() => AppendAsync(storage, "ops/x.jsonl", "two\n", 4));
        Assert.Equal(StorageFault.Unavailable, failure.Fault);
        Assert.True(failure.OutcomeUnknown); // it was sent on an open connection: nobody knows how far it got
        failure = await Assert.ThrowsAsync<StorageException>(() => AppendAsync(storage, "ops/x.jsonl", "two\n", 4));
        Assert.False(failure.OutcomeUnknown); // by now there is none
        failure = await Assert.ThrowsAsync<StorageException>(() => TextAsync(storage, "ops/x.jsonl"));
        Assert.Equal((StorageFault.Unavailable, false), (failure.Fault, failure.OutcomeUnknown));
        Assert.True(way.Broken > 3);
        Assert.Equal("one\n", await TextAsync(_rig.Open(), "ops/x.jsonl"));
    }

    [Fact]
    public async Task A_read_that_breaks_off_is_a_failure_and_not_an_end()
    {
        var (way, storage) = await _rig.OpenFaultyAsync();
        await storage.PutAsync(Key("snapshots/x"), new MemoryStream(new byte[40_000_000]), PutCondition.IfAbsent, Token);
        var found = await storage.ReadAsync(Key("snapshots/x"), ByteRange.All, Token);
        await way.DisposeAsync();
        var failure = await Assert.ThrowsAsync<StorageException>(async () => await found!.ReadToEndAsync(Token));
        Assert.Equal(StorageFault.Unavailable, failure.Fault);
        await found!.DisposeAsync();
    }

    [Fact]
    public async Task Missing_pieces_are_damage_and_not_an_end()
    {
        var storage = _rig.Open();
        await storage.PutAsync(Key("snapshots/x"), new MemoryStream(new byte[3_500_000]), PutCondition.IfAbsent, Token);
        await _rig.SqlAsync($"DELETE FROM {_rig.Schema}.opslog_pieces WHERE start = 1048576");
        var found = await storage.ReadAsync(Key("snapshots/x"), ByteRange.All, Token);
        var failure = await Assert.ThrowsAsync<StorageException>(async () => await found!.ReadToEndAsync(Token));
        await found!.DisposeAsync();
        Assert.Equal(StorageFault.Broken, failure.Fault);
        Assert.Contains("1048576", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Roles_that_are_strict_about_isolation_lose_nothing()
    {
        var strict = _rig.Server + ";Options=-c default_transaction_isolation=serializable";
        var clients = Enumerable.Range(0, 4).Select(_ => _rig.Open(connection: strict)).ToArray();
        await PutAsync(clients[0], "ops/x.jsonl", "");
        await Task.WhenAll(clients.Select(async (client, i) =>
        {
            for (var done = 0; done < 5;)
            {
                await using var now = await client.ReadAsync(Key("ops/x.jsonl"), new ByteRange(0, 0), Token);
                if ((await AppendAsync(client, "ops/x.jsonl", $"{i}", now!.Length)).IsStored) done++;
            }
        }));
        Assert.Equal("00000111112222233333", string.Concat((await TextAsync(clients[0], "ops/x.jsonl"))!.Order()));
    }

    [Fact]
    public async Task A_storage_whose_server_has_stopped_answering_is_closed_within_seconds()
    {
        var (way, storage) = await _rig.OpenFaultyAsync(options => options.Notices = true);
        way.Behind = () => Task.Delay(Timeout.Infinite, Token);
        way.LoseAnswerTo("pg_notify");
        await PutAsync(storage, "x", "1");
        while (way.Broken == 0) await Task.Delay(10, Token);
        var began = System.Diagnostics.Stopwatch.GetTimestamp();
        await storage.DisposeAsync();
        Assert.InRange(System.Diagnostics.Stopwatch.GetElapsedTime(began).TotalSeconds, 0, 10);
    }

    private static void Break(FaultyWay way, bool isSent, string text)
    {
        if (isSent) way.LoseAnswerTo(text);
        else way.LoseRequest(text);
    }

    /// <summary>Bytes that can be read once.</summary>
    internal sealed class OneWay(byte[] content) : MemoryStream(content)
    {
        public override bool CanSeek => false;
    }
}
