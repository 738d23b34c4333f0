using System.Runtime.CompilerServices;
using System.Text;

namespace OpsLog.Format;

/// <summary>The lines of logs (docs/format.md, Operations). Reading never throws, whatever the bytes, and allocates only to describe a fault.</summary>
internal static class OperationCodec
{
    /// <summary>The length of the time in a line of ours.</summary>
    public const int TimestampLength = 24;

    private const int TimestampStart = 7; // {"ts":"
    private const int KindStart = TimestampStart + TimestampLength;

    // Every constant piece of a line and all its numbers, generously.
    private const int FixedLength = 384;

    private static ReadOnlySpan<byte> SetHead => "\",\"op\":\"set\",\"id\":\""u8;

    private static ReadOnlySpan<byte> DeleteHead => "\",\"op\":\"delete\",\"id\":\""u8;

    /// <summary>How much stands between the contents of the id and <c>prev</c>.</summary>
    public static int PrevMemberLength => PrevMember.Length;

    private static ReadOnlySpan<byte> PrevMember => "\",\"prev\":"u8;

    private static ReadOnlySpan<byte> DataMember => ",\"data\":"u8;

    /// <summary>Reads one line of a log.</summary>
    /// <param name="line">The line without its newline.</param>
    /// <param name="offset">Its byte offset in its object; negative: the line was read at its offset before, and its checksum is not verified again.</param>
    /// <param name="atObjectStart">Whether nothing stands before it: a byte order mark is allowed there.</param>
    /// <param name="operation">The operation, for <see cref="LineVerdict.Operation"/> and <see cref="LineVerdict.Doubtful"/>.</param>
    /// <param name="fault">What is wrong, for <see cref="LineVerdict.Corrupt"/> and <see cref="LineVerdict.Doubtful"/>; else empty.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static LineVerdict TryRead(ReadOnlySpan<byte> line, long offset, bool atObjectStart, out OperationLine operation, out string fault)
    {
        fault = "";
        if (JsonLines.FrameFits(line) && (offset < 0 || JsonLines.ChecksumHolds(line, offset)))
        {
            if (TryReadOurs(line, out operation)) return LineVerdict.Operation;
            fault = "the checksum holds, but the line has not the shape of an operation";
            return LineVerdict.Corrupt;
        }

        return ReadOther(line, offset, atObjectStart, out operation, out fault);
    }

    /// <summary>A line of ours that was read before.</summary>
    /// <param name="line">The same bytes.</param>
    /// <param name="shape">What was found in them.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static OperationLine Again(ReadOnlySpan<byte> line, scoped in OperationShape shape)
    {
        var isSet = shape.Kind == OperationKind.Set;
        var idStart = KindStart + (isSet ? SetHead.Length : DeleteHead.Length);
        return new OperationLine
        {
            Line = line,
            HasChecksum = true,
            Kind = shape.Kind,
            Timestamp = line.Slice(TimestampStart, TimestampLength),
            RawId = line[idStart..shape.IdEnd],
            IdIsEscaped = shape.IdIsEscaped,
            DataStart = isSet ? shape.PrevEnd + DataMember.Length : 0,
            DataEnd = isSet ? shape.Tail.Start : 0,
            PrevStart = shape.IdEnd + PrevMember.Length,
            PrevEnd = shape.PrevEnd,
            PrevIsDelta = shape.Tail.IsDelta,
            Clock = shape.Tail.Clock,
            RawAgent = line[shape.Tail.Agent],
            BatchIndex = shape.Tail.BatchIndex,
            BatchSize = shape.Tail.BatchSize,
            Mark = shape.Tail.Mark,
            Noop = shape.Tail.Noop,
            Tail = shape.Tail,
        };
    }

    /// <summary>An upper bound of what <see cref="Write"/> needs for a draft.</summary>
    public static long MaxLength(in OperationDraft draft)
    {
        var length = FixedLength + (long)draft.Data.Length + draft.Prev.Length + (6L * (draft.IdWtf8.Length + draft.AgentWtf8.Length));
        if (draft.Mark != UndoMark.None) length += LineWriter.MaxStamp(draft.MarkOf) + (draft.MarkTo is { } to ? LineWriter.MaxStamp(to) : 0);
        if (draft.Segment is { } segment) length += 6 * segment.Length;
        if (draft.Moved is { } moved) length += LineWriter.MaxStamp(moved);
        return length;
    }

