using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace OpsLog.Engine;

/// <summary>One record of <see cref="RecordTable.SetMany"/>.</summary>
/// <param name="IdStart">Where the id begins in the buffer.</param>
/// <param name="IdLength">The id's length in bytes.</param>
/// <param name="Location">Where the version lies.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct RecordInsert(int IdStart, int IdLength, RecordLocation Location);

/// <content>How the table grows, and how it copies what a view holds.</content>
internal sealed partial class RecordTable
{
    // A good hash needs one entry of the directory per some 300 records. Ids made to collide could ask for any number: beyond one per
    // this many records a full segment is enlarged instead of split.
    private const int FewestRecordsPerEntry = 64;

    /// <summary>How many records <see cref="SetMany"/> asks memory for at once, or the gate is held for.</summary>
    public const int Batch = 64;

    private long _epoch;
    private long _directoryEpoch;

    /// <summary>Makes room for about <paramref name="count"/> records in an empty table; otherwise does nothing.</summary>
    public void Presize(int count)
    {
        RecordSegment first = _directory[0];
        if (first.Depth != 0 || first.Entries != 0)
            return;
        int depth = 0;
        while (!RecordSegment.HasRoomForAbout(count >> depth))
            depth++;
        int capacity = depth == 0 ? Math.Min(RecordSegment.CapacityFor(count), RecordSegment.NormalCapacity) : RecordSegment.NormalCapacity;
        _blocks.Expect(1 << depth);
        RecordSegment[] directory = new RecordSegment[1 << Math.Max(1, depth)];
        int width = directory.Length >> depth;
        for (int index = 0; index < directory.Length; index++)
        {
            directory[index] = index % width == 0
                ? RecordSegment.Create(depth == 0 ? 0 : (ulong)index << (64 - depth), depth, _epoch, _blocks.TakeAtOnce(capacity))
                : directory[index - 1];
        }

        Volatile.Write(ref _directory, directory);
        _directoryEpoch = _epoch;
    }

    /// <summary>Sets many records in their order, faster than one by one: memory is asked for ahead.</summary>
    /// <param name="buffer">Holds all ids.</param>
    /// <param name="records">The records.</param>
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void SetMany(ReadOnlySpan<byte> buffer, ReadOnlySpan<RecordInsert> records)
    {
        Span<RecordKey> keys = stackalloc RecordKey[Batch];
        while (!records.IsEmpty)
        {
            ReadOnlySpan<RecordInsert> some = records[..Math.Min(Batch, records.Length)];
            for (int i = 0; i < some.Length; i++)
            {
                keys[i] = RecordKey.Of(buffer.Slice(some[i].IdStart, some[i].IdLength), _hash);
                Prefetch.Object(RecordReader.SegmentOf(_directory, keys[i].Hash));
            }

            for (int i = 0; i < some.Length; i++)
                RecordReader.SegmentOf(_directory, keys[i].Hash).Fetch(keys[i].Hash);
            for (int i = 0; i < some.Length; i++)
                Set(keys[i], buffer.Slice(some[i].IdStart, some[i].IdLength), some[i].Location);
            records = records[some.Length..];
        }
    }

    // The segment itself, or a copy of it if a view may hold it.
    private RecordSegment Writable(RecordSegment segment)
    {
        if (segment.Epoch == _epoch)
            return segment;
        RecordSegment copy = segment.Clone(_epoch);
        Publish(copy, copy);
        return copy;
    }

    // Puts a segment with more room in the place of a full one and returns the one that now holds the hash.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private RecordSegment MakeRoom(RecordSegment full, ulong hash)
    {
        bool isFullOfIds = full.IdBytes > MostIdBytes;
        if (isFullOfIds ? full.LiveIdBytes() < MostIdBytes / 2 : full.Entries < full.Capacity * 3 / 8)
        {
            // Erased records take half the room.
            RecordSegment swept = full.Resize(full.Capacity, _epoch, _hash);
            Publish(swept, swept);
        }
        else if (!isFullOfIds && (full.Capacity < RecordSegment.NormalCapacity || !MaySplit(full.Depth)))
        {
            RecordSegment larger = full.Resize(full.Capacity * 2, _epoch, _hash);
            Publish(larger, larger);
        }
        else
        {
            _blocks.Expect(1 << (full.Depth + 1));
            (RecordSegment low, RecordSegment high) = full.Split(_blocks, _epoch, _hash);
            Publish(low, high);
        }

        return RecordReader.SegmentOf(_directory, hash);
    }

    private bool MaySplit(int depth) => ((long)_count + _tombstones) >> (depth + 1) >= FewestRecordsPerEntry;

    /// <summary>Called between the two halves of a split, for tests: an enumerator may go by just then.</summary>
    internal Action? Splitting { get; set; }

    // Puts one segment (given twice), or the two halves of one, into all entries of their range. The upper half first: an enumerator that meets the lower one
    // goes on at the upper one's beginning, and must not meet the whole there, whose lower records it has shown; one that still meets the whole passes over both.
    private void Publish(RecordSegment low, RecordSegment high)
    {
        RecordSegment[] directory = OwnDirectory(low.Depth);
        if (!ReferenceEquals(low, high))
        {
            Fill(directory, high);
            Splitting?.Invoke();
        }

        Fill(directory, low);
        Volatile.Write(ref _directory, directory);
    }

    // A directory that no view holds and that tells apart segments of this depth. A new one is not visible before it is filled.
    private RecordSegment[] OwnDirectory(int depth)
    {
        RecordSegment[] old = _directory;
        int doublings = Math.Max(0, depth - BitOperations.Log2((uint)old.Length));
        if (doublings == 0 && _directoryEpoch == _epoch)
            return old;
        RecordSegment[] directory = new RecordSegment[old.Length << doublings];
        for (int index = 0; index < directory.Length; index++)
            directory[index] = old[index >> doublings];
        _directoryEpoch = _epoch;
        return directory;
    }

    private static void Fill(RecordSegment[] directory, RecordSegment segment)
    {
        int shift = 64 - BitOperations.Log2((uint)directory.Length);
        int first = (int)(segment.Start >> shift);
        int entries = directory.Length >> segment.Depth;
        for (int index = first; index < first + entries; index++)
            Volatile.Write(ref directory[index], segment);
    }
}
