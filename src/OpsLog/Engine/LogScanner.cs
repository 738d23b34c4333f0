using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using OpsLog.Format;

namespace OpsLog.Engine;

/// <summary>Gets the operations that stand, in log order.</summary>
internal interface IOperationSink
{
    /// <summary>An operation that counts.</summary>
    /// <param name="line">Its parsed line.</param>
    /// <param name="offset">The line's offset in the log.</param>
    /// <param name="clock">Its clock, given or derived.</param>
    /// <param name="next">The offset behind the line (behind the whole batch for its last line).</param>
    void Operation(in OperationLine line, long offset, long clock, long next);
}

/// <summary>For scans that only look for a log's end.</summary>
internal sealed class NoOperations : IOperationSink
{
    public static NoOperations Instance { get; } = new();

    public void Operation(in OperationLine line, long offset, long clock, long next)
    {
    }
}

/// <summary>What a log is to its scanner.</summary>
/// <param name="Name">The object's name, for reports.</param>
/// <param name="StartClock">The clock before its first line.</param>
/// <param name="Agent">The agent that owns it; empty with one writer.</param>
/// <param name="IsTimeless">Lines without a clock come before every agent's: they have the offset of those.</param>
internal sealed record LogSource(string Name, long StartClock, string Agent, bool IsTimeless = false)
{
    /// <summary>Added to the clocks that lines of the package carry.</summary>
    public long ClockOffset { get; init; }

    /// <summary>By how much a line's clock may be above the one before it in a log of many writers (docs/format.md, Clocks).</summary>
    public const long LongestStep = 1L << 40;
}

/// <summary>
/// Turns the bytes of one log into the operations that stand (docs/format.md, Reading a log): checks every line, holds a batch back until
/// its last line, drops what was never finished and reports it, refuses or skips what is damaged.
/// </summary>
internal sealed class LogScanner(LogSource log, Recovery recovery)
{
    private readonly List<(int Start, int End, OperationShape Shape)> _batch = [];
    private long _line;
    private bool _began;
    private long _clock = log.StartClock;
    private int _batchSize;
    private long _batchLine;
    private long _objectStart;
    private long _solidEnd = -1;

    /// <summary>Unfinished bytes that were never acknowledged.</summary>
    public List<Damage> Notes { get; } = [];

    /// <summary>Damage that was skipped.</summary>
    public List<Damage> Skipped { get; } = [];

    /// <summary>The clock of the last line that stands.</summary>
    public long Clock => _clock;

    public long Operations { get; private set; }

    /// <summary>Lines that the package writes but does not read (docs/format.md, Doubtful lines) count, unless this says otherwise.</summary>
    public bool RefuseDoubtful { get; init; }

    /// <summary>The log may be growing: what is unfinished at its end is left for the next scan, without a report.</summary>
    public bool WaitsForMore { get; init; }

    /// <summary>Reading begins behind an operation that was read before: perhaps in the middle of its batch, which then stands.</summary>
    public bool BeginsBehindALine { get; init; }

    /// <summary>The log ended for good where it is read to: an unfinished end is damage.</summary>
    public bool IsClosed { get; init; }

    /// <summary>
    /// Whether a whole operation that stands behind an unfinished one on the same line is taken (a program appended without looking at the
    /// end of the log). The line is reported as damaged all the same. For repair only: no reader shows such lines.
    /// </summary>
    public bool TakesGluedLines { get; init; }

    /// <summary>The log is registered by us for one of many writers: an empty last line is its seal, and what is unfinished before it never counted.</summary>
    public bool EndsWithSeal { get; init; }

    /// <summary>The log's seal was read, and nothing came behind it: a single writer may go on behind what was to be one.</summary>
    public bool IsSealed { get; private set; }

    /// <summary>The offset behind the last operation that stands; -1: none was read.</summary>
    public long Standing { get; private set; } = -1;

    public bool SawDoubtful { get; private set; }

    /// <summary>The line of the operation that the sink is being given, from 1 in its object.</summary>
    public long Line { get; private set; }

