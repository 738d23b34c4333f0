// Goal: a request has time for what it carries. Method: a server in memory that honours conditions of simple puts only, so that large objects go in one request, and takes a while by a clock of the test's.
using System.Collections.Concurrent;
using System.Net;
using System.Text;
using Amazon.Runtime;
using Microsoft.Extensions.Time.Testing;
using OpsLog.S3;
using OpsLog.Storage;
using Xunit;

namespace OpsLog.RemoteTests.S3;

public sealed class S3TimeTests
{
    private const int Large = 12 << 20;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_large_object_in_one_request_has_more_time_than_a_small_one()
    {
        var time = new FakeTimeProvider();
        using var server = new SlowServer(time);
        var options = new S3StorageOptions
        {
            Endpoint = "http://localhost",
            Credentials = new BasicAWSCredentials("a", "b"),
            TimeProvider = time,
            RetryBudget = TimeSpan.Zero,
        }.Through(server);
        TimeSpan? ofClient = null;
        options.ConfigureClient += config => ofClient = config.Timeout;
        await using var storage = new S3Storage("bucket", options);
        Assert.Equal(Timeout.InfiniteTimeSpan, ofClient); // it is one for all requests
        Assert.True((await PutAsync(storage, "small", 1)).IsStored);
        server.Delay = options.RequestTimeout + TimeSpan.FromSeconds(11);
        Assert.True((await PutAsync(storage, "snapshots/large", Large)).IsStored);
        Assert.Equal(Large, server.Longest); // one request
        var failure = await Assert.ThrowsAsync<StorageException>(() => PutAsync(storage, "small2", 1 << 10));
        Assert.Equal(StorageFault.Unavailable, failure.Fault);
        server.Delay = options.RequestTimeout + TimeSpan.FromSeconds(13);
        await Assert.ThrowsAsync<StorageException>(() => PutAsync(storage, "snapshots/larger", Large));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_request_without_an_answer_is_sent_again_though_its_time_is_longer_than_the_budget(bool isLost)
    {
        var time = new FakeTimeProvider();
        using var server = new SlowServer(time);
        var options = new S3StorageOptions { Endpoint = "http://localhost", Credentials = new BasicAWSCredentials("a", "b"), TimeProvider = new WithoutPauses(time) }.Through(server);
        Assert.True(options.RequestTimeout > options.RetryBudget);
        await using var storage = new S3Storage("bucket", options);
        Assert.True((await PutAsync(storage, "small", 1)).IsStored);
        server.Delay = options.RequestTimeout + TimeSpan.FromSeconds(1);
        server.Slow = isLost ? int.MaxValue : 1;
        if (isLost) Assert.True((await Assert.ThrowsAsync<StorageException>(() => PutAsync(storage, "small2", 2))).OutcomeUnknown);
        else Assert.True((await PutAsync(storage, "small2", 2)).IsStored);
        Assert.Equal(2, server.Puts);
    }

    private static Task<PutResult> PutAsync(S3Storage storage, string key, int length) =>
        storage.PutAsync(new StorageKey(key), new MemoryStream(new byte[length]), PutCondition.IfAbsent, Token).AsTask();

    /// <summary>A clock by which pauses between attempts are over at once.</summary>
    private sealed class WithoutPauses(FakeTimeProvider time) : TimeProvider
    {
        private static readonly TimeSpan s_longestPause = TimeSpan.FromSeconds(5);

        public override long GetTimestamp() => time.GetTimestamp();

        public override long TimestampFrequency => time.TimestampFrequency;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            dueTime <= s_longestPause ? System.CreateTimer(callback, state, TimeSpan.Zero, period) : time.CreateTimer(callback, state, dueTime, period);
    }

    private sealed class SlowServer(FakeTimeProvider time) : HttpMessageHandler
    {
        private readonly ConcurrentDictionary<string, (byte[] Bytes, string Tag, string? Marks)> _objects = new(StringComparer.Ordinal);
        private int _tags;

        /// <summary>How long a put of more than a byte takes.</summary>
        public TimeSpan Delay { get; set; }

        /// <summary>How many puts take that long.</summary>
        public int Slow { get; set; } = int.MaxValue;

        /// <summary>How many puts of more than a byte there were.</summary>
        public int Puts { get; private set; }

        public int Longest { get; private set; }

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var name = request.RequestUri!.AbsolutePath;
            var bytes = request.Content is null ? [] : await request.Content.ReadAsByteArrayAsync(cancellationToken);
            var answer = request.RequestUri.Query.Length > 0 ? OfUpload(request, name) : request.Method.Method switch
            {
                "PUT" => Put(request, name, bytes, cancellationToken),
                "DELETE" => Answer(_objects.TryRemove(name, out _) ? HttpStatusCode.NoContent : HttpStatusCode.NotFound),
                _ => _objects.TryGetValue(name, out var found) ? Answer(HttpStatusCode.OK, found.Tag, found.Marks) : Answer(HttpStatusCode.NotFound),
            };
            answer.RequestMessage = request;
            return answer;
        }

        private HttpResponseMessage Put(HttpRequestMessage request, string name, byte[] bytes, CancellationToken ct)
        {
            if (bytes.Length > 1 && ++Puts <= Slow) time.Advance(Delay);
            ct.ThrowIfCancellationRequested();
            var isThere = _objects.TryGetValue(name, out var now);
            if (isThere && request.Headers.Contains("If-None-Match")) return Answer(HttpStatusCode.PreconditionFailed);
            if (request.Headers.TryGetValues("If-Match", out var match) && match.Single() != now.Tag) return Answer(HttpStatusCode.PreconditionFailed);
            Longest = Math.Max(Longest, bytes.Length);
            var tag = $"\"{Interlocked.Increment(ref _tags):x32}\"";
            _objects[name] = (bytes, tag, request.Headers.TryGetValues("x-amz-meta-opslogputs", out var marks) ? marks.Single() : null);
            return Answer(HttpStatusCode.OK, tag);
        }

        // Conditions are not looked at.
        private HttpResponseMessage OfUpload(HttpRequestMessage request, string name)
        {
            var answer = Answer(HttpStatusCode.OK, "\"0\"");
            if (request.Method == HttpMethod.Post)
            {
                var isBegun = request.RequestUri!.Query.StartsWith("?uploads", StringComparison.Ordinal);
                answer.Content = new StringContent(isBegun
                    ? "<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>"
                    : "<CompleteMultipartUploadResult><ETag>\"0\"</ETag></CompleteMultipartUploadResult>", Encoding.UTF8, "application/xml");
                if (!isBegun) _objects[name] = ([], "\"0\"", null);
            }

            return answer;
        }

        private static HttpResponseMessage Answer(HttpStatusCode status, string? tag = null, string? marks = null)
        {
            var answer = new HttpResponseMessage(status) { Content = new ByteArrayContent([]) };
            if (tag is not null) answer.Headers.TryAddWithoutValidation("ETag", tag);
            if (marks is not null) answer.Headers.TryAddWithoutValidation("x-amz-meta-opslogputs", marks);
            return answer;
        }
    }
}
