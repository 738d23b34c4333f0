using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace OpsLog.Storage;

/// <summary>How an attempt to give a file a second, new name ended.</summary>
internal enum LinkResult
{
    Linked,
    Exists,
    Unsupported,
}

/// <summary>The few system calls that .NET has no API for. Linux, macOS and other Unix systems only.</summary>
internal static partial class UnixFiles
{
    private const int LockExclusiveAtOnce = 2 | 4; // LOCK_EX | LOCK_NB: the same everywhere
    private const int FullSync = 51; // F_FULLFSYNC of macOS, whose fsync leaves the drive's cache as it is
    private const int NotForThisFile = 25; // ENOTTY: what some network shares say to it
    private const int HugePage = 14; // MADV_HUGEPAGE
    private const int PopulateWrite = 23; // MADV_POPULATE_WRITE
    private static readonly int ReadOnlyCloseOnExec = OperatingSystem.IsMacOS() ? 0x1000000 : 0x80000;

    /// <summary>Makes the entries of a folder durable: new, renamed and deleted names.</summary>
    public static void SyncFolder(string path)
    {
        using var folder = OpenToRead(path);
        Sync(folder, path);
    }

    /// <summary>
    /// Brings a file or folder onto stable storage. What .NET's own passes over is told here: a file system that was made read-only for its errors (EROFS) has not kept what it was given.
    /// </summary>
    public static void Sync(SafeFileHandle handle, string path)
    {
        var error = OperatingSystem.IsMacOS() ? SyncWithDrive(handle) : SyncOnce(handle);
        // What has nothing to sync (special files, folders on some network shares) says EINVAL or ENOTSUP: as durable as it gets.
        if (error != 0 && !FileFaults.HasNothingToSync(error)) throw Failure(error, path);
    }

    private static int SyncWithDrive(SafeFileHandle handle)
    {
        int error;
        do error = Control(handle, FullSync) != -1 ? 0 : Marshal.GetLastPInvokeError();
        while (error == FileFaults.Interrupted);
        return error == NotForThisFile || FileFaults.HasNothingToSync(error) ? SyncOnce(handle) : error;
    }

    private static int SyncOnce(SafeFileHandle handle)
    {
        int error;
        do error = FSync(handle) == 0 ? 0 : Marshal.GetLastPInvokeError();
        while (error == FileFaults.Interrupted);
        return error;
    }

    /// <summary>Opens a file or folder without the advisory lock that .NET takes, so that a locked file can be read.</summary>
    public static SafeFileHandle OpenToRead(string path)
    {
        while (true)
        {
            var handle = Open(path, ReadOnlyCloseOnExec);
            if (!handle.IsInvalid) return handle;
            var error = Marshal.GetLastPInvokeError();
            handle.Dispose();
            if (error != FileFaults.Interrupted) throw error == FileFaults.NoEntry ? new FileNotFoundException(null, path) : Failure(error, path);
        }
    }

    /// <summary>Takes the exclusive lock of an open file; false if someone else has it.</summary>
    public static bool TryLock(SafeFileHandle handle, string path)
    {
        while (FLock(handle, LockExclusiveAtOnce) != 0)
        {
            var error = Marshal.GetLastPInvokeError();
            if (FileFaults.IsLockedElsewhere(error)) return false;
            if (error != FileFaults.Interrupted) throw Failure(error, path);
        }

        return true;
    }

    /// <summary>Gives a file a second name, atomically and only if that name is free.</summary>
    public static LinkResult TryLink(string existing, string added)
    {
        if (Link(existing, added) == 0) return LinkResult.Linked;
        return Marshal.GetLastPInvokeError() switch
        {
            FileFaults.Exists => LinkResult.Exists,
            // Refused by a rule of the system (Android), across projects with quotas of their own, or for the number of names. Where writing is refused too, that will say so.
            FileFaults.NotPermitted or FileFaults.Refused or FileFaults.OtherDevice or FileFaults.TooManyLinks => LinkResult.Unsupported,
            var error when FileFaults.IsUnsupported(error) => LinkResult.Unsupported,
            var error => throw Failure(error, added),
        };
    }

    /// <summary>Whether a process is there, of whichever user.</summary>
    public static bool IsAlive(int process) => Kill(process, 0) == 0 || Marshal.GetLastPInvokeError() == FileFaults.NotPermitted;

    /// <summary>Asks for huge pages for a range of memory that was not touched yet. Linux; a kernel without them has nothing against it.</summary>
    public static void AdviseHugePages(nint address, nint length) => Advise(address, length, HugePage);

    /// <summary>Has memory ready to be written, whatever lies in it: nobody waits for a page then. Linux; a kernel that cannot leaves it at that.</summary>
    public static void PopulateToWrite(nint address, nint length) => Advise(address, length, PopulateWrite);

    private static void Advise(nint address, nint length, int advice)
    {
        var page = Environment.SystemPageSize;
        var start = (address + page - 1) / page * page;
        var end = (address + length) / page * page;
        if (end > start) _ = MAdvise(start, end - start, advice);
    }

    private static IOException Failure(int error, string path) => new($"{Marshal.GetPInvokeErrorMessage(error)}: '{path}'", error);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial SafeFileHandle Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int FSync(SafeFileHandle handle);

    // Without the third argument, which this command does not take: so that it does not matter that it is one of a variable number.
    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int Control(SafeFileHandle handle, int command);

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    private static partial int FLock(SafeFileHandle handle, int operation);

    [LibraryImport("libc", EntryPoint = "link", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Link(string existing, string added);

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int MAdvise(nint address, nint length, int advice);

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int process, int signal);
}
