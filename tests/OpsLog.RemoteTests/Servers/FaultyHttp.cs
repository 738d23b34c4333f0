using System.Net;
using System.Text;

namespace OpsLog.RemoteTests.Servers;

/// <summary>What becomes of a request.</summary>
public enum HttpFault
{
    /// <summary>Nothing happens to it.</summary>
    None,

    /// <summary>It never arrives.</summary>
    NotSent,

    /// <summary>It is carried out, and the connection breaks before the answer.</summary>
    LostAnswer,

    /// <summary>It is carried out, and a 500 is all that comes back.</summary>
    ServerError,

    /// <summary>It is refused: slow down.</summary>
    Throttled,

    /// <summary>It is refused: another request on a condition was at the object.</summary>
    Busy,

    /// <summary>It is refused: a policy keeps the object as it is.</summary>
    Immutable,

    /// <summary>The answer's body breaks off in the middle.</summary>
    CutAnswer,
}

/// <summary>The way to a server, which fails on demand; it counts and names the requests, and keeps what was sent for tests that look for secrets.</summary>
internal sealed class FaultyHttp() : DelegatingHandler(new SocketsHttpHandler())
{
    private readonly Lock _lock = new();
    private readonly List<string> _requests = [];

    /// <summary>Decides over each request. It is called with the request and its number, from 1.</summary>
    public Func<HttpRequestMessage, int, HttpFault>? Fault { get; set; }

    /// <summary>Called behind each request that was carried out, before its answer is passed on.</summary>
    public Func<HttpRequestMessage, Task>? Behind { get; set; }

    /// <summary>Method and path of each request so far.</summary>
    public IReadOnlyList<string> Requests
    {
        get
        {
            lock (_lock) return [.. _requests];
        }
    }

    public int Count
    {
        get
        {
            lock (_lock) return _requests.Count;
        }
    }

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        int number;
        lock (_lock)
        {
            _requests.Add($"{request.Method} {request.RequestUri!.PathAndQuery}");
            number = _requests.Count;
        }

        var fault = Fault?.Invoke(request, number) ?? HttpFault.None;
        switch (fault)
        {
            case HttpFault.NotSent: throw new HttpRequestException("The connection was refused (as the test wants).");
            case HttpFault.Throttled: return Answer(HttpStatusCode.ServiceUnavailable, "SlowDown");
            case HttpFault.Busy: return Answer(HttpStatusCode.Conflict, "ConditionalRequestConflict");
            case HttpFault.Immutable: return Answer(HttpStatusCode.Conflict, "BlobImmutableDueToPolicy");
        }

        var response = await base.SendAsync(request, cancellationToken);
        if (Behind is { } behind) await behind(request);
        switch (fault)
        {
            case HttpFault.LostAnswer:
                response.Dispose();
                throw new HttpRequestException("The connection was reset (as the test wants).");
            case HttpFault.ServerError:
                response.Dispose();
                return Answer(HttpStatusCode.InternalServerError, "InternalError");
            case HttpFault.CutAnswer:
                var whole = await response.Content.ReadAsByteArrayAsync(cancellationToken);
                var cut = new CutContent(whole[..(whole.Length / 2)], whole.Length);
                foreach (var header in response.Content.Headers) cut.Headers.TryAddWithoutValidation(header.Key, header.Value);
                response.Content = cut;
                break;
        }

        return response;
    }

    private static HttpResponseMessage Answer(HttpStatusCode status, string code) => new(status)
    {
        Content = new StringContent($"<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>As the test wants.</Message></Error>", Encoding.UTF8, "application/xml"),
        Headers = { { "x-ms-error-code", code } },
    };

    /// <summary>A body that says it is longer than it is.</summary>
    private sealed class CutContent(byte[] bytes, long length) : HttpContent
    {
        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => stream.WriteAsync(bytes).AsTask();

        protected override Task<Stream> CreateContentReadStreamAsync() => Task.FromResult<Stream>(new MemoryStream(bytes));

        protected override bool TryComputeLength(out long computed)
        {
            computed = length;
            return true;
        }
    }
}
