using System.Buffers;
using System.Numerics;
using System.Runtime.CompilerServices;

namespace OpsLog.Engine;

/// <summary>The lookups, over one directory: that of the live table at the start of a call, or that of a view.</summary>
internal readonly struct RecordReader(RecordSegment[] directory, in RecordHash hash)
{
    private const int StackBytes = 512;
    private readonly RecordSegment[] _directory = directory;
    private readonly RecordHash _hash = hash;

    /// <summary>The segment that holds a hash. The directory's length is a power of two, at least 2.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static RecordSegment SegmentOf(RecordSegment[] directory, ulong hash) =>
        Volatile.Read(ref directory[(int)(hash >> (BitOperations.LeadingZeroCount((ulong)directory.Length) + 1))]);

    /// <summary>Finds a live or deleted record by its id as a string.</summary>
    public bool TryGet(string id, out RecordLocation location, out object? value, out RecordHandle handle)
    {
        if (!RecordKey.TryPack(id, out ulong id0, out ulong id1))
            return TryGetText(id, out location, out value, out handle);
        ulong hash = _hash.OfWords(id0, id1);
        RecordSegment segment = SegmentOf(_directory, hash);
        return TryRead(segment, segment.FindShort(id0, id1, hash), out location, out value, out handle);
    }

    /// <summary>Finds a live or deleted record by its id as WTF-8.</summary>
    public bool TryGet(ReadOnlySpan<byte> idWtf8, out RecordLocation location, out object? value, out RecordHandle handle)
    {
        RecordKey key = RecordKey.Of(idWtf8, _hash);
        RecordSegment segment = SegmentOf(_directory, key.Hash);
        return TryRead(segment, segment.Find(key, idWtf8), out location, out value, out handle);
    }

    private static bool TryRead(
        RecordSegment segment, int index, out RecordLocation location, out object? value, out RecordHandle handle)
    {
        if (index >= 0 && segment.TryRead(index, out location, out value))
        {
            handle = new RecordHandle(segment, index);
            return true;
        }

        location = default;
        value = null;
        handle = default;
        return false;
    }

    [SkipLocalsInit]
    private bool TryGetText(string id, out RecordLocation location, out object? value, out RecordHandle handle)
    {
        int most = RecordIdText.MaxWtf8(id.Length);
        byte[]? rented = most > StackBytes ? ArrayPool<byte>.Shared.Rent(most) : null;
        Span<byte> bytes = rented ?? stackalloc byte[StackBytes];
        try
        {
            return TryGet(bytes[..RecordIdText.ToWtf8(id, bytes)], out location, out value, out handle);
        }
        finally
        {
            if (rented is not null)
                ArrayPool<byte>.Shared.Return(rented);
        }
    }
}
