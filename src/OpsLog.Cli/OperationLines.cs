using System.Buffers;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace OpsLog.Cli;

/// <summary>Operations as <c>log</c> and <c>tail</c> print them.</summary>
internal static class OperationLines
{
    /// <summary>Prints one operation.</summary>
    public static void Write(Results results, Operation<JsonElement> operation)
    {
        if (results.Json) WriteJson(results.Bytes, operation);
        else WriteColumns(results, operation);
    }

    /// <summary>The members have the names of the log line (docs/format.md); <c>data</c> and <c>prev</c> are whole and untouched.</summary>
    private static void WriteJson(OutputBuffer bytes, Operation<JsonElement> operation)
    {
        bytes.Write("{\"position\":"u8);
        JsonText.WriteString(bytes, operation.Position.ToString());
        bytes.Write(",\"ts\":"u8);
        if (operation.Time is { } time) JsonText.WriteString(bytes, TimeText(time));
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

        bytes.Write("}\n"u8);
    }

    private static void WriteMark(OutputBuffer bytes, Operation<JsonElement> operation)
    {
        bytes.Write(operation.Mark == OperationMark.Undo ? ",\"undo\":{\"of\":["u8 : ",\"redo\":{\"of\":["u8);
        WriteNumber(bytes, operation.Marked.Clock);
        bytes.Write(","u8);
        JsonText.WriteString(bytes, operation.Marked.Agent ?? "");
        bytes.Write(","u8);
        JsonText.WriteString(bytes, operation.Marked.Log ?? "");
        bytes.Write("]}"u8);
    }

    private static void WriteColumns(Results results, Operation<JsonElement> operation)
    {
        var about = operation.Mark switch
        {
            OperationMark.Undo => $"undo of {operation.Marked.Clock}",
            OperationMark.Redo => $"redo of {operation.Marked.Clock}",
            _ => operation.ArchivedTo is { } segment ? $"archived to {JsonText.Printable(segment)}" : "",
        };
        results.Columns(
            (operation.Time is { } time ? TimeText(time) : "-", "grey"),
            (operation.Kind == OperationKind.Set ? "set" : "delete", operation.Kind == OperationKind.Set ? "green" : "red"),
            (JsonText.Printable(operation.Id), "bold"),
            (string.IsNullOrEmpty(operation.Revision.Agent) ? "-" : JsonText.Printable(operation.Revision.Agent), ""),
            (operation.Revision.Clock.ToString(CultureInfo.InvariantCulture), "grey"),
            (about, "yellow"));
    }

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

    private static string TimeText(DateTimeOffset time) =>
        time.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture);
}
