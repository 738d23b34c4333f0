// Goal: what a bucket, prefix or key is called leads nowhere else, and no secret leaves the client. Method: hostile names and URIs; everything that fails is searched.
using Amazon.Runtime;
using OpsLog.RemoteTests.Servers;
using OpsLog.S3;
using OpsLog.Storage;
using Xunit;

namespace OpsLog.RemoteTests.S3;

public sealed class S3NameTests
{
    private const string AccessKey = "AKIATHISISTHEKEY1234";
    private const string Secret = "thisIsTheSecret/WhichNobodyMayRead+42";
    private const string Session = "thisIsTheSessionTokenWhichNobodyMayRead";

    private static readonly Secrets s_secrets = new(AccessKey, Secret, Session);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_uri_names_bucket_prefix_endpoint_and_region()
    {
        var rig = await S3Rig.CreateAsync();
        var endpoint = await TestServer.RadosGateway.RequireAsync();
        var credentials = new BasicAWSCredentials(
            await TestServer.RadosGateway.RequireAsync("OPSLOG_TEST_S3_ACCESS_KEY"), await TestServer.RadosGateway.RequireAsync("OPSLOG_TEST_S3_SECRET_KEY"));
        await using var storage = S3Storage.FromUri(
            $"s3://{S3Rig.Bucket}/{rig.Prefix}/m%C3%A4rz%20%3F?endpoint={Uri.EscapeDataString(endpoint)}&region=us-east-1", new S3StorageOptions { Credentials = credentials });
        Assert.Equal((S3Rig.Bucket, $"{rig.Prefix}/märz ?/"), (storage.Bucket, storage.Prefix));
        Assert.True((await storage.PutAsync(new StorageKey("a"), new MemoryStream([1]), PutCondition.IfAbsent, Token)).IsStored);
        using var raw = rig.Raw();
        Assert.Equal(1, (await raw.GetObjectMetadataAsync(S3Rig.Bucket, $"{rig.Prefix}/märz ?/a", Token)).ContentLength);
        await rig.CleanAsync();
    }

    [Theory]
    [InlineData("s3:/bucket")]
    [InlineData("s3://")]
    [InlineData("s3:///prefix")]
    [InlineData("https://bucket/prefix")]
    [InlineData("s3://AKIATHISISTHEKEY1234:thisIsTheSecret%2FWhichNobodyMayRead+42@bucket/prefix")]
    [InlineData("s3://bucket/prefix?secret=thisIsTheSecret/WhichNobodyMayRead+42")]
    [InlineData("s3://bucket/prefix?region=eu-west-1&region=eu-west-2")]
    [InlineData("s3://bucket/prefix?endpoint=ftp://host")]
    [InlineData("s3://bucket/prefix?endpoint=http://user:thisIsTheSecret%2FWhichNobodyMayRead+42@host")]
    [InlineData("s3://bucket/prefix?endpoint=http://host/?x=thisIsTheSecret%2FWhichNobodyMayRead+42")]
    [InlineData("s3://bucket/a/../b")]
    [InlineData("s3://bucket/a/%2e%2e/b")]
    [InlineData("s3://bucket/a//b")]
    [InlineData("s3://bucket/a%5Cb")]
    [InlineData("s3://bucket/a%00b")]
    [InlineData("s3://bucket/prefix#part")]
    public void A_uri_that_is_wrong_is_refused_and_not_repeated(string uri)
    {
        var failure = Assert.ThrowsAny<ArgumentException>(() => S3Storage.FromUri(uri));
        s_secrets.AreNotIn(failure);
    }

    [Fact]
    public async Task One_prefix_never_sees_another_that_begins_alike()
    {
        var rig = await S3Rig.CreateAsync();
        await using var storage = rig.Connect(o => o.Prefix += "/store");
        foreach (var prefix in (string[])["/store2", "/stor", "/store-", "", "/Store"])
        {
            await using var other = rig.Connect(o => o.Prefix += prefix);
            foreach (var key in (string[])["manifest.json", "x", "store2", "..storex"]) await other.PutAsync(new StorageKey(key), new MemoryStream([1]), PutCondition.Always, Token);
        }

        Assert.Empty(await storage.ListAsync(StorageKey.Root, null, Token).ToListAsync(Token));
        Assert.Null(await storage.ReadAsync(new StorageKey("manifest.json"), default, Token));
        await storage.DeleteAsync(new StorageKey("manifest.json"), Token);
        await using var root = rig.Connect();
        Assert.Equal(20, await root.ListAsync(StorageKey.Root, null, Token).CountAsync(Token));
        await rig.CleanAsync();
    }

