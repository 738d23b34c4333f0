// Goal: a put that HTTP handlers or proxies have sent again, unseen, ends as what it was. Method: a server in memory that honours conditions, carries out chosen requests twice and
// gives the second answer.
using Amazon.Runtime;
using OpsLog.S3;
using OpsLog.Storage;
using Xunit;

namespace OpsLog.RemoteTests.S3;

public sealed class S3RepeatTests
{
    private const int PartSize = 5 << 20;

    private static readonly StorageKey s_key = new("snapshots/x");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(PutConditionKind.IfAbsent, 1)]
    [InlineData(PutConditionKind.IfVersion, 1)]
    [InlineData(PutConditionKind.Always, 1)]
    [InlineData(PutConditionKind.IfAbsent, PartSize + 1)]
    [InlineData(PutConditionKind.IfVersion, PartSize + 1)]
    [InlineData(PutConditionKind.Always, PartSize + 1)]
    [InlineData(PutConditionKind.IfAbsent, PartSize + 1, true)]
    [InlineData(PutConditionKind.IfVersion, PartSize + 1, true)]
    public async Task A_put_that_was_sent_twice_is_stored(PutConditionKind kind, int length, bool looksAtConditionsFirst = false)
    {
        using var server = new Server { LooksAtConditionsFirst = looksAtConditionsFirst };
        await using var storage = Open(server);
        var condition = kind switch
        {
            PutConditionKind.IfAbsent => PutCondition.IfAbsent,
            PutConditionKind.IfVersion => PutCondition.IfVersion((await PutAsync(storage, 1, PutCondition.IfAbsent)).Version),
            _ => PutCondition.Always,
        };
        server.Repeats = request => request.Method == (length > PartSize ? HttpMethod.Post : HttpMethod.Put) && !request.RequestUri!.Query.StartsWith("?uploads", StringComparison.Ordinal);
        var result = await PutAsync(storage, length, condition);
        Assert.Equal(PutOutcome.Stored, result.Outcome);
        Assert.True(server.Repeated > 0);
        Assert.Equal(result.Version, await VersionAsync(storage));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public async Task A_put_that_was_sent_twice_and_replaced_since_is_stored(int swaps)
    {
        using var server = new Server();
        await using var storage = Open(server);
        await using var other = Open(server);
        var version = (await PutAsync(storage, 1, PutCondition.IfAbsent)).Version;
        server.Repeats = request => request.Method == HttpMethod.Put;
        server.BeforeLook = async () =>
        {
            server.Repeats = null;
            for (var i = 0; i < swaps; i++) Assert.True((await PutAsync(other, 2, PutCondition.IfVersion(await VersionAsync(other)))).IsStored);
        };
        Assert.Equal(PutOutcome.Stored, (await PutAsync(storage, 1, PutCondition.IfVersion(version))).Outcome);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(30)] // too many for the marks to tell
    public async Task A_put_that_lost_the_race_is_a_conflict(int swaps)
    {
        using var server = new Server();
        await using var storage = Open(server);
        await using var other = Open(server);
        var version = (await PutAsync(storage, 1, PutCondition.IfAbsent)).Version;
        for (var i = 0; i < swaps; i++) Assert.True((await PutAsync(other, 2, PutCondition.IfVersion(await VersionAsync(other)))).IsStored);
        foreach (var condition in (PutCondition[])[PutCondition.IfAbsent, PutCondition.IfVersion(version)])
            foreach (var length in (int[])[1, PartSize + 1])
                Assert.Equal(PutOutcome.Conflict, (await PutAsync(storage, length, condition)).Outcome);
        await storage.DeleteAsync(s_key, Token);
        Assert.Equal(PutOutcome.Conflict, (await PutAsync(storage, 1, PutCondition.IfVersion(version))).Outcome);
    }

    [Fact]
    public async Task A_put_that_was_refused_and_cannot_be_looked_at_has_an_unknown_outcome()
    {
        using var server = new Server();
        await using var storage = Open(server, TimeSpan.Zero);
        Assert.True((await PutAsync(storage, 1, PutCondition.IfAbsent)).IsStored);
        server.BeforeLook = () => throw new HttpRequestException("The connection was reset (as the test wants).");
        var failure = await Assert.ThrowsAsync<StorageException>(() => PutAsync(storage, 1, PutCondition.IfAbsent));
        Assert.Equal((StorageFault.Unavailable, true), (failure.Fault, failure.OutcomeUnknown));
    }

    [Fact]
    public async Task A_server_is_found_out_also_if_all_that_is_asked_is_sent_twice()
    {
        using var server = new Server { Repeats = request => request.Method != HttpMethod.Post };
        await using var storage = Open(server);
        Assert.True((await PutAsync(storage, 1, PutCondition.IfAbsent)).IsStored);
        Assert.True((await PutAsync(storage, PartSize + 1, PutCondition.IfVersion(await VersionAsync(storage)))).IsStored);
    }

    private static Task<PutResult> PutAsync(S3Storage storage, int length, PutCondition condition) =>
        storage.PutAsync(s_key, new MemoryStream(new byte[length]), condition, Token).AsTask();

    private static async Task<StorageVersion> VersionAsync(S3Storage storage) => (await storage.ReadAsync(s_key, new Storage.ByteRange(0, 0), Token))!.Version;

    private static S3Storage Open(Server server, TimeSpan? budget = null)
    {
        var options = new S3StorageOptions { Endpoint = "http://localhost", Credentials = new BasicAWSCredentials("a", "b"), PartSize = PartSize };
        options.RetryBudget = budget ?? options.RetryBudget;
        return new S3Storage("bucket", options.Through(server));
    }

    /// <summary>Carries out chosen requests twice, and gives the second answer.</summary>
    private sealed class Server : MemoryS3
    {
        /// <summary>Which requests are carried out twice.</summary>
        public Func<HttpRequestMessage, bool>? Repeats { get; set; }

        /// <summary>How many requests were.</summary>
        public int Repeated { get; private set; }

        /// <summary>Called once, before the next look at an object.</summary>
        public Func<Task>? BeforeLook { get; set; }

        protected override async Task<HttpResponseMessage> AnswerAsync(HttpRequestMessage request, int length)
        {
            if (request.Method == HttpMethod.Head && BeforeLook is { } before)
            {
                BeforeLook = null;
                await before();
            }

            if (Repeats?.Invoke(request) != true) return await base.AnswerAsync(request, length);
            Repeated++;
            (await base.AnswerAsync(request, length)).Dispose();
            return await base.AnswerAsync(request, length);
        }
    }
}
