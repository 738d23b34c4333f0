using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace OpsLog.Engine;

/// <summary>
/// The index of a store in memory: id to location, and to the document once somebody has read it. Extendible hashing over segments of
/// 32 KiB, so that no insertion ever pays for the size of the table.
/// </summary>
/// <remarks>
/// <para>One caller at a time may use what changes the table (<see cref="Set(ReadOnlySpan{byte}, RecordLocation)"/>,
/// <see cref="SetMany"/>, <see cref="Remove"/>, <see cref="Presize"/> and
/// <see cref="Repoint(RecordHandle, RecordLocation, RecordLocation)"/>) and <see cref="View"/>.
/// Everything else may be called by any thread at any time, never waits, and sees the table as it is at some moment during the call.</para>
/// <para>Memory of erased records is given back when their segment is next rebuilt; the directory never shrinks.</para>
/// </remarks>
internal sealed partial class RecordTable
{
    private readonly RecordHash _hash;
    private readonly SlotBlocks _blocks = new();
    private RecordSegment[] _directory;
    private int _count;
    private int _tombstones;

    /// <summary>An empty table.</summary>
    /// <param name="seed">Keys the hash: secret where ids come from strangers, fixed where a run must be repeatable.</param>
    public RecordTable(ulong seed)
        : this(new RecordHash(seed))
    {
    }

    internal RecordTable(in RecordHash hash)
    {
        _hash = hash;
        RecordSegment only = RecordSegment.Create(0, 0, 0, SlotBlocks.Single(RecordSegment.SmallestCapacity));
        _directory = [only, only];
    }

    /// <summary>Live records.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>Deleted records that are remembered.</summary>
    public int Tombstones => Volatile.Read(ref _tombstones);

    /// <summary>A segment takes no more records once it has more bytes of ids than this: they lie in one array. Only tests need another number.</summary>
    internal int MostIdBytes { get; init; } = 256 << 20;

    internal RecordSegment[] Directory => Volatile.Read(ref _directory);

    /// <summary>Finds a record.</summary>
    /// <param name="id">The id.</param>
    /// <param name="location">Where it lies; see <see cref="RecordLocation.IsTombstone"/>.</param>
    /// <param name="value">The document that was made from the bytes at <paramref name="location"/>, or null.</param>
    /// <param name="handle">For <see cref="TryCache"/> and <see cref="Repoint(RecordHandle, RecordLocation, RecordLocation)"/>.</param>
    /// <returns>Whether there is a record, live or deleted.</returns>
    public bool TryGet(string id, out RecordLocation location, out object? value, out RecordHandle handle) =>
        new RecordReader(Directory, _hash).TryGet(id, out location, out value, out handle);

    /// <inheritdoc cref="TryGet(string, out RecordLocation, out object?, out RecordHandle)"/>
    public bool TryGet(ReadOnlySpan<byte> idWtf8, out RecordLocation location, out object? value, out RecordHandle handle) =>
        new RecordReader(Directory, _hash).TryGet(idWtf8, out location, out value, out handle);

    /// <summary>What finds an id here: made once for several calls.</summary>
    public RecordKey KeyOf(ReadOnlySpan<byte> idWtf8) => RecordKey.Of(idWtf8, _hash);

    /// <inheritdoc cref="TryGet(string, out RecordLocation, out object?, out RecordHandle)"/>
    public bool TryGet(in RecordKey key, ReadOnlySpan<byte> idWtf8, out RecordLocation location)
    {
        RecordSegment segment = RecordReader.SegmentOf(Directory, key.Hash);
        int index = segment.Find(key, idWtf8);
        location = index < 0 ? default : segment.LocationAt(index);
        return !location.IsNone;
    }

    /// <summary>
    /// The shortest way to a live record's document. Returns it if it has been made; null with <paramref name="found"/> if the record is
    /// there and its bytes must be read; their location is told by
    /// <see cref="TryGet(string, out RecordLocation, out object?, out RecordHandle)"/>.
    /// </summary>
    public object? TryGetValueFast(string id, out RecordHandle handle, out bool found)
    {
        RecordReader reader = new(Directory, _hash);
        RecordLocation location;
        object? value;
        if (!RecordKey.TryPack(id, out ulong id0, out ulong id1))
        {
            found = reader.TryGetText(id, out location, out value, out handle) && location.IsLive;
            return value;
        }

        // A document that is there was, at that moment, the one of the newest version: a change clears it first.
        if (reader.TryGetReady(id0, id1, out value, out handle))
        {
            found = true;
            return value;
        }

        found = reader.TryGet(id, out location, out value, out handle) && location.IsLive;
        return value;
    }

    /// <summary>
    /// Keeps the document that was made from the bytes at <paramref name="seen"/>, unless the record has changed since or already has one.
    /// </summary>
    /// <returns>The document to hand out for <paramref name="seen"/>: the first that was kept, else <paramref name="value"/>.</returns>
    /// <remarks>
    /// A location names bytes that never change, so that a document made from them is right whenever the record lies there: it does not
    /// matter whether the record was elsewhere in between.
    /// </remarks>
    [SuppressMessage("Performance", "CA1822", Justification = "Reads as what it is: a change of the table")]
    public object TryCache(RecordHandle handle, RecordLocation seen, object value) =>
        handle.Segment.TryCache(handle.Index, seen, value);

    /// <summary>Inserts a record or gives it another version; forgets its document.</summary>
    /// <param name="idWtf8">The id; copied.</param>
    /// <param name="location">Where the version lies, or the tombstone of a delete.</param>
    /// <exception cref="ArgumentException">The location is none.</exception>
    /// <exception cref="OpsLogException">The id is too long.</exception>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Set(ReadOnlySpan<byte> idWtf8, RecordLocation location) => Set(RecordKey.Of(idWtf8, _hash), idWtf8, location);