    [Fact]
    public async Task Names_that_are_no_keys_are_not_listed_and_names_of_the_probe_cannot_be_had()
    {
        var rig = await S3Rig.CreateAsync();
        await using var storage = rig.Connect();
        using var raw = rig.Raw();
        foreach (var name in (string[])["/", "a//b", "a/", "~opslog-probe-x"])
            await raw.PutObjectAsync(new() { BucketName = S3Rig.Bucket, Key = $"{rig.Prefix}/{name}", ContentBody = "x", UseChunkEncoding = false }, Token);
        Assert.Empty(await storage.ListAsync(StorageKey.Root, null, Token).ToListAsync(Token));
        var probe = new StorageKey("~opslog-probe-x");
        Assert.Equal(
            StorageFault.BadName,
            (await Assert.ThrowsAsync<StorageException>(async () => await storage.PutAsync(probe, Stream.Null, PutCondition.Always, Token))).Fault);
        Assert.Null(await storage.ReadAsync(probe, default, Token));
        await storage.DeleteAsync(probe, Token);
        Assert.Equal(1, (await raw.GetObjectMetadataAsync(S3Rig.Bucket, $"{rig.Prefix}/~opslog-probe-x", Token)).ContentLength);
        await rig.CleanAsync();
    }

    [Fact]
    public async Task A_bucket_that_is_not_there_is_an_error_and_not_an_empty_store()
    {
        var endpoint = await TestServer.RadosGateway.RequireAsync();
        var rig = await S3Rig.CreateAsync();
        await using var known = rig.Connect();
        await using var storage = new S3Storage("no-such-bucket", new S3StorageOptions
        {
            Endpoint = endpoint,
            Credentials = new BasicAWSCredentials(
                await TestServer.RadosGateway.RequireAsync("OPSLOG_TEST_S3_ACCESS_KEY"), await TestServer.RadosGateway.RequireAsync("OPSLOG_TEST_S3_SECRET_KEY")),
        });
        foreach (var range in (ByteRange[])[ByteRange.All, new ByteRange(0, 0)])
        {
            var failure = await Assert.ThrowsAsync<StorageException>(async () => await storage.ReadAsync(new StorageKey("manifest.json"), range, Token));
            Assert.Equal(StorageFault.BadName, failure.Fault);
            Assert.Contains("NoSuchBucket", failure.Message, StringComparison.Ordinal);
        }

        await Assert.ThrowsAsync<OpsLogException>(async () => await OpsStore<S3ConditionTests.Document>.OpenAsync(storage, cancellationToken: Token));
    }

    [Fact]
    public async Task Secrets_reach_no_exception_log_or_statistics()
    {
        var endpoint = await TestServer.RadosGateway.RequireAsync();
        var log = new RecordingLog();
        var written = new StringWriter();
        foreach (var address in (string[])[endpoint, "http://127.0.0.1:9"])
        {
            await using var storage = new S3Storage(S3Rig.Bucket, new S3StorageOptions
            {
                Endpoint = address,
                Credentials = new SessionAWSCredentials(AccessKey, Secret, Session),
                RetryBudget = TimeSpan.FromMilliseconds(100),
            });
            var key = new StorageKey("manifest.json");
            foreach (var call in (Func<Task>[])[
                async () => await storage.ReadAsync(key, default, Token),
                async () => await storage.PutAsync(key, new MemoryStream([1]), PutCondition.IfAbsent, Token),
                async () => await storage.PutAsync(key, new MemoryStream([1]), PutCondition.Always, Token),
                async () => await storage.DeleteAsync(key, Token),
                async () => await storage.ListAsync(StorageKey.Root, null, Token).CountAsync(Token),
            ])
            {
                var failure = await Assert.ThrowsAsync<StorageException>(call);
                Assert.Equal(address == endpoint ? StorageFault.Denied : StorageFault.Unavailable, failure.Fault);
                s_secrets.AreNotIn(failure);
            }

            s_secrets.AreNotIn(await Assert.ThrowsAsync<OpsLogException>(async () =>
                await OpsStore<S3ConditionTests.Document>.OpenAsync(storage, new OpsStoreOptions { LoggerFactory = log }, Token)));
            await written.WriteAsync($"{storage} {storage.Bucket} {storage.Prefix}");
        }

        s_secrets.AreNotIn(log.Text + written);
    }
}
