using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;
using OpsLog.RemoteTests.Servers;
using OpsLog.S3;

namespace OpsLog.RemoteTests.S3;

/// <summary>A prefix of its own in a bucket on the real server.</summary>
internal sealed class S3Rig
{
    public const string Bucket = "opslog-tests";

    private static readonly Lazy<Task<string>> s_bucket = new(() => Task.Run(MakeBucketAsync));
    private static int s_rigs;

    private readonly string _endpoint;
    private readonly AWSCredentials _credentials;

    private S3Rig(string endpoint, AWSCredentials credentials, string prefix) => (_endpoint, _credentials, Prefix) = (endpoint, credentials, prefix);

    public string Prefix { get; }

    public static async Task<S3Rig> CreateAsync()
    {
        var endpoint = await TestServer.RadosGateway.RequireAsync();
        await s_bucket.Value;
        return new S3Rig(endpoint, await CredentialsAsync(), $"run-{Environment.ProcessId}/{Interlocked.Increment(ref s_rigs)}");
    }

    /// <summary>A client of its own of the same objects.</summary>
    public S3Storage Connect(Action<S3StorageOptions>? change = null)
    {
        var options = new S3StorageOptions { Prefix = Prefix, Endpoint = _endpoint, Credentials = _credentials };
        change?.Invoke(options);
        return new S3Storage(Bucket, options);
    }

    /// <summary>The library's client, to see what is really there.</summary>
    public AmazonS3Client Raw() => RawClient(_endpoint, _credentials);

    public async Task CleanAsync()
    {
        using var client = Raw();
        await foreach (var entry in client.Paginators.ListObjectsV2(new ListObjectsV2Request { BucketName = Bucket, Prefix = Prefix + "/" }).S3Objects)
            await client.DeleteObjectAsync(Bucket, entry.Key);
    }

    private static async Task<AWSCredentials> CredentialsAsync() => new BasicAWSCredentials(
        await TestServer.RadosGateway.RequireAsync("OPSLOG_TEST_S3_ACCESS_KEY"), await TestServer.RadosGateway.RequireAsync("OPSLOG_TEST_S3_SECRET_KEY"));

    private static async Task<string> MakeBucketAsync()
    {
        using var client = RawClient(await TestServer.RadosGateway.RequireAsync(), await CredentialsAsync());
        await client.PutBucketAsync(Bucket);
        return Bucket;
    }

    private static AmazonS3Client RawClient(string endpoint, AWSCredentials credentials) => new(credentials, new AmazonS3Config
    {
        ServiceURL = endpoint,
        ForcePathStyle = true,
        AuthenticationRegion = "us-east-1",
        RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
        ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,
    });
}