    /// <summary>Forgets a record, live or deleted, altogether; nothing happens if there is none.</summary>
    public void Remove(ReadOnlySpan<byte> idWtf8)
    {
        RecordKey key = RecordKey.Of(idWtf8, _hash);
        RecordSegment segment = RecordReader.SegmentOf(_directory, key.Hash);
        int index = segment.Find(key, idWtf8);
        if (index >= 0 && !segment.LocationAt(index).IsNone)
            Recount(Writable(segment).Replace(index, RecordLocation.Erased), default);
    }

    /// <summary>The same version lies elsewhere now (a checkpoint copied it): its document stays.</summary>
    /// <returns>False, and nothing is changed, if the record no longer lies at <paramref name="from"/>.</returns>
    public bool Repoint(ReadOnlySpan<byte> idWtf8, RecordLocation from, RecordLocation to) =>
        Repoint(RecordKey.Of(idWtf8, _hash), idWtf8, from, to);

    /// <inheritdoc cref="Repoint(ReadOnlySpan{byte}, RecordLocation, RecordLocation)"/>
    public bool Repoint(RecordHandle handle, RecordLocation from, RecordLocation to) =>
        Repoint(handle.Segment.KeyAt(handle.Index, _hash), handle.Id, from, to);

    /// <summary>
    /// The same for many records of one segment, given as a view has it. May be called beside the one caller who changes the table if that one holds
    /// <paramref name="gate"/>: here it is taken for the change alone, which is prepared before where nobody has changed the segment since.
    /// </summary>
    /// <param name="seen">The segment; it never changes, for a view has it.</param>
    /// <param name="slots">The records.</param>
    /// <param name="to">Where each lies now.</param>
    /// <param name="gate">Held by whoever changes the table.</param>
    /// <param name="between">Called between two holds of the gate.</param>
    public void Repoint(RecordSegment seen, ReadOnlySpan<int> slots, ReadOnlySpan<ulong> to, Lock gate, Action between)
    {
        long epoch = Volatile.Read(ref _epoch);
        RecordSegment? copy = null;
        if (ReferenceEquals(RecordReader.SegmentOf(Directory, seen.Start), seen))
        {
            copy = seen.Clone(epoch);
            for (int i = 0; i < slots.Length; i++)
                copy.Repoint(slots[i], new RecordLocation(to[i]));
        }

        if (copy is not null)
        {
            lock (gate)
            {
                if (epoch == _epoch && ReferenceEquals(RecordReader.SegmentOf(_directory, seen.Start), seen))
                {
                    Publish(copy, copy);
                    return;
                }
            }
        }

        for (int first = 0; first < slots.Length; first += Batch)
        {
            between();
            lock (gate)
            {
                for (int i = first; i < Math.Min(slots.Length, first + Batch); i++)
                    Repoint(new RecordHandle(seen, slots[i]), seen.LocationAt(slots[i]), new RecordLocation(to[i]));
            }
        }
    }

    /// <summary>The table at this moment, in constant time. Later changes copy a segment before they first touch it.</summary>
    public RecordTableView View()
    {
        _epoch++;
        return new RecordTableView(_directory, _hash, _count, _tombstones);
    }

    /// <summary>The live records, weakly consistent: see <see cref="RecordEnumerator"/>.</summary>
    public RecordEnumerator GetEnumerator() => new(this, Directory, withTombstones: false);

    /// <summary>The live records, for a caller that reads the documents of all: they are fetched ahead, which halves the time of a scan.</summary>
    public RecordEnumerator WithDocuments() => new(this, Directory, withTombstones: false, readsDocuments: true);

    /// <summary>The live and the deleted records, weakly consistent.</summary>
    public RecordEnumerator WithTombstones() => new(this, Directory, withTombstones: true);

    private bool Repoint(in RecordKey key, ReadOnlySpan<byte> id, RecordLocation from, RecordLocation to)
    {
        if (to.IsNone || from.IsTombstone != to.IsTombstone)
            throw new ArgumentException("A version that moved stays what it was.", nameof(to));
        RecordSegment segment = RecordReader.SegmentOf(_directory, key.Hash);
        int index = segment.Find(key, id);
        if (index < 0 || segment.LocationAt(index) != from)
            return false;
        Writable(segment).Repoint(index, to);
        return true;
    }

    /// <inheritdoc cref="Set(ReadOnlySpan{byte}, RecordLocation)"/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Set(in RecordKey key, ReadOnlySpan<byte> id, RecordLocation location)
    {
        if (location.IsNone)
            throw new ArgumentException("A record needs a location.", nameof(location));
        RecordSegment segment = RecordReader.SegmentOf(_directory, key.Hash);
        int index = segment.Find(key, id);
        if (index >= 0)
        {
            Recount(Writable(segment).Replace(index, location), location);
            return;
        }

        while (!segment.HasRoom || segment.IdBytes > MostIdBytes)
            segment = MakeRoom(segment, key.Hash);
        Writable(segment).Insert(key, id, location);
        Recount(default, location);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Recount(RecordLocation before, RecordLocation after)
    {
        Volatile.Write(ref _count, _count + (after.IsLive ? 1 : 0) - (before.IsLive ? 1 : 0));
        Volatile.Write(ref _tombstones, _tombstones + (after.IsTombstone ? 1 : 0) - (before.IsTombstone ? 1 : 0));
    }
}
