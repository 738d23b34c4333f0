using System.Runtime.CompilerServices;

namespace OpsLog.Engine;

/// <summary>
/// The records of a view, in two orders: that of the index, in which they are numbered and in which the index is fastest to change, and that in which
/// their bytes lie, in which they are several times as fast to copy as in any other.
/// </summary>
internal sealed class SnapshotOrder
{
    private const int DigitBits = 11;
    private const int Fewest = 4096; // below, clearing the counts costs more than it saves
    private readonly List<RecordSegment> _segments = [];
    private readonly List<int> _firsts = [];
    private readonly int[] _slots;
    private ulong[] _locations;
    private int[] _numbers;

    public SnapshotOrder(RecordTableView records)
    {
        _slots = new int[records.Count];
        _locations = new ulong[records.Count];
        _numbers = new int[records.Count];
        var count = 0;
        foreach (var entry in records)
        {
            if (_segments.Count == 0 || !ReferenceEquals(_segments[^1], entry.Handle.Segment))
            {
                _segments.Add(entry.Handle.Segment);
                _firsts.Add(count);
            }

            (_slots[count], _locations[count], _numbers[count]) = (entry.Handle.Index, entry.Location.Packed, count);
            count++;
        }

        if (count < Fewest) Array.Sort(_locations, _numbers);
        else SortByPlace();
    }

    public int Count => _slots.Length;

    /// <summary>How many segments of the index hold records.</summary>
    public int Segments => _segments.Count;

    /// <summary>Where the record lies that is at a position in the order of places.</summary>
    public RecordLocation Location(int position) => new(_locations[position]);

    /// <summary>The number of that record: its place in the order of the index.</summary>
    public int Number(int position) => _numbers[position];

    /// <summary>The id of the record with a number.</summary>
    public ReadOnlySpan<byte> Id(int number)
    {
        var segment = _firsts.BinarySearch(number);
        return _segments[segment < 0 ? ~segment - 1 : segment].IdAt(_slots[number]);
    }

    /// <summary>A segment, and the numbers and slots of its records.</summary>
    public (RecordSegment Segment, int First, ReadOnlyMemory<int> Slots) Segment(int index)
    {
        var (first, end) = (_firsts[index], index + 1 < _firsts.Count ? _firsts[index + 1] : Count);
        return (_segments[index], first, _slots.AsMemory(first, end - first));
    }

    // By eleven bits at a time, the lowest first; those that are the same in all are passed over. A quarter of the time of comparing.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void SortByPlace()
    {
        var (locations, numbers) = (new ulong[Count], new int[Count]);
        var ends = new int[1 << DigitBits];
        for (var shift = RecordLocation.PlaceShift; shift < 64; shift += DigitBits)
        {
            Array.Clear(ends);
            foreach (var location in _locations) ends[Digit(location, shift)]++;
            if (ends[Digit(_locations[0], shift)] == Count) continue;
            for (int digit = 0, sum = 0; digit < ends.Length; digit++) (ends[digit], sum) = (sum, sum + ends[digit]);
            for (var i = 0; i < _locations.Length; i++)
            {
                var to = ends[Digit(_locations[i], shift)]++;
                (locations[to], numbers[to]) = (_locations[i], _numbers[i]);
            }

            (_locations, locations, _numbers, numbers) = (locations, _locations, numbers, _numbers);
        }
    }

    private static int Digit(ulong location, int shift) => (int)(location >> shift) & ((1 << DigitBits) - 1);
}

/// <summary>The records of a snapshot that was stored: where each lies now, by its number.</summary>
internal sealed class MovedRecords(SnapshotOrder order, ulong[] to, int extent)
{
    /// <summary>Lets the index point there. The gate is held for the change of one segment at a time, or less.</summary>
    public void Repoint(StoreState state)
    {
        for (var index = 0; index < order.Segments; index++)
        {
            var (segment, first, slots) = order.Segment(index);
            var moved = to.AsSpan(first, slots.Length);
            if (extent != 0)
                foreach (ref var location in moved) location = new RecordLocation(location).In(extent).Packed;
            state.Records.Repoint(segment, slots.Span, moved, state.Gate, state.GiveWay);
        }
    }
}
