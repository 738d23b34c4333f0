using OpsLog.Format;

namespace OpsLog.Engine;

/// <summary>
/// What the store holds: an index of ids, and the bytes the records lie in. One writer at a time changes it (the leader of a commit, or
/// opening); reads take no lock.
/// </summary>
internal sealed class StoreState(ulong hashSeed)
{
    public RecordTable Records { get; } = new(hashSeed);

    public ExtentTable Extents { get; } = new();

    /// <summary>Held while a group of changes is shown or a view is taken, so that a view never has half a batch. Reads do not take it.</summary>
    public Lock Gate { get; } = new();

    /// <summary>The largest clock of any operation known.</summary>
    public long Clock { get; set; }

    /// <summary>The stored bytes of a record.</summary>
    public StoredRecord Read(RecordLocation location) => Read(Extents.Current, location);

    public static StoredRecord Read(Extent?[] extents, RecordLocation location)
    {
        var extent = extents[location.Extent]!;
        return StoredRecord.Parse(extent, extent.LineFrom(location.Offset));
    }

    /// <summary>Takes a change of this process in.</summary>
    public void Set(ReadOnlySpan<byte> wtf8, RecordLocation location)
    {
        // With one writer nothing older can come in: a deleted record needs no tombstone.
        if (location.IsTombstone) Records.Remove(wtf8);
        else Records.Set(wtf8, location);
    }

    /// <summary>After logs were merged: nothing older can come in any more.</summary>
    public void ForgetTombstones()
    {
        var dead = new List<byte[]>();
        foreach (var entry in Records.WithTombstones())
            if (entry.Location.IsTombstone) dead.Add(entry.Handle.Id.ToArray());
        foreach (var id in dead) Records.Remove(id);
    }

    /// <summary>Whether an operation with this stamp wins over what is known of a record (design: the larger stamp is kept; equal in one log: the later line).</summary>
    public bool Wins(ReadOnlySpan<byte> id, Stamp stamp)
    {
        if (!Records.TryGet(id, out var location, out _, out _)) return true;
        return Read(location).Stamp.CompareTo(stamp) <= 0;
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
        return new StoredRecord(fromDocument[..tail.Start], tail.Clock, extent.Sources[Math.Max(0, tail.LogIndex)]);
    }
}
