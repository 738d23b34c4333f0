using System.Buffers;
using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;

namespace OpsLog.Format;

/// <summary>What all stored lines have in common: the checksum at the end, where the tail starts, whitespace. No method allocates or throws on any bytes.</summary>
internal static class JsonLines
{
    /// <summary>The length of <c>,"crc":"xxxxxxxx"}</c>.</summary>
    public const int ChecksumTail = 18;

    private const int HexDigits = 8;

    private static readonly SearchValues<byte> WhitespaceOrQuote = SearchValues.Create(" \t\r\n\""u8);

    private static ReadOnlySpan<byte> TailPattern => ",\"crc\":\"xxxxxxxx\"}"u8;

    private static ReadOnlySpan<byte> ClockMember => ",\"clock\":"u8;

    /// <summary>The checksum of bytes that know nothing of their place: snapshot lines, whole objects.</summary>
    public static uint Checksum(ReadOnlySpan<byte> bytes) => Crc32C.Of(bytes);

    /// <summary>The checksum of a log line: its byte offset in its object goes first, so that a moved, repeated or dropped line shows.</summary>
    public static uint Checksum(ReadOnlySpan<byte> bytes, long offset) => ~Crc32C.Update(BitOperations.Crc32C(uint.MaxValue, (ulong)offset), bytes);

    /// <summary>Whether a line ends in <c>,"crc":"</c>, eight lower-case hexadecimal digits and <c>"}</c>.</summary>
    public static bool HasChecksumTail(ReadOnlySpan<byte> line) => TailFit(line) == ChecksumTail;

    /// <summary>
    /// Whether a line ends in a checksum of which at most one byte is spoiled. Such a line must not pass for one that never had a
    /// checksum, or a flipped bit in the checksum's own frame would switch the check off.
    /// </summary>
    public static bool HasDamagedChecksumTail(ReadOnlySpan<byte> line) => TailFit(line) == ChecksumTail - 1;

    /// <summary>Whether a line ends in a checksum and its bytes give it.</summary>
    /// <param name="line">The line without its newline.</param>
    /// <param name="offset">The line's byte offset in its log; <see langword="null"/> where lines are not tied to their place.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static bool ChecksumHolds(ReadOnlySpan<byte> line, long? offset)
    {
        if (!FrameFits(line)) return false;
        var covered = line[..^ChecksumTail];
        var expected = offset is { } place ? Checksum(covered, place) : Checksum(covered);
        return BinaryPrimitives.ReadUInt64LittleEndian(line[^10..]) == HexOf(expected);
    }

    /// <summary>Whether the fixed bytes of the checksum are there; the digits are not looked at.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static bool FrameFits(ReadOnlySpan<byte> line)
        => line.Length > ChecksumTail && line[^ChecksumTail..^10].SequenceEqual(",\"crc\":\""u8) && line[^1] == '}' && line[^2] == '"';

    /// <summary>Gives a checksummed line the checksum it needs at another offset.</summary>
    public static void Reseal(Span<byte> line, long offset) => WriteHex(line[^10..^2], Checksum(line[..^ChecksumTail], offset));

    /// <summary>Writes a checksum's eight digits.</summary>
    public static void WriteHex(Span<byte> destination, uint checksum) => BinaryPrimitives.WriteUInt64LittleEndian(destination, HexOf(checksum));

