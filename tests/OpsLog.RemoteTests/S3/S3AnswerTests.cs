// Goal: what a server answers beside the usual is taken for what it is: an error behind a 200, a call given up as it fails, credentials that cannot be had just now. Method: a
// server in memory that answers as the test wants.
using System.Net;
using Amazon.Runtime;
using OpsLog.S3;
using OpsLog.Storage;
using Xunit;

namespace OpsLog.RemoteTests.S3;

public sealed class S3AnswerTests
{
    private const int PartSize = 5 << 20;

    private static readonly StorageKey s_key = new("snapshots/x");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("InternalError", false)]
    [InlineData("InternalError", true)]
    [InlineData("SlowDown", false)]
    [InlineData("SlowDown", true)]
    public async Task An_upload_that_ends_in_an_error_behind_a_200_is_ended_again_or_found(string code, bool isDone)
    {
        using var server = new Server();
        await using var storage = Open(server);
        server.Ending = upload =>
        {
            server.Ending = null;
            if (isDone) upload();
            return code;
        };
        var result = await storage.PutAsync(s_key, new MemoryStream(new byte[(2 * PartSize) + 1]), PutCondition.Always, Token);
        Assert.True(result.IsStored);
        Assert.Equal(isDone ? 1 : 2, server.Endings);
        Assert.Equal(0, server.Aborts);
        Assert.Equal(result.Version, (await storage.ReadAsync(s_key, new Storage.ByteRange(0, 0), Token))!.Version);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_call_cancelled_as_a_failure_arrives_is_cancelled(bool reads)
    {
        using var server = new Server();
        using var source = new CancellationTokenSource();
        await using var storage = Open(server, new Failing(s_passing[2], 1) { Behind = source.Cancel });
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            if (reads) await storage.ReadAsync(s_key, Storage.ByteRange.All, source.Token);
            else await storage.PutAsync(s_key, new MemoryStream(new byte[1]), PutCondition.Always, source.Token);
        });
    }

    [Fact]
    public async Task A_read_that_was_cancelled_has_taken_nothing_of_a_stream()
    {
        const long length = (256L << 20) + (3 * PartSize); // more than comes as an array
        using var server = new Server { Generated = length };
        await using var storage = Open(server);
        await using var found = (await storage.ReadAsync(s_key, Storage.ByteRange.All, Token))!;
        var part = new byte[PartSize];
        await found.Content.ReadExactlyAsync(part, Token);
        server.Hold = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var source = new CancellationTokenSource();
        var reading = found.Content.ReadAsync(new byte[10], source.Token).AsTask();
        await source.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reading);
        server.Hold.SetResult();
        for (var i = 1; i < 4; i++)
        {
            await found.Content.ReadExactlyAsync(part, Token);
            Assert.Equal(Server.ByteAt((long)i * PartSize), part[0]);
        }
    }

    private static readonly Exception[] s_passing =
    [
        new AmazonClientException("Error calling AssumeRole for role r", new HttpRequestException("Connection refused.")),
        new AmazonClientException("Error calling AssumeRole for role r", new AmazonServiceException("busy", new IOException(), HttpStatusCode.ServiceUnavailable)),
        new AmazonServiceException("busy", null, HttpStatusCode.InternalServerError),
        new AmazonServiceException("Unable to get IAM security credentials from EC2 Instance Metadata Service."),
    ];

    private static readonly Exception[] s_lasting =
    [
        new AmazonClientException("Error calling AssumeRole for role r", new AmazonServiceException("AccessDenied", null, HttpStatusCode.Forbidden)),
        new AmazonClientException("Failed to resolve AWS credentials."),
        new AmazonServiceException("AccessDenied", null, HttpStatusCode.Forbidden),
    ];

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Credentials_that_cannot_be_had_just_now_are_asked_for_again(int failure)
    {
        using var server = new Server();
        var credentials = new Failing(s_passing[failure], 2);
        await using var storage = Open(server, credentials);
        Assert.True((await storage.PutAsync(s_key, new MemoryStream(new byte[1]), PutCondition.Always, Token)).IsStored);
        Assert.True(credentials.Asked >= 3);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Credentials_that_are_refused_are_denied_at_once(int failure)
    {
        using var server = new Server();
        var credentials = new Failing(s_lasting[failure], 2);
        await using var storage = Open(server, credentials);
        var told = await Assert.ThrowsAsync<StorageException>(async () => await storage.PutAsync(s_key, new MemoryStream(new byte[1]), PutCondition.Always, Token));
        Assert.Equal((StorageFault.Denied, false, 1), (told.Fault, told.OutcomeUnknown, credentials.Asked));
    }

    [Theory]
    [InlineData("ExpiredToken", "The credentials have expired")]
    [InlineData("TokenRefreshRequired", "The credentials have expired")]
    [InlineData("InvalidToken", "The credentials must be valid")]
    public async Task Credentials_that_the_server_no_longer_takes_are_told_as_that(string code, string advice)
    {
        using var server = new Server { Refusal = code };
        await using var storage = Open(server);
        var told = await Assert.ThrowsAsync<StorageException>(async () => await storage.ReadAsync(s_key, Storage.ByteRange.All, Token));
        Assert.Equal(StorageFault.Denied, told.Fault);
        Assert.Contains(advice, told.Message, StringComparison.Ordinal);
    }

    private static S3Storage Open(Server server, AWSCredentials? credentials = null) => new("bucket", new S3StorageOptions
    {
        Endpoint = "http://localhost",
        Credentials = credentials ?? new BasicAWSCredentials("a", "b"),
        PartSize = PartSize,
    }.Through(server));

    private sealed class Failing(Exception failure, int times) : AWSCredentials
    {
        public int Asked { get; private set; }

        /// <summary>Called before it fails.</summary>
        public Action? Behind { get; init; }

        public override ImmutableCredentials GetCredentials()
        {
            if (++Asked > times) return new ImmutableCredentials("a", "b", null);
            Behind?.Invoke();
            throw failure;
        }

        public override Task<ImmutableCredentials> GetCredentialsAsync() => Task.FromResult(GetCredentials());
    }

    private sealed class Server : MemoryS3
    {
        /// <summary>Given what ends the upload: the code of the error to answer with.</summary>
        public Func<Action, string>? Ending { get; set; }

        public int Endings { get; private set; }

        /// <summary>How long an object of made-up bytes is, in place of all others.</summary>
        public long Generated { get; init; }

        /// <summary>The code with which everything is refused as a bad request; null: nothing is.</summary>
        public string? Refusal { get; init; }

        /// <summary>What reads wait for.</summary>
        public TaskCompletionSource? Hold { get; set; }

        public static byte ByteAt(long offset) => (byte)(offset / PartSize * 7);

        protected override async Task<HttpResponseMessage> AnswerAsync(HttpRequestMessage request, int length)
        {
            if (Hold is { } hold && request.Method == HttpMethod.Get) await hold.Task;
            if (Refusal is { } code) return Error(HttpStatusCode.BadRequest, code);
            return Generated > 0 && request.Method == HttpMethod.Get ? Part(request) : await base.AnswerAsync(request, length);
        }

        protected override HttpResponseMessage Complete(HttpRequestMessage request, string name, string upload)
        {
            Endings++;
            return Ending?.Invoke(() => base.Complete(request, name, upload).Dispose()) is { } code ? Error(HttpStatusCode.OK, code) : base.Complete(request, name, upload);
        }

        private HttpResponseMessage Part(HttpRequestMessage request)
        {
            var range = request.Headers.Range!.Ranges.Single();
            var (from, to) = (range.From!.Value, Math.Min(range.To!.Value, Generated - 1));
            var bytes = new byte[to - from + 1];
            Array.Fill(bytes, ByteAt(from));
            var answer = Answer(HttpStatusCode.PartialContent, "\"tag\"", "+1");
            answer.Content = new ByteArrayContent(bytes);
            answer.Content.Headers.ContentRange = new(from, to, Generated);
            return answer;
        }
    }
}
