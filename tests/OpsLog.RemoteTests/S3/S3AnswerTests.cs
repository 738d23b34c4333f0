// Goal: what a server answers beside the usual is taken for what it is: an error behind a 200, a call given up as it fails, credentials that cannot be had just now. Method: a
// server in memory that answers as the test wants.
using System.Collections.Concurrent;
using System.Net;
using System.Text;
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

    private sealed class Server : HttpMessageHandler
    {
        private readonly ConcurrentDictionary<string, string?> _objects = new(StringComparer.Ordinal);
        private string? _marks;

        /// <summary>Given what ends the upload: the code of the error to answer with.</summary>
        public Func<Action, string>? Ending { get; set; }

        public int Endings { get; private set; }

        public int Aborts { get; private set; }

        /// <summary>How long an object of made-up bytes is, in place of all others.</summary>
        public long Generated { get; init; }

        /// <summary>The code with which everything is refused as a bad request; null: nothing is.</summary>
        public string? Refusal { get; init; }

        /// <summary>What reads wait for.</summary>
        public TaskCompletionSource? Hold { get; set; }

        public static byte ByteAt(long offset) => (byte)(offset / PartSize * 7);

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            if (request.Content is not null) await request.Content.ReadAsByteArrayAsync(cancellationToken);
            var name = request.RequestUri!.AbsolutePath;
            if (Hold is { } hold && request.Method == HttpMethod.Get) await hold.Task;
            var answer = (request.Method.Method, request.RequestUri.Query.Length > 0) switch
            {
                _ when Refusal is { } code => Xml($"<Error><Code>{code}</Code><Message>As the test wants.</Message></Error>", HttpStatusCode.BadRequest),
                ("POST", _) => Post(request, name),
                ("DELETE", true) => Abort(),
                ("PUT", true) => Answer("\"part\""),
                ("PUT", false) => Put(request, name),
                ("GET", false) when Generated > 0 => Part(request),
                _ => _objects.TryGetValue(name, out var marks) ? Answer("\"tag\"", marks) : new HttpResponseMessage(HttpStatusCode.NotFound) { Content = new ByteArrayContent([]) },
            };
            answer.RequestMessage = request;
            return answer;
        }

        private HttpResponseMessage Put(HttpRequestMessage request, string name)
        {
            _objects[name] = Marks(request);
            return Answer("\"tag\"");
        }

        private HttpResponseMessage Post(HttpRequestMessage request, string name)
        {
            if (request.RequestUri!.Query.StartsWith("?uploads", StringComparison.Ordinal))
            {
                _marks = Marks(request);
                return Xml("<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>");
            }

            Endings++;
            if (Ending?.Invoke(() => _objects[name] = _marks) is { } code) return Xml($"<Error><Code>{code}</Code><Message>As the test wants.</Message></Error>");
            _objects[name] = _marks;
            return Xml("<CompleteMultipartUploadResult><ETag>\"tag\"</ETag></CompleteMultipartUploadResult>");
        }

        private HttpResponseMessage Abort()
        {
            Aborts++;
            return new HttpResponseMessage(HttpStatusCode.NoContent);
        }

        private HttpResponseMessage Part(HttpRequestMessage request)
        {
            var range = request.Headers.Range!.Ranges.Single();
            var (from, to) = (range.From!.Value, Math.Min(range.To!.Value, Generated - 1));
            var bytes = new byte[to - from + 1];
            Array.Fill(bytes, ByteAt(from));
            var answer = Answer("\"tag\"", "+1");
            answer.StatusCode = HttpStatusCode.PartialContent;
            answer.Content = new ByteArrayContent(bytes);
            answer.Content.Headers.ContentRange = new(from, to, Generated);
            return answer;
        }

        private static string? Marks(HttpRequestMessage request) => request.Headers.TryGetValues("x-amz-meta-opslogputs", out var marks) ? marks.Single() : null;

        private static HttpResponseMessage Xml(string text, HttpStatusCode status = HttpStatusCode.OK) => new(status) { Content = new StringContent(text, Encoding.UTF8, "application/xml") };

        private static HttpResponseMessage Answer(string tag, string? marks = null)
        {
            var answer = new HttpResponseMessage(HttpStatusCode.OK) { Content = new ByteArrayContent([]) };
            answer.Headers.TryAddWithoutValidation("ETag", tag);
            if (marks is not null) answer.Headers.TryAddWithoutValidation("x-amz-meta-opslogputs", marks);
            return answer;
        }
    }
}
