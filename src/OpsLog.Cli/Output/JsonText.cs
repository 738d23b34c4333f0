using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace OpsLog.Cli;

/// <summary>Strings and documents as JSON text, exactly as JavaScript's <c>JSON.stringify</c> writes strings.</summary>
internal static class JsonText
{
    /// <summary>Characters that need an escape, or may (a surrogate does only when it is alone).</summary>
    private static readonly SearchValues<char> Special = SearchValues.Create(SpecialCharacters());

    /// <summary>What a terminal may take for a command, or a reader of lines for a line's end.</summary>
    private static readonly SearchValues<char> Unprintable = SearchValues.Create(UnprintableCharacters());

    private static readonly SearchValues<char> SpecialOrUnprintable = SearchValues.Create(SpecialCharacters() + UnprintableCharacters());

    /// <summary>How small reports are written: text that people read stays text.</summary>
    public static JsonWriterOptions WriterOptions { get; } = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Writes a string with its quotes. A lone surrogate becomes a <c>\u</c> escape, so nothing is lost.</summary>
    public static void WriteString(IBufferWriter<byte> writer, ReadOnlySpan<char> text) => WriteString(writer, text, Special);

    /// <summary>Writes a member whose value may be any text, half of a surrogate pair included.</summary>
    public static void WriteMember(Utf8JsonWriter writer, string name, string text)
    {
        var value = new ArrayBufferWriter<byte>();
        WriteString(value, text);
        writer.WritePropertyName(name);
        writer.WriteRawValue(value.WrittenSpan, skipInputValidation: true);
    }

    /// <summary>Writes a document on one line: as it is, but for whitespace outside strings if it holds a line break.</summary>
    public static void WriteDocument(IBufferWriter<byte> writer, ReadOnlySpan<byte> json)
    {
        if (json.IndexOfAny((byte)'\n', (byte)'\r') < 0) writer.Write(json);
        else WriteMinified(writer, json);
    }

    /// <summary>A text for people: as it is, or as a JSON string, its control characters as escapes, where it would break the line it stands in.</summary>
    public static string Printable(string text)
    {
        var plain = text.Length > 0 && !text.AsSpan().ContainsAny(Unprintable) && !HasLoneSurrogate(text);
        if (plain) return text;
        var buffer = new ArrayBufferWriter<byte>();
        WriteString(buffer, text, SpecialOrUnprintable);
        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    /// <summary>Whether a text holds half of a surrogate pair and therefore is no Unicode text.</summary>
    public static bool HasLoneSurrogate(ReadOnlySpan<char> text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            if (!char.IsSurrogate(text[i])) continue;
            if (i + 1 == text.Length || !char.IsSurrogatePair(text[i], text[i + 1])) return true;
            i++;
        }

        return false;
    }

    /// <summary>What a parser found wrong, without the line number that it counts within the text.</summary>
    public static string Fault(JsonException exception)
    {
        var end = exception.Message.IndexOf(" LineNumber:", StringComparison.Ordinal);
        return $"{(end < 0 ? exception.Message : exception.Message[..end])} (byte {exception.BytePositionInLine ?? 0})";
    }

    private static void WriteString(IBufferWriter<byte> writer, ReadOnlySpan<char> text, SearchValues<char> special)
    {
        writer.Write("\""u8);
        while (!text.IsEmpty)
        {
            var plain = text.IndexOfAny(special);
            if (plain < 0) plain = text.Length;
            if (plain > 0) Encoding.UTF8.GetBytes(text[..plain], writer);
            text = text[plain..];
            if (!text.IsEmpty) text = text[WriteSpecial(writer, text)..];
        }

        writer.Write("\""u8);
    }

    private static int WriteSpecial(IBufferWriter<byte> writer, ReadOnlySpan<char> text)
    {
        var c = text[0];
        if (text.Length > 1 && char.IsSurrogatePair(c, text[1]))
        {
            Encoding.UTF8.GetBytes(text[..2], writer);
            return 2;
        }

        var shorthand = c switch { '"' => '"', '\\' => '\\', '\b' => 'b', '\f' => 'f', '\n' => 'n', '\r' => 'r', '\t' => 't', _ => '\0' };
        Span<byte> escape = [(byte)'\\', (byte)shorthand, 0, 0, 0, 0];
        if (shorthand != '\0')
        {
            writer.Write(escape[..2]);
            return 1;
        }

        escape[1] = (byte)'u';
        for (var digit = 0; digit < 4; digit++) escape[2 + digit] = "0123456789abcdef"u8[(c >> (12 - (4 * digit))) & 15];
        writer.Write(escape);
        return 1;
    }

    private static void WriteMinified(IBufferWriter<byte> writer, ReadOnlySpan<byte> json)
    {
        var destination = writer.GetSpan(json.Length);
        var length = 0;
        var inString = false;
        for (var i = 0; i < json.Length; i++)
        {
            var b = json[i];
            if (!inString && b is (byte)' ' or (byte)'\t' or (byte)'\n' or (byte)'\r') continue;
            destination[length++] = b;
            if (b == '"') inString = !inString;
            else if (b == '\\' && i + 1 < json.Length) destination[length++] = json[++i];
        }

        writer.Advance(length);
    }

    private static string SpecialCharacters()
    {
        var special = new StringBuilder("\"\\");
        for (var c = '\0'; c < ' '; c++) special.Append(c);
        for (var c = 0xd800; c <= 0xdfff; c++) special.Append((char)c);
        return special.ToString();
    }

    private static string UnprintableCharacters() => string.Concat(Enumerable.Range(0, 0xa0).Select(c => (char)c).Where(char.IsControl)) + "\u2028\u2029";
}
