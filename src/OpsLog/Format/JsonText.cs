using System.Buffers;
using System.Buffers.Text;
using System.Text;
using System.Text.Unicode;

namespace OpsLog.Format;

/// <summary>
/// Strings between C#, WTF-8 (UTF-8 in which a lone surrogate is a sequence of three bytes: the internal form of an id) and JSON text
/// escaped exactly as JavaScript's <c>JSON.stringify</c> does. No method allocates but <see cref="ToString"/>, none throws on any bytes.
/// </summary>
internal static class JsonText
{
    private const byte SurrogateLead = 0xED;
    private const int EscapeLength = 6;

    // What may need an escape: quotes, backslashes, controls, and the lead byte that surrogates share with other characters.
    private static readonly SearchValues<byte> Special = SearchValues.Create([.. Enumerable.Range(0, 0x20).Select(b => (byte)b), (byte)'"', (byte)'\\', SurrogateLead]);

    /// <summary>Writes a string with its quotes.</summary>
    /// <param name="destination">At least six times the text's length plus 2.</param>
    /// <param name="text">The text.</param>
    /// <returns>The bytes written.</returns>
    public static int WriteString(Span<byte> destination, ReadOnlySpan<char> text)
    {
        const int OnStack = 256;
        var needed = MaxWtf8(text.Length);
        var rented = needed > OnStack ? ArrayPool<byte>.Shared.Rent(needed) : null;
        var wtf8 = rented ?? stackalloc byte[OnStack];
        var written = WriteStringUtf8(destination, wtf8[..ToWtf8(text, wtf8)]);
        if (rented is not null) ArrayPool<byte>.Shared.Return(rented);
        return written;
    }

    /// <summary>Writes a string with its quotes.</summary>
    /// <param name="destination">At least six times the text's length plus 2.</param>
    /// <param name="wtf8">The text as WTF-8.</param>
    /// <returns>The bytes written.</returns>
    public static int WriteStringUtf8(Span<byte> destination, ReadOnlySpan<byte> wtf8)
    {
        destination[0] = (byte)'"';
        var written = 1;
        while (true)
        {
            var stop = wtf8.IndexOfAny(Special);
            var plain = stop < 0 ? wtf8.Length : stop;
            wtf8[..plain].CopyTo(destination[written..]);
            written += plain;
            if (stop < 0) break;
            wtf8 = wtf8[stop..];
            if (wtf8[0] != SurrogateLead)
            {
                written += WriteEscape(destination[written..], wtf8[0]);
                wtf8 = wtf8[1..];
            }
            else if (IsSurrogate(wtf8))
            {
                written += WriteUnicodeEscape(destination[written..], SurrogateAt(wtf8));
                wtf8 = wtf8[3..];
            }
            else
            {
                destination[written++] = SurrogateLead;
                wtf8 = wtf8[1..];
            }
        }

        destination[written] = (byte)'"';
        return written + 1;
    }

    /// <summary>Turns the contents of a JSON string (no quotes) into WTF-8. Pairs of surrogate escapes become one character; bytes that are no escape stay.</summary>
    /// <param name="escaped">The contents.</param>
    /// <param name="wtf8">At least as long as <paramref name="escaped"/>.</param>
    /// <returns>The bytes written.</returns>
    public static int Unescape(ReadOnlySpan<byte> escaped, Span<byte> wtf8)
    {
        var written = 0;
        while (true)
        {
            var stop = escaped.IndexOf((byte)'\\');
            var plain = stop < 0 || stop == escaped.Length - 1 ? escaped.Length : stop;
            escaped[..plain].CopyTo(wtf8[written..]);
            written += plain;
            if (plain == escaped.Length) return written;
            escaped = escaped[plain..];
            if (escaped[1] == 'u' && TryReadUnit(escaped, out var unit))
            {
                var length = EscapeLength;
                var scalar = (int)unit;
                if (char.IsHighSurrogate(unit) && TryReadUnit(escaped[EscapeLength..], out var low) && char.IsLowSurrogate(low))
                {
                    scalar = char.ConvertToUtf32(unit, low);
                    length += EscapeLength;
                }

                written += WriteScalar(wtf8[written..], scalar);
                escaped = escaped[length..];
            }
            else
            {
                wtf8[written++] = escaped[1] switch
                {
                    (byte)'b' => (byte)'\b',
                    (byte)'f' => (byte)'\f',
                    (byte)'n' => (byte)'\n',
                    (byte)'r' => (byte)'\r',
                    (byte)'t' => (byte)'\t',
                    var other => other,
                };
                escaped = escaped[2..];
            }
        }
    }

