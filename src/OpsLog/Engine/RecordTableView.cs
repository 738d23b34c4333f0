namespace OpsLog.Engine;

/// <summary>
/// The table at one moment. Its records and their locations never change; documents may still be added by readers. Any number of threads
/// may use it; it costs memory only for segments that the table changed since, and is given back by the garbage collector.
/// </summary>
internal sealed class RecordTableView
{
    private readonly RecordSegment[] _directory;
    private readonly RecordHash _hash;

    internal RecordTableView(RecordSegment[] directory, in RecordHash hash, int count, int tombstones)
    {
        _directory = directory;
        _hash = hash;
        Count = count;
        Tombstones = tombstones;
    }

    /// <summary>Live records.</summary>
    public int Count { get; }

    /// <summary>Deleted records that are remembered.</summary>
    public int Tombstones { get; }

    /// <inheritdoc cref="RecordTable.TryGet(string, out RecordLocation, out object?, out RecordHandle)"/>
    public bool TryGet(string id, out RecordLocation location, out object? value, out RecordHandle handle) =>
        new RecordReader(_directory, _hash).TryGet(id, out location, out value, out handle);

    /// <inheritdoc cref="RecordTable.TryGet(string, out RecordLocation, out object?, out RecordHandle)"/>
    public bool TryGet(ReadOnlySpan<byte> idWtf8, out RecordLocation location, out object? value, out RecordHandle handle) =>
        new RecordReader(_directory, _hash).TryGet(idWtf8, out location, out value, out handle);

    /// <summary>The live records, in an order of no meaning that is the same each time.</summary>
    public RecordEnumerator GetEnumerator() => new(null, _directory, withTombstones: false);

    /// <inheritdoc cref="RecordTable.WithDocuments"/>
    public RecordEnumerator WithDocuments() => new(null, _directory, withTombstones: false, readsDocuments: true);

    /// <summary>The live and the deleted records.</summary>
    public RecordEnumerator WithTombstones() => new(null, _directory, withTombstones: true);
}
