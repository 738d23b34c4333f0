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
    private const int HugePage = 14; // MADV_HUGEPAGE
    private const int PopulateWrite = 23; // MADV_POPULATE_WRITE
    private static readonly int ReadOnlyCloseOnExec = OperatingSystem.IsMacOS() ? 0x1000000 : 0x80000;

    /// <summary>Makes the entries of a folder durable: new, renamed and deleted names.</summary>
    public static void SyncFolder(string path)
    {
        using var folder = OpenToRead(path);
        // A folder on a file system that has nothing to sync (some network shares) says EINVAL or ENOTSUP: as durable as it gets.
        if (FSync(folder) != 0 && Marshal.GetLastPInvokeError() is var error && !FileFaults.IsUnsupported(error)) throw Failure(error, path);
    }

    /// <summary>Opens a file or folder without the advisory lock that .NET takes, so that a locked file can be read.</summary>
    public static SafeFileHandle OpenToRead(string path)
    {
        var handle = Open(path, ReadOnlyCloseOnExec);
        if (!handle.IsInvalid) return handle;
        var error = Marshal.GetLastPInvokeError();
        handle.Dispose();
        throw error == FileFaults.NoEntry ? new FileNotFoundException(null, path) : Failure(error, path);
    }

    /// <summary>Takes the exclusive lock of an open file; false if someone else has it.</summary>
    public static bool TryLock(SafeFileHandle handle, string path)
    {
        if (FLock(handle, LockExclusiveAtOnce) == 0) return true;
        var error = Marshal.GetLastPInvokeError();
        return FileFaults.IsLockedElsewhere(error) ? false : throw Failure(error, path);
    }

    /// <summary>Gives a file a second name, atomically and only if that name is free.</summary>
    public static LinkResult TryLink(string existing, string added)
    {
        if (Link(existing, added) == 0) return LinkResult.Linked;
        return Marshal.GetLastPInvokeError() switch
        {
            FileFaults.Exists => LinkResult.Exists,
            FileFaults.NotPermitted or FileFaults.TooManyLinks => LinkResult.Unsupported,
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

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    private static partial int FLock(SafeFileHandle handle, int operation);

    [LibraryImport("libc", EntryPoint = "link", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Link(string existing, string added);

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int MAdvise(nint address, nint length, int advice);

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int process, int signal);
}
