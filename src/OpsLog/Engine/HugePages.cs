using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using OpsLog.Storage;

namespace OpsLog.Engine;

/// <summary>
/// Arrays of megabytes that the operating system is asked to back with huge pages, where it gives them on request. Memory is paid for when it is first
/// touched: that is then once in 2 MiB, not once in 4 KiB, which on a virtual machine can cost more than all else that a put does. Such arrays stay where they are.
/// </summary>
internal static class HugePages
{
    /// <summary>The length, in bytes, from which an array is worth it: half of it lies in whole huge pages at least.</summary>
    public const int WorthIt = 4 << 20;

    /// <summary>The length, in bytes, beyond which there is little to gain: 7/8 of it lies in whole huge pages.</summary>
    public const int Largest = 16 << 20;

    private const int PageSize = 2 << 20;

    /// <summary>Bytes of any value; of the ordinary kind if they are few.</summary>
    public static byte[] Bytes(int length) =>
        length < WorthIt ? GC.AllocateUninitializedArray<byte>(length) : Advised(GC.AllocateUninitializedArray<byte>(length, pinned: true));

    /// <summary>Empty elements, of <see cref="WorthIt"/> bytes at least.</summary>
    public static T[] Cleared<T>(int length) => Advised(GC.AllocateArray<T>(length, pinned: true));

    /// <summary>Makes an array beside whoever is going to fill it: making one takes longer than a put may wait.</summary>
    public static Task<T[]> Ahead<T>(Func<T[]> make) => Beside(make);

    // A huge page takes the kernel longer than a put may wait: they are made beside whoever fills the array.
    private static unsafe T[] Advised<T>(T[] array)
    {
        if (!OperatingSystem.IsLinux()) return array;
        var (start, length) = ((nint)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(array)), (nint)array.Length * Unsafe.SizeOf<T>());
        UnixFiles.AdviseHugePages(start, length);
        _ = Beside(() =>
        {
            // One page after the other: meanwhile who asks the system for memory waits, and everybody behind that one.
            for (nint at = start, next; at < start + length; at = next)
            {
                next = Math.Min(start + length, ((at / PageSize) + 1) * PageSize);
                UnixFiles.PopulateToWrite(at, next - at);
            }

            GC.KeepAlive(array);
            return length;
        });
        return array;
    }

    // A thread of its own: those of the pool may all be writing a checkpoint, or waiting for the disk.
    private static Task<T> Beside<T>(Func<T> work)
    {
        try
        {
            return Task.Factory.StartNew(work, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        }
        catch (Exception e) when (e is TaskSchedulerException or OutOfMemoryException)
        {
            return Task.FromException<T>(e); // no thread to be had: who needs the memory makes it
        }
    }
}
