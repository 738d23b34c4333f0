// Goal: conditions hold as the engine needs them, and servers that ignore them are refused. Method: races on the real server; servers that do ignore them.
using Amazon.Runtime;
using Amazon.S3.Model;
using OpsLog.RemoteTests.Servers;
using OpsLog.S3;
using OpsLog.Storage;
using Xunit;

namespace OpsLog.RemoteTests.S3;

public sealed class S3ConditionTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static TheoryData<string> ServersThatIgnoreConditions => ["s3rver", "fauxqs"];

    [Theory]
    [MemberData(nameof(ServersThatIgnoreConditions))]
    public async Task A_server_that_ignores_conditions_is_refused_before_anything_is_written(string server)
    {
        var isFauxqs = server == "fauxqs";
        var endpoint = await (isFauxqs ? TestServer.Fauxqs : TestServer.S3rver).RequireAsync();
        var credentials = isFauxqs ? new BasicAWSCredentials("test", "test") : new BasicAWSCredentials("S3RVER", "S3RVER");
        using (var client = new Amazon.S3.AmazonS3Client(credentials, new Amazon.S3.AmazonS3Config { ServiceURL = endpoint, ForcePathStyle = true }))
            if (isFauxqs) await client.PutBucketAsync("opslog", Token);
        await using var storage = new S3Storage("opslog", new S3StorageOptions { Endpoint = endpoint, Credentials = credentials });

        var failure = await Assert.ThrowsAsync<StorageException>(() => PutAsync(storage, "manifest.json", [1], PutCondition.IfAbsent));
        Assert.Equal(StorageFault.Unsupported, failure.Fault);
        Assert.False(failure.OutcomeUnknown);
        Assert.Contains("ignores If-None-Match", failure.Message, StringComparison.Ordinal);
        Assert.Null(await storage.ReadAsync(new StorageKey("manifest.json"), default, Token));

        var opening = await Assert.ThrowsAsync<OpsLogException>(async () => await OpsStore<Document>.OpenAsync(storage, cancellationToken: Token));
        Assert.Equal(OpsLogError.StorageFailed, opening.Error);
        Assert.Contains("Ceph RADOS Gateway", opening.Message, StringComparison.Ordinal); // what to do
        Assert.False(opening.IsTransient);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Of_sixteen_that_race_for_one_manifest_exactly_one_wins_each_of_200_rounds(bool creating)
    {
        var rig = await S3Rig.CreateAsync();
        var clients = Enumerable.Range(0, 16).Select(_ => rig.Connect()).ToArray();
        foreach (var client in clients) await PutAsync(client, $"warm-{Array.IndexOf(clients, client)}", [0], PutCondition.IfAbsent);
        var version = creating ? default : (await PutAsync(clients[0], "manifest.json", [0], PutCondition.IfAbsent)).Version;
        for (var round = 0; round < 200; round++)
        {
            var (key, condition) = creating ? ($"ops/log-n{round}", PutCondition.IfAbsent) : ("manifest.json", PutCondition.IfVersion(version));
            var results = await Task.WhenAll(clients.Select((client, i) => Task.Run(() => PutAsync(client, key, [(byte)round, (byte)i], condition))));
            var winner = Assert.Single(Enumerable.Range(0, 16), i => results[i].IsStored);
            Assert.All(results.Where(r => !r.IsStored), r => Assert.Equal(PutOutcome.Conflict, r.Outcome));
            var found = await clients[15 - winner].ReadAsync(new StorageKey(key), default, Token);
            Assert.Equal([(byte)round, (byte)winner], (await found!.ReadToEndAsync(Token)).ToArray());
            Assert.Equal(results[winner].Version, version = found.Version);
        }

        foreach (var client in clients) await client.DisposeAsync();
        await rig.CleanAsync();
    }

    [Fact]
    public async Task Large_objects_go_as_parts_and_keep_their_conditions()
    {
        var rig = await S3Rig.CreateAsync();
        var http = new FaultyHttp();
        await using var storage = rig.Connect(o => o.Through(http).PartSize = 5 << 20);
        var whole = new byte[12_000_000];
        new Random(1).NextBytes(whole);
        var first = await PutAsync(storage, "snapshots/a", whole, PutCondition.IfAbsent);
        Assert.True(first.IsStored);
        Assert.Equal(PutOutcome.Conflict, (await PutAsync(storage, "snapshots/a", whole, PutCondition.IfAbsent)).Outcome);
        whole[0]++;
        Assert.True((await PutAsync(storage, "snapshots/a", whole, PutCondition.IfVersion(first.Version))).IsStored);
        Assert.Equal(PutOutcome.Conflict, (await PutAsync(storage, "snapshots/a", whole, PutCondition.IfVersion(first.Version))).Outcome);
        var parts = http.Requests.Count(r => r.Contains("partNumber=", StringComparison.Ordinal));
        Assert.True((await PutAsync(storage, "snapshots/b", whole, PutCondition.Always)).IsStored);
        Assert.Equal(parts + 3, http.Requests.Count(r => r.Contains("partNumber=", StringComparison.Ordinal)));
        foreach (var name in (string[])["snapshots/a", "snapshots/b"])
        {
            await using var found = await storage.ReadAsync(new StorageKey(name), default, Token);
            Assert.True((await found!.ReadToEndAsync(Token)).Span.SequenceEqual(whole));
        }

        Assert.Contains(http.Requests, r => r.StartsWith("POST", StringComparison.Ordinal));
        using var raw = rig.Raw();
        Assert.Empty((await raw.ListMultipartUploadsAsync(new ListMultipartUploadsRequest { BucketName = S3Rig.Bucket, Prefix = rig.Prefix }, Token)).MultipartUploads ?? []);
        await rig.CleanAsync();
    }

    [Theory]
    [InlineData(HttpFault.NotSent)]
    [InlineData(HttpFault.LostAnswer)]
    [InlineData(HttpFault.ServerError)]
    public async Task An_upload_any_one_of_whose_requests_fails_is_whole_in_the_end(HttpFault fault)
    {
        var rig = await S3Rig.CreateAsync();
        var http = new FaultyHttp();
        await using var storage = rig.Connect(o => o.Through(http).PartSize = 5 << 20);
        var whole = new byte[6_000_000];
        for (var failing = 1; failing <= 4; failing++)
        {
            whole[0] = (byte)failing;
            var first = http.Count;
            http.Fault = (_, number) => number == first + failing ? fault : HttpFault.None;
            Assert.True((await PutAsync(storage, "snapshots/a", whole, PutCondition.Always)).IsStored);
            await using var found = await storage.ReadAsync(new StorageKey("snapshots/a"), default, Token);
            Assert.True((await found!.ReadToEndAsync(Token)).Span.SequenceEqual(whole));
        }

        await rig.CleanAsync();
    }

    private static Task<PutResult> PutAsync(S3Storage storage, string key, byte[] content, PutCondition condition) =>
        storage.PutAsync(new StorageKey(key), new MemoryStream(content), condition, Token).AsTask();

    internal sealed record Document(int Value);
}
