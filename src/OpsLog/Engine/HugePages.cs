using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using OpsLog.Storage;

namespace OpsLog.Engine;

/// <summary>
/// Arrays of megabytes that the operating system is asked to back with huge pages, where it gives them on request. Memory is paid for when it is first
/// touched: that is then once in 2 MiB, not once in 4 KiB, which on a virtual machine can cost more than all else that a put does.
/// </summary>
internal static class HugePages
{
    /// <summary>The length, in bytes, from which an array is worth it: half of it lies in whole huge pages at least.</summary>
    public const int WorthIt = 4 << 20;

    /// <summary>The length, in bytes, beyond which there is little to gain: 7/8 of it lies in whole huge pages.</summary>
    public const int Largest = 16 << 20;

    /// <summary>An array that stays where it is.</summary>
    /// <param name="length">How many elements.</param>
    /// <param name="cleared">Whether they must be zero.</param>
    public static unsafe T[] Allocate<T>(int length, bool cleared)
    {
        var array = cleared ? GC.AllocateArray<T>(length, pinned: true) : GC.AllocateUninitializedArray<T>(length, pinned: true);
        var bytes = (long)length * Unsafe.SizeOf<T>();
        if (bytes >= WorthIt && OperatingSystem.IsLinux()) UnixFiles.AdviseHugePages((nint)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(array)), (nint)bytes);
        return array;
    }
}
