namespace OpsLog.Engine;

/// <summary>
/// Where the segments of a table get their slots. In a large table many lie in one array, which huge pages can back. Such an array is free when all of its
/// segments are; so only segments that come with the table's growth share one, and a copy made for a view has its own.
/// </summary>
internal sealed class SlotBlocks
{
    private const int SlotBytes = 32;
    private const int FirstBlock = HugePages.WorthIt / SlotBytes;
    private const int LargestBlock = HugePages.Largest / SlotBytes;
    private RecordSlot[] _block = [];
    private int _used;
    private int _segments;

    /// <summary>Slots of a segment's own. Pinned when they are many: what is large and lives long is not worth copying from generation to generation.</summary>
    public static ArraySegment<RecordSlot> Single(int capacity) => GC.AllocateArray<RecordSlot>(capacity, pinned: capacity >= RecordSegment.NormalCapacity);

    /// <summary>Says how many segments the table will have at least: a block is never larger than they are together.</summary>
    public void Expect(int segments) => _segments = Math.Max(_segments, segments);

    /// <summary>Slots for a segment that comes with growth.</summary>
    public ArraySegment<RecordSlot> Take(int capacity)
    {
        var all = (long)_segments * RecordSegment.NormalCapacity;
        if (all < FirstBlock || capacity != RecordSegment.NormalCapacity) return Single(capacity);
        if (_used == _block.Length) (_block, _used) = (HugePages.Cleared<RecordSlot>(all < LargestBlock ? FirstBlock : LargestBlock), 0);
        _used += capacity;
        return new ArraySegment<RecordSlot>(_block, _used - capacity, capacity);
    }
}
