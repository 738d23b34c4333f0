namespace OpsLog;

/// <summary>What went wrong, by what the caller does next.</summary>
public enum OpsLogError
{
    /// <summary>The store, record or archive is not there.</summary>
    NotFound,

    /// <summary>
    /// The document or id cannot be stored: nothing was written; correct it. Of a read: what is stored is no document of the store's type; read it with the type it was
    /// written with, or as raw JSON.
    /// </summary>
    InvalidDocument,

    /// <summary>
    /// Somebody else was there: the expected revision is not the record's (read again and decide), a target is not empty (choose another), or others kept changing the
    /// manifest or a log for longer than was tried (try again). Nothing was written.
    /// </summary>
    Conflict,

    /// <summary>Another living writer has the store open, or has been stopped in the middle of changing the manifest. Close it, or open read-only.</summary>
    Locked,

    /// <summary>Another writer took over this store's log, or its manifest. Reopen.</summary>
    Fenced,

    /// <summary>Stored bytes are damaged: <see cref="OpsLogException.Damage"/> says where. Verify, repair, or open with <see cref="Recovery.SkipCorrupt"/>.</summary>
    Damaged,

    /// <summary>The store needs a newer program: its format or schema version is newer than the code.</summary>
    TooNew,

    /// <summary>The store was opened read-only, or turned read-only after a failure; or its clock has come to its end, and nothing more can be written. Reopen it.</summary>
    ReadOnly,

    /// <summary>The storage failed. Of a write: before anything was written. Of a flush: what was acknowledged is in the log, but perhaps not on stable storage; flush again.</summary>
    StorageFailed,

    /// <summary>The storage failed and the write may have happened. Reopen and look.</summary>
    OutcomeUnknown,

    /// <summary>The feed position is of another incarnation, or what lies behind it is no longer retained. Start over.</summary>
    PositionLost,

    /// <summary>
    /// The application's migration function failed, or documents of an older schema version would have been written by a program that does not migrate them. Nothing was
    /// changed. Correct the function, or do it with the program that has one.
    /// </summary>
    MigrationFailed,
}

/// <summary>The one exception of OpsLog: <see cref="Error"/> says what the caller can do. Bad arguments are <see cref="ArgumentException"/>s.</summary>
public sealed class OpsLogException : Exception
{
    /// <summary>Makes the exception.</summary>
    /// <param name="error">What went wrong.</param>
    /// <param name="message">What failed and what to do next.</param>
    /// <param name="inner">The cause.</param>
    public OpsLogException(OpsLogError error, string message, Exception? inner = null)
        : base(message, inner)
    {
        Error = error;
    }

    /// <summary>What went wrong, by what the caller does next.</summary>
    public OpsLogError Error { get; }

    /// <summary>Where the damage is, for <see cref="OpsLogError.Damaged"/>.</summary>
    public Damage? Damage { get; init; }

    /// <summary>A record had another revision than the caller expected: of <see cref="OpsLogError.Conflict"/>, the one that reading the record again settles.</summary>
    internal bool IsOfRevision { get; init; }

    /// <summary>Whether the same call may work later without anything being done.</summary>
    public bool IsTransient => InnerException is Storage.StorageException { IsTransient: true };
}
