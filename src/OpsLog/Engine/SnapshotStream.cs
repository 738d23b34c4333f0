using System.Buffers;
using OpsLog.Format;
using OpsLog.Storage;

namespace OpsLog.Engine;

/// <summary>
/// A snapshot of a view as the bytes of an object, made while it is read. Records come in the order their bytes lie in; those that lie in an earlier
/// snapshot are copied line by line, checksums and all.
/// </summary>
internal sealed class SnapshotStream : Stream
{
    private const int BufferSize = 1 << 20;
    private const int RecordSize = 16 << 10;
    private const int Ahead = 16; // records

    private readonly Extent?[] _extents;
    private readonly SnapshotOrder _order;
    private readonly bool[] _copies; // by extent: its lines have the form that they are to have here
    private readonly SnapshotHeader _header;
    private readonly Dictionary<StampSource, int> _sources;
    private readonly SnapshotFormat _format;
    private readonly ulong[] _written; // where each record lies in the snapshot, by its number
    private readonly LastBlock _last = new();
    private byte[] _buffer = [];
    private int _used;
    private int _needed;
    private int _read;
    private int _next = -1; // in the order of places; the header comes first
    private readonly ArrayBufferWriter<byte> _jsonBytes = new();
    private JsonSnapshotWriter? _json;
    private long _produced;
    private Crc32C _checksum = Crc32C.Start();

    /// <param name="view">What to write.</param>
    /// <param name="schemaVersion">The schema version of the documents.</param>
    /// <param name="format">The layout.</param>
    /// <param name="timestamp">The time to name in the header.</param>
    /// <param name="floor">Deleted records with a clock up to this one are left out; null: all, nobody can still produce an older operation.</param>
    public SnapshotStream(StoreView view, int schemaVersion, SnapshotFormat format, string timestamp, long? floor = null)
    {
        _extents = view.Extents;
        _format = format;
        _order = new SnapshotOrder(view.Records);
        _written = format == SnapshotFormat.JsonLines ? new ulong[_order.Count] : [];
        _sources = new Dictionary<StampSource, int> { [StampSource.SingleWriter] = 0 };
        _copies = new bool[_extents.Length];
        foreach (var index in DistinctExtents())
        {
            var extent = _extents[index]!;
            foreach (var source in extent.Sources) _sources.TryAdd(source, _sources.Count);
            _copies[index] = extent.HoldsRecords && extent.Sources.Select((source, number) => _sources[source] == number).All(same => same);
        }

        var tombstones = floor is { } limit ? Tombstones(view, limit) : [];
        _header = new SnapshotHeader
        {
            SchemaVersion = schemaVersion,
            Timestamp = timestamp,
            Format = FormatVersion.Current,
            Count = _order.Count,
            Floor = floor ?? view.Clock,
            Logs = [.. _sources.OrderBy(s => s.Value).Select(s => new LogName(s.Key.Log, s.Key.Agent))],
            Tombstones = tombstones,
        };
    }

    public long Count => _order.Count;

    /// <summary>The most bytes a snapshot in the 0.3.0 layout may have: it is read whole.</summary>
    public int MostJson { get; init; } = ObjectReader.Most;

    /// <summary>The checksum of what was read so far.</summary>
    public uint Checksum => _checksum.Value;

    /// <summary>How many bytes were read so far.</summary>
    public long BytesRead { get; private set; }

    /// <summary>
    /// After the snapshot is stored: where its records lie now. In the 0.3.0 layout documents do not lie on lines; they are brought into our
    /// form in memory instead.
    /// </summary>
    /// <returns>Null if the snapshot is gone already: another writer has taken over.</returns>
    public async ValueTask<MovedRecords?> LocateAsync(IOpsStorage storage, StoreState state, SnapshotEntry snapshot)
    {
        if (_format == SnapshotFormat.Json)
        {
            var own = new OwnForm(state);
            var kept = new ulong[_order.Count];
            for (var i = 0; i < kept.Length; i++)
            {
                var record = StoreState.ReadChecked(_extents, _order.Location(i), _last);
                var number = _order.Number(i);
                kept[number] = own.Add(_order.Id(number), record.Document, record.Clock, record.Source, false).Packed;
            }

            return new MovedRecords(_order, kept, 0);
        }

        var extent = new Extent(snapshot.Name, [.. _sources.OrderBy(s => s.Value).Select(s => s.Key)]) { Disk = state.Disk?.Open(snapshot.Name), HoldsRecords = true };
        var position = 0L;
        while (true)
        {
            var length = await ObjectReader.ReadAsync(storage, new StorageKey(snapshot.Name), position, null, 0, part =>
            {
                var taken = part.IsLast ? part.Memory.Length : part.Memory.Span.LastIndexOf((byte)'\n') + 1;
                if (taken > 0) extent.Add(part.Start, part.Memory[..taken], part.Owner);
                position = part.Start + taken;
                extent.Spill(position);
                return taken;
            }, state.Disk is null ? ObjectReader.DefaultWindow : DiskDocuments.LoadWindow, CancellationToken.None, oneWindow: state.Disk is not null).ConfigureAwait(false);
            if (length is null) return null;
            if (position >= length || extent.TryLeaveRest(snapshot.Length)) break; // what was left to the object need not be read to its end
        }

        lock (state.Gate) state.Extents.Add(extent);
        return new MovedRecords(_order, _written, extent.Index);
    }

    public override bool CanRead => true;
    public override bool CanSeek => false;
    public override bool CanWrite => false;
    public override long Length => throw new NotSupportedException();
    public override long Position { get => BytesRead; set => throw new NotSupportedException(); }

