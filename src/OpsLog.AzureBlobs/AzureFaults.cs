using Azure;
using Azure.Storage.Blobs.Models;
using OpsLog.Storage;

namespace OpsLog.AzureBlobs;

/// <summary>What the client library's exceptions mean; the only place that knows.</summary>
internal static class AzureFaults
{
    /// <summary>There is no such blob.</summary>
    public static bool IsAbsent(Exception e) => e is RequestFailedException { Status: 404 } failure && !Is(failure, BlobErrorCode.ContainerNotFound);

    /// <summary>A condition was checked and did not hold. The status also says that a lease is in the way, which is none of the caller's races.</summary>
    public static bool IsNotMet(Exception e) => e is RequestFailedException { Status: 412 } failure && !IsLeased(failure);

    /// <summary>The condition of a put of that kind was checked and did not hold.</summary>
    public static bool IsRefused(Exception e, PutConditionKind kind) =>
        IsNotMet(e)
        || (e is RequestFailedException { Status: 409 } failure && Is(failure, BlobErrorCode.BlobAlreadyExists))
        || (kind == PutConditionKind.IfVersion && IsAbsent(e));

    /// <summary>The range lies behind the blob's end.</summary>
    public static bool IsBehindEnd(Exception e) => e is RequestFailedException { Status: 416 };

    /// <summary>The blob is of another type than the operation is for.</summary>
    public static bool IsOtherType(Exception e) => e is RequestFailedException failure && Is(failure, BlobErrorCode.InvalidBlobType);

    /// <summary>The blob takes no more blocks.</summary>
    public static bool IsFull(Exception e) =>
        e is RequestFailedException { Status: 409 } failure && (Is(failure, "BlockCountExceedsLimit") || Is(failure, "MaxBlobSizeConditionNotMet"));

    /// <summary>What a failure means; null: it is none of the storage's.</summary>
    public static CallFailure? Of(Exception e) => e switch
    {
        StorageException => null, // our own, already said
        RequestFailedException { Status: not 0 } failure => OfAnswer(failure),
        RequestFailedException failure => Unanswered(failure.InnerException is HttpRequestException or IOException ? failure.InnerException : null),
        TimeoutException or HttpRequestException or IOException => Unanswered(e),
        System.Xml.XmlException => Unanswered(null), // an error that the client library could not read: a gateway's
        AggregateException all => Unanswered(all.InnerExceptions[0] is HttpRequestException or IOException ? all.InnerExceptions[0] : null),
        _ when e.GetType().Namespace?.StartsWith("Azure", StringComparison.Ordinal) == true =>
            new CallFailure(e.InnerException is { } cause && MayPass(cause) ? StorageFault.Unavailable : StorageFault.Denied, $"the credential gave no token ({e.GetType().Name})."),
        _ => null,
    };

    // What gives out tokens did not answer, or not now. What refuses them, or has none, stays as it is.
    private static bool MayPass(Exception e) => e switch
    {
        HttpRequestException or IOException or TimeoutException or OperationCanceledException => true,
        RequestFailedException failure => failure.Status is 0 or 408 or 429 or >= 500,
        _ => e.InnerException is { } cause && MayPass(cause),
    };

    private static CallFailure Unanswered(Exception? cause) =>
        new(StorageFault.Unavailable, $"the server did not answer{(cause is null ? "" : $" ({cause.Message})")}.") { IsOutcomeUnknown = true, Cause = cause };

    private static CallFailure OfAnswer(RequestFailedException e)
    {
        var answer = $"the server answered {e.Status} {e.ErrorCode}";
        if (Is(e, BlobErrorCode.ContainerNotFound)) return new CallFailure(StorageFault.BadName, $"{answer}. Make the container first, or correct its name.");
        if (IsFull(e)) return new CallFailure(StorageFault.Full, $"{answer}: the blob takes no more blocks. A checkpoint begins another log.");
        if (e.Status == 507 || Is(e, BlobErrorCode.InsufficientAccountPermissions)) return new CallFailure(StorageFault.Denied, $"{answer}.");
        if (e.Status is 429 || Is(e, BlobErrorCode.ServerBusy)) return new CallFailure(StorageFault.Throttled, $"{answer}: too many requests.");
        if (e.Status == 503) return new CallFailure(StorageFault.Throttled, $"{answer}.") { IsOutcomeUnknown = true }; // perhaps a proxy's
        if (e.Status == 408 || e.Status >= 500) return new CallFailure(StorageFault.Unavailable, $"{answer}.") { IsOutcomeUnknown = true };
        if (IsOtherType(e)) return new CallFailure(StorageFault.BadName, $"{answer}. A blob of another type has the name; delete it first.");
        if (IsLeased(e)) return new CallFailure(StorageFault.Denied, $"{answer}: somebody holds a lease of the blob. Break the lease, and keep others from taking one.");
        if (e.ErrorCode?.StartsWith("BlobImmutable", StringComparison.Ordinal) == true)
            return new CallFailure(StorageFault.Denied, $"{answer}: a policy or a legal hold keeps the blob as it is. Lift it, or use a container without one.");
        if (e.Status == 409) return new CallFailure(StorageFault.Unavailable, $"{answer}: another request was at the same blob."); // nothing was done
        if (Is(e, BlobErrorCode.InvalidResourceName) || Is(e, BlobErrorCode.InvalidUri)) return new CallFailure(StorageFault.BadName, $"{answer}: the name cannot be used.");
        if (e.Status == 403 && Is(e, BlobErrorCode.AuthenticationFailed))
            return new CallFailure(StorageFault.Denied, $"{answer}. The key, signature or token must be the account's and not have expired, and this machine's clock must be right.");
        return new CallFailure(StorageFault.Denied, e.Status is 401 or 403
            ? $"{answer}. The credential must be valid and allow reading, writing, deleting and listing blobs (role 'Storage Blob Data Contributor')."
            : $"{answer}.");
    }

    private static bool IsLeased(RequestFailedException e) => e.Status is 409 or 412 && e.ErrorCode?.StartsWith("Lease", StringComparison.Ordinal) == true;

    private static bool Is(RequestFailedException e, BlobErrorCode code) => Is(e, code.ToString());

    private static bool Is(RequestFailedException e, string code) => string.Equals(e.ErrorCode, code, StringComparison.Ordinal);
}
