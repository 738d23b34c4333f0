using System.Runtime.CompilerServices;
using OpsLog.Engine.Agents;
using OpsLog.Format;

namespace OpsLog.Engine;

/// <summary>
/// Builds the state from snapshot records and log operations without making documents: our own lines are indexed where they lie, other
/// programs' lines (and migrated documents) are brought into our form in memory first.
/// </summary>
internal sealed class StateBuilder(StoreState state, Migration migration, bool merges) : IOperationSink
{
    private const int MostGathered = 1 << 20; // bytes of ids
    private readonly OwnForm _own = new(state);
    private byte[] _id = new byte[256];
    private byte[] _data = [];
    private Extent _log = null!;
    private StampSource _source = StampSource.SingleWriter;
    private int _schema;
    private readonly RecordInsert[] _gathered = new RecordInsert[RecordTable.Batch];
    private byte[] _gatheredIds = new byte[RecordTable.Batch * RecordKey.MaxShortLength];
    private int _gatheredCount;
    private int _gatheredBytes;

    public long SnapshotRecords { get; private set; }

    /// <summary>Set: a snapshot is merged into what is known, instead of loaded into nothing.</summary>
    public SnapshotMerge? Merge { get; init; }

    /// <summary>
    /// Nobody reads the state yet: records are gathered and go into the index many at once, which takes half the time. The caller ends with
    /// <see cref="Flush"/>, after each part of an object.
    /// </summary>
    public bool Gathers { get; init; }

    /// <summary>Operations whose lines are not ours.</summary>
    public long ForeignOperations { get; private set; }

    /// <summary>The operations that follow are of this log.</summary>
    public void EnterLog(Extent log, StampSource source, int schema) => (_log, _source, _schema) = (log, source, schema);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Operation(in OperationLine line, long offset, long clock, long next)
    {
        var id = Id(line);
        var source = Source(line);
        var newest = state.NewestStamp;
        state.Clock = Math.Max(state.Clock, clock);
        if (line.Noop) return;
        if (!line.HasChecksum) ForeignOperations++;
        var isDelete = line.Kind == OperationKind.Delete;
        RecordKey key = default;
        if (merges)
        {
            key = state.Records.KeyOf(id);
            if (source.Agent.Length > 0 && state.IsForgotten(key, id, clock)) return; // of a log that was given up
            if (isDelete && line.Moved() is { } moved) (clock, source) = (moved.Clock, StampSource.Of(moved.Agent, moved.Log));
            state.NewestStamp = Math.Max(newest, clock);
            var stamp = new Stamp(clock, source.Agent, source.Log);
            var wins = clock > newest || state.Wins(key, id, stamp, isDelete, !line.HasChecksum); // above all clocks: the record need not be read
            if (state.Conflicts is not null && IsInOwnForm(line)) state.Conflicts.Add(key, Shown(key, id), new MergedWrite(stamp, LocationOf(line, offset), _log.Serial), line);
            if (!wins) return;
        }
        else if (isDelete)
        {
            Flush();
            state.Records.Remove(id);
            return;
        }

        var location = IsInOwnForm(line) ? LocationOf(line, offset) : _own.Add(id, isDelete ? "null"u8 : migration.Apply(Minified(line.Data), _schema, id), clock, source, isDelete);

        if (merges) state.Records.Set(key, id, location); // it has to see what is there
        else if (Gathers) Gather(id, location);
        else state.Records.Set(id, location);
    }

    /// <summary>Puts what was gathered into the index.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Flush()
    {
        if (_gatheredCount > 0) state.Records.SetMany(_gatheredIds, _gathered.AsSpan(0, _gatheredCount));
        (_gatheredCount, _gatheredBytes) = (0, 0);
    }

    /// <summary>Takes a record of a snapshot of ours where it lies.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void SnapshotRecord(Extent snapshot, in SnapshotRecord record, ReadOnlySpan<byte> line, long offset, int schema)
    {
        SnapshotRecords++;
        state.Clock = Math.Max(state.Clock, record.Clock);
        var id = Id(record);
        if (migration.Applies(schema))
        {
            var data = migration.Apply(line[record.DataStart..record.DataEnd], schema, id);
            SetRecord(id, _own.Add(id, data, record.Clock, snapshot.Sources[record.LogIndex], false));
            return;
        }

        SetRecord(id, RecordLocation.Create(snapshot.Index, offset + record.DataStart, line.Length - record.DataStart, false));
    }

    /// <summary>Takes the deleted records of a snapshot of ours, if they are remembered.</summary>
    public void SnapshotTombstones(SnapshotHeader header)
    {
        if (!merges) return;
        foreach (var tombstone in header.Tombstones)
        {
            var (name, agent) = header.Logs[tombstone.Log];
            var wtf8 = new byte[JsonText.MaxWtf8(tombstone.Id.Length)];
            var id = wtf8.AsSpan(0, JsonText.ToWtf8(tombstone.Id, wtf8));
            lock (state.Gate)
            {
                state.NewestStamp = Math.Max(state.NewestStamp, tombstone.Clock);
                SetRecord(id, _own.Add(id, "null"u8, tombstone.Clock, StampSource.Of(agent, name), true));
            }
        }
    }

    /// <summary>Whether records that are brought into our own form go there.</summary>
    public bool WritesTo(Extent extent) => _own.WritesTo(extent);

