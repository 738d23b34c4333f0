using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace OpsLog.Engine;

/// <summary>
/// An id as the table compares it. An id of 1 to 16 bytes without NUL is its bytes, zero padded, in two words ("short"). Any other is
/// "long": the first word is its hash, the second a length and, in a slot, an offset into the segment's arena.
/// </summary>
/// <remarks>
/// The second word of a short id is 0 or begins with a byte that is not NUL; that of a long id has a lowest byte of 0 and its highest
/// bit set. So neither is ever taken for the other. Words are in little-endian order, that of every platform .NET runs on.
/// </remarks>
internal readonly struct RecordKey(ulong id0, ulong id1, ulong hash)
{
    /// <summary>The longest id in bytes.</summary>
    public const int MaxIdLength = (1 << 24) - 1;

    /// <summary>The longest id that lies in a slot, in bytes.</summary>
    public const int MaxShortLength = 16;

    private const ulong LongMark = 1UL << 63;
    private const int LengthShift = 8;
    private const int OffsetShift = 32;
    private const ulong OffsetMask = (ulong)int.MaxValue << OffsetShift;

    /// <summary>The first eight bytes of a short id, the hash of a long one.</summary>
    public ulong Id0 { get; } = id0;

    /// <summary>The other bytes of a short id; length and (in a slot) offset of a long one.</summary>
    public ulong Id1 { get; } = id1;

    /// <summary>The hash: its highest bits choose the segment, its lowest the slot.</summary>
    public ulong Hash { get; } = hash;

    /// <summary>The id's bytes lie outside the two words.</summary>
    public bool IsLong => IsLongWord(Id1);

    /// <summary>The key of an id given as bytes.</summary>
    /// <exception cref="OpsLogException">The id is longer than <see cref="MaxIdLength"/>: what is written here is shorter, another program's store may hold it.</exception>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static RecordKey Of(ReadOnlySpan<byte> id, in RecordHash hash)
    {
        if (TryPack(id, out ulong id0, out ulong id1))
            return new RecordKey(id0, id1, hash.OfWords(id0, id1));
        if (id.Length > MaxIdLength)
            throw new OpsLogException(OpsLogError.InvalidDocument, $"A record's id has {id.Length} bytes; {MaxIdLength} is the most. Give it a shorter one with the program that wrote it.");
        return OfLong(hash.OfBytes(id), id.Length);
    }

    /// <summary>The key of a long id.</summary>
    public static RecordKey OfLong(ulong hash, int length) => new(hash, LongMark | ((ulong)length << LengthShift), hash);

    /// <summary>Whether the second word of a slot is that of a long id.</summary>
    public static bool IsLongWord(ulong id1) => (byte)id1 == 0 && id1 != 0;

    /// <summary>The second word of a long id's slot: this key's, with the place in the arena.</summary>
    public static ulong AtOffset(ulong id1, int offset) => (id1 & ~OffsetMask) | ((ulong)offset << OffsetShift);

    /// <summary>A long id's place in the arena.</summary>
    public static int OffsetOf(ulong id1) => (int)((id1 & OffsetMask) >> OffsetShift);

    /// <summary>A long id's length in bytes.</summary>
    public static int LengthOf(ulong id1) => (int)((uint)id1 >> LengthShift);

    /// <summary>Whether two long ids have the same length, whatever their places.</summary>
    public static bool SameLength(ulong first, ulong second) => ((first ^ second) & ~OffsetMask) == 0;

    /// <summary>The length in bytes of a short id.</summary>
    public static int ShortLength(ulong id0, ulong id1) => id1 != 0
        ? 16 - (BitOperations.LeadingZeroCount(id1) >> 3)
        : 8 - (BitOperations.LeadingZeroCount(id0) >> 3);

    /// <summary>Packs an ASCII id of 1 to 16 characters without NUL; false for any other, which takes the way over its bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryPack(string text, out ulong id0, out ulong id1)
    {
        int length = text.Length;
        if ((uint)(length - 8) > 8)
            return TryPackFew(text, out id0, out id1);

        // Eight characters from the front and eight from the end, overlapping; narrowed to eight bytes each.
        ref ushort first = ref Unsafe.As<char, ushort>(ref MemoryMarshal.GetReference(text.AsSpan()));
        Vector128<ushort> head = Vector128.LoadUnsafe(ref first);
        Vector128<ushort> tail = Vector128.LoadUnsafe(ref first, (nuint)(length - 8));
        Vector128<ulong> bytes = Vector128.Narrow(head, tail).AsUInt64();
        id0 = bytes.ToScalar();
        id1 = length == 8 ? 0 : bytes.GetElement(1) >> ((16 - length) << 3);
        return ((head | tail) & Vector128.Create((ushort)0xFF80)) == Vector128<ushort>.Zero
            && !Vector128.EqualsAny(Vector128.Min(head, tail), Vector128<ushort>.Zero);
    }

    /// <summary>Packs an id of 1 to 16 bytes without NUL; false for any other.</summary>
    public static bool TryPack(ReadOnlySpan<byte> id, out ulong id0, out ulong id1)
    {
        id1 = 0;
        if ((uint)(id.Length - 8) <= 8)
        {
            id0 = MemoryMarshal.Read<ulong>(id);
            ulong tail = MemoryMarshal.Read<ulong>(id[^8..]);
            id1 = id.Length == 8 ? 0 : tail >> ((16 - id.Length) << 3);
            return !HasNul(id0) && !HasNul(tail);
        }

        id0 = 0;
        if ((uint)(id.Length - 1) >= 7)
            return false;
        for (int i = id.Length - 1; i >= 0; i--)
            id0 = (id0 << 8) | id[i];
        return !HasNul(id0 | (ulong.MaxValue << (id.Length << 3)));
    }

    private static bool TryPackFew(string text, out ulong id0, out ulong id1)
    {
        id0 = 0;
        id1 = 0;
        if ((uint)(text.Length - 1) >= 7)
            return false;
        for (int i = text.Length - 1; i >= 0; i--)
        {
            if ((uint)(text[i] - 1) >= 0x7F)
                return false;
            id0 = (id0 << 8) | text[i];
        }

        return true;
    }

    private static bool HasNul(ulong word) => ((word - 0x0101010101010101) & ~word & 0x8080808080808080) != 0;
}
