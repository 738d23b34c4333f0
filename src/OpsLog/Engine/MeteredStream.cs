using OpsLog.Format;

namespace OpsLog.Engine;

/// <summary>Reads another stream, and counts, sums and reports what passes. The other stream stays its owner's.</summary>
internal sealed class MeteredStream(Stream inner, ProgressMeter progress) : Stream
{
    private Crc32C _checksum = Crc32C.Start();

    /// <summary>How many bytes were read.</summary>
    public long Count { get; private set; }

    /// <summary>The checksum of what was read.</summary>
    public uint Checksum => _checksum.Value;

    public override bool CanRead => true;
    public override bool CanSeek => false;
    public override bool CanWrite => false;
    public override long Length => throw new NotSupportedException();
    public override long Position { get => Count; set => throw new NotSupportedException(); }

    public override int Read(Span<byte> buffer) => Took(buffer, inner.Read(buffer));

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var count = await inner.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
        return Took(buffer.Span, count);
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
    public override void SetLength(long value) => throw new NotSupportedException();
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    private int Took(Span<byte> buffer, int count)
    {
        _checksum.Append(buffer[..count]);
        Count += count;
        progress.Add(count);
        return count;
    }
}
