using System.Buffers;
using System.Numerics;
using System.Runtime.CompilerServices;
using OpsLog.Format;

namespace OpsLog.Engine;

/// <summary>The lookups, over one directory: that of the live table at the start of a call, or that of a view.</summary>
internal readonly struct RecordReader(RecordSegment[] directory, in RecordHash hash)
{
    private const int StackChars = 128;
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

    /// <summary>Finds the document of a short id, if it has been made.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryGetReady(ulong id0, ulong id1, out object? value, out RecordHandle handle)
    {
        ulong hash = _hash.OfWords(id0, id1);
        RecordSegment segment = SegmentOf(_directory, hash);
        int index = segment.FindShort(id0, id1, hash);
        handle = new RecordHandle(segment, index);
        value = index < 0 ? null : segment.ValueAt(index);
        return value is not null;
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

    /// <summary>Finds a record whose id <see cref="RecordKey.TryPack(string, out ulong, out ulong)"/> did not take.</summary>
    [SkipLocalsInit]
    public bool TryGetText(string id, out RecordLocation location, out object? value, out RecordHandle handle)
    {
        if (id.Length > StackChars)
            return TryGetLongText(id, out location, out value, out handle);
        Span<byte> bytes = stackalloc byte[StackChars * 3];
        if (id.Length <= RecordKey.MaxShortLength || !_hash.TryOfAscii(id, bytes, out ulong hash))
            return TryGet(bytes[..JsonText.ToWtf8(id, bytes)], out location, out value, out handle);
        RecordSegment segment = SegmentOf(_directory, hash);
        int index = segment.Find(RecordKey.OfLong(hash, id.Length), bytes[..id.Length]);
        return TryRead(segment, index, out location, out value, out handle);
    }

    private bool TryGetLongText(string id, out RecordLocation location, out object? value, out RecordHandle handle)
    {
        (location, value, handle) = (default, null, default);
        if (id.Length > RecordKey.MaxIdLength)
            return false;
        byte[] rented = ArrayPool<byte>.Shared.Rent(JsonText.MaxWtf8(id.Length));
        int length = JsonText.ToWtf8(id, rented);
        bool found = length <= RecordKey.MaxIdLength && TryGet(rented.AsSpan(0, length), out location, out value, out handle);
        ArrayPool<byte>.Shared.Return(rented);
        return found;
    }
}
