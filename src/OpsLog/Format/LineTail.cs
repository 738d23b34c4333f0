using System.Buffers.Text;
using System.Runtime.CompilerServices;

namespace OpsLog.Format;

/// <summary>
/// The members behind the document of a checksummed line, as offsets into it: <c>,"clock":7,"agent":"a",…,"crc":"xxxxxxxx"}</c>.
/// Members it does not know are skipped, so that a later version of the same reader level may add some.
/// </summary>
internal struct LineTail
{
    private int _markStart;
    private int _segmentStart;

    public LineTail()
    {
    }

    /// <summary>Where the tail starts, at the comma before <c>"clock"</c>: the document's end.</summary>
    public int Start { get; private set; }

    public long Clock { get; private set; }

    /// <summary>The contents of the agent's string, as offsets; empty if there is none.</summary>
    public Range Agent { get; private set; }

    /// <summary>The index of the log in the snapshot's table; -1 in the line of an operation.</summary>
    public int LogIndex { get; private set; } = -1;

    public int BatchIndex { get; private set; }

    public int BatchSize { get; private set; } = 1;

    public UndoMark Mark { get; private set; }

    public bool IsDelta { get; private set; }

    public bool Noop { get; private set; }

    /// <summary>Reads the tail of a line whose checksum frame is there.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static bool TryRead(ReadOnlySpan<byte> line, out LineTail tail)
    {
        tail = new LineTail { Start = JsonLines.TailStart(line) };
        var end = line.Length - JsonLines.ChecksumTail;
        if (tail.Start < 0) return false;
        var at = tail.Start + 9; // ,"clock":
        if (at >= end || !TryReadNumber(line[at..end], Stamp.MaxClock, out var clock, out var digits)) return false;
        tail.Clock = clock;
        at += digits;
        while (at < end)
            if (!tail.TryReadMember(line[..end], ref at))
                return false;
        return at == end;
    }

    public readonly Stamp MarkOf(ReadOnlySpan<byte> line)
        => _markStart > 0 && TryReadStamp(line[(_markStart + MarkOfName.Length)..], out var stamp, out _) ? stamp : default;

    public readonly Stamp? MarkTo(ReadOnlySpan<byte> line)
    {
        if (_markStart == 0) return null;
        var rest = line[(_markStart + MarkOfName.Length)..];
        if (!TryReadStamp(rest, out _, out var length)) return null;
        rest = rest[length..];
        return rest.StartsWith(MarkToName) && TryReadStamp(rest[MarkToName.Length..], out var stamp, out _) ? stamp : null;
    }

    public readonly string? SegmentText(ReadOnlySpan<byte> line)
        => _segmentStart > 0 ? JsonText.FromEscaped(line.Slice(_segmentStart + 1, JsonScan.StringLength(line[_segmentStart..]) - 2)) : null;

    public readonly Stamp? MovedStamp(ReadOnlySpan<byte> line) => MovedStart > 0 ? StampAt(line, MovedStart) : null;

    /// <summary>Where the stamp that was moved stands; 0: none was.</summary>
    public int MovedStart { get; private set; }

    /// <summary>A stamp whose place was found before.</summary>
    public static Stamp StampAt(ReadOnlySpan<byte> line, int start) => TryReadStamp(line[start..], out var stamp, out _) ? stamp : default;

    private static ReadOnlySpan<byte> DeltaMember => ",\"encoding\":\"delta\""u8;

    private static ReadOnlySpan<byte> MarkOfName => "{\"of\":"u8;

    private static ReadOnlySpan<byte> MarkToName => ",\"to\":"u8;

    /// <summary>Reads one <c>,"name":value</c>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private bool TryReadMember(ReadOnlySpan<byte> line, ref int at)
    {
        var rest = line[at..];
        if (rest.StartsWith(DeltaMember))
        {
            IsDelta = true;
            at += DeltaMember.Length;
            return true;
        }

        if (!rest.StartsWith(",\""u8)) return false;
        var nameLength = rest[2..].IndexOf("\":"u8);
        if (nameLength < 0) return false;
        var name = rest.Slice(2, nameLength);
        var valueStart = at + nameLength + 4;
        var valueEnd = JsonLines.SkipValue(line, valueStart);
        if (valueEnd < 0) return false;
        at = valueEnd;
        var value = line[valueStart..valueEnd];
        if (name.SequenceEqual("agent"u8)) return TryTakeAgent(value, valueStart);
        if (name.SequenceEqual("batch"u8)) return TryReadBatch(value);
        if (name.SequenceEqual("log"u8)) return TryReadLog(value);
        if (name.SequenceEqual("noop"u8)) return Noop = value.SequenceEqual("true"u8);
        if (name.SequenceEqual("undo"u8)) return TryTakeMark(value, valueStart, UndoMark.Undo);
        if (name.SequenceEqual("redo"u8)) return TryTakeMark(value, valueStart, UndoMark.Redo);
        if (name.SequenceEqual("segment"u8)) return TryTakeSegment(value, valueStart);
        if (name.SequenceEqual("moved"u8)) return TryTakeMoved(value, valueStart);
        return true;
    }

