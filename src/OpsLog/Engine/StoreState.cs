using OpsLog.Format;

namespace OpsLog.Engine;

/// <summary>
/// What the store holds: an index of ids, and the bytes the records lie in. One writer at a time changes it (the leader of a commit, or
/// opening); reads take no lock.
/// </summary>
internal sealed class StoreState(ulong hashSeed)
{
    private bool _showWaits;

    public RecordTable Records { get; } = new(hashSeed);

    /// <summary>Several writers: an older operation may still come in, so that deleted records are remembered.</summary>
    public bool KeepsTombstones { get; init; }

    public ExtentTable Extents { get; } = new();

    /// <summary>Reads documents that stay where they are stored; null: they are held in memory.</summary>
    public DiskDocuments? Disk { get; init; }

    /// <summary>Keeps a document that was made for the next reader, unless documents stay on disk; returns the one that is there.</summary>
    public object TryCache(RecordHandle handle, RecordLocation seen, object value) => Disk is null ? Records.TryCache(handle, seen, value) : value;

    /// <summary>An extent for a log's lines.</summary>
    public Extent LogExtent(string name, StampSource source) => new(name, [source]) { Disk = Disk?.Open(name, isLog: true) };

    /// <summary>What was overwritten unseen, if it is found out.</summary>
    public Agents.ConflictLog? Conflicts { get; set; }

    /// <summary>Held while a group of changes is shown or a view is taken, so that a view never has half a batch. Reads do not take it.</summary>
    public Lock Gate { get; } = new();

    /// <summary>Takes the gate to show what was written. Who has the gate often, and nobody waiting, lets this one go first: see <see cref="GiveWay"/>.</summary>
    public Lock.Scope EnterToShow()
    {
        Volatile.Write(ref _showWaits, true);
        try
        {
            return Gate.EnterScope();
        }
        finally
        {
            Volatile.Write(ref _showWaits, false);
        }
    }

    /// <summary>Between two holds of the gate: a lock gives it to whoever comes first, which is not who has been woken up for it.</summary>
    public void GiveWay()
    {
        for (var spin = default(SpinWait); Volatile.Read(ref _showWaits);) spin.SpinOnce(sleep1Threshold: -1);
    }

    /// <summary>The largest clock of any operation known.</summary>
    public long Clock { get; set; }

    /// <summary>
    /// No record or deleted record has a stamp with a larger clock: what comes with a larger one wins, and need not look. Not the same as <see cref="Clock"/>, for a deleted record may
    /// have the stamp of what it moved to an archive, which nobody has to believe.
    /// </summary>
    public long NewestStamp
    {
        get => Math.Max(field, Clock);
        set;
    }

    /// <summary>The floor of the newest snapshot that was caught up with: what an agent's operation up to this clock wrote, and is not there, was deleted since (docs/format.md, Tombstones).</summary>
    public long Floor { get; set; }

    /// <summary>Whether an agent's operation on a record that is not there comes too late.</summary>
    public bool IsForgotten(in RecordKey key, ReadOnlySpan<byte> id, long clock) => clock <= Floor && !Records.TryGet(key, id, out _);

    /// <summary>The extent of a location that was just read from the index. Who gets it reads the index again before using it: its number may have become another's.</summary>
    /// <param name="location">The location.</param>
    /// <param name="missed">The last one whose extent was gone; default at first.</param>
    /// <returns>Null: it is gone, for a checkpoint has moved the record since; look again.</returns>
    /// <exception cref="InvalidOperationException">It was gone the last time too, and the record has not moved.</exception>
    public Extent? ExtentOf(RecordLocation location, ref RecordLocation missed)
    {
        if (Extents.Current[location.Extent] is { } extent) return extent;
        if (location == missed) throw new InvalidOperationException("The index names bytes that are held no longer, which is a defect of OpsLog. Close the store and open it again: what is stored is not concerned.");
        missed = location;
        return null;
    }

    /// <summary>The stored bytes of a record.</summary>
    public StoredRecord Read(RecordLocation location) => Read(Extents.Current, location);

    public static StoredRecord Read(Extent?[] extents, RecordLocation location)
    {
        var extent = extents[location.Extent]!;
        return StoredRecord.Parse(extent, extent.LineFrom(location.Offset));
    }

    /// <summary>The same for what goes into another line: see <see cref="Extent.CheckedLineFrom"/>.</summary>
    public static StoredRecord ReadChecked(Extent?[] extents, RecordLocation location, LastBlock? last = null)
    {
        var extent = extents[location.Extent]!;
        return StoredRecord.Parse(extent, extent.CheckedLineFrom(location.Offset, last));
    }

    /// <summary>Takes a change of this process in.</summary>
    public void Set(in RecordKey key, ReadOnlySpan<byte> wtf8, RecordLocation location)
    {
        // With one writer nothing older can come in: a deleted record needs no tombstone.
        if (location.IsTombstone && !KeepsTombstones) Records.Remove(wtf8);
        else Records.Set(key, wtf8, location);
    }

    /// <summary>Forgets deleted records that nothing older can come in for any more.</summary>
    /// <param name="floor">Those with a clock up to this one.</param>
    public void ForgetTombstones(long floor = long.MaxValue)
    {
        if (Records.Tombstones == 0) return;
        var dead = new List<byte[]>();
        foreach (var entry in Records.WithTombstones())
            if (entry.Location.IsTombstone && Read(entry.Location).Clock <= floor) dead.Add(entry.Handle.Id.ToArray());
        foreach (var id in dead) Records.Remove(id);
    }

    /// <summary>
    /// Whether an operation wins over what is known of a record: the larger stamp does. Of equal stamps a delete does, which is one that archived the
    /// record it shares the stamp with; and in a log of the package, whose lines may share a clock, the later line.
    /// </summary>
    public bool Wins(in RecordKey key, ReadOnlySpan<byte> id, Stamp stamp, bool isDelete, bool isForeign)
    {
        if (!Records.TryGet(key, id, out var location)) return true;
        var order = Read(location).Stamp.CompareTo(stamp);
        return order < 0 || (order == 0 && (isDelete || isForeign || location.IsLive));
    }
}

/// <summary>A record as it is stored: the document's bytes and what follows them on the line.</summary>
internal readonly ref struct StoredRecord
{
    private StoredRecord(ReadOnlySpan<byte> document, long clock, StampSource source)
    {
        Document = document;
        Clock = clock;
        Source = source;
    }

    /// <summary>The document; empty for a tombstone.</summary>
    public ReadOnlySpan<byte> Document { get; }

    public long Clock { get; }

    public StampSource Source { get; }

    public Stamp Stamp => new(Clock, Source.Agent, Source.Log);

    public Revision Revision => new(Clock, Source.Agent, Source.Log);

    public static StoredRecord Parse(Extent extent, ReadOnlySpan<byte> fromDocument)
    {
        if (!RecordTail.TryRead(fromDocument, out var tail))
            throw new OpsLogException(OpsLogError.Damaged, $"A record in '{extent.Name}' is not what was indexed. Reopen the store.");
        if (tail.IsMove)
        {
            var moved = tail.Moved(fromDocument);
            return new StoredRecord([], moved.Clock, new StampSource(moved.Agent, moved.Log));
        }

        return new StoredRecord(fromDocument[..tail.Start], tail.Clock, extent.Sources[Math.Max(0, tail.LogIndex)]);
    }
}
