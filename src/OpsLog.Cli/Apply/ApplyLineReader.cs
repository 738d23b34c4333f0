using System.Text.Json;
using System.Text.Unicode;

namespace OpsLog.Cli.Apply;

/// <summary>Reads one line of <c>apply</c>'s input. Pure. Of equal members the last one counts; unknown members are ignored.</summary>
internal sealed class ApplyLineReader(string? batchBy)
{
    // A document may be as deep as a store takes it; around it lie the line, a batch's array and the batch's operation.
    private static readonly JsonReaderOptions Options = new() { MaxDepth = OpenedStore.MaxDepth + 3 };
    private static readonly JsonDocumentOptions DocumentOptions = new() { MaxDepth = OpenedStore.MaxDepth };

    /// <summary>Whether a line holds nothing.</summary>
    public static bool IsBlank(ReadOnlySpan<byte> line) => line.IndexOfAnyExcept(" \t\r"u8) < 0;

    /// <summary>Reads a line into <paramref name="line"/>, whose number is set.</summary>
    /// <exception cref="InputLineException">The line is malformed.</exception>
    public void Read(ReadOnlyMemory<byte> bytes, ApplyLine line)
    {
        try
        {
            if (!Utf8.IsValid(bytes.Span)) throw new FormatException("it is not UTF-8.");
            var reader = new Utf8JsonReader(bytes.Span, Options);
            reader.Read();
            ReadOperation(ref reader, bytes, line);
            if (reader.Read()) throw new FormatException("there is more than one JSON value.");
        }
        catch (JsonException exception)
        {
            throw new InputLineException(line.Number, $"not JSON: {JsonText.Fault(exception)}");
        }
        catch (FormatException exception)
        {
            throw new InputLineException(line.Number, exception.Message);
        }
    }

    private void ReadOperation(ref Utf8JsonReader reader, ReadOnlyMemory<byte> bytes, ApplyLine line)
    {
        if (reader.TokenType != JsonTokenType.StartObject) throw new FormatException("it is not a JSON object.");
        var members = default(Members);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            // A store may hold half of a surrogate pair; a name here is compared, and half of one is no name.
            if (reader.ValueIsEscaped) Text(ref reader, "a member's name");
            var isKey = batchBy is not null && reader.ValueTextEquals(batchBy);
            var member = MemberOf(ref reader);
            reader.Read();
            var start = (int)reader.TokenStartIndex;
            reader.Skip();
            var value = start..(int)reader.BytesConsumed;
            members.Keep(member, value);
            if (isKey) line.BatchKey = bytes[value];
        }

