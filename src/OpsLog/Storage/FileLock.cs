using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace OpsLog.Storage;

/// <summary>
/// The lock of the operating system on a lock file, which ends with the process, however it ends. The file holds
/// <c>&lt;pid&gt; &lt;mark&gt;</c>: who, for people and for the npm package, and a mark that never comes twice.
/// </summary>
/// <remarks>
/// Two holders are impossible: whoever has locked the file writes its mark into it and reads the path again. If the path shows another
/// mark, the locked file is one that its last holder has deleted meanwhile, and the attempt starts over. Only a holder deletes. On a full
/// disk, where a mark has no room, a random time of the file is the mark: what frees room needs locks too.
/// </remarks>
internal sealed class FileLock : IDisposable
{
    /// <summary>Keeps a file to one opener. On Windows others may still read it: the npm package must see the pid.</summary>
    public static readonly FileShare Exclusive = OperatingSystem.IsWindows() ? FileShare.Read : FileShare.None;

    private const int MaxAttempts = 1000;
    private const int MaxContent = 256;
    private static readonly DateTime s_firstTime = new(2000, 1, 1, 0, 0, 0, DateTimeKind.Utc);
    private static long s_marks;

    private readonly string _path;
    private readonly string _mark;
    private readonly DateTime? _time; // the mark, where there was no room for one
    private readonly SafeFileHandle _handle;

    private FileLock(string path, string mark, SafeFileHandle handle, DateTime? time = null) => (_path, _mark, _handle, _time) = (path, mark, handle, time);

    /// <summary>A text for a lock file of this process; no two are equal.</summary>
    public static string NewMark(FileNonces nonces) =>
        string.Create(CultureInfo.InvariantCulture, $"{Environment.ProcessId} {nonces.Next()}-{Interlocked.Increment(ref s_marks)}");

    /// <summary>Takes the lock whatever its file says, making the file if need be; null if someone holds it. Where there is no room for it, the file says nothing.</summary>
    public static FileLock? TryTake(string path, FileNonces nonces)
    {
        for (var attempt = 0; attempt < MaxAttempts; attempt++)
        {
            var handle = TryOpen(path, FileMode.OpenOrCreate);
            if (handle is null) return null;
            if (TryMark(path, nonces, handle, mayBeEmpty: true) is { } taken) return taken;
        }

        return null;
    }

