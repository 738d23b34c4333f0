using System.Runtime.CompilerServices;

namespace OpsLog.Engine;

/// <content>Room: new records, and the segments that take the place of a full or shared one.</content>
internal sealed partial class RecordSegment
{
    /// <summary>The slots of a segment that is split rather than enlarged: 32 KiB, below the large object heap.</summary>
    public const int NormalCapacity = 1024;

    /// <summary>The slots of an empty table.</summary>
    public const int SmallestCapacity = 64;

    private const int FirstArena = 256;
    private const int PinnedArena = 4096;

    /// <summary>Records of any kind that are not erased.</summary>
    public int Entries => _used - _erased;

    /// <summary>One more record may be inserted.</summary>
    public bool HasRoom => _used < Limit(Capacity);

    /// <summary>The bytes of the longer ids that were ever inserted, those of erased records included.</summary>
    public int IdBytes => _arenaUsed;

    /// <summary>The slots with which a segment has room for <paramref name="entries"/> records and half as many again.</summary>
    public static int CapacityFor(int entries)
    {
        int capacity = SmallestCapacity;
        while (entries + (entries / 2) >= Limit(capacity))
            capacity *= 2;
        return capacity;
    }

    /// <summary>Whether a segment of the normal capacity has room for its share of a table's records, and for what hashes may bring it besides: six standard deviations.</summary>
    public static bool HasRoomForAbout(int entries) => entries + (6 * Math.Sqrt(entries)) < Limit(NormalCapacity);

    /// <summary>The bytes of the longer ids of records that are not erased.</summary>
    public long LiveIdBytes()
    {
        long bytes = 0;
        for (int index = 0; index < Capacity; index++)
        {
            if (!LocationAt(index).IsNone && RecordKey.IsLongWord(SlotAt(index).Id.Id1))
                bytes += IdAt(index).Length;
        }

        return bytes;
    }

    /// <summary>Inserts a record that is not here yet; needs <see cref="HasRoom"/>.</summary>
    public void Insert(in RecordKey key, ReadOnlySpan<byte> id, RecordLocation location) => Insert(key, id, location.Packed, null);

    /// <summary>The same records in the same slots, for another epoch.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public RecordSegment Clone(long epoch)
    {
        RecordSegment clone = new(Start, Depth, epoch, SlotBlocks.Single(Capacity), 0)
        {
            // Shared: bytes are only ever added, and only by the newest segment, behind all that older ones refer to.
            _arena = _arena,
            _arenaUsed = _arenaUsed,
            _used = _used,
            _erased = _erased,
        };
        Array.Copy(_slots, _first, clone._slots, 0, Capacity);
        _occupied.CopyTo(clone._occupied, 0);
        return clone;
    }

    /// <summary>The same records, without the erased ones, in a segment of another size.</summary>
    public RecordSegment Resize(int capacity, long epoch, in RecordHash hash)
    {
        RecordSegment copy = new(Start, Depth, epoch, SlotBlocks.Single(capacity), _arenaUsed);
        for (int index = 0; index < Capacity; index++)
        {
            if (!LocationAt(index).IsNone)
                copy.Take(this, index, KeyAt(index, hash));
        }

        return copy;
    }

    /// <summary>Two segments that divide the range of this one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public (RecordSegment Low, RecordSegment High) Split(SlotBlocks blocks, long epoch, in RecordHash hash)
    {
        ulong middle = Start | (1UL << (63 - Depth));

        // Room for all in one half, should their hashes want it.
        int capacity = CapacityFor(Entries / 2);
        int arena = (_arenaUsed / 2) + (_arenaUsed / 8);
        RecordSegment low = new(Start, Depth + 1, epoch, blocks.Take(capacity), arena);
        RecordSegment high = new(middle, Depth + 1, epoch, blocks.Take(capacity), arena);
        for (int index = 0; index < Capacity; index++)
        {
            if (LocationAt(index).IsNone)
                continue;
            RecordKey key = KeyAt(index, hash);
            (key.Hash >= middle ? high : low).Take(this, index, key);
        }

        return (low, high);
    }

    private static int Limit(int capacity) => capacity / 4 * 3;

    // Pinned when large, as slots are (see SlotBlocks).
    private static byte[] NewArena(int length) => length == 0 ? [] : GC.AllocateArray<byte>(length, pinned: length >= PinnedArena);

    // A document that a reader adds meanwhile may be missed: it is made once more.
    private void Take(RecordSegment from, int index, in RecordKey key) =>
        Insert(key, key.IsLong ? from.IdAt(index) : default, from.LocationAt(index).Packed, from.ValueAt(index));

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Insert(in RecordKey key, ReadOnlySpan<byte> id, ulong location, object? value)
    {
        int index = (int)key.Hash & _mask;
        while (SlotAt(index).Location != 0)
            index = (index + 1) & _mask;
        ref RecordSlot slot = ref SlotAt(index);
        slot.Id.Id0 = key.Id0;
        slot.Id.Id1 = key.IsLong ? RecordKey.AtOffset(key.Id1, AddToArena(id)) : key.Id1;
        slot.Value = value;
        _used++;
        Volatile.Write(ref slot.Location, location);
        ref ulong word = ref _occupied[index / WordBits];
        Volatile.Write(ref word, word | (1UL << (index % WordBits)));
    }

    private int AddToArena(ReadOnlySpan<byte> id)
    {
        int offset = _arenaUsed;
        byte[] arena = _arena;
        int needed = checked(offset + id.Length); // a table divides a segment long before
        if (needed > arena.Length)
        {
            long capacity = Math.Max(needed, Math.Max(FirstArena, arena.Length + ((long)arena.Length / 4)));
            byte[] larger = NewArena((int)Math.Min(capacity, Array.MaxLength));
            arena.AsSpan(0, offset).CopyTo(larger);
            arena = larger;
        }

        // Bytes first, then the array, then (by the caller) the location: who finds the slot finds the bytes.
        id.CopyTo(arena.AsSpan(offset));
        Volatile.Write(ref _arena, arena);
        _arenaUsed = needed;
        return offset;
    }
}