    /// <summary>How many of the snapshot's records are of different ids; not known when it is merged.</summary>
    public long DistinctRecords(long read) => Merge is null ? state.Records.Count : read;

    /// <summary>Takes a record of another program's snapshot, or of one in the 0.3.0 layout.</summary>
    public void ForeignRecord(ReadOnlySpan<byte> id, ReadOnlySpan<byte> data, long clock, StampSource source, int schema)
    {
        SnapshotRecords++;
        state.Clock = Math.Max(state.Clock, clock);
        SetRecord(id, _own.Add(id, migration.Apply(Minified(data), schema, id), clock, source, false));
    }

    /// <summary>Takes a record of the package's snapshot, or of one whose log table is lost.</summary>
    public void ForeignRecord(in SnapshotRecord record, long clock, int schema) => ForeignRecord(Id(record), record.Data, clock, StampSource.SingleWriter, schema);

    // The line is one of ours and holds the document as it is now: it stays where it lies.
    private bool IsInOwnForm(in OperationLine line) => line.HasChecksum && line.Clock >= 0 && !migration.Applies(_schema);

    private RecordLocation LocationOf(in OperationLine line, long offset)
    {
        var isDelete = line.Kind == OperationKind.Delete;
        var start = isDelete ? JsonLines.TailStart(line.Line) : line.DataStart;
        return RecordLocation.Create(_log.Index, offset + start, line.Line.Length - start, isDelete);
    }

    private MergedWrite? Shown(in RecordKey key, ReadOnlySpan<byte> id) =>
        state.Records.TryGet(key, id, out var location) ? new MergedWrite(state.Read(location).Stamp, location, state.Extents.Current[location.Extent]!.Serial) : null;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void SetRecord(ReadOnlySpan<byte> id, RecordLocation location)
    {
        if (Merge is not null) Merge.Take(state, id, location);
        else if (Gathers) Gather(id, location);
        else state.Records.Set(id, location);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Gather(ReadOnlySpan<byte> id, RecordLocation location)
    {
        if (_gatheredCount == _gathered.Length || _gatheredBytes >= MostGathered) Flush();
        if (_gatheredIds.Length - _gatheredBytes < id.Length) Array.Resize(ref _gatheredIds, Math.Max(_gatheredBytes + id.Length, _gatheredIds.Length * 2));
        id.CopyTo(_gatheredIds.AsSpan(_gatheredBytes));
        _gathered[_gatheredCount++] = new RecordInsert(_gatheredBytes, id.Length, location);
        _gatheredBytes += id.Length;
    }

    private ReadOnlySpan<byte> Minified(ReadOnlySpan<byte> json)
    {
        if (JsonLines.IsMinified(json)) return json;
        if (_data.Length < json.Length) _data = new byte[json.Length];
        return _data.AsSpan(0, JsonLines.Minify(json, _data));
    }

    private StampSource Source(in OperationLine line)
    {
        if (line.RawAgent.IsEmpty || _source.Agent.Length > 0) return _source;
        return new StampSource(line.Agent(), _log.Name);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private ReadOnlySpan<byte> Id(in OperationLine line)
    {
        if (!line.IdIsEscaped) return line.RawId;
        if (_id.Length < line.RawId.Length) _id = new byte[line.RawId.Length];
        return _id.AsSpan(0, line.CopyId(_id));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private ReadOnlySpan<byte> Id(in SnapshotRecord record)
    {
        if (!record.IdIsEscaped) return record.RawId;
        if (_id.Length < record.RawId.Length) _id = new byte[record.RawId.Length];
        return _id.AsSpan(0, record.CopyId(_id));
    }
}

/// <summary>Records of other programs, brought into our own form in memory; gone with the next checkpoint.</summary>
internal sealed class OwnForm(StoreState state)
{
    private const int FirstSlab = 16 << 10;
    private const int LargestSlab = 256 << 10;
    private readonly Dictionary<StampSource, int> _sources = [];
    private Extent? _extent;
    private byte[] _slab = [];
    private long _slabStart;
    private int _used;

    public bool WritesTo(Extent extent) => ReferenceEquals(extent, _extent);

    public RecordLocation Add(ReadOnlySpan<byte> id, ReadOnlySpan<byte> data, long clock, StampSource source, bool tombstone)
    {
        _extent ??= state.Extents.Add(new Extent("", []) { HoldsRecords = true });
        var most = SnapshotCodec.MaxRecordLength(id.Length, data.Length);
        if (_slab.Length - _used < most)
        {
            _slabStart += _used;
            _slab = GC.AllocateUninitializedArray<byte>(Math.Max(Math.Clamp(2 * _slab.Length, FirstSlab, LargestSlab), most));
            _used = 0;
            _extent.Add(_slabStart, _slab);
        }

        var length = SnapshotCodec.WriteRecord(_slab.AsSpan(_used), id, data, clock, SourceIndex(source), out var dataStart);
        var start = tombstone ? dataStart + data.Length : dataStart;
        var location = RecordLocation.Create(_extent.Index, _slabStart + _used + start, length - start, tombstone);
        _used += length;
        return location;
    }

    private int SourceIndex(StampSource source)
    {
        if (_sources.TryGetValue(source, out var index)) return index;
        index = _sources.Count;
        _sources.Add(source, index);
        _extent!.Sources = [.. _extent.Sources, source];
        return index;
    }
}
