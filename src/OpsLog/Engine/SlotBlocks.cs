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
    private Task<RecordSlot[]>? _next;

    /// <summary>Slots of a segment's own. Pinned when they are many: what is large and lives long is not worth copying from generation to generation.</summary>
    public static ArraySegment<RecordSlot> Single(int capacity) => GC.AllocateArray<RecordSlot>(capacity, pinned: capacity >= RecordSegment.NormalCapacity);

    /// <summary>Says how many segments the table will have at least: a block is never larger than they are together.</summary>
    public void Expect(int segments) => _segments = Math.Max(_segments, segments);

    /// <summary>Slots for a segment of a table that is made large, before anybody uses it.</summary>
    public ArraySegment<RecordSlot> TakeAtOnce(int capacity)
    {
        if (!IsWorthIt(capacity)) return Single(capacity);
        if (_used == _block.Length) (_block, _used) = (Make(), 0);
        return Cut(capacity);
    }

    /// <summary>Slots for a segment that comes with growth.</summary>
    public ArraySegment<RecordSlot> Take(int capacity)
    {
        if (!IsWorthIt(capacity)) return Single(capacity);
        if (_used == _block.Length && _next is { IsCompletedSuccessfully: true }) (_block, _used, _next) = (_next.Result, 0, null);
        if (_used >= _block.Length / 4 * 3 && _next is null) _next = HugePages.Ahead(Make);
        return _used == _block.Length ? new RecordSlot[capacity] : Cut(capacity); // not pinned: that allocation would wait for the one beside it
    }

    private long All => (long)_segments * RecordSegment.NormalCapacity;

    private bool IsWorthIt(int capacity) => All >= FirstBlock && capacity == RecordSegment.NormalCapacity;

    private RecordSlot[] Make() => HugePages.Cleared<RecordSlot>(All < LargestBlock ? FirstBlock : LargestBlock);

    private ArraySegment<RecordSlot> Cut(int capacity) => new(_block, (_used += capacity) - capacity, capacity);
}
