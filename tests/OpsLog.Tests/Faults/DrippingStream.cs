using OpsLog.Storage;

namespace OpsLog.Tests.Faults;

/// <summary>Gives one to three bytes at a time, and may break off.</summary>
internal sealed class DrippingStream(Stream inner, int breaksAfter = int.MaxValue) : Stream
{
    private int _given;

    public override bool CanRead => true;
    public override bool CanSeek => false;
    public override bool CanWrite => false;
    public override long Length => throw new NotSupportedException();
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override int Read(Span<byte> buffer)
    {
        if (_given >= breaksAfter) throw new StorageException(StorageFault.Unavailable, "The connection broke in the middle of the object.");
        var read = inner.Read(buffer[..Math.Min(buffer.Length, 1 + (_given % 3))]);
        _given += read;
        return read;
    }

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => new(Read(buffer.Span));

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => Task.FromResult(Read(buffer, offset, count));

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
    public override void SetLength(long value) => throw new NotSupportedException();
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
