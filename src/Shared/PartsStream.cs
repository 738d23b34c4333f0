namespace OpsLog.Storage;

/// <summary>Parts in memory as one stream that can be read again, for content that has to be sent in one request.</summary>
internal sealed class PartsStream : Stream
{
    private readonly List<ReadOnlyMemory<byte>> _parts = [];
    private readonly List<long> _starts = [];
    private long _length;
    private long _position;

    private PartsStream()
    {
    }

    public override bool CanRead => true;
    public override bool CanSeek => true;
    public override bool CanWrite => false;
    public override long Length => _length;

    public override long Position
    {
        get => _position;
        set => _position = value;
    }

    public static async ValueTask<PartsStream> CollectAsync(ReadOnlyMemory<byte> first, PartSource source, CancellationToken ct)
    {
        var stream = new PartsStream();
        for (var part = first; part.Length > 0; part = source.IsAtEnd ? default : await source.NextAsync(ct).ConfigureAwait(false))
        {
            stream._starts.Add(stream._length);
            stream._parts.Add(part);
            stream._length += part.Length;
        }

        return stream;
    }

    public override int Read(Span<byte> buffer)
    {
        if (_position >= _length) return 0;
        var part = _starts.BinarySearch(_position);
        if (part < 0) part = ~part - 1;
        var bytes = _parts[part].Span[(int)(_position - _starts[part])..];
        var count = Math.Min(bytes.Length, buffer.Length);
        bytes[..count].CopyTo(buffer);
        _position += count;
        return count;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        cancellationToken.IsCancellationRequested ? ValueTask.FromCanceled<int>(cancellationToken) : new(Read(buffer.Span));

    public override long Seek(long offset, SeekOrigin origin) => Position = origin switch
    {
        SeekOrigin.Begin => offset,
        SeekOrigin.Current => _position + offset,
        _ => _length + offset,
    };

    public override void Flush()
    {
    }

    public override void SetLength(long value) => throw new NotSupportedException();
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
