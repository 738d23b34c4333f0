using System.Text.Json;
using System.Text.Unicode;

namespace OpsLog.Format;

/// <summary>
/// Operation lines without a checksum: the npm package's, or another program's. They are parsed whole and held to the rules of the
/// package's own reader, so that both take the same lines.
/// </summary>
internal static class PackageLine
{
    /// <summary>How deep JSON may nest.</summary>
    public const int MaxDepth = 1000;

    private static ReadOnlySpan<byte> ByteOrderMark => [0xEF, 0xBB, 0xBF];

    /// <summary>Where the members stand; of a member that occurs twice, the last counts.</summary>
    private struct Members
    {
        public Range? Timestamp;
        public Range? Id;
        public Range? Agent;
        public Range? Data;
        public Range? Prev;
        public JsonTokenType DataType;
        public JsonTokenType PrevType;
        public OperationKind? Kind;
        public bool IsDelta;
        public long Clock;
    }

    public static LineVerdict Read(ReadOnlySpan<byte> line, bool atObjectStart, out OperationLine operation, out string fault)
    {
        operation = default;
        var start = atObjectStart && line.StartsWith(ByteOrderMark) ? ByteOrderMark.Length : 0;
        if (!Utf8.IsValid(line[start..]))
        {
            fault = "the line is not UTF-8";
            return LineVerdict.Corrupt;
        }

        var members = new Members { Clock = -1 };
        try
        {
            fault = ReadMembers(line, start, ref members) ?? Missing(members) ?? "";
        }
        catch (JsonException e)
        {
            fault = $"the line is not one JSON object: {JsonIn.Describe(e)}";
        }

        if (fault.Length > 0) return LineVerdict.Corrupt;
        operation = Build(line, members);
        fault = Doubt(operation, members);
        return fault.Length > 0 ? LineVerdict.Doubtful : LineVerdict.Operation;
    }

    private static string? ReadMembers(ReadOnlySpan<byte> line, int start, ref Members members)
    {
        var reader = new Utf8JsonReader(line[start..], new JsonReaderOptions { MaxDepth = MaxDepth });
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject) return "the line is not a JSON object";
        Span<byte> buffer = stackalloc byte[JsonIn.MaxName];
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = buffer[..JsonIn.CopyName(ref reader, buffer)];
            reader.Read();
            var fault = ReadMember(ref reader, name, start, ref members);
            if (fault is not null) return fault;
        }

        // Anything behind the object makes this throw.
        reader.Read();
        return null;
    }

    private static string? ReadMember(ref Utf8JsonReader reader, scoped ReadOnlySpan<byte> name, int start, ref Members members)
    {
        var type = reader.TokenType;
        var value = JsonIn.SkipValue(ref reader, start);
        var contents = (value.Start.Value + 1)..(value.End.Value - 1);
        var isText = type == JsonTokenType.String;
        var isFilled = isText && contents.Start.Value < contents.End.Value;
        switch (name)
        {
            case var _ when name.SequenceEqual("ts"u8):
                members.Timestamp = contents;
                return isFilled ? null : "ts is not a non-empty string";
            case var _ when name.SequenceEqual("op"u8):
                members.Kind = !isText ? null : reader.ValueSpan.SequenceEqual("set"u8) ? OperationKind.Set : reader.ValueSpan.SequenceEqual("delete"u8) ? OperationKind.Delete : null;
                return members.Kind is null ? "op is neither set nor delete" : null;
            case var _ when name.SequenceEqual("id"u8):
                members.Id = contents;
                return isText ? null : "id is not a string";
            case var _ when name.SequenceEqual("data"u8):
                members.Data = value;
                members.DataType = type;
                return null;
            case var _ when name.SequenceEqual("prev"u8):
                members.Prev = value;
                members.PrevType = type;
                return null;
            case var _ when name.SequenceEqual("encoding"u8):
                members.IsDelta = isText && reader.ValueSpan.SequenceEqual("delta"u8);
                return members.IsDelta || (isText && reader.ValueSpan.SequenceEqual("full"u8)) ? null : "encoding is neither full nor delta";
            case var _ when name.SequenceEqual("agent"u8):
                members.Agent = contents;
                return isFilled ? null : "agent is not a non-empty string";
            case var _ when name.SequenceEqual("clock"u8):
                return JsonIn.TryInteger(ref reader, out members.Clock) ? null : "clock is not an integer from 0 to 2^53-1";
            case var _ when name.SequenceEqual("crc"u8):
                return "crc does not stand where a checksum does";
            default:
                return null;
        }
    }

    private static string? Missing(in Members members)
    {
        if (members.Timestamp is null) return "ts is missing";
        if (members.Kind is null) return "op is missing";
        if (members.Id is null) return "id is missing";
        if (members.Prev is null) return "prev is missing";
        return members.Kind switch
        {
            OperationKind.Set when members.Data is null => "a set has no data",
            OperationKind.Delete when members.Data is not null => "a delete has data",
            _ => null,
        };
    }

    /// <summary>The package writes these, acknowledges them, and refuses them when it reads.</summary>
    private static string Doubt(scoped in OperationLine operation, scoped in Members members)
    {
        if (operation.RawId.IsEmpty) return "the id is empty";
        if (members.PrevType is not (JsonTokenType.StartObject or JsonTokenType.Null)) return "prev is neither an object nor null";
        if (operation.Kind == OperationKind.Set) return members.DataType == JsonTokenType.Null ? "data is null" : "";
        return members.PrevType == JsonTokenType.Null ? "prev of a delete is null" : "";
    }

    private static OperationLine Build(ReadOnlySpan<byte> line, scoped in Members members)
    {
        var id = line[members.Id ?? default];
        var (dataStart, dataEnd) = (members.Data?.Start.Value ?? 0, members.Data?.End.Value ?? 0);
        return new OperationLine
        {
            Line = line,
            Kind = members.Kind ?? default,
            Timestamp = line[members.Timestamp ?? default],
            RawId = id,
            IdIsEscaped = id.Contains((byte)'\\'),
            DataStart = dataStart,
            DataEnd = dataEnd,
            PrevStart = members.Prev?.Start.Value ?? 0,
            PrevEnd = members.Prev?.End.Value ?? 0,
            PrevIsDelta = members.IsDelta,
            Clock = members.Clock,
            RawAgent = members.Agent is { } agent ? line[agent] : default,
            BatchSize = 1,
        };
    }
}