    /// <summary>The text of WTF-8; bytes that are none become U+FFFD.</summary>
    public static string ToString(ReadOnlySpan<byte> wtf8)
    {
        if (wtf8.IndexOf(SurrogateLead) < 0) return Encoding.UTF8.GetString(wtf8);
        var chars = new char[wtf8.Length];
        var length = 0;
        while (true)
        {
            var status = Utf8.ToUtf16(wtf8, chars.AsSpan(length), out var read, out var written, replaceInvalidSequences: false);
            length += written;
            if (status == OperationStatus.Done) return new string(chars, 0, length);
            wtf8 = wtf8[read..];
            var surrogate = IsSurrogate(wtf8);
            chars[length++] = surrogate ? SurrogateAt(wtf8) : '\uFFFD';
            wtf8 = wtf8[(surrogate ? 3 : 1)..];
        }
    }

    /// <summary>The text of the contents of a JSON string.</summary>
    public static string FromEscaped(ReadOnlySpan<byte> escaped)
    {
        if (!escaped.Contains((byte)'\\')) return ToString(escaped);
        var rented = ArrayPool<byte>.Shared.Rent(escaped.Length);
        var text = ToString(rented.AsSpan(0, Unescape(escaped, rented)));
        ArrayPool<byte>.Shared.Return(rented);
        return text;
    }

    /// <summary>Turns a text into WTF-8.</summary>
    /// <param name="text">The text.</param>
    /// <param name="destination">At least <see cref="MaxWtf8"/> bytes.</param>
    /// <returns>The bytes written.</returns>
    public static int ToWtf8(ReadOnlySpan<char> text, Span<byte> destination)
    {
        var total = 0;
        while (true)
        {
            var status = Utf8.FromUtf16(text, destination[total..], out var read, out var written, replaceInvalidSequences: false);
            total += written;
            if (status == OperationStatus.Done) return total;
            total += WriteScalar(destination[total..], text[read]);
            text = text[(read + 1)..];
        }
    }

    /// <summary>The most bytes that <see cref="ToWtf8"/> writes.</summary>
    public static int MaxWtf8(int chars) => checked(chars * 3);

    /// <summary>Whether a text has half a surrogate pair.</summary>
    public static bool HasLoneSurrogate(ReadOnlySpan<char> text)
    {
        while (true)
        {
            var at = text.IndexOfAnyInRange('\uD800', '\uDFFF');
            if (at < 0) return false;
            if (!char.IsHighSurrogate(text[at]) || at + 1 >= text.Length || !char.IsLowSurrogate(text[at + 1])) return true;
            text = text[(at + 2)..];
        }
    }

    private static bool IsSurrogate(ReadOnlySpan<byte> wtf8)
        => wtf8.Length >= 3 && wtf8[0] == SurrogateLead && wtf8[1] is >= 0xA0 and <= 0xBF && wtf8[2] is >= 0x80 and <= 0xBF;

    private static char SurrogateAt(ReadOnlySpan<byte> wtf8) => (char)(0xD000 | ((wtf8[1] & 0x3F) << 6) | (wtf8[2] & 0x3F));

    private static int WriteScalar(Span<byte> destination, int scalar)
    {
        if (scalar is < 0xD800 or > 0xDFFF) return new Rune(scalar).EncodeToUtf8(destination);
        destination[0] = SurrogateLead;
        destination[1] = (byte)(0x80 | ((scalar >> 6) & 0x3F));
        destination[2] = (byte)(0x80 | (scalar & 0x3F));
        return 3;
    }

    private static bool TryReadUnit(ReadOnlySpan<byte> escape, out char unit)
    {
        unit = default;
        if (escape.Length < EscapeLength || escape[0] != '\\' || escape[1] != 'u') return false;
        var digits = escape[2..EscapeLength];
        if (!Utf8Parser.TryParse(digits, out ushort value, out var consumed, 'x') || consumed != digits.Length) return false;
        unit = (char)value;
        return true;
    }

    private static int WriteEscape(Span<byte> destination, byte b)
    {
        var letter = b switch
        {
            (byte)'"' or (byte)'\\' => b,
            (byte)'\b' => (byte)'b',
            (byte)'\f' => (byte)'f',
            (byte)'\n' => (byte)'n',
            (byte)'\r' => (byte)'r',
            (byte)'\t' => (byte)'t',
            _ => (byte)0,
        };
        if (letter == 0) return WriteUnicodeEscape(destination, (char)b);
        destination[0] = (byte)'\\';
        destination[1] = letter;
        return 2;
    }

    private static int WriteUnicodeEscape(Span<byte> destination, char unit)
    {
        var digits = "0123456789abcdef"u8;
        destination[0] = (byte)'\\';
        destination[1] = (byte)'u';
        for (var i = 0; i < 4; i++) destination[2 + i] = digits[(unit >> (12 - (4 * i))) & 0xF];
        return EscapeLength;
    }
}
