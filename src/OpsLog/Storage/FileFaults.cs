namespace OpsLog.Storage;

/// <summary>
/// What an exception of the file system means: the one place that knows errno and HRESULT values. On Unix .NET puts the raw errno
/// into <see cref="Exception.HResult"/>, on Windows the HRESULT.
/// </summary>
internal static class FileFaults
{
    public const int NotPermitted = 1;   // EPERM
    public const int NoEntry = 2;        // ENOENT
    public const int Interrupted = 4;    // EINTR
    public const int Refused = 13;       // EACCES
    public const int Exists = 17;        // EEXIST
    public const int OtherDevice = 18;   // EXDEV
    public const int TooManyLinks = 31;  // EMLINK

    private const int WindowsSharingViolation = unchecked((int)0x80070020);
    private const int WindowsLockViolation = unchecked((int)0x80070021);
    private const int WindowsMappedFile = unchecked((int)0x800704C8);

    /// <summary>Whether an exception came from the file system, and not from a mistake or a cancellation.</summary>
    public static bool IsFault(Exception exception) =>
        exception is IOException and not StorageException or UnauthorizedAccessException
        // .NET turns EFBIG (file size limit) into this one.
        or ArgumentOutOfRangeException;

    /// <summary>Whether there is no room: on the disk, in a quota, or below a limit of the process.</summary>
    public static bool IsFull(Exception exception) => IsFault(exception) && FaultOf(exception, "") == StorageFault.Full;

    /// <summary>Whether there is no such file. A file where a folder should be (ENOTDIR) means the same for what would lie below it.</summary>
    public static bool IsAbsent(Exception exception) =>
        exception is FileNotFoundException or DirectoryNotFoundException
        || (!OperatingSystem.IsWindows() && exception is IOException { HResult: NoEntry or 20 });

    /// <summary>Whether another handle, of this process or another, keeps a file to itself.</summary>
    public static bool IsLockedElsewhere(IOException exception) => OperatingSystem.IsWindows()
        ? exception.HResult is WindowsSharingViolation or WindowsLockViolation or WindowsMappedFile
        : IsLockedElsewhere(exception.HResult);

    public static bool IsLockedElsewhere(int error) => error == (OperatingSystem.IsLinux() ? 11 : 35); // EWOULDBLOCK

    /// <summary>Whether what was to be synced is nothing that can be (EINVAL, ENOTSUP). That there is no such call (ENOSYS) is a failure.</summary>
    public static bool HasNothingToSync(int error) => error is 22 || (OperatingSystem.IsLinux() ? error is 95 : error is 45 or 102);

    /// <summary>Whether a file system lacks an operation altogether (EINVAL, ENOSYS, ENOTSUP).</summary>
    public static bool IsUnsupported(int error) => error is 22 || (OperatingSystem.IsLinux() ? error is 38 or 95 : error is 45 or 78 or 102);

    /// <summary>Whether a name without replacement failed because the name is taken.</summary>
    public static bool IsTaken(IOException exception) =>
        exception.HResult is Exists or unchecked((int)0x80070050) or unchecked((int)0x800700B7);

    /// <summary>The storage's own exception for a failure of the file system.</summary>
    /// <param name="exception">What the file system said.</param>
    /// <param name="doing">What was being done, as in "read".</param>
    /// <param name="path">The file.</param>
    /// <param name="outcomeUnknown">Whether the write may have happened all the same.</param>
    public static StorageException Translate(Exception exception, string doing, string path, bool outcomeUnknown = false)
    {
        var fault = FaultOf(exception, path);
        var advice = fault switch
        {
            StorageFault.Full => "Make room, then try again.",
            StorageFault.Denied => "Check the permissions of the file and its folder, and that the medium is writable.",
            StorageFault.Throttled => "Too many files are open, or memory is short; try again later.",
            StorageFault.Unavailable => "The file is in use or out of reach; try again later.",
            StorageFault.BadName => "The name cannot be used: too long, a folder or file in the way, or a symbolic link.",
            _ => "The medium failed; what is cached can no longer be trusted.",
        };
        return new StorageException(fault, $"Could not {doing} '{path}': {SystemsWords(exception)} {advice}", exception) { OutcomeUnknown = outcomeUnknown };
    }

