namespace OpsLog.Storage;

/// <summary>A storage call failed. <see cref="Fault"/> says what the caller can do about it.</summary>
/// <remarks>Engine code turns it into an <see cref="OpsLogException"/> where it concerns a store's user.</remarks>
public sealed class StorageException : IOException
{
    /// <summary>Makes the exception.</summary>
    /// <param name="fault">What kind of failure it is.</param>
    /// <param name="message">What failed, on which object, and what to do next. Never holds a secret.</param>
    /// <param name="inner">The cause.</param>
    public StorageException(StorageFault fault, string message, Exception? inner = null)
        : base(message, inner)
    {
        Fault = fault;
    }

    /// <summary>What kind of failure it is.</summary>
    public StorageFault Fault { get; }

    /// <summary>Whether the write may have happened although it failed. False: it has certainly not.</summary>
    public bool OutcomeUnknown { get; init; }

    /// <summary>Whether the same call may work later without anything being done.</summary>
    public bool IsTransient => Fault is StorageFault.Throttled or StorageFault.Unavailable;
}

/// <summary>The kinds of storage failure: one for each thing the caller would do next.</summary>
public enum StorageFault
{
    /// <summary>The medium failed (EIO, a failed fsync). What is cached can no longer be trusted.</summary>
    Broken,

    /// <summary>No room: disk full, quota, file size limit. Make room, then go on.</summary>
    Full,

    /// <summary>Not permitted: file permissions, credentials, read-only medium.</summary>
    Denied,

    /// <summary>Too many requests, or too many open files. Later.</summary>
    Throttled,

    /// <summary>Out of reach or timed out. Later.</summary>
    Unavailable,

    /// <summary>The name cannot be used here: too long, a folder in the way, a loop of links.</summary>
    BadName,

    /// <summary>The server lacks what a store needs, such as writes on a condition. Take another server, or a newer version of it.</summary>
    Unsupported,
}
