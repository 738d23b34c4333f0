using System.Numerics;

namespace OpsLog.Engine;

/// <summary>
/// Where a record's newest version lies: an extent (an object, or a block of memory), an offset in it, and a hint of how many bytes to
/// read. One word, so that it is read and written whole; the default value means "nowhere". <see cref="Packed"/> sorts by extent, then
/// offset, which is the order in which reading is cheapest.
/// </summary>
/// <remarks>
/// A location names bytes that never change while anybody may hold it: an extent's number is not given to another object before that.
/// A version read from a location is therefore right for that location whenever it is seen again, and comparing locations is enough to
/// know that a record has not changed.
/// </remarks>
internal readonly record struct RecordLocation(ulong Packed)
{
    /// <summary>The largest extent number.</summary>
    public const int MaxExtent = (1 << ExtentBits) - 1;

    /// <summary>The largest offset, in bytes.</summary>
    public const long MaxOffset = (1L << OffsetBits) - 1;

    private const int ExtentBits = 14;
    private const int OffsetBits = 40;
    private const int HintBits = 8;
    private const int HintShift = 2;
    private const int OffsetShift = HintShift + HintBits;
    private const int ExtentShift = OffsetShift + OffsetBits;
    private const int MantissaBits = 3;

    /// <summary>The bits from here on are the place: extent, then offset.</summary>
    public const int PlaceShift = OffsetShift;

    private const ulong TombstoneFlag = 1;

    // Set in every location that was made: neither extent 0, offset 0 nor an erased slot can be taken for it.
    private const ulong PresentFlag = 2;

    /// <summary>A slot whose record was forgotten; never leaves the table.</summary>
    internal static RecordLocation Erased => new(TombstoneFlag);

    /// <summary>The extent's number, 0 to <see cref="MaxExtent"/>.</summary>
    public int Extent => (int)(Packed >> ExtentShift);

    /// <summary>The offset in the extent, in bytes, 0 to <see cref="MaxOffset"/>.</summary>
    public long Offset => (long)(Packed >> OffsetShift) & MaxOffset;

    /// <summary>At least as many bytes as the hint given, at most an eighth more (or 9); 0: unknown.</summary>
    public int LengthHint
    {
        get
        {
            int hint = (int)(Packed >> HintShift) & ((1 << HintBits) - 1);
            return hint == 0 ? 0 : (int)Math.Min(int.MaxValue, BytesOfClass(hint));
        }
    }

    /// <summary>The record was deleted; the location is that of the delete.</summary>
    public bool IsTombstone => (Packed & (PresentFlag | TombstoneFlag)) == (PresentFlag | TombstoneFlag);

    /// <summary>Nowhere: the default value.</summary>
    public bool IsNone => (Packed & PresentFlag) == 0;

    /// <summary>A record that is there and not deleted.</summary>
    public bool IsLive => (Packed & (PresentFlag | TombstoneFlag)) == PresentFlag;

    /// <summary>Makes a location.</summary>
    /// <param name="extent">0 to <see cref="MaxExtent"/>.</param>
    /// <param name="offset">0 to <see cref="MaxOffset"/>, in bytes.</param>
    /// <param name="lengthHint">How many bytes lie there, or 0 when not known.</param>
    /// <param name="tombstone">The version there is a delete.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number does not fit.</exception>
    public static RecordLocation Create(int extent, long offset, int lengthHint, bool tombstone)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)extent, (uint)MaxExtent, nameof(extent));
        ArgumentOutOfRangeException.ThrowIfGreaterThan((ulong)offset, (ulong)MaxOffset, nameof(offset));
        ArgumentOutOfRangeException.ThrowIfNegative(lengthHint);
        return new RecordLocation(
            ((ulong)extent << ExtentShift) | ((ulong)offset << OffsetShift) | ((ulong)ClassOf(lengthHint) << HintShift)
            | PresentFlag | (tombstone ? TombstoneFlag : 0));
    }

    /// <summary>The same offset in another extent.</summary>
    public RecordLocation In(int extent)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)extent, (uint)MaxExtent, nameof(extent));
        return new RecordLocation((Packed & ((1UL << ExtentShift) - 1)) | ((ulong)extent << ExtentShift));
    }

    // A class is a small floating number, 3 bits after the leading one: (8 + mantissa) << exponent.
    private static int ClassOf(int length)
    {
        if (length == 0)
            return 0;
        int exponent = Math.Max(0, BitOperations.Log2((uint)length) - MantissaBits);
        int mantissa = (int)(((long)length + (1L << exponent) - 1) >> exponent);
        return mantissa <= 8 ? Math.Max(1, exponent << MantissaBits) : (exponent << MantissaBits) + (mantissa - 8);
    }

    private static long BytesOfClass(int hint) => (8L + (hint & 7)) << (hint >> MantissaBits);
}
