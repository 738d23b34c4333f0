using System.Buffers;
using OpsLog.Format;
using OpsLog.Storage;

namespace OpsLog.Engine;

/// <summary>
/// A snapshot of a view as the bytes of an object, made while it is read. Records come in the order their bytes lie in memory, which is
/// several times as fast as any other order.
/// </summary>
internal sealed class SnapshotStream : Stream
{
    private const int BufferSize = 1 << 20;

    private readonly Extent?[] _extents;
    private readonly RecordHandle[] _records;
    private readonly ulong[] _locations;
    private readonly SnapshotHeader _header;
    private readonly Dictionary<StampSource, int> _sources;
    private readonly SnapshotFormat _format;
    private byte[] _buffer = [];
    private int _used;
    private int _read;
    private int _next = -1; // the header comes first
    private readonly ulong[] _written;
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
        _records = new RecordHandle[view.Records.Count];
        _locations = new ulong[view.Records.Count];
        var count = 0;
        foreach (var entry in view.Records)
        {
            _records[count] = entry.Handle;
            _locations[count++] = entry.Location.Packed;
        }

        Array.Sort(_locations, _records);
        _written = format == SnapshotFormat.JsonLines ? new ulong[count] : [];
        _sources = new Dictionary<StampSource, int> { [StampSource.SingleWriter] = 0 };
        foreach (var location in DistinctExtents())
            foreach (var source in _extents[location]!.Sources)
                _sources.TryAdd(source, _sources.Count);
        var tombstones = floor is { } limit ? Tombstones(view, limit) : [];
        _header = new SnapshotHeader
        {
            SchemaVersion = schemaVersion,
            Timestamp = timestamp,
            Format = FormatVersion.Current,
            Count = count,
            Floor = floor ?? view.Clock,
            Logs = [.. _sources.OrderBy(s => s.Value).Select(s => new LogName(s.Key.Log, s.Key.Agent))],
            Tombstones = tombstones,
        };
    }

    public long Count => _records.Length;

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
            var kept = new ulong[_records.Length];
            for (var i = 0; i < kept.Length; i++)
            {
                var record = StoreState.Read(_extents, new RecordLocation(_locations[i]));
                kept[i] = own.Add(_records[i].Id, record.Document, record.Clock, record.Source, false).Packed;
            }

            return new MovedRecords(_records, _locations, kept, 0);
        }

        var extent = new Extent(snapshot.Name, [.. _sources.OrderBy(s => s.Value).Select(s => s.Key)]) { Disk = state.Disk?.Open(snapshot.Name) };
        var length = await ObjectReader.ReadAsync(storage, new StorageKey(snapshot.Name), 0, null, 0, part =>
        {
            var taken = part.IsLast ? part.Memory.Length : part.Memory.Span.LastIndexOf((byte)'\n') + 1;
            if (taken > 0) extent.Add(part.Start, part.Memory[..taken], part.Owner);
            extent.Spill(part.Start + taken);
            return taken;
        }, state.Disk is null ? ObjectReader.DefaultWindow : DiskDocuments.LoadWindow, CancellationToken.None).ConfigureAwait(false);
        if (length is null) return null;
        lock (state.Gate) state.Extents.Add(extent);
        return new MovedRecords(_records, _locations, _written, extent.Index);
    }

    public override bool CanRead => true;
    public override bool CanSeek => false;
    public override bool CanWrite => false;
    public override long Length => throw new NotSupportedException();
    public override long Position { get => BytesRead; set => throw new NotSupportedException(); }

    public override int Read(Span<byte> buffer)
    {
        if (_read == _used && !Fill()) return 0;
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
            var record = StoreState.Read(_extents, entry.Location);
            if (record.Clock <= floor) continue;
            _sources.TryAdd(record.Source, _sources.Count);
            tombstones.Add(new Tombstone(entry.Handle.IdText(), record.Clock, _sources[record.Source]));
        }

        return tombstones;
    }

    private IEnumerable<int> DistinctExtents()
    {
        var last = -1;
        foreach (var packed in _locations)
        {
            var extent = new RecordLocation(packed).Extent;
            if (extent == last) continue;
            yield return last = extent;
        }
    }

    private bool Fill()
    {
        _used = _read = 0;
        if (_next > _records.Length) return false;
        if (_buffer.Length == 0) _buffer = new byte[_records.Length < 64 ? 16 << 10 : BufferSize];
        if (_format == SnapshotFormat.Json) FillJson();
        else FillLines();
        _checksum.Append(_buffer.AsSpan(0, _used));
        _produced += _used;
        return _used > 0;
    }

    private void FillLines()
    {
        if (_next < 0)
        {
            var header = new ArrayBufferWriter<byte>();
            SnapshotCodec.WriteHeader(header, _header);
            Put(header.WrittenSpan);
            _next = 0;
        }

        while (_next < _records.Length && Record())
        {
        }
    }

    private void FillJson()
    {
        _jsonBytes.ResetWrittenCount();
        if (_next < 0)
        {
            _json = new JsonSnapshotWriter(_jsonBytes, _header);
            _next = 0;
        }

        for (; _next < _records.Length && _jsonBytes.WrittenCount < BufferSize; _next++)
        {
            var record = StoreState.Read(_extents, new RecordLocation(_locations[_next]));
            _json!.Add(_records[_next].Id, record.Document, record.Clock, _sources[record.Source]);
        }

        if (_next == _records.Length)
        {
            _json!.End();
            _next++;
        }

        Put(_jsonBytes.WrittenSpan);
    }

    private bool Record()
    {
        var location = new RecordLocation(_locations[_next]);
        var id = _records[_next].Id;
        var record = StoreState.Read(_extents, location);
        var most = SnapshotCodec.MaxRecordLength(id.Length, record.Document.Length);
        if (_buffer.Length - _used < most)
        {
            if (_used > 0) return false;
            _buffer = new byte[most];
        }

        var length = SnapshotCodec.WriteRecord(_buffer.AsSpan(_used), id, record.Document, record.Clock, _sources[record.Source], out var dataStart);
        _written[_next] = RecordLocation.Create(0, _produced + _used + dataStart, length - 1 - dataStart, false).Packed;
        _used += length;
        _next++;
        return true;
    }

    private void Put(ReadOnlySpan<byte> bytes)
    {
        if (_buffer.Length - _used < bytes.Length) Array.Resize(ref _buffer, _used + bytes.Length + BufferSize);
        bytes.CopyTo(_buffer.AsSpan(_used));
        _used += bytes.Length;
    }
}

/// <summary>The records of a snapshot: where they lay, and where the same versions lie now.</summary>
internal sealed class MovedRecords(RecordHandle[] records, ulong[] from, ulong[] to, int extent)
{
    public int Count => records.Length;

    public void Repoint(RecordTable table, int index)
    {
        var location = new RecordLocation(to[index]);
        if (extent != 0) location = RecordLocation.Create(extent, location.Offset, location.LengthHint, false);
        table.Repoint(records[index], new RecordLocation(from[index]), location);
    }
}