    public override int Read(Span<byte> buffer)
    {
        if (_read == _used)
        {
            // Most records go straight to where they are wanted.
            var made = _next >= 0 && _format == SnapshotFormat.JsonLines ? Records(buffer) : 0;
            if (made > 0) return made;
            if (!Fill()) return 0;
        }

        var count = Math.Min(buffer.Length, _used - _read);
        _buffer.AsSpan(_read, count).CopyTo(buffer);
        _read += count;
        BytesRead += count;
        return count;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        cancellationToken.IsCancellationRequested ? ValueTask.FromCanceled<int>(cancellationToken) : new(Read(buffer.Span));

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
    public override void SetLength(long value) => throw new NotSupportedException();
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    private List<Tombstone> Tombstones(StoreView view, long floor)
    {
        var tombstones = new List<Tombstone>();
        if (view.Records.Tombstones == 0) return tombstones;
        foreach (var entry in view.Records.WithTombstones())
        {
            if (!entry.Location.IsTombstone) continue;
            var record = StoreState.ReadChecked(_extents, entry.Location, _last);
            if (record.Clock <= floor) continue;
            _sources.TryAdd(record.Source, _sources.Count);
            tombstones.Add(new Tombstone(entry.Handle.IdText(), record.Clock, _sources[record.Source]));
        }

        return tombstones;
    }

    private IEnumerable<int> DistinctExtents()
    {
        var last = -1;
        for (var i = 0; i < _order.Count; i++)
        {
            var extent = _order.Location(i).Extent;
            if (extent == last) continue;
            yield return last = extent;
        }
    }

    // What cannot go straight to where it is wanted: the header, a record that is longer than the room there, and the 0.3.0 layout.
    private bool Fill()
    {
        _used = _read = 0;
        if (_format == SnapshotFormat.Json) FillJson();
        else if (_next < 0) FillHeader();
        else if (_next < _order.Count) FillRecord();
        _checksum.Append(_buffer.AsSpan(0, _used));
        _produced += _used;
        if (_produced > MostJson && _format == SnapshotFormat.Json) // here, so that nothing is stored
            throw new OpsLogException(OpsLogError.InvalidDocument, $"The snapshot has more than {MostJson} bytes in the layout {nameof(SnapshotFormat.Json)}, and could not be read again. The store goes on with the snapshot and the log it has; open it with {nameof(SnapshotFormat)}.{nameof(SnapshotFormat.JsonLines)}.");
        return _used > 0;
    }

    private void FillHeader()
    {
        var header = new ArrayBufferWriter<byte>();
        SnapshotCodec.WriteHeader(header, _header);
        Put(header.WrittenSpan);
        _next = 0;
    }

    private void FillRecord()
    {
        if ((_used = Record(_buffer)) == 0)
        {
            _buffer = new byte[Math.Max(RecordSize, _needed)];
            _used = Record(_buffer);
        }

        _next++;
    }

    // As many whole records as there is room for.
    private int Records(Span<byte> buffer)
    {
        var used = 0;
        for (; _next < _order.Count; _next++)
        {
            if (_next + Ahead < _order.Count) Prefetch.Of(ref _written[_order.Number(_next + Ahead)]);
            var length = Record(buffer[used..], used);
            if (length == 0) break;
            used += length;
        }

        _checksum.Append(buffer[..used]);
        _produced += used;
        BytesRead += used;
        return used;
    }

    private void FillJson()
    {
        _jsonBytes.ResetWrittenCount();
        if (_next < 0)
        {
            _json = new JsonSnapshotWriter(_jsonBytes, _header);
            _next = 0;
        }

        for (; _next < _order.Count && _jsonBytes.WrittenCount < BufferSize; _next++)
        {
            var record = StoreState.ReadChecked(_extents, _order.Location(_next), _last);
            _json!.Add(_order.Id(_order.Number(_next)), record.Document, record.Clock, _sources[record.Source]);
        }

        if (_next == _order.Count)
        {
            _json!.End();
            _next++;
        }

        Put(_jsonBytes.WrittenSpan);
    }

    // Writes the next record's line, as far behind what was counted last as is said; 0 if there is no room for it: so much is needed.
    private int Record(Span<byte> room, int behind = 0)
    {
        var location = _order.Location(_next);
        var number = _order.Number(_next);
        var extent = _extents[location.Extent]!;
        if (_copies[location.Extent] && extent.TryWholeLine(location.Offset, out var line, out var before, _last))
        {
            _needed = line.Length + 1;
            if (room.Length < _needed) return 0;
            line.CopyTo(room);
            room[line.Length] = (byte)'\n';
            _written[number] = RecordLocation.Create(0, _produced + behind + before, line.Length - before, false).Packed;
            return line.Length + 1;
        }

        var id = _order.Id(number);
        var record = StoredRecord.Parse(extent, extent.CheckedLineFrom(location.Offset, _last));
        _needed = SnapshotCodec.MaxRecordLength(id.Length, record.Document.Length);
        if (room.Length < _needed) return 0;
        var length = SnapshotCodec.WriteRecord(room, id, record.Document, record.Clock, _sources[record.Source], out var dataStart);
        _written[number] = RecordLocation.Create(0, _produced + behind + dataStart, length - 1 - dataStart, false).Packed;
        return length;
    }

    private void Put(ReadOnlySpan<byte> bytes)
    {
        if (_buffer.Length < bytes.Length) _buffer = new byte[Math.Max(bytes.Length, 2 * _buffer.Length)];
        bytes.CopyTo(_buffer);
        _used = bytes.Length;
    }
}