    /// <summary>How the log ends, once its last bytes were scanned.</summary>
    public LogEnd End { get; private set; }

    /// <summary>The offset behind the last line that was taken, whatever it was.</summary>
    public long Position { get; private set; }

    /// <summary>Scans a window; returns how much of it was taken.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public int Scan(in ObjectPart part, IOperationSink sink)
    {
        var bytes = part.Memory.Span;
        var position = 0;
        var taken = 0;
        var solid = 0;
        if (bytes.Length > 0) IsSealed = false;
        if (part.ChecksumBase != _objectStart) (_objectStart, _line) = (part.ChecksumBase, 0); // the next piece of a numbered log
        while (position < bytes.Length)
        {
            var length = bytes[position..].IndexOf((byte)'\n');
            if (length < 0) break;
            var end = position + length;
            if (EndsWithSeal && length == 0 && part.IsLast && end + 1 == bytes.Length)
            {
                Seal(part, position);
                taken = solid = position = end + 1;
                break;
            }

            _line++;
            TakeLine(part, bytes, position, end, sink);
            position = end + 1;
            if (_batch.Count > 0) continue;
            taken = position;
            if (!JsonLines.IsBlank(bytes[(end - length)..end])) solid = position;
        }

        if (_solidEnd < 0) _solidEnd = part.Start;
        if (solid > 0) _solidEnd = part.Start + solid;

        // An empty line at the end may be the log's seal, which is no part of it.
        if (WaitsForMore) taken = solid;
        Position = part.Start + taken;
        if (!part.IsLast || WaitsForMore)
        {
            _line -= _batch.Count;
            _batch.Clear();
            return taken;
        }

        if (_batch.Count > 0)
        {
            Note(DamageKind.TornTail, part, _batch[0].Start, position - _batch[0].Start, $"a batch of {_batchSize} operations ends after {_batch.Count}; it was never acknowledged", _line - _batch.Count + 1);
            End = LogEnd.Unfinished;
            _batch.Clear();
        }

        if (position < bytes.Length) Tail(part, bytes, position, sink);
        Position = End == LogEnd.MissingNewline ? part.Start + bytes.Length : End == LogEnd.Clean ? _solidEnd : Position;
        return bytes.Length;
    }

