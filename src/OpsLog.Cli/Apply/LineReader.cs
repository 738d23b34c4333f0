using System.Globalization;

namespace OpsLog.Cli.Apply;

/// <summary>
/// Lines of bytes out of a stream, as long as an array may be and without copying them: a line is a part of the buffer and valid until the next call.
/// A last line without its newline is a line; a byte order mark at the very start is dropped. Not thread-safe.
/// </summary>
internal sealed class LineReader(Stream stream, int size = LineReader.DefaultSize, int most = int.MaxValue)
{
    private const int DefaultSize = 128 * 1024;
    private byte[] _buffer = new byte[size];
    private int _start;
    private int _end;
    private int _searched;
    private long _lines;
    private bool _ended;
    private bool _begun;

    /// <summary>The next line without its newline, if it is in the buffer already.</summary>
    public bool TryRead(out ReadOnlyMemory<byte> line)
    {
        var newline = _buffer.AsSpan(_searched, _end - _searched).IndexOf((byte)'\n');
        if (newline >= 0)
        {
            line = _buffer.AsMemory(_start, _searched + newline - _start);
            _start = _searched += newline + 1;
            _lines++;
            return true;
        }

        _searched = _end;
        if (_ended && _start < _end)
        {
            line = _buffer.AsMemory(_start, _end - _start);
            _start = _end;
            _lines++;
            return true;
        }

        line = default;
        return false;
    }

    /// <summary>Waits for more bytes. False when there are no more, and then <see cref="TryRead"/> gave everything.</summary>
    /// <exception cref="InputLineException">The line is longer than can be held.</exception>
    public async ValueTask<bool> FillAsync(CancellationToken cancellationToken)
    {
        if (_ended) return false;
        MakeRoom();
        // A read of a terminal or pipe cannot be cancelled on every system: the wait for it can.
        var read = stream.ReadAsync(_buffer.AsMemory(_end), cancellationToken);
        var count = read.IsCompletedSuccessfully
            ? read.Result
            : await read.AsTask().WaitAsync(cancellationToken).ConfigureAwait(false);
        _end += count;
        _ended = count == 0;
        if (!_begun) SkipByteOrderMark();
        return !_ended || _start < _end;
    }

    private void MakeRoom()
    {
        if (_start > 0)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            _searched -= _start;
            _end -= _start;
            _start = 0;
        }

        if (_end < _buffer.Length) return;
        var longest = Math.Min(most, Array.MaxLength);
        if (_end >= longest) throw new InputLineException(_lines + 1, string.Create(CultureInfo.InvariantCulture, $"it is longer than {longest - 1} bytes, and no longer one can be read."));
        Array.Resize(ref _buffer, (int)Math.Min(_buffer.Length * 2L, longest));
    }

    private void SkipByteOrderMark()
    {
        if (_end < 3 && !_ended) return; // its three bytes may come in pieces
        _begun = true;
        if (_buffer.AsSpan(_start, _end - _start).StartsWith("\uFEFF"u8)) _start = _searched = _start + 3;
    }
}
