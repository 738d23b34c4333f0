// Goal: a put that HTTP handlers or proxies have sent again, unseen, ends as what it was. Method: a server in memory that honours conditions, carries out every put twice and gives
// the second answer.
using System.Collections.Concurrent;
using System.Net;
using Azure.Core.Pipeline;
using OpsLog.AzureBlobs;
using OpsLog.RemoteTests.Servers;
using OpsLog.Storage;
using Xunit;

namespace OpsLog.RemoteTests.Azure;

public sealed class AzureRepeatTests
{
    private const int PartSize = 64 << 10;

    private static readonly StorageKey s_key = new("ops/x");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(0)] // an append blob
    [InlineData(1)]
    [InlineData(PartSize + 1)] // blocks
    public async Task A_put_that_was_sent_twice_is_stored_and_one_that_lost_the_race_is_a_conflict(int length)
    {
        using var server = new Server();
        await using var storage = Open(server);
        await using var other = Open(server);
        server.Repeats = true;
        var first = await PutAsync(storage, length, PutCondition.IfAbsent);
        Assert.Equal(PutOutcome.Stored, first.Outcome);
        var second = await PutAsync(storage, length, PutCondition.IfVersion(first.Version));
        Assert.Equal(PutOutcome.Stored, second.Outcome);
        Assert.Equal(second.Version, (await other.ReadAsync(s_key, new ByteRange(0, 0), Token))!.Version);
        Assert.True((await PutAsync(other, length, PutCondition.IfVersion(second.Version))).IsStored);
        server.Repeats = false;
        foreach (var condition in (PutCondition[])[PutCondition.IfAbsent, PutCondition.IfVersion(second.Version)])
            Assert.Equal(PutOutcome.Conflict, (await PutAsync(storage, length, condition)).Outcome);
        server.FailsLooks = true;
        var failure = await Assert.ThrowsAsync<StorageException>(() => PutAsync(storage, length, PutCondition.IfAbsent));
        Assert.Equal((StorageFault.Unavailable, true), (failure.Fault, failure.OutcomeUnknown));
    }

    private static Task<PutResult> PutAsync(AzureBlobStorage storage, int length, PutCondition condition) =>
        storage.PutAsync(s_key, new MemoryStream(new byte[length]), condition, Token).AsTask();

    private static AzureBlobStorage Open(Server server) => new("container", new AzureBlobStorageOptions
    {
        ConnectionString = $"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey={AzureRig.PublishedKey};BlobEndpoint=http://localhost/devstoreaccount1;",
        ConfigureClient = client => client.Transport = new HttpClientTransport(new HttpClient(server, disposeHandler: false)),
        PartSize = PartSize,
        RetryBudget = TimeSpan.Zero,
    });

    private sealed class Server : HttpMessageHandler
    {
        private readonly ConcurrentDictionary<string, (string Tag, string Type, string? Marks)> _blobs = new(StringComparer.Ordinal);
        private int _tags;

        /// <summary>Whether every put is carried out twice.</summary>
        public bool Repeats { get; set; }

        /// <summary>Whether looks at blobs break off.</summary>
        public bool FailsLooks { get; set; }

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            if (request.Content is not null) await request.Content.ReadAsByteArrayAsync(cancellationToken);
            if (FailsLooks && request.Method == HttpMethod.Head) throw new HttpRequestException("The connection was reset (as the test wants).");
            var answer = CarryOut(request);
            if (Repeats && request.Method == HttpMethod.Put)
            {
                answer.Dispose();
                answer = CarryOut(request);
            }

            answer.RequestMessage = request;
            return answer;
        }

        private HttpResponseMessage CarryOut(HttpRequestMessage request)
        {
            var (name, query) = (request.RequestUri!.AbsolutePath, request.RequestUri.Query);
            var isThere = _blobs.TryGetValue(name, out var now);
            if (request.Method == HttpMethod.Head) return isThere ? Answer(HttpStatusCode.OK, now) : Refuse(HttpStatusCode.NotFound, "BlobNotFound");
            if (query.Contains("comp=block&", StringComparison.Ordinal)) return new HttpResponseMessage(HttpStatusCode.Created) { Content = new ByteArrayContent([]) };
            if (isThere && request.Headers.Contains("If-None-Match")) return Refuse(HttpStatusCode.Conflict, "BlobAlreadyExists");
            if (request.Headers.TryGetValues("If-Match", out var match) && match.Single().Trim('"') != now.Tag?.Trim('"')) return Refuse(HttpStatusCode.PreconditionFailed, "ConditionNotMet");
            var type = request.Headers.TryGetValues("x-ms-blob-type", out var types) ? types.Single() : "BlockBlob";
            var marks = request.Headers.TryGetValues("x-ms-meta-opslogputs", out var sent) ? sent.Single() : null;
            return Answer(HttpStatusCode.Created, _blobs[name] = ($"\"0x{Interlocked.Increment(ref _tags):X}\"", type, marks));
        }

        private static HttpResponseMessage Answer(HttpStatusCode status, (string Tag, string Type, string? Marks) blob)
        {
            var answer = new HttpResponseMessage(status) { Content = new ByteArrayContent([]), Headers = { { "ETag", blob.Tag }, { "x-ms-blob-type", blob.Type }, { "x-ms-meta-opslogputs", blob.Marks } } };
            answer.Content.Headers.LastModified = DateTimeOffset.UnixEpoch;
            return answer;
        }

        private static HttpResponseMessage Refuse(HttpStatusCode status, string code) => new(status) { Content = new ByteArrayContent([]), Headers = { { "x-ms-error-code", code } } };
    }
}
