using System.Globalization;
using System.Text.Json;

namespace OpsLog.Format;

/// <summary>What the readers of parsed JSON share. Texts are taken as they stand in the bytes: the reader's own methods refuse lone surrogates.</summary>
internal static class JsonIn
{
    /// <summary>The space for a member name; a longer one is none that we know.</summary>
    public const int MaxName = 128;

    /// <summary>Copies the name of the member the reader stands on, without escapes.</summary>
    /// <param name="reader">The reader.</param>
    /// <param name="buffer"><see cref="MaxName"/> bytes.</param>
    /// <returns>The name's length; 0 if it is longer than any we know.</returns>
    public static int CopyName(ref Utf8JsonReader reader, scoped Span<byte> buffer)
        => reader.ValueSpan.Length > buffer.Length ? 0 : JsonText.Unescape(reader.ValueSpan, buffer);

    /// <summary>Whether the reader stands on a member of that name.</summary>
    public static bool NameIs(ref Utf8JsonReader reader, scoped ReadOnlySpan<byte> name) => NameIs(reader.ValueSpan, reader.ValueIsEscaped, name);

    /// <summary>Whether a member's name as it stands in the text is <paramref name="name"/>, however it is escaped.</summary>
    public static bool NameIs(scoped ReadOnlySpan<byte> raw, bool isEscaped, scoped ReadOnlySpan<byte> name)
    {
        if (!isEscaped) return raw.SequenceEqual(name);
        if (raw.Length > MaxName) return false;
        Span<byte> plain = stackalloc byte[MaxName];
        return plain[..JsonText.Unescape(raw, plain)].SequenceEqual(name);
    }

    /// <summary>Goes to the end of the value the reader stands on.</summary>
    /// <param name="reader">A reader over the whole text, or over its part from <paramref name="start"/>.</param>
    /// <param name="start">Where the reader's text starts in the caller's.</param>
    /// <returns>Where the value stands in the caller's text.</returns>
    public static Range SkipValue(ref Utf8JsonReader reader, int start = 0)
    {
        var from = start + (int)reader.TokenStartIndex;
        reader.Skip();
        return from..(start + (int)reader.BytesConsumed);
    }

    /// <summary>Reads the number the reader stands on as JavaScript would, if it is an integer from 0 to 2^53-1 (<c>1e3</c> is one).</summary>
    public static bool TryInteger(ref Utf8JsonReader reader, out long value)
    {
        value = -1;
        if (reader.TokenType != JsonTokenType.Number) return false;
        if (!reader.TryGetInt64(out value))
        {
            if (!reader.TryGetDouble(out var number) || number is not (>= 0 and <= Stamp.MaxClock) || Math.Floor(number) != number) return false;
            value = (long)number;
        }

        return value is >= 0 and <= Stamp.MaxClock;
    }

    /// <summary>The text of the string the reader stands on.</summary>
    public static string Text(ref Utf8JsonReader reader) => JsonText.FromEscaped(reader.ValueSpan);

    /// <summary>What a parser found and where, without its habit of quoting the input.</summary>
    public static string Describe(JsonException e)
        => string.Create(CultureInfo.InvariantCulture, $"{e.Message.Split(" LineNumber:", 2)[0]} (line {e.LineNumber + 1}, byte {e.BytePositionInLine})");
}