        // Only what the line's kind needs must be well-formed, and the kind may come last: places are kept above, values read here.
        Complete(members, bytes.Span, line);
    }

    private static Member MemberOf(ref Utf8JsonReader reader) =>
        reader.ValueTextEquals("id"u8) ? Member.Id
        : reader.ValueTextEquals("data"u8) ? Member.Data
        : reader.ValueTextEquals("op"u8) ? Member.Op
        : reader.ValueTextEquals("ids"u8) ? Member.Ids
        : reader.ValueTextEquals("segment"u8) ? Member.Segment
        : reader.ValueTextEquals("ops"u8) ? Member.Ops
        : Member.Other;

    private static void Complete(in Members members, ReadOnlySpan<byte> bytes, ApplyLine line)
    {
        line.Kind = KindOf(members, bytes);
        switch (line.Kind)
        {
            case ApplyKind.Set:
                line.Id = IdOf(members, bytes);
                line.Document = Document(bytes[(members.Data ?? throw new FormatException("it has no \"data\"."))]);
                break;
            case ApplyKind.Delete:
                line.Id = IdOf(members, bytes);
                break;
            case ApplyKind.Archive:
                ReadIds(bytes[(members.Ids ?? throw new FormatException("it has no \"ids\"."))], line.Ids);
                line.Segment = members.Segment is { } segment ? SegmentName(bytes[segment]) : null;
                break;
            case ApplyKind.Batch:
                ReadBatch(bytes[(members.Ops ?? throw new FormatException("it has no \"ops\"."))], line);
                break;
            default:
                break;
        }
    }

    private static ApplyKind KindOf(in Members members, ReadOnlySpan<byte> bytes)
    {
        if (members.Op is not { } place)
        {
            if (members.Id is not null && members.Data is not null) return ApplyKind.Set;
            throw new FormatException("it has no \"op\", and is no {\"id\":…,\"data\":…} either.");
        }

        var reader = new Utf8JsonReader(bytes[place], Options);
        reader.Read();
        if (reader.TokenType != JsonTokenType.String) throw new FormatException("\"op\" is not a string.");
        if (reader.ValueIsEscaped) Text(ref reader, "\"op\"");
        if (reader.ValueTextEquals("set"u8)) return ApplyKind.Set;
        if (reader.ValueTextEquals("delete"u8)) return ApplyKind.Delete;
        if (reader.ValueTextEquals("undo"u8)) return ApplyKind.Undo;
        if (reader.ValueTextEquals("redo"u8)) return ApplyKind.Redo;
        if (reader.ValueTextEquals("compact"u8)) return ApplyKind.Compact;
        if (reader.ValueTextEquals("refresh"u8)) return ApplyKind.Refresh;
        if (reader.ValueTextEquals("archive"u8)) return ApplyKind.Archive;
        if (reader.ValueTextEquals("batch"u8)) return ApplyKind.Batch;
        throw new FormatException($"the op {JsonText.Printable(Text(ref reader, "\"op\""))} is unknown.");
    }

    private static void ReadBatch(ReadOnlySpan<byte> array, ApplyLine line)
    {
        var reader = new Utf8JsonReader(array, Options);
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartArray) throw new FormatException("\"ops\" is not an array.");
        var inner = new ApplyLine();
        var innerReader = new ApplyLineReader(null);
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            var start = (int)reader.TokenStartIndex;
            reader.Skip();
            var operation = array[start..(int)reader.BytesConsumed].ToArray();
            inner.Reset(line.Number);
            var operationReader = new Utf8JsonReader(operation, Options);
            operationReader.Read();
            innerReader.ReadOperation(ref operationReader, operation, inner);
            if (!inner.IsSingle) throw new FormatException("a batch holds sets and deletes only.");
            line.Operations.Add(inner.Operation);
        }
    }

    private static void ReadIds(ReadOnlySpan<byte> array, List<string> ids)
    {
        var reader = new Utf8JsonReader(array, Options);
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartArray) throw new FormatException("\"ids\" is not an array.");
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.String) throw new FormatException("\"ids\" holds something else than strings.");
            ids.Add(Text(ref reader, "\"ids\""));
        }
    }

    private static string? SegmentName(ReadOnlySpan<byte> value)
    {
        var reader = new Utf8JsonReader(value, Options);
        reader.Read();
        if (reader.TokenType == JsonTokenType.Null) return null;
        var segment = reader.TokenType == JsonTokenType.String ? Text(ref reader, "\"segment\"") : "";
        return segment.Length > 0 ? segment : throw new FormatException("\"segment\" is not a name.");
    }

    private static string IdOf(in Members members, ReadOnlySpan<byte> bytes)
    {
        if (members.Id is not { } place) throw new FormatException("it has no \"id\".");
        var reader = new Utf8JsonReader(bytes[place], Options);
        reader.Read();
        var id = reader.TokenType == JsonTokenType.String ? Text(ref reader, "\"id\"") : "";
        return id.Length > 0 ? id : throw new FormatException("\"id\" is not a string of at least one character.");
    }

    private static JsonElement Document(ReadOnlySpan<byte> json) =>
        json[0] == '{' ? JsonElement.Parse(json, DocumentOptions) : throw new FormatException("\"data\" is not a JSON object.");

    /// <summary>A string, or a member's name; comparing one that is no text would throw.</summary>
    private static string Text(ref Utf8JsonReader reader, string what)
    {
        try
        {
            return reader.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw new FormatException($"{what} holds half of a surrogate pair: no store takes that.");
        }
    }

    private enum Member
    {
        Other,
        Op,
        Id,
        Data,
        Ids,
        Segment,
        Ops,
    }

    /// <summary>Where a line's members lie in it.</summary>
    private struct Members
    {
        public Range? Op;
        public Range? Id;
        public Range? Data;
        public Range? Ids;
        public Range? Segment;
        public Range? Ops;

        public void Keep(Member member, Range place)
        {
            switch (member)
            {
                case Member.Op: Op = place; break;
                case Member.Id: Id = place; break;
                case Member.Data: Data = place; break;
                case Member.Ids: Ids = place; break;
                case Member.Segment: Segment = place; break;
                case Member.Ops: Ops = place; break;
                default: break;
            }
        }
    }
}
