namespace OpsLog.Storage;

/// <summary>What a failed request means. Made from the client library's exception; what the server said stays out, for it may quote what was sent.</summary>
/// <param name="Fault">What the caller can do.</param>
/// <param name="Reason">Status and code, in words.</param>
internal sealed record CallFailure(StorageFault Fault, string Reason)
{
    /// <summary>Whether the server may have done what was asked.</summary>
    public bool IsOutcomeUnknown { get; init; }

    /// <summary>The cause, where it is not something the server said.</summary>
    public Exception? Cause { get; init; }

    /// <summary>Whether to send the request again. Denied, full and bad names stay as they are.</summary>
    public bool IsTransient => Fault is StorageFault.Throttled or StorageFault.Unavailable;

    public StorageException ToException(string what, bool outcomeUnknown = false) =>
        new(Fault, $"Could not {what}: {Reason}", Cause) { OutcomeUnknown = outcomeUnknown };
}
