using System.Globalization;
using Microsoft.Win32.SafeHandles;

namespace OpsLog.Storage;

/// <summary>
/// The <c>.lock</c> file in a store's root, by which the npm package keeps a folder to one writer. It writes its pid and takes the file
/// over when that process is gone; we write the pid and a mark, and hold the lock of the operating system on the file.
/// </summary>
/// <remarks>
/// What a file says of its writer: digits alone are the package's, which is alive if a process of that number is (whichever user's).
/// A pid and a mark are ours, alive only while the file is locked, so a number used again by another process does no harm. Empty or
/// anything else may be the package between making and writing the file: that is waited for, and stale only once it is old.
/// Between two processes of ours exactly one gets it. The package itself looks and then deletes, so it may delete a file that was taken
/// over in between; nobody else can close that gap.
/// </remarks>
internal static class StoreLock
{
    public const string FileName = ".lock";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan StaleAge = TimeSpan.FromSeconds(5);

    private enum Judgement
    {
        Stale,
        Alive,
        Unclear,
    }

    /// <summary>Takes the lock.</summary>
    /// <param name="path">The lock file.</param>
    /// <param name="nonces">For the mark.</param>
    /// <param name="time">For waiting, and for the age of an unreadable file.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>The lock, or who holds it.</returns>
    public static async ValueTask<(FileLock? Lock, string? Holder)> TakeAsync(
        string path, FileNonces nonces, TimeProvider time, CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        while (true)
        {
            if (FileLock.TryCreate(path, nonces) is { } created) return (created, null);

            SafeFileHandle? handle;
            try
            {
                handle = FileLock.TryOpen(path, FileMode.Open);
            }
            catch (FileNotFoundException)
            {
                continue; // given up since
            }

            if (handle is null) return (null, FileLock.Describe(path));
            var text = FileLock.Read(handle);
            var judgement = Judge(text, handle, time);
            if (judgement == Judgement.Stale)
            {
                if (FileLock.TryMark(path, nonces, handle) is { } taken) return (taken, null);
                continue;
            }

            handle.Dispose();
            if (FileLock.Read(path) != text) continue; // another file meanwhile
            if (judgement == Judgement.Alive) return (null, $"{FileLock.Describe(path)} If no such program uses the store, delete that file.");
            if (time.GetElapsedTime(started) >= Patience)
                return (null, $"'{path}' says nothing readable; its writer may be at work. If none is, delete that file.");
            await Task.Delay(Pause, time, cancellationToken).ConfigureAwait(false);
        }
    }

    private static Judgement Judge(string text, SafeFileHandle handle, TimeProvider time)
    {
        var trimmed = text.AsSpan().Trim();
        var end = trimmed.IndexOfAnyExceptInRange('0', '9');
        var digits = end < 0 ? trimmed : trimmed[..end];
        if (int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var process) && process > 0)
        {
            if (end > 0 && trimmed[end] == ' ') return Judgement.Stale; // ours, and we have just got its lock
            if (end < 0) return process != Environment.ProcessId && IsAlive(process) ? Judgement.Alive : Judgement.Stale;
        }

        return time.GetUtcNow() - File.GetLastWriteTimeUtc(handle) > StaleAge ? Judgement.Stale : Judgement.Unclear;
    }

    private static bool IsAlive(int process)
    {
        if (!OperatingSystem.IsWindows()) return UnixFiles.IsAlive(process);
        try
        {
            using var found = System.Diagnostics.Process.GetProcessById(process);
            return !found.HasExited;
        }
        catch (ArgumentException)
        {
            return false;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return true; // there, but not ours to look at
        }
    }
}
