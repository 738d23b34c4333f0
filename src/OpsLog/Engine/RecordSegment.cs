using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace OpsLog.Engine;

/// <summary>
/// The records whose hash begins with the same bits: an open-addressing table with linear probing that is never rebuilt in place. When
/// it is full, or must change while a view holds it, another segment takes its place and this one stays as it is, for whoever still
/// reads it.
/// </summary>
/// <remarks>
/// One thread at a time changes a segment; readers never wait. A slot's key is written before its location is published, and never
/// again. A change of a record clears the document first, then sets the location, between two increments of the sequence: a reader that
/// meets the same even number before and after has a pair that belongs together. Documents are filled in by readers, under the gate that
/// changes take too, so that a document never lands under a newer location.
/// </remarks>
internal sealed partial class RecordSegment
{
    /// <summary>Slots to a word of <see cref="Occupied"/>.</summary>
    public const int WordBits = 64;

    private const int ReadAttempts = 4;

    private readonly RecordSlot[] _slots; // perhaps those of other segments too
    private readonly int _first;
    private readonly int _mask;
    private readonly ulong[] _occupied;
    private readonly Lock _gate = new();
    private byte[] _arena;
    private int _arenaUsed;
    private int _used;
    private int _erased;
    private int _sequence;

    private RecordSegment(ulong start, int depth, long epoch, ArraySegment<RecordSlot> slots, int arena)
    {
        Start = start;
        Depth = depth;
        Epoch = epoch;
        _slots = slots.Array!;
        _first = slots.Offset;
        _mask = slots.Count - 1;
        _occupied = new ulong[slots.Count / WordBits];
        _arena = NewArena(arena);
    }

    /// <summary>The smallest hash of this segment's range.</summary>
    public ulong Start { get; }

    /// <summary>How many of the hash's highest bits all records here share.</summary>
    public int Depth { get; }

    /// <summary>The table's epoch in which this segment may be changed; in a later one a view may hold it.</summary>
    public long Epoch { get; }

    /// <summary>The smallest hash above the range, or 0 when the range reaches to the end.</summary>
    public ulong End => Depth == 0 ? 0 : Start + (1UL << (64 - Depth));

    /// <summary>Slots, used or not.</summary>
    public int Capacity => _mask + 1;

    /// <summary>A segment without records.</summary>
    public static RecordSegment Create(ulong start, int depth, long epoch, ArraySegment<RecordSlot> slots) => new(start, depth, epoch, slots, 0);

    /// <summary>Which of 64 slots were ever used, one bit each: a scan need not guess slot by slot.</summary>
    public ulong Occupied(int word) => Volatile.Read(ref _occupied[word]);

    /// <summary>The slot of a key, whatever its location says, or -1.</summary>
    public int Find(in RecordKey key, ReadOnlySpan<byte> id) =>
        key.IsLong ? FindLong(key, id) : FindShort(key.Id0, key.Id1, key.Hash);

    /// <summary>The slot of a short id, or -1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int FindShort(ulong id0, ulong id1, ulong hash)
    {
        int mask = _mask;
        for (int index = (int)hash & mask; ; index = (index + 1) & mask)
        {
            ref RecordSlot slot = ref SlotAt(index);
            if (Volatile.Read(ref slot.Location) == 0)
                return -1;
            if (slot.Id.Id0 == id0 && slot.Id.Id1 == id1)
                return index;
        }
    }

    /// <summary>The document of a slot, if it has been made.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public object? ValueAt(int index) => Volatile.Read(ref SlotAt(index).Value);

    /// <summary>The location of a slot; <see cref="RecordLocation.IsNone"/> for one without a record.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public RecordLocation LocationAt(int index) => new(Volatile.Read(ref SlotAt(index).Location));

    /// <summary>Reads a location and the document made from it, or null for the document; false if the slot holds no record.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryRead(int index, out RecordLocation location, out object? value)
    {
        ref RecordSlot slot = ref SlotAt(index);
        int before = Volatile.Read(ref _sequence);
        location = new RecordLocation(Volatile.Read(ref slot.Location));
        value = Volatile.Read(ref slot.Value);
        if ((before & 1) != 0 || before != Volatile.Read(ref _sequence))
            return TryReadAgain(index, out location, out value);
        return !location.IsNone;
    }

    /// <summary>Asks the processor for what an insertion touches: the slot where a search for the hash begins, and the words of occupied slots.</summary>
    public void Fetch(ulong hash)
    {
        Prefetch.Of(ref SlotAt((int)hash));
        Prefetch.Of(ref _occupied[0]);
        Prefetch.Of(ref _occupied[0], behind: 64);
    }

