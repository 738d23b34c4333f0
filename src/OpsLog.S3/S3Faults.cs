using System.Net;
using Amazon.Runtime;
using Amazon.S3;
using OpsLog.Storage;

namespace OpsLog.S3;

/// <summary>What the client library's exceptions mean; the only place that knows.</summary>
internal static class S3Faults
{
    /// <summary>There is no such object (or upload).</summary>
    public static bool IsAbsent(Exception e) =>
        e is AmazonS3Exception { StatusCode: HttpStatusCode.NotFound } s3 && !Is(s3, "NoSuchBucket");

    /// <summary>The multipart upload is not there (any more).</summary>
    public static bool IsUploadGone(AmazonS3Exception e) => Is(e, "NoSuchUpload");

    /// <summary>The condition was checked and did not hold.</summary>
    public static bool IsRefused(Exception e) => e is AmazonS3Exception s3 && (s3.StatusCode == HttpStatusCode.PreconditionFailed || Is(s3, "PreconditionFailed"));

    /// <summary>The condition of a put of that kind was checked and did not hold.</summary>
    public static bool IsRefused(Exception e, PutConditionKind kind) =>
        IsRefused(e) || (kind == PutConditionKind.IfVersion && IsAbsent(e) && !IsUploadGone((AmazonS3Exception)e));

    /// <summary>The range lies behind the object's end.</summary>
    public static bool IsBehindEnd(Exception e) => e is AmazonS3Exception { StatusCode: HttpStatusCode.RequestedRangeNotSatisfiable };

    /// <summary>What a failure means; null: it is none of the storage's.</summary>
    public static CallFailure? Of(Exception e) => e switch
    {
        StorageException => null, // our own, already said
        AmazonS3Exception s3 when (int)s3.StatusCode != 0 => OfAnswer(s3),
        AmazonServiceException { StatusCode: var status } service when (int)status is >= 400 =>
            new CallFailure(MayPass(service) ? StorageFault.Unavailable : StorageFault.Denied, $"the credentials' own service answered {(int)status} {service.ErrorCode}."),
        TimeoutException or HttpRequestException or IOException => Unanswered(e),
        AmazonServiceException service => Unanswered(service.InnerException is HttpRequestException or IOException or TimeoutException ? service.InnerException : null),
        AmazonClientException { InnerException: { } cause } when MayPass(cause) =>
            new CallFailure(StorageFault.Unavailable, $"the credentials could not be had ({cause.Message}).") { Cause = cause },
        AmazonClientException => new CallFailure(
            StorageFault.Denied,
            "the client found no way to ask: no credentials, or no region. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or a profile, or a role) and AWS_REGION."),
        _ => null,
    };

    // What gives out credentials did not answer, or not now. What refuses them, or has none, stays as it is.
    private static bool MayPass(Exception e) => e switch
    {
        HttpRequestException or IOException or TimeoutException or OperationCanceledException => true,
        AmazonServiceException service when (int)service.StatusCode is >= 500 or 429 or 408 => true,
        _ => e.InnerException is { } cause && MayPass(cause),
    };

    private static CallFailure Unanswered(Exception? cause) =>
        new(StorageFault.Unavailable, $"the server did not answer{(cause is null ? "" : $" ({cause.Message})")}.") { IsOutcomeUnknown = true, Cause = cause };

    private static CallFailure OfAnswer(AmazonS3Exception e)
    {
        var status = (int)e.StatusCode;
        var answer = $"the server answered {status} {e.ErrorCode}{(string.IsNullOrEmpty(e.RequestId) ? "" : $" (request {e.RequestId})")}";
        // What begins as a success and is none (the end of an upload): it may have been done, and is to be asked for again.
        if (status < 300) return new CallFailure(Is(e, "SlowDown") ? StorageFault.Throttled : StorageFault.Unavailable, $"{answer} behind its beginning.") { IsOutcomeUnknown = true };
        if (Is(e, "NoSuchBucket")) return new CallFailure(StorageFault.BadName, $"{answer}. Make the bucket first, or correct its name.");
        if (Is(e, "QuotaExceeded") || status == 507) return new CallFailure(StorageFault.Full, $"{answer}. Make room, or have the quota raised.");
        if (status == 429 || Is(e, "SlowDown") || Is(e, "RequestLimitExceeded") || Is(e, "Throttling"))
            return new CallFailure(StorageFault.Throttled, $"{answer}: too many requests.");
        if (status == 409) return new CallFailure(StorageFault.Unavailable, $"{answer}: another request was at the same object."); // nothing was done
        if (Is(e, "RequestTimeout") || Is(e, "IncompleteBody")) return new CallFailure(StorageFault.Unavailable, $"{answer}: the request arrived incompletely.");
        // Perhaps an earlier sending of the same request, by what carries requests, has ended it.
        if (IsUploadGone(e)) return new CallFailure(StorageFault.Denied, $"{answer}. Something else ended the upload: a lifecycle rule?") { IsOutcomeUnknown = true };
        if (status == 503) return new CallFailure(StorageFault.Throttled, $"{answer}.") { IsOutcomeUnknown = true }; // perhaps a proxy's
        if (status >= 500) return new CallFailure(StorageFault.Unavailable, $"{answer}.") { IsOutcomeUnknown = true };
        if (Is(e, "KeyTooLongError") || Is(e, "InvalidURI")) return new CallFailure(StorageFault.BadName, $"{answer}: the name cannot be used.");
        if (status is 301 or 307 || Is(e, "AuthorizationHeaderMalformed")) return new CallFailure(StorageFault.Denied, $"{answer}. The bucket is in another region: give it as 'region'.");
        if (Is(e, "RequestTimeTooSkewed")) return new CallFailure(StorageFault.Denied, $"{answer}. Set this machine's clock.");
        if (Is(e, "ExpiredToken") || Is(e, "TokenRefreshRequired")) return new CallFailure(StorageFault.Denied, $"{answer}. The credentials have expired: get new ones.");
        return new CallFailure(StorageFault.Denied, status is 401 or 403 || Is(e, "InvalidToken")
            ? $"{answer}. The credentials must be valid and allow s3:GetObject, s3:PutObject, s3:DeleteObject, s3:AbortMultipartUpload on the objects and s3:ListBucket on the bucket."
            : $"{answer}.");
    }

    private static bool Is(AmazonS3Exception e, string code) => string.Equals(e.ErrorCode, code, StringComparison.Ordinal);
}