    private bool TryTakeAgent(ReadOnlySpan<byte> value, int start)
    {
        Agent = (start + 1)..(start + value.Length - 1);
        return value.Length > 2 && value[0] == '"';
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private bool TryReadBatch(ReadOnlySpan<byte> value)
    {
        if (value[0] != '[' || !TryReadNumber(value[1..], int.MaxValue, out var index, out var digits)) return false;
        var rest = value[(1 + digits)..];
        if (rest.IsEmpty || rest[0] != ',' || !TryReadNumber(rest[1..], int.MaxValue, out var size, out digits)) return false;
        BatchIndex = (int)index;
        BatchSize = (int)size;
        return rest[(1 + digits)..].SequenceEqual("]"u8) && index < size;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private bool TryReadLog(ReadOnlySpan<byte> value)
    {
        if (!TryReadNumber(value, int.MaxValue, out var index, out var digits) || digits != value.Length) return false;
        LogIndex = (int)index;
        return true;
    }

    private bool TryTakeMark(ReadOnlySpan<byte> value, int start, UndoMark mark)
    {
        Mark = mark;
        _markStart = start;
        if (!value.StartsWith(MarkOfName) || !TryReadStamp(value[MarkOfName.Length..], out _, out var length, materialise: false)) return false;
        var rest = value[(MarkOfName.Length + length)..];
        if (!rest.StartsWith(MarkToName)) return false;
        rest = rest[MarkToName.Length..];
        return rest.SequenceEqual("null}"u8) || (TryReadStamp(rest, out _, out length, materialise: false) && rest[length..].SequenceEqual("}"u8));
    }

    private bool TryTakeSegment(ReadOnlySpan<byte> value, int start)
    {
        _segmentStart = start;
        return value[0] == '"';
    }

    private bool TryTakeMoved(ReadOnlySpan<byte> value, int start)
    {
        MovedStart = start;
        return TryReadStamp(value, out _, out var length, materialise: false) && length == value.Length;
    }

    /// <summary>Reads <c>[clock,"agent","log"]</c>; without <paramref name="materialise"/> only its shape.</summary>
    private static bool TryReadStamp(ReadOnlySpan<byte> json, out Stamp stamp, out int length, bool materialise = true)
    {
        stamp = default;
        length = 0;
        if (json.IsEmpty || json[0] != '[' || !TryReadNumber(json[1..], Stamp.MaxClock, out var clock, out var digits)) return false;
        var at = 1 + digits;
        if (!TryReadText(json, ref at, out var agent) || !TryReadText(json, ref at, out var log)) return false;
        if (at >= json.Length || json[at] != ']') return false;
        length = at + 1;
        if (materialise) stamp = new Stamp(clock, JsonText.FromEscaped(json[agent]), JsonText.FromEscaped(json[log]));
        return true;
    }

    /// <summary>Reads <c>,"text"</c>.</summary>
    private static bool TryReadText(ReadOnlySpan<byte> json, ref int at, out Range contents)
    {
        contents = default;
        if (at + 2 > json.Length || json[at] != ',' || json[at + 1] != '"') return false;
        var end = JsonLines.SkipValue(json, at + 1);
        if (end < 0) return false;
        contents = (at + 2)..(end - 1);
        at = end;
        return true;
    }

    /// <summary>Reads digits, without sign, leading zeros or exponent.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static bool TryReadNumber(ReadOnlySpan<byte> json, long most, out long value, out int digits)
        => Utf8Parser.TryParse(json, out value, out digits) && value >= 0 && value <= most && json[0] is >= (byte)'0' and <= (byte)'9' && (json[0] != '0' || digits == 1);
}
