using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace OpsLog.Engine;

/// <summary>Asks the processor for memory that is read or written soon, where it can be asked; elsewhere does nothing.</summary>
internal static class Prefetch
{
    /// <summary>The cache line in which a place lies, or that lies some bytes behind it: it need not be inside the array or object.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void Of<T>(ref T place, int behind = 0)
    {
        // An address that the collector makes stale meanwhile does no harm: a prefetch neither reads nor faults.
        if (Sse.IsSupported)
            Sse.Prefetch0((byte*)Unsafe.AsPointer(ref Unsafe.As<T, byte>(ref place)) + behind);
    }

    /// <summary>The same of an object, of which nothing is read for it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void Object(object? reference, int behind = 0)
    {
        if (Sse.IsSupported)
            Sse.Prefetch0(*(byte**)Unsafe.AsPointer(ref reference) + behind);
    }
}