    /// <summary>Writes a line, newline included.</summary>
    /// <param name="destination">At least <see cref="MaxLength"/> bytes.</param>
    /// <param name="draft">The operation.</param>
    /// <param name="offset">The byte offset in its object at which the line will stand.</param>
    /// <param name="dataStart">Where the document starts in the line; 0 for a delete.</param>
    /// <returns>The bytes written.</returns>
    public static int Write(Span<byte> destination, in OperationDraft draft, long offset, out int dataStart)
    {
        var line = new LineWriter(destination);
        line.Raw("{\"ts\":\""u8);
        line.Raw(draft.Timestamp24);
        line.Raw(draft.Kind == OperationKind.Set ? "\",\"op\":\"set\",\"id\":"u8 : "\",\"op\":\"delete\",\"id\":"u8);
        line.TextWtf8(draft.IdWtf8);
        line.Raw(",\"prev\":"u8);
        line.Raw(draft.Prev);
        dataStart = 0;
        if (draft.Kind == OperationKind.Set)
        {
            line.Raw(DataMember);
            dataStart = line.Length;
            line.Raw(draft.Data);
        }

        line.Raw(",\"clock\":"u8);
        line.Number(draft.Clock);
        if (!draft.AgentWtf8.IsEmpty)
        {
            line.Raw(",\"agent\":"u8);
            line.TextWtf8(draft.AgentWtf8);
        }

        if (draft.PrevIsDelta) line.Raw(",\"encoding\":\"delta\""u8);
        if (draft.BatchSize > 1) WriteBatch(ref line, draft);
        if (draft.Mark != UndoMark.None) WriteMark(ref line, draft);
        if (draft.Noop) line.Raw(",\"noop\":true"u8);
        if (draft.Segment is not null) WriteMove(ref line, draft);
        return line.End(offset);
    }

    private static void WriteBatch(ref LineWriter line, in OperationDraft draft)
    {
        line.Raw(",\"batch\":["u8);
        line.Number(draft.BatchIndex);
        line.Raw(","u8);
        line.Number(draft.BatchSize);
        line.Raw("]"u8);
    }

    private static void WriteMark(ref LineWriter line, in OperationDraft draft)
    {
        line.Raw(draft.Mark == UndoMark.Undo ? ",\"undo\":{\"of\":"u8 : ",\"redo\":{\"of\":"u8);
        line.Stamp(draft.MarkOf);
        line.Raw(",\"to\":"u8);
        if (draft.MarkTo is { } to) line.Stamp(to);
        else line.Raw("null"u8);
        line.Raw("}"u8);
    }

    private static void WriteMove(ref LineWriter line, in OperationDraft draft)
    {
        line.Raw(",\"segment\":"u8);
        line.Text(draft.Segment);
        if (draft.Moved is not { } moved) return;
        line.Raw(",\"moved\":"u8);
        line.Stamp(moved);
    }

    /// <summary>Finds the members of a line whose checksum holds. Its shape is checked, its JSON was valid when it was written.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static bool TryReadOurs(ReadOnlySpan<byte> line, out OperationLine operation)
    {
        operation = default;
        if (line.Length < KindStart + SetHead.Length || !line.StartsWith("{\"ts\":\""u8)) return false;
        var head = line[KindStart..];
        var isSet = head.StartsWith(SetHead);
        if (!isSet && !head.StartsWith(DeleteHead)) return false;
        var idStart = KindStart + (isSet ? SetHead.Length : DeleteHead.Length);
        var idEnd = JsonScan.StringEnd(line, idStart, out var escaped);
        if (idEnd < 0 || !line[idEnd..].StartsWith(PrevMember)) return false;
        if (!LineTail.TryRead(line, out var tail)) return false;

        var prevStart = idEnd + PrevMember.Length;
        var prevEnd = tail.Start;
        var dataStart = 0;
        if (isSet)
        {
            prevEnd = line[prevStart..].StartsWith("null"u8) ? prevStart + 4 : JsonLines.SkipValue(line, prevStart);
            if (prevEnd < 0 || !line[prevEnd..].StartsWith(DataMember)) return false;
            dataStart = prevEnd + DataMember.Length;
        }

        // The document (or a delete's prev) is what lies between; it cannot be empty.
        if ((isSet ? dataStart : prevStart) >= tail.Start) return false;
        operation = Again(line, new OperationShape(isSet ? OperationKind.Set : OperationKind.Delete, idEnd, escaped, prevEnd, tail));
        return true;
    }

    private static LineVerdict ReadOther(ReadOnlySpan<byte> line, long offset, bool atObjectStart, out OperationLine operation, out string fault)
    {
        operation = default;
        fault = "";
        if (!line.IsEmpty && line[^1] == '#')
        {
            fault = "the line was never finished; its writer voided it";
            return LineVerdict.Spoiled;
        }

        if (JsonLines.IsBlank(line)) return LineVerdict.Empty;
        var trimmed = line.TrimEnd(" \t\r\n"u8);
        if (JsonLines.HasChecksumTail(trimmed))
        {
            fault = trimmed.Length == line.Length
                ? $"the checksum does not hold: the line says {Encoding.ASCII.GetString(line[^10..^2])}, its bytes at offset {offset} give {JsonLines.Hex(JsonLines.Checksum(line[..^JsonLines.ChecksumTail], offset))}"
                : "whitespace follows the checksum";
            return LineVerdict.Corrupt;
        }

        if (JsonLines.HasDamagedChecksumTail(trimmed))
        {
            fault = "the line ends in a damaged checksum";
            return LineVerdict.Corrupt;
        }

        return PackageLine.Read(line, atObjectStart, out operation, out fault);
    }
}