    /// <summary>A checksum as text.</summary>
    public static string Hex(uint checksum) => checksum.ToString("x8", System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>Reads eight lower-case hexadecimal digits.</summary>
    public static bool TryParseHex(ReadOnlySpan<byte> digits, out uint checksum)
    {
        checksum = 0;
        if (digits.Length != HexDigits) return false;
        foreach (var digit in digits)
        {
            if (!IsLowerHex(digit)) return false;
            checksum = (checksum << 4) | (uint)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
        }

        return true;
    }

    /// <summary>
    /// Where the tail of a line of ours starts: at the last <c>,"clock":</c>, or -1. Nothing behind the real one can hold those bytes,
    /// because a quote inside a string is escaped; everything before it is the document.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static int TailStart(ReadOnlySpan<byte> line)
    {
        // With one writer the clock stands right before the checksum: step back over its digits before searching.
        var end = line.Length - ChecksumTail;
        if (end > 0)
        {
            var digits = end;
            while (digits > 0 && char.IsAsciiDigit((char)line[digits - 1])) digits--;
            if (digits < end && digits >= ClockMember.Length && line[(digits - ClockMember.Length)..digits].SequenceEqual(ClockMember))
                return digits - ClockMember.Length;
        }

        return line.LastIndexOf(ClockMember);
    }

    /// <summary>The index just past the JSON value that starts at <paramref name="start"/> in trusted minified JSON; -1 if it does not end.</summary>
    public static int SkipValue(ReadOnlySpan<byte> json, int start) => JsonScan.SkipValue(json, start);

    /// <summary>Copies valid JSON without the whitespace outside its strings and changes nothing else.</summary>
    /// <param name="json">The JSON.</param>
    /// <param name="destination">At least as long as <paramref name="json"/>; may be the same memory.</param>
    /// <returns>The length of the result.</returns>
    public static int Minify(ReadOnlySpan<byte> json, Span<byte> destination)
    {
        var written = 0;
        while (!json.IsEmpty)
        {
            var stop = json.IndexOfAny(WhitespaceOrQuote);
            var length = stop < 0 ? json.Length : json[stop] == '"' ? stop + JsonScan.StringLength(json[stop..]) : stop;
            json[..length].CopyTo(destination[written..]);
            written += length;
            json = json[length..];
            while (!json.IsEmpty && IsWhitespace(json[0])) json = json[1..];
        }

        return written;
    }

    /// <summary>Whether valid JSON has no whitespace outside its strings.</summary>
    public static bool IsMinified(ReadOnlySpan<byte> json)
    {
        while (true)
        {
            var stop = json.IndexOfAny(WhitespaceOrQuote);
            if (stop < 0) return true;
            if (json[stop] != '"') return false;
            json = json[(stop + JsonScan.StringLength(json[stop..]))..];
        }
    }

    /// <summary>Whether a line holds nothing but JSON whitespace.</summary>
    public static bool IsBlank(ReadOnlySpan<byte> line) => line.IndexOfAnyExcept(" \t\r\n"u8) < 0;

    internal static bool IsWhitespace(byte b) => b is (byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n';

    /// <summary>How many of the last 18 bytes are what a checksum has there.</summary>
    private static int TailFit(ReadOnlySpan<byte> line)
    {
        if (line.Length <= ChecksumTail) return 0;
        var fit = 0;
        var tail = line[^ChecksumTail..];
        for (var i = 0; i < tail.Length; i++)
            if (TailPattern[i] == 'x' ? IsLowerHex(tail[i]) : tail[i] == TailPattern[i])
                fit++;
        return fit;
    }

    private static bool IsLowerHex(byte b) => b is >= (byte)'0' and <= (byte)'9' or >= (byte)'a' and <= (byte)'f';

    /// <summary>The eight digits as they lie in memory, read as a little-endian number: one nibble spread into each byte, then made ASCII.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static ulong HexOf(uint value)
    {
        ulong v = BinaryPrimitives.ReverseEndianness(value);
        v = (v | (v << 16)) & 0x0000_FFFF_0000_FFFF;
        v = (v | (v << 8)) & 0x00FF_00FF_00FF_00FF;
        v = ((v >> 4) & 0x000F_000F_000F_000F) | ((v & 0x000F_000F_000F_000F) << 8);
        var letters = ((v + 0x0606_0606_0606_0606) >> 4) & 0x0101_0101_0101_0101;
        return v + 0x3030_3030_3030_3030 + (letters * ('a' - '0' - 10));
    }
}
