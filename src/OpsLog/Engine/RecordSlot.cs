using System.Runtime.InteropServices;

namespace OpsLog.Engine;

/// <summary>One record of a segment: 32 bytes on 64-bit platforms.</summary>
internal struct RecordSlot
{
    /// <summary>The id, or what finds it; never changes once <see cref="Location"/> is not 0.</summary>
    public RecordWords Id;

    /// <summary>A packed <see cref="RecordLocation"/>; 0: never used, so that a search ends here.</summary>
    public ulong Location;

    /// <summary>The document made from the bytes at <see cref="Location"/>, or null.</summary>
    public object? Value;
}

/// <summary>The two words of a <see cref="RecordKey"/>, next to each other so that a short id can be read as a span.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct RecordWords
{
    public ulong Id0;
    public ulong Id1;
}