    /// <summary>
    /// The exception for a sync that failed. Whatever the reason it gives, what it was to keep may be lost though it can still be read: the
    /// system reports that once, and then forgets.
    /// </summary>
    public static StorageException SyncFailed(Exception exception, string path) =>
        new(StorageFault.Broken, $"'{path}' could not be brought onto stable storage: {exception.Message}", exception) { OutcomeUnknown = true };

    /// <summary>The exception for a file that ends before bytes that it had.</summary>
    public static StorageException EndsEarly(string path, long end, long wanted) =>
        new(StorageFault.Broken, $"Could not read '{path}': it ends at {end}, before the {wanted} bytes it had. Something cut it.");

    // The system's words end in the file once more, and in no stop.
    private static string SystemsWords(Exception exception)
    {
        var end = exception.Message.IndexOf(" : '", StringComparison.Ordinal);
        return $"{(end < 0 ? exception.Message : exception.Message[..end]).TrimEnd('.')}.";
    }

    private static StorageFault FaultOf(Exception exception, string path) => exception switch
    {
        UnauthorizedAccessException => Directory.Exists(path) ? StorageFault.BadName : StorageFault.Denied,
        ArgumentOutOfRangeException => StorageFault.Full,
        PathTooLongException or DirectoryNotFoundException => StorageFault.BadName,
        _ when OperatingSystem.IsWindows() => FaultOfWindows(exception.HResult),
        _ => FaultOfUnix(exception.HResult),
    };

    private static StorageFault FaultOfUnix(int error) => error switch
    {
        1 or 13 or 30 => StorageFault.Denied,            // EPERM, EACCES, EROFS
        27 or 28 => StorageFault.Full,                   // EFBIG, ENOSPC
        12 or 23 or 24 => StorageFault.Throttled,        // ENOMEM, ENFILE, EMFILE
        16 => StorageFault.Unavailable,                  // EBUSY
        17 or 20 or 21 => StorageFault.BadName,          // EEXIST, ENOTDIR, EISDIR
        _ => OperatingSystem.IsLinux() ? FaultOfLinux(error) : FaultOfBsd(error),
    };

    private static StorageFault FaultOfLinux(int error) => error switch
    {
        122 => StorageFault.Full,                        // EDQUOT
        11 or 110 or 116 => StorageFault.Unavailable,    // EAGAIN, ETIMEDOUT, ESTALE
        36 or 39 or 40 => StorageFault.BadName,          // ENAMETOOLONG, ENOTEMPTY, ELOOP
        37 or 38 or 95 => StorageFault.Denied,           // ENOLCK, ENOSYS, ENOTSUP: this file system lacks what is needed
        _ => StorageFault.Broken,
    };

    private static StorageFault FaultOfBsd(int error) => error switch
    {
        69 => StorageFault.Full,
        35 or 60 or 70 => StorageFault.Unavailable,
        62 or 63 or 66 => StorageFault.BadName,
        45 or 77 or 78 or 102 => StorageFault.Denied,
        _ => StorageFault.Broken,
    };

    private static StorageFault FaultOfWindows(int result) => (result & 0xFFFF) switch
    {
        5 or 19 => StorageFault.Denied,                  // ACCESS_DENIED, WRITE_PROTECT
        39 or 112 or 223 or 1295 => StorageFault.Full,   // HANDLE_DISK_FULL, DISK_FULL, FILE_TOO_LARGE, DISK_QUOTA_EXCEEDED
        4 or 8 or 14 or 1450 => StorageFault.Throttled,  // TOO_MANY_OPEN_FILES, out of memory, NO_SYSTEM_RESOURCES
        21 or 32 or 33 or 53 or 59 or 64 or 121 or 1224 => StorageFault.Unavailable, // sharing, network, mapped section
        80 or 123 or 161 or 183 or 206 or 267 => StorageFault.BadName,
        _ => StorageFault.Broken,
    };
}
