using System.Collections.Concurrent;
using System.Net;
using System.Text;

namespace OpsLog.RemoteTests.S3;

/// <summary>A server in memory: objects without their bytes, which honours conditions, and uploads in parts.</summary>
internal class MemoryS3 : HttpMessageHandler
{
    private const string MarksHeader = "x-amz-meta-opslogputs";

    private readonly ConcurrentDictionary<string, (string Tag, string? Marks)> _objects = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, string?> _uploads = new(StringComparer.Ordinal);
    private int _tags;

    /// <summary>Whether an upload that is gone and does not meet its condition is told the condition.</summary>
    public bool LooksAtConditionsFirst { get; init; }

    /// <summary>How many uploads were given up.</summary>
    public int Aborts { get; private set; }

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var length = request.Content is null ? 0 : (await request.Content.ReadAsByteArrayAsync(cancellationToken)).Length;
        var answer = await AnswerAsync(request, length);
        answer.RequestMessage = request;
        return answer;
    }

    /// <summary>Carries a request out.</summary>
    /// <param name="request">The request.</param>
    /// <param name="length">The length of its content.</param>
    protected virtual Task<HttpResponseMessage> AnswerAsync(HttpRequestMessage request, int length) => Task.FromResult(CarryOut(request, length));

    /// <summary>Ends an upload.</summary>
    protected virtual HttpResponseMessage Complete(HttpRequestMessage request, string name, string upload)
    {
        if (LooksAtConditionsFirst && IsRefused(request, name)) return Answer(HttpStatusCode.PreconditionFailed);
        if (!_uploads.ContainsKey(upload)) return Error(HttpStatusCode.NotFound, "NoSuchUpload");
        if (IsRefused(request, name)) return Answer(HttpStatusCode.PreconditionFailed);
        _uploads.TryRemove(upload, out var marks);
        return Xml(HttpStatusCode.OK, $"<CompleteMultipartUploadResult><ETag>{Store(name, marks, 0)}</ETag></CompleteMultipartUploadResult>");
    }

    protected static HttpResponseMessage Error(HttpStatusCode status, string code) => Xml(status, $"<Error><Code>{code}</Code><Message>As the test wants.</Message></Error>");

    protected static HttpResponseMessage Answer(HttpStatusCode status, string? tag = null, string? marks = null)
    {
        var answer = new HttpResponseMessage(status) { Content = new ByteArrayContent([]) };
        if (tag is not null) answer.Headers.TryAddWithoutValidation("ETag", tag);
        if (marks is not null) answer.Headers.TryAddWithoutValidation(MarksHeader, marks);
        return answer;
    }

    private HttpResponseMessage CarryOut(HttpRequestMessage request, int length)
    {
        var (name, query) = (request.RequestUri!.AbsolutePath, request.RequestUri.Query);
        switch (request.Method.Method)
        {
            case "PUT" when query.Length > 0: return Answer(HttpStatusCode.OK, "\"part\"");
            case "PUT": return IsRefused(request, name) ? Answer(HttpStatusCode.PreconditionFailed) : Answer(HttpStatusCode.OK, Store(name, Marks(request), length));
            case "POST" when query.StartsWith("?uploads", StringComparison.Ordinal):
                var upload = $"u{Interlocked.Increment(ref _tags)}";
                _uploads[upload] = Marks(request);
                return Xml(HttpStatusCode.OK, $"<InitiateMultipartUploadResult><UploadId>{upload}</UploadId></InitiateMultipartUploadResult>");
            case "POST": return Complete(request, name, query["?uploadId=".Length..]);
            case "DELETE":
                if (query.Length > 0) Aborts++;
                else _objects.TryRemove(name, out _);
                return Answer(HttpStatusCode.NoContent);
            default:
                return _objects.TryGetValue(name, out var found) ? Answer(HttpStatusCode.OK, found.Tag, found.Marks) : Answer(HttpStatusCode.NotFound);
        }
    }

    private bool IsRefused(HttpRequestMessage request, string name)
    {
        var isThere = _objects.TryGetValue(name, out var now);
        return (isThere && request.Headers.Contains("If-None-Match")) || (request.Headers.TryGetValues("If-Match", out var match) && match.Single() != now.Tag);
    }

    // The probe's objects have tags of their contents; all others have another each time.
    private string Store(string name, string? marks, int length)
    {
        var tag = name.Contains("probe", StringComparison.Ordinal) ? $"\"{length:x32}\"" : $"\"{Interlocked.Increment(ref _tags):x32}\"";
        _objects[name] = (tag, marks);
        return tag;
    }

    private static string? Marks(HttpRequestMessage request) => request.Headers.TryGetValues(MarksHeader, out var marks) ? marks.Single() : null;

    private static HttpResponseMessage Xml(HttpStatusCode status, string text) => new(status) { Content = new StringContent(text, Encoding.UTF8, "application/xml") };
}