    private void Seal(in ObjectPart part, int position)
    {
        IsSealed = true;
        if (_batch.Count == 0) return;
        Note(DamageKind.TornTail, part, _batch[0].Start, position - _batch[0].Start, $"a batch of {_batchSize} operations ends after {_batch.Count}; it was never acknowledged", _line - _batch.Count + 1);
        _batch.Clear();
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void TakeLine(in ObjectPart part, ReadOnlySpan<byte> bytes, int start, int end, IOperationSink sink)
    {
        var offset = part.Start + start;
        var verdict = OperationCodec.TryRead(bytes[start..end], offset - part.ChecksumBase, offset == 0, out var operation, out var fault);
        if (verdict == LineVerdict.Doubtful)
        {
            SawDoubtful = true;
            verdict = RefuseDoubtful ? LineVerdict.Corrupt : LineVerdict.Operation;
        }

        switch (verdict)
        {
            case LineVerdict.Operation when operation.BatchSize > 1 || _batch.Count > 0:
                BatchLine(part, bytes, operation, start, end, sink);
                break;
            case LineVerdict.Operation:
                _began = true;
                Stand(operation, offset, part.Start + end + 1, _line, sink);
                break;
            case LineVerdict.Empty when _batch.Count == 0:
                break;
            case LineVerdict.Spoiled:
                Spoiled(part, start, end);
                break;
            default:
                AbandonBatch(part, bytes, verdict == LineVerdict.Corrupt && IsOfThePackage(bytes[start..end]), sink);
                if (verdict == LineVerdict.Empty) break;
                Corrupt(part, start, end, fault);
                if (TakesGluedLines) Unglue(part, bytes, start, end, sink);
                break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void BatchLine(in ObjectPart part, ReadOnlySpan<byte> bytes, in OperationLine operation, int start, int end, IOperationSink sink)
    {
        if (!_began && BeginsBehindALine && operation.BatchIndex > 0)
        {
            Stand(operation, part.Start + start, part.Start + end + 1, _line, sink); // the rest of a batch that stands
            return;
        }

        _began = true;
        if (_batch.Count > 0 && (operation.BatchSize != _batchSize || operation.BatchIndex != _batch.Count))
        {
            AbandonBatch(part, bytes, !operation.HasChecksum, sink);
        }

        if (operation.BatchSize <= 1)
        {
            Stand(operation, part.Start + start, part.Start + end + 1, _line, sink);
            return;
        }

        if (operation.BatchIndex != _batch.Count)
        {
            Corrupt(part, start, end, $"line {operation.BatchIndex + 1} of a batch of {operation.BatchSize} without the lines before it");
            return;
        }

        if (_batch.Count == 0) (_batchSize, _batchLine) = (operation.BatchSize, _line);
        _batch.Add((start, end, operation.Shape));
        if (_batch.Count == _batchSize) StandBatch(part, bytes, sink);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void StandBatch(in ObjectPart part, ReadOnlySpan<byte> bytes, IOperationSink sink)
    {
        var line = _batchLine;
        foreach (ref readonly var held in CollectionsMarshal.AsSpan(_batch))
            Stand(OperationCodec.Again(bytes[held.Start..held.End], held.Shape), part.Start + held.Start, part.Start + held.End + 1, line++, sink);

        Standing = part.Start + _batch[^1].End + 1;
        _batch.Clear();
    }

    // An unfinished batch in the middle of a log: what the package appended behind it was written over the lines it saw, so they stand.
    private void AbandonBatch(in ObjectPart part, ReadOnlySpan<byte> bytes, bool byThePackage, IOperationSink sink)
    {
        if (_batch.Count == 0) return;
        if (byThePackage)
        {
            StandBatch(part, bytes, sink);
            return;
        }

        var (start, end) = (_batch[0].Start, _batch[^1].End);
        _line -= _batch.Count;
        var count = _batch.Count;
        _batch.Clear();
        Corrupt(part, start, end, $"a batch of {_batchSize} operations has only {count}");
        _line += count;
    }

    // A line that nobody can read may be what the package left of one of its own, but not if it ever had a checksum, nor if a part of it was zeroed.
    private static bool IsOfThePackage(ReadOnlySpan<byte> line)
    {
        var text = line.Trim(" \t\r"u8);
        return text is [(byte)'{', ..] && !text.Contains((byte)0) && !JsonLines.HasChecksumTail(text) && !JsonLines.HasDamagedChecksumTail(text);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Stand(in OperationLine operation, long offset, long next, long line, IOperationSink sink)
    {
        Line = line;
        var clock = operation.HasChecksum ? operation.Clock : Derived(operation.Clock);
        if (EndsWithSeal && log.Agent.Length > 0 && clock - _clock > LogSource.LongestStep)
            Implausible(operation, offset, clock, line);
        else
        {
            sink.Operation(operation, offset, clock, next);
            _clock = Math.Max(_clock, clock);
            Operations++;
        }

        if (_batch.Count == 0) Standing = next; // a batch stands as a whole
    }

    // Of a line of the package. There is none above the largest: lines that come to it share it, in the order they stand in.
    private long Derived(long clock) => Math.Min(Stamp.MaxClock, clock >= 0 ? clock + log.ClockOffset : log.IsTimeless ? log.ClockOffset : _clock + 1);

    // One poisoned clock would leave no room above it. It is judged by its own log alone, so that every reader judges alike.
    private void Implausible(in OperationLine operation, long offset, long clock, long line)
    {
        var damage = new Damage(DamageKind.ImplausibleClock, log.Name, line, offset, operation.Line.Length, $"its clock is {clock}, more than {LogSource.LongestStep} above the one before it ({_clock}); the operation does not count");
        if (recovery == Recovery.Strict) throw Refused(damage);
        Notes.Add(damage);
    }

    private void Spoiled(in ObjectPart part, int start, int end)
    {
        var from = _batch.Count > 0 ? _batch[0].Start : start;
        Note(DamageKind.Spoiled, part, from, end - from, "an append that failed, marked void by its writer; it was never acknowledged", _line - _batch.Count);
        _batch.Clear();
    }

    private void Tail(in ObjectPart part, ReadOnlySpan<byte> bytes, int start, IOperationSink sink)
    {
        var rest = bytes[start..];
        var offset = part.Start + start;
        var verdict = OperationCodec.TryRead(rest, offset - part.ChecksumBase, offset == 0, out var operation, out _);
        _line++;
        if (End == LogEnd.Clean && !JsonLines.HasChecksumTail(rest) && log.Agent.Length == 0 &&
            (verdict == LineVerdict.Operation || (verdict == LineVerdict.Doubtful && !RefuseDoubtful)) && operation.BatchSize <= 1)
        {
            Stand(operation, offset, offset + rest.Length, _line, sink); // the package takes a whole last line without its newline
            End = LogEnd.MissingNewline;
            return;
        }

        End = LogEnd.Unfinished;
        Note(DamageKind.TornTail, part, start, rest.Length, "the last line was never finished; it was not acknowledged", _line);
    }

    private void Note(DamageKind kind, in ObjectPart part, int start, int length, string detail, long line)
    {
        var damage = new Damage(kind, part.Key.Value, line, part.Start + start - part.ChecksumBase, length, detail);
        if (IsClosed && kind == DamageKind.TornTail)
        {
            Corrupt(part, start, start + length, "the log ended behind a whole line once, and does so no longer");
            return;
        }

        if (recovery == Recovery.Strict && kind == DamageKind.TornTail) throw Refused(damage);
        Notes.Add(damage);
    }

    // Every whole operation on a damaged line: a torn one may stand before it, or one that only lacks its newline.
    private void Unglue(in ObjectPart part, ReadOnlySpan<byte> bytes, int start, int end, IOperationSink sink)
    {
        var line = bytes[start..end];
        for (var from = 0; from >= 0;)
        {
            var taken = TakeGlued(part, line, start, from, part.Start + end + 1, sink);
            var next = taken > from ? taken : NextHead(line, from + 1);
            from = next < line.Length ? next : -1;
        }
    }

    // Returns the end of the operation that starts at a place in a line; that place if none does.
    private int TakeGlued(in ObjectPart part, ReadOnlySpan<byte> line, int start, int from, long next, IOperationSink sink)
    {
        var offset = part.Start + start + from;
        for (var to = NextHead(line, from + 1); from > 0 || to < line.Length; to = NextHead(line, to + 1))
        {
            var verdict = OperationCodec.TryRead(line[from..to], offset - part.ChecksumBase, offset == 0, out var operation, out _);
            if (verdict == LineVerdict.Operation && operation.BatchSize <= 1)
            {
                Stand(operation, offset, next, _line, sink);
                return to;
            }

            if (to == line.Length) break;
        }

        return from;
    }

    private static int NextHead(ReadOnlySpan<byte> line, int from)
    {
        var next = line[Math.Min(from, line.Length)..].IndexOf("{\"ts\":\""u8);
        return next < 0 ? line.Length : from + next;
    }

    private void Corrupt(in ObjectPart part, int start, int end, string fault)
    {
        var damage = new Damage(DamageKind.CorruptLine, part.Key.Value, _line, part.Start + start - part.ChecksumBase, end - start, fault);
        if (recovery != Recovery.SkipCorrupt) throw Refused(damage);
        Skipped.Add(damage);
    }

    public static OpsLogException Refused(Damage damage) =>
        new(OpsLogError.Damaged, $"The store is damaged at {damage}. Run verify for the full list, repair to salvage, or open with Recovery.SkipCorrupt.") { Damage = damage };
}

/// <summary>How a log ends.</summary>
internal enum LogEnd
{
    /// <summary>Behind a newline.</summary>
    Clean,

    /// <summary>A whole operation without its newline: it counts, and the next append starts a new line.</summary>
    MissingNewline,

    /// <summary>An unfinished line or batch: it does not count, and is spoiled before the next append.</summary>
    Unfinished,
}
