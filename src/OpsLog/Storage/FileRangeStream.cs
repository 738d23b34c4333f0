using Microsoft.Win32.SafeHandles;

namespace OpsLog.Storage;

/// <summary>A part of a file as a stream of exactly that many bytes: a file that ends before them is a failure, not an end.</summary>
internal sealed class FileRangeStream(SafeFileHandle handle, string path, long start, long length) : Stream
{
    private long _position;
    private Stream? _rest; // in the file's place, from its failure on

    /// <summary>Where the bytes from a position on can be had if the file fails one that reads without blocking; null: nowhere.</summary>
    public Func<long, CancellationToken, ValueTask<Stream>>? GoOn { get; set; }

    public override bool CanRead => true;
    public override bool CanSeek => true;
    public override bool CanWrite => false;
    public override long Length => length;

    public override long Position
    {
        get => _position;
        set
        {
            _position = Math.Max(0, value);
            _rest?.Dispose();
            _rest = null;
        }
    }

    public override int Read(Span<byte> buffer)
    {
        var wanted = Wanted(buffer.Length);
        if (wanted == 0) return 0;
        try
        {
            return Advance(RandomAccess.Read(handle, buffer[..wanted], start + _position));
        }
        catch (Exception e) when (FileFaults.IsFault(e))
        {
            throw FileFaults.Translate(e, "read", path);
        }
    }

    /// <summary>Fills a buffer from an offset of this range, wherever the stream stands. Safe for concurrent calls.</summary>
    public void ReadAt(long offset, Span<byte> buffer)
    {
        try
        {
            while (buffer.Length > 0)
            {
                var count = RandomAccess.Read(handle, buffer, start + offset);
                if (count == 0) throw FileFaults.EndsEarly(path, start + offset, start + length);
                buffer = buffer[count..];
                offset += count;
            }
        }
        catch (Exception e) when (FileFaults.IsFault(e))
        {
            throw FileFaults.Translate(e, "read", path);
        }
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var wanted = Wanted(buffer.Length);
        if (wanted == 0) return 0;
        try
        {
            if (_rest is null) return Advance(await RandomAccess.ReadAsync(handle, buffer[..wanted], start + _position, cancellationToken).ConfigureAwait(false));
        }
        catch (Exception e) when (GoOn is { } goOn && (e is StorageException || FileFaults.IsFault(e)))
        {
            _rest = await goOn(_position, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (FileFaults.IsFault(e))
        {
            throw FileFaults.Translate(e, "read", path);
        }

        return Advance(await _rest.ReadAsync(buffer[..wanted], cancellationToken).ConfigureAwait(false));
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override long Seek(long offset, SeekOrigin origin) => Position = origin switch
    {
        SeekOrigin.Begin => offset,
        SeekOrigin.Current => _position + offset,
        _ => length + offset,
    };

    public override void Flush()
    {
    }

    public override void SetLength(long value) => throw new NotSupportedException();
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing) handle.Dispose();
        if (disposing) _rest?.Dispose();
        base.Dispose(disposing);
    }

    private int Wanted(int room) => (int)Math.Min(room, Math.Max(0, length - _position));

    private int Advance(int count)
    {
        if (count == 0)
            throw FileFaults.EndsEarly(path, start + _position, start + length);
        _position += count;
        return count;
    }
}
