using Microsoft.Win32.SafeHandles;

namespace OpsLog.Storage;

/// <summary>
/// The version of a file: its length, its modification time in 100 ns, and up to 16 KiB the CRC-32C of its content. A file that replaces another gets a
/// time later than the one it replaces, whatever the clock says, so a version does not come back; the checksum covers what other programs write
/// with the same length within one tick of the file system. Finding it costs one look at the file and, up to 16 KiB, one read.
/// </summary>
internal static class FileVersion
{
    /// <summary>The longest file whose content is part of its version, in bytes.</summary>
    public const int ChecksumLimit = 16 << 10;

    public static StorageVersion Of(SafeFileHandle handle, string path)
    {
        var length = RandomAccess.GetLength(handle);
        return length > ChecksumLimit ? Of(handle, length, null) : Of(handle, length, FileBytes.Read(handle, path, 0, (int)length));
    }

    /// <param name="handle">The open file.</param>
    /// <param name="length">Its length in bytes.</param>
    /// <param name="content">All its bytes, where the length is within <see cref="ChecksumLimit"/>.</param>
    public static StorageVersion Of(SafeFileHandle handle, long length, byte[]? content)
    {
        var ticks = File.GetLastWriteTimeUtc(handle).Ticks;
        return new(content is null ? $"{length:x}-{ticks:x}" : $"{length:x}-{ticks:x}-{Crc32C.Of(content):x8}");
    }
}

/// <summary>Reading and opening files whole, with the exceptions of a storage, and syncing them.</summary>
internal static class FileBytes
{
    /// <summary>Brings what was written to a file onto stable storage.</summary>
    public static void Sync(SafeFileHandle handle, string path)
    {
        if (OperatingSystem.IsWindows()) RandomAccess.FlushToDisk(handle);
        else UnixFiles.Sync(handle, path);
    }

    /// <summary>Reads exactly these bytes, however often the system gives fewer.</summary>
    public static byte[] Read(SafeFileHandle handle, string path, long offset, int count)
    {
        if (count == 0) return [];
        var bytes = GC.AllocateUninitializedArray<byte>(count);
        for (var done = 0; done < count;)
        {
            var read = RandomAccess.Read(handle, bytes.AsSpan(done), offset + done);
            if (read == 0)
                throw FileFaults.EndsEarly(path, offset + done, offset + count);
            done += read;
        }

        return bytes;
    }

    /// <summary>Opens a file to read beside writers, renames and deletion; null if, and only if, there is none.</summary>
    public static SafeFileHandle? Open(string path)
    {
        try
        {
            return File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        }
        catch (Exception e) when (FileFaults.IsAbsent(e))
        {
            return null;
        }
    }
}
