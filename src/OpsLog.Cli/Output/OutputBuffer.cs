using System.Buffers;

namespace OpsLog.Cli;

/// <summary>
/// A big buffer in front of standard output. What is written goes out when the buffer is full and on <see cref="Flush"/>. Not thread-safe.
/// </summary>
internal sealed class OutputBuffer(Stream stream, int size = OutputBuffer.DefaultSize) : IBufferWriter<byte>
{
    private const int DefaultSize = 256 * 1024;
    private byte[] _buffer = new byte[size];
    private int _length;

    public void Advance(int count) => _length += count;

    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        Reserve(Math.Max(sizeHint, 1));
        return _buffer.AsMemory(_length);
    }

    public Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;

    /// <summary>Ends a line.</summary>
    public void EndLine()
    {
        GetSpan(1)[0] = (byte)'\n';
        Advance(1);
    }

    /// <summary>Hands everything to the operating system.</summary>
    public void Flush()
    {
        Empty();
        stream.Flush();
    }

    private void Reserve(int count)
    {
        if (_buffer.Length - _length >= count) return;
        Empty();
        if (_buffer.Length < count) _buffer = new byte[count];
    }

    private void Empty()
    {
        if (_length == 0) return;
        // What could not be written is not tried again: a part of it may have been, and whoever disposes of this has heard the error.
        var length = _length;
        _length = 0;
        stream.Write(_buffer, 0, length);
    }
}
