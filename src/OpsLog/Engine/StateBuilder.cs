using System.Runtime.CompilerServices;
using OpsLog.Format;

namespace OpsLog.Engine;

/// <summary>
/// Builds the state from snapshot records and log operations without making documents: our own lines are indexed where they lie, other
/// programs' lines (and migrated documents) are brought into our form in memory first.
/// </summary>
internal sealed class StateBuilder(StoreState state, Migration migration, bool merges) : IOperationSink
{
    private readonly OwnForm _own = new(state);
    private byte[] _id = new byte[256];
    private byte[] _data = [];
    private Extent _log = null!;
    private StampSource _source = StampSource.SingleWriter;
    private int _schema;

    public long SnapshotRecords { get; private set; }

    /// <summary>Operations whose lines are not ours.</summary>
    public long ForeignOperations { get; private set; }

    /// <summary>The operations that follow are of this log.</summary>
    public void EnterLog(Extent log, StampSource source, int schema) => (_log, _source, _schema) = (log, source, schema);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Operation(in OperationLine line, long offset, long clock, long next)
    {
        var id = Id(line);
        var source = Source(line);
        state.Clock = Math.Max(state.Clock, clock);
        if (line.Noop) return;
        if (!line.HasChecksum) ForeignOperations++;
        if (merges && !state.Wins(id, new Stamp(clock, source.Agent, source.Log))) return;
        if (line.Kind == OperationKind.Delete && !merges)
        {
            state.Records.Remove(id);
            return;
        }

        var data = line.Kind == OperationKind.Set ? line.Line[line.DataStart..line.DataEnd] : "null"u8;
        RecordLocation location;
        if (!line.HasChecksum || line.Clock < 0 || migration.Applies(_schema))
        {
            if (line.Kind == OperationKind.Set) data = migration.Apply(Minified(data), _schema);
            location = _own.Add(id, data, clock, source, line.Kind == OperationKind.Delete);
        }
        else
        {
            var start = line.Kind == OperationKind.Set ? line.DataStart : JsonLines.TailStart(line.Line);
            location = RecordLocation.Create(_log.Index, offset + start, line.Line.Length - start, line.Kind == OperationKind.Delete);
        }

        state.Records.Set(id, location);
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
            var data = migration.Apply(line[record.DataStart..record.DataEnd], schema);
            state.Records.Set(id, _own.Add(id, data, record.Clock, snapshot.Sources[record.LogIndex], false));
            return;
        }

        state.Records.Set(id, RecordLocation.Create(snapshot.Index, offset + record.DataStart, line.Length - record.DataStart, false));
    }

    /// <summary>Takes a record of another program's snapshot, or of one in the 0.3.0 layout.</summary>
    public void ForeignRecord(ReadOnlySpan<byte> id, ReadOnlySpan<byte> data, long clock, StampSource source, int schema)
    {
        SnapshotRecords++;
        state.Clock = Math.Max(state.Clock, clock);
        state.Records.Set(id, _own.Add(id, migration.Apply(Minified(data), schema), clock, source, false));
    }

    /// <summary>Takes a record of the package's snapshot (clock 0), or of one whose log table is lost.</summary>
    public void ForeignRecord(in SnapshotRecord record, long clock, int schema) => ForeignRecord(Id(record), record.Data, clock, StampSource.SingleWriter, schema);

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
    private const int SlabSize = 256 << 10;
    private readonly Dictionary<StampSource, int> _sources = [];
    private Extent? _extent;
    private byte[] _slab = [];
    private long _slabStart;
    private int _used;

    public RecordLocation Add(ReadOnlySpan<byte> id, ReadOnlySpan<byte> data, long clock, StampSource source, bool tombstone)
    {
        _extent ??= state.Extents.Add(new Extent("", []));
        var most = SnapshotCodec.MaxRecordLength(id.Length, data.Length);
        if (_slab.Length - _used < most)
        {
            _slabStart += _used;
            _slab = GC.AllocateUninitializedArray<byte>(Math.Max(SlabSize, most));
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