    /// <summary>Asks the processor for the documents of a word of slots: a scan reads all of them next.</summary>
    public void FetchValues(int word, ulong occupied)
    {
        for (; occupied != 0; occupied &= occupied - 1)
            Prefetch.Object(SlotAt((word * WordBits) + BitOperations.TrailingZeroCount(occupied)).Value, behind: 64);
    }

    /// <summary>The bytes of a slot's id; they never change.</summary>
    public ReadOnlySpan<byte> IdAt(int index)
    {
        ref RecordSlot slot = ref SlotAt(index);
        ulong id1 = slot.Id.Id1;
        if (RecordKey.IsLongWord(id1))
            return new ReadOnlySpan<byte>(Volatile.Read(ref _arena), RecordKey.OffsetOf(id1), RecordKey.LengthOf(id1));
        int length = RecordKey.ShortLength(slot.Id.Id0, id1);
        return MemoryMarshal.CreateReadOnlySpan(ref Unsafe.As<RecordWords, byte>(ref slot.Id), length);
    }

    /// <summary>The key of a slot in use.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public RecordKey KeyAt(int index, in RecordHash hash)
    {
        RecordWords id = SlotAt(index).Id;
        return new RecordKey(id.Id0, id.Id1, RecordKey.IsLongWord(id.Id1) ? id.Id0 : hash.OfWords(id.Id0, id.Id1));
    }

    /// <summary>
    /// Keeps the document made from <paramref name="seen"/> if the record still lies there and has none; returns the one that is kept for
    /// that location, or <paramref name="value"/> when the record has changed. A tombstone keeps none.
    /// </summary>
    public object TryCache(int index, RecordLocation seen, object value)
    {
        ref RecordSlot slot = ref SlotAt(index);
        lock (_gate)
        {
            if (slot.Location != seen.Packed || !seen.IsLive)
                return value;
            if (slot.Value is { } first)
                return first;
            Volatile.Write(ref slot.Value, value);
            return value;
        }
    }

    /// <summary>Gives a record another version, or erases it; returns the location before.</summary>
    public RecordLocation Replace(int index, RecordLocation location)
    {
        ref RecordSlot slot = ref SlotAt(index);
        lock (_gate)
        {
            RecordLocation before = new(slot.Location);
            int sequence = _sequence;
            _sequence = sequence + 1;
            Volatile.Write(ref slot.Value, null);
            Volatile.Write(ref slot.Location, location.Packed);
            Volatile.Write(ref _sequence, sequence + 2);
            _erased += (location == RecordLocation.Erased ? 1 : 0) - (before == RecordLocation.Erased ? 1 : 0);
            return before;
        }
    }

    /// <summary>Says where the same version lies now; its document stays.</summary>
    public void Repoint(int index, RecordLocation location)
    {
        // Either location belongs to the document: no sequence. The gate keeps a reader from comparing in between.
        lock (_gate)
            Volatile.Write(ref SlotAt(index).Location, location.Packed);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool TryReadAgain(int index, out RecordLocation location, out object? value)
    {
        ref RecordSlot slot = ref SlotAt(index);
        for (int attempt = 0; attempt < ReadAttempts; attempt++)
        {
            int before = Volatile.Read(ref _sequence);
            location = new RecordLocation(Volatile.Read(ref slot.Location));
            value = Volatile.Read(ref slot.Value);
            if ((before & 1) == 0 && before == Volatile.Read(ref _sequence))
                return !location.IsNone;
        }

        // Never waits for a writer: a location without its document is right too, it only has to be made once more.
        location = new RecordLocation(Volatile.Read(ref slot.Location));
        value = null;
        return !location.IsNone;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private int FindLong(in RecordKey key, ReadOnlySpan<byte> id)
    {
        for (int index = (int)key.Hash & _mask; ; index = (index + 1) & _mask)
        {
            ref RecordSlot slot = ref SlotAt(index);
            if (Volatile.Read(ref slot.Location) == 0)
                return -1;
            if (slot.Id.Id0 == key.Id0 && RecordKey.SameLength(slot.Id.Id1, key.Id1) && IdAt(index).SequenceEqual(id))
                return index;
        }
    }

    // Every index comes from a mask or from a handle of this segment; the check of bounds would touch one more line of memory per read.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ref RecordSlot SlotAt(int index) => ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(_slots), _first + (index & _mask));
}
