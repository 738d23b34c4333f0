using System.Diagnostics;
using System.Globalization;
using System.Runtime.ExceptionServices;

namespace OpsLog.Cli.Apply;

/// <summary>
/// Prints the numbers of acknowledged lines. Numbers may wait together for at most <see cref="Patience"/>, and never while anything is
/// waited for: who is about to wait calls <see cref="Flush"/>. Once they cannot be printed, none is any more, and every call says so. Safe for concurrent calls.
/// </summary>
internal sealed class AckWriter
{
    /// <summary>How long an acknowledgement may wait for others: a system call for each would cost as much as the write it is about.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(1);

    private const int NumberLength = 21;
    private readonly Lock _lock = new();
    private readonly Stream? _output;
    private readonly bool _atOnce;
    private readonly byte[] _buffer = new byte[64 * 1024];
    private volatile int _length;
    private volatile ExceptionDispatchInfo? _failure;
    private long _oldest;

    /// <param name="output">Where to; <see langword="null"/> if nobody asked for acknowledgements.</param>
    /// <param name="atOnce">Whether every number goes out by itself: where writes take long, the next one must not hold it up.</param>
    public AckWriter(Stream? output, bool atOnce) => (_output, _atOnce) = (output, atOnce);

    /// <summary>A line was acknowledged.</summary>
    public void Add(long line)
    {
        if (_output is null) return;
        lock (_lock)
        {
            Append(line);
            if (_atOnce || Stopwatch.GetElapsedTime(_oldest) > Patience) FlushLocked();
        }
    }

    /// <summary>All lines of a batch were acknowledged.</summary>
    public void AddAll(List<ApplyOperation> operations)
    {
        if (_output is null) return;
        lock (_lock)
        {
            foreach (var operation in operations) Append(operation.Line);
            FlushLocked();
        }
    }

    /// <summary>Prints what waits. Cheap if nothing does.</summary>
    public void Flush()
    {
        if (_length == 0 && _failure is null) return;
        lock (_lock) FlushLocked();
    }

    /// <summary>The same while an operation is under way, which must come to its end: a failure is told by the call that acknowledges it.</summary>
    public void FlushMeanwhile()
    {
        if (_length == 0) return;
        try
        {
            Flush();
        }
        catch (Exception)
        {
            // It is kept for the next call.
        }
    }

    private void Append(long line)
    {
        _failure?.Throw();
        if (_length + NumberLength > _buffer.Length) FlushLocked();
        if (_length == 0) _oldest = Stopwatch.GetTimestamp();
        line.TryFormat(_buffer.AsSpan(_length), out var written, provider: CultureInfo.InvariantCulture);
        _buffer[_length + written] = (byte)'\n';
        _length += written + 1;
    }

    private void FlushLocked()
    {
        _failure?.Throw();
        if (_length == 0) return;
        var length = _length;
        _length = 0;
        try
        {
            _output!.Write(_buffer, 0, length);
            _output.Flush();
        }
        catch (Exception exception)
        {
            _failure = ExceptionDispatchInfo.Capture(exception);
            throw;
        }
    }
}
