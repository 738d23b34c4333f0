using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace OpsLog.StorageTests;

/// <summary>Opens a file without the advisory lock that .NET takes on Unix: as the npm package, or `cat`, would.</summary>
internal static partial class UnlockedFile
{
    public static SafeFileHandle? TryOpen(string path)
    {
        var handle = Open(path, 0);
        if (!handle.IsInvalid) return handle;
        handle.Dispose();
        return null;
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial SafeFileHandle Open(string path, int flags);
}