    /// <summary>
    /// Makes the file with its mark already in it, so that nobody ever sees it empty, and takes the lock; null if there is a file already.
    /// </summary>
    public static FileLock? TryCreate(string path, FileNonces nonces)
    {
        if (OperatingSystem.IsWindows()) return TryCreateInPlace(path, nonces);
        var file = TemporaryFile.Create(path, nonces, Exclusive);
        try
        {
            var mark = NewMark(nonces);
            UnixFiles.TryLock(file.Handle, file.Path);
            RandomAccess.Write(file.Handle, Encoding.ASCII.GetBytes(mark), 0);
            var result = UnixFiles.TryLink(file.Path, path);
            file.DropName();
            if (result == LinkResult.Linked) return new FileLock(path, mark, file.Handle);
            file.Dispose();
            return result == LinkResult.Unsupported ? TryCreateInPlace(path, nonces) : null;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Opens a lock file and takes the lock without changing the file; null if someone holds it.</summary>
    /// <exception cref="FileNotFoundException">There is no such file, and the mode does not make one.</exception>
    public static SafeFileHandle? TryOpen(string path, FileMode mode)
    {
        SafeFileHandle handle;
        try
        {
            handle = File.OpenHandle(path, mode, FileAccess.ReadWrite, Exclusive);
        }
        catch (IOException e) when (FileFaults.IsLockedElsewhere(e))
        {
            return null;
        }

        try
        {
            // .NET has locked it, unless a switch of the process or the kind of file system kept it from that; then this does, or says why not.
            if (OperatingSystem.IsWindows() || UnixFiles.TryLock(handle, path)) return handle;
        }
        catch
        {
            handle.Dispose();
            throw;
        }

        handle.Dispose();
        return null;
    }

    // Where files have no second name: the file is empty for a moment, which the npm package takes for stale. On Windows it can't delete it.
    private static FileLock? TryCreateInPlace(string path, FileNonces nonces)
    {
        try
        {
            return TryOpen(path, FileMode.CreateNew) is { } handle ? TryMark(path, nonces, handle) : null;
        }
        catch (IOException e) when (FileFaults.IsTaken(e))
        {
            return null;
        }
    }

    /// <summary>Makes a locked file ours; null (and the handle closed) if it is no longer the file at its path.</summary>
    /// <param name="path">Its path.</param>
    /// <param name="nonces">For the mark.</param>
    /// <param name="handle">The locked file.</param>
    /// <param name="mayBeEmpty">Whether it may say nothing if there is no room. Not where the npm package looks: it takes an empty one for stale.</param>
    public static FileLock? TryMark(string path, FileNonces nonces, SafeFileHandle handle, bool mayBeEmpty = false)
    {
        try
        {
            var mark = NewMark(nonces);
            DateTime? time = TryWrite(handle, mark, mayBeEmpty) ? null : DrawTime(handle);
            if (IsAt(path, mark, time)) return new FileLock(path, mark, handle, time);
        }
        catch
        {
            handle.Dispose();
            throw;
        }

        handle.Dispose();
        return null;
    }

    // False: there is no room.
    private static bool TryWrite(SafeFileHandle handle, string mark, bool mayBeEmpty)
    {
        try
        {
            var bytes = Encoding.ASCII.GetBytes(mark);
            RandomAccess.Write(handle, bytes, 0);
            RandomAccess.SetLength(handle, bytes.Length);
            return true;
        }
        catch (Exception e) when (mayBeEmpty && FileFaults.IsFull(e))
        {
            RandomAccess.SetLength(handle, 0); // it is not its last holder's any more
            return false;
        }
    }

    // A time takes no room. Of every other second, for all file systems keep those: five hundred million, and two would have to draw the same at one moment, whatever their seeds are.
    private static DateTime DrawTime(SafeFileHandle handle)
    {
        File.SetLastWriteTimeUtc(handle, s_firstTime.AddSeconds(2 * RandomNumberGenerator.GetInt32(1 << 29)));
        return File.GetLastWriteTimeUtc(handle);
    }

    private static bool IsAt(string path, string mark, DateTime? time) => time is { } own ? File.GetLastWriteTimeUtc(path) == own : Read(path) == mark;

    /// <summary>What a lock file says; null if there is none.</summary>
    public static string? Read(string path)
    {
        try
        {
            // On Unix without .NET's own advisory lock, which the holder's would refuse.
            using var handle = OperatingSystem.IsWindows()
                ? File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete)
                : UnixFiles.OpenToRead(path);
            return Read(handle);
        }
        catch (Exception e) when (FileFaults.IsAbsent(e))
        {
            return null;
        }
    }

    /// <summary>What an open lock file says.</summary>
    public static string Read(SafeFileHandle handle)
    {
        Span<byte> bytes = stackalloc byte[MaxContent];
        return Encoding.Latin1.GetString(bytes[..RandomAccess.Read(handle, bytes, 0)]);
    }

    /// <summary>Who holds a lock, in words.</summary>
    public static string Describe(string path)
    {
        var text = Read(path) ?? "";
        var end = text.AsSpan().IndexOfAnyExceptInRange('0', '9');
        return $"Held by {(end == 0 || text.Length == 0 ? "another process" : $"process {(end < 0 ? text : text[..end])}")} ('{path}').";
    }

    /// <summary>Gives the lock up and deletes its file, if the file is still this lock's own.</summary>
    public void Dispose()
    {
        if (_handle.IsClosed) return;
        if (OperatingSystem.IsWindows()) _handle.Dispose(); // deleting fails there while anyone, a next holder too, has it open
        try
        {
            if (IsAt(_path, _mark, _time)) File.Delete(_path);
        }
        catch (Exception e) when (FileFaults.IsFault(e))
        {
            // A lock file that stays behind holds nobody up: what counts is the lock, and that goes with the handle.
        }

        _handle.Dispose();
    }
}
