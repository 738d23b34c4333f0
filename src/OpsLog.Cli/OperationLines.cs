using System.Buffers;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace OpsLog.Cli;

/// <summary>Operations as <c>log</c> and <c>tail</c> print them.</summary>
internal static class OperationLines
{
    /// <summary>Prints one operation.</summary>
    public static void Write(Results results, Operation<JsonElement> operation) => Write(results, new Change<JsonElement>(operation));

    /// <summary>Prints a change: its operation, and which write it won over, or lost to, without either author knowing.</summary>
    public static void Write(Results results, Change<JsonElement> change)
    {
        if (results.Json) WriteJson(results.Bytes, change);
        else WriteColumns(results, change);
    }

    /// <summary>The members have the names of the log line (docs/format.md); <c>data</c> and <c>prev</c> are whole and untouched.</summary>
    private static void WriteJson(OutputBuffer bytes, Change<JsonElement> change)
    {
        var operation = change.Operation;
        bytes.Write("{\"position\":"u8);
        JsonText.WriteString(bytes, operation.Position.ToString());
        bytes.Write(",\"ts\":"u8);
        if (TimeText.Of(operation.Time) is { } time) JsonText.WriteString(bytes, time);
        else bytes.Write("null"u8);
        bytes.Write(operation.Kind == OperationKind.Set ? ",\"op\":\"set\",\"id\":"u8 : ",\"op\":\"delete\",\"id\":"u8);
        JsonText.WriteString(bytes, operation.Id);
        if (operation.Kind == OperationKind.Set) WriteDocument(bytes, ",\"data\":"u8, operation.Value);
        if (operation.HasPrevious) WriteDocument(bytes, ",\"prev\":"u8, operation.Previous);
        else bytes.Write(",\"prev\":null"u8);
        bytes.Write(",\"clock\":"u8);
        WriteNumber(bytes, operation.Revision.Clock);
        bytes.Write(",\"agent\":"u8);
        JsonText.WriteString(bytes, operation.Revision.Agent ?? "");
        bytes.Write(",\"log\":"u8);
        JsonText.WriteString(bytes, operation.Revision.Log ?? "");
        if (operation.BatchSize > 1)
        {
            bytes.Write(",\"batch\":["u8);
            WriteNumber(bytes, operation.BatchIndex);
            bytes.Write(","u8);
            WriteNumber(bytes, operation.BatchSize);
            bytes.Write("]"u8);
        }

        if (operation.Mark != OperationMark.None) WriteMark(bytes, operation);
        if (operation.ArchivedTo is { } segment)
        {
            bytes.Write(",\"segment\":"u8);
            JsonText.WriteString(bytes, segment);
        }

        if (change.Overwrote != Revision.None) WriteStamp(bytes, ",\"overwrote\":"u8, change.Overwrote);
        if (change.OverwrittenBy != Revision.None) WriteStamp(bytes, ",\"overwrittenBy\":"u8, change.OverwrittenBy);
        bytes.Write("}\n"u8);
    }

    private static void WriteMark(OutputBuffer bytes, Operation<JsonElement> operation)
    {
        WriteStamp(bytes, operation.Mark == OperationMark.Undo ? ",\"undo\":{\"of\":"u8 : ",\"redo\":{\"of\":"u8, operation.Marked);
        bytes.Write(operation.IsMarkOnly ? "},\"noop\":true"u8 : "}"u8);
    }

    private static void WriteStamp(OutputBuffer bytes, ReadOnlySpan<byte> member, Revision stamp)
    {
        bytes.Write(member);
        bytes.Write("["u8);
        WriteNumber(bytes, stamp.Clock);
        bytes.Write(","u8);
        JsonText.WriteString(bytes, stamp.Agent ?? "");
        bytes.Write(","u8);
        JsonText.WriteString(bytes, stamp.Log ?? "");
        bytes.Write("]"u8);
    }

    private static void WriteColumns(Results results, Change<JsonElement> change)
    {
        var operation = change.Operation;
        var about = new List<string>();
        if (operation.Mark != OperationMark.None) about.Add($"{(operation.Mark == OperationMark.Undo ? "undo" : "redo")} of {Stamp(operation.Marked)}{(operation.IsMarkOnly ? " (a mark, no change)" : "")}");
        if (operation.ArchivedTo is { } segment) about.Add($"archived to {JsonText.Printable(segment)}");
        if (change.Overwrote != Revision.None) about.Add($"overwrote {Stamp(change.Overwrote)}");
        if (change.OverwrittenBy != Revision.None) about.Add($"overwritten by {Stamp(change.OverwrittenBy)}");
        results.Columns(
            (TimeText.Of(operation.Time) ?? "-", "grey"),
            (operation.Kind == OperationKind.Set ? "set" : "delete", operation.Kind == OperationKind.Set ? "green" : "red"),
            (JsonText.Printable(operation.Id), "bold"),
            (string.IsNullOrEmpty(operation.Revision.Agent) ? "-" : JsonText.Printable(operation.Revision.Agent), ""),
            (operation.Revision.Clock.ToString(CultureInfo.InvariantCulture), "grey"),
            (string.Join(", ", about), "yellow"));
    }

    /// <summary>Which operation, for people: its clock, and its agent where there are several.</summary>
    private static string Stamp(Revision stamp) =>
        stamp.Clock.ToString(CultureInfo.InvariantCulture) + (string.IsNullOrEmpty(stamp.Agent) ? "" : "@" + JsonText.Printable(stamp.Agent));

    private static void WriteDocument(OutputBuffer bytes, ReadOnlySpan<byte> member, JsonElement document)
    {
        bytes.Write(member);
        if (document.ValueKind == JsonValueKind.Undefined) bytes.Write("null"u8);
        else JsonText.WriteDocument(bytes, JsonMarshal.GetRawUtf8Value(document));
    }

    private static void WriteNumber(OutputBuffer bytes, long number)
    {
        number.TryFormat(bytes.GetSpan(20), out var written, provider: CultureInfo.InvariantCulture);
        bytes.Advance(written);
    }
}
