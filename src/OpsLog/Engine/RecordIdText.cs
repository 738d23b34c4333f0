using System.Text;
using System.Text.Unicode;

namespace OpsLog.Engine;

/// <summary>Ids between strings and WTF-8: UTF-8 in which a lone surrogate stands as the three bytes of its number.</summary>
internal static class RecordIdText
{
    /// <summary>The bytes that <paramref name="chars"/> characters may need.</summary>
    public static int MaxWtf8(int chars) => chars * 3;

    /// <summary>Writes <paramref name="text"/> and returns the bytes written.</summary>
    public static int ToWtf8(ReadOnlySpan<char> text, Span<byte> destination)
    {
        int written = 0;
        while (true)
        {
            Utf8.FromUtf16(text, destination[written..], out int read, out int wrote, replaceInvalidSequences: false);
            written += wrote;
            text = text[read..];
            if (text.IsEmpty)
                return written;
            char lone = text[0];
            destination[written++] = (byte)(0xE0 | (lone >> 12));
            destination[written++] = (byte)(0x80 | ((lone >> 6) & 0x3F));
            destination[written++] = (byte)(0x80 | (lone & 0x3F));
            text = text[1..];
        }
    }

    /// <summary>The string of WTF-8 bytes.</summary>
    public static string ToString(ReadOnlySpan<byte> wtf8)
    {
        if (Ascii.IsValid(wtf8))
            return Encoding.Latin1.GetString(wtf8);
        char[] text = new char[wtf8.Length];
        int length = 0;
        while (true)
        {
            Utf8.ToUtf16(wtf8, text.AsSpan(length), out int read, out int wrote, replaceInvalidSequences: false);
            length += wrote;
            wtf8 = wtf8[read..];
            if (wtf8.IsEmpty)
                return new string(text, 0, length);
            text[length++] = (char)(((wtf8[0] & 0x0F) << 12) | ((wtf8[1] & 0x3F) << 6) | (wtf8[2] & 0x3F));
            wtf8 = wtf8[3..];
        }
    }
}
