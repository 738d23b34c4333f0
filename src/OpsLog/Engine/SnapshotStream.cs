using System.Buffers;
using OpsLog.Format;

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
    private Crc32C _checksum;

    public SnapshotStream(StoreView view, int schemaVersion, SnapshotFormat format, string timestamp)
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
        _sources = new Dictionary<StampSource, int> { [StampSource.SingleWriter] = 0 };
        foreach (var location in DistinctExtents())
            foreach (var source in _extents[location]!.Sources)
                _sources.TryAdd(source, _sources.Count);
        _header = new SnapshotHeader
        {
            SchemaVersion = schemaVersion,
            Timestamp = timestamp,
            Format = FormatVersion.Current,
            Count = count,
            Floor = view.Clock, // one writer: nobody can still produce an older operation
            Logs = [.. _sources.OrderBy(s => s.Value).Select(s => new LogName(s.Key.Log, s.Key.Agent))],
            Tombstones = [],
        };
    }

    public long Count => _records.Length;

    /// <summary>The checksum of what was read so far.</summary>
    public uint Checksum => _checksum.Value;

    /// <summary>How many bytes were read so far.</summary>
    public long BytesRead { get; private set; }

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
        if (_next > _records.Length || (_next == _records.Length && _format == SnapshotFormat.JsonLines)) return false;
        if (_buffer.Length == 0) _buffer = new byte[_records.Length < 64 ? 16 << 10 : BufferSize];
        if (_next < 0) Head();
        while (_next < _records.Length && Record())
        {
        }

        if (_next == _records.Length && _format == SnapshotFormat.Json) Foot();
        _checksum.Append(_buffer.AsSpan(0, _used));
        return _used > 0;
    }

    private void Head()
    {
        var head = new ArrayBufferWriter<byte>();
        if (_format == SnapshotFormat.JsonLines) SnapshotCodec.WriteHeader(head, _header);
        else JsonSnapshotWriter.WriteHead(head, _header);
        Put(head.WrittenSpan);
        _next = 0;
    }

    private void Foot()
    {
        var foot = new ArrayBufferWriter<byte>();
        JsonSnapshotWriter.WriteFoot(foot, _header, Stamps());
        Put(foot.WrittenSpan);
        _next = _records.Length + 1;
    }

    private bool Record()
    {
        var location = new RecordLocation(_locations[_next]);
        var id = _records[_next].Id;
        var record = StoreState.Read(_extents, location);
        var most = SnapshotCodec.MaxRecordLength(id.Length, record.Document.Length) + 64;
        if (_buffer.Length - _used < most)
        {
            if (_used > 0) return false;
            _buffer = new byte[most];
        }

        _used += _format == SnapshotFormat.JsonLines
            ? SnapshotCodec.WriteRecord(_buffer.AsSpan(_used), id, record.Document, record.Clock, _sources[record.Source], out _)
            : JsonSnapshotWriter.WriteRecord(_buffer.AsSpan(_used), id, record.Document, isFirst: _next == 0);
        _next++;
        return true;
    }

    private IEnumerable<(long Clock, int Log)> Stamps()
    {
        foreach (var packed in _locations)
        {
            var record = StoreState.Read(_extents, new RecordLocation(packed));
            var (clock, source) = (record.Clock, record.Source);
            yield return (clock, _sources[source]);
        }
    }

    private void Put(ReadOnlySpan<byte> bytes)
    {
        if (_buffer.Length - _used < bytes.Length) Array.Resize(ref _buffer, _used + bytes.Length + BufferSize);
        bytes.CopyTo(_buffer.AsSpan(_used));
        _used += bytes.Length;
    }
}

/// <summary>The state at one moment: the index and the bytes it points into, with the log position it stands for.</summary>
internal sealed record StoreView(RecordTableView Records, Extent?[] Extents, long Clock, long LogPosition, long LogOperations);
