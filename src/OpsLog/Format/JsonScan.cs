using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace OpsLog.Format;

/// <summary>Finds the end of JSON values by their structure, without reading them: for bytes that were validated before. Never throws, whatever the bytes.</summary>
internal static class JsonScan
{
    /// <summary>The index just past the value that starts at <paramref name="start"/>; -1 if there is none or it does not end.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static int SkipValue(ReadOnlySpan<byte> json, int start)
    {
        if ((uint)start >= (uint)json.Length) return -1;
        var rest = json[start..];
        int length;
        switch (rest[0])
        {
            case (byte)'{' or (byte)'[':
                length = ContainerLength(rest);
                break;
            case (byte)'"':
                length = StringEnd(rest, 1, out _) + 1;
                break;
            default:
                length = rest.IndexOfAny((byte)',', (byte)'}', (byte)']');
                if (length < 0) length = rest.Length;
                break;
        }

        return length <= 0 ? -1 : start + length;
    }

    /// <summary>The length of the string that starts the bytes, quotes included; all of the bytes if it does not end.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static int StringLength(ReadOnlySpan<byte> json)
    {
        var end = StringEnd(json, 1, out _);
        return end < 0 ? json.Length : end + 1;
    }

    /// <summary>The index of the quote that ends the string whose contents start at <paramref name="start"/>; -1 if none does.</summary>
    public static int StringEnd(ReadOnlySpan<byte> json, int start, out bool isEscaped)
    {
        isEscaped = false;
        var at = start;
        while (at < json.Length)
        {
            var stop = json[at..].IndexOfAny((byte)'"', (byte)'\\');
            if (stop < 0) break;
            at += stop;
            if (json[at] == '"') return at;
            isEscaped = true;
            at += 2;
        }

        return -1;
    }

    /// <summary>The length of the object or array that starts the bytes, or -1.</summary>
    /// <remarks>
    /// Blocks of 32 bytes: a bit per quote gives, by a running exclusive-or, a bit per byte inside strings; brackets elsewhere are
    /// counted, and looked at one by one only in a block that may close the value.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int ContainerLength(ReadOnlySpan<byte> json)
    {
        const int Block = 32;
        var depth = 0;
        var inString = 0u; // all ones while a string is open at the block's start
        var escape = 0u; // 1 if the block's first byte is escaped
        var at = 0;
        for (; at + Block <= json.Length; at += Block)
        {
            var bytes = Vector256.Create(json.Slice(at, Block));
            var quotes = Vector256.Equals(bytes, Vector256.Create((byte)'"')).ExtractMostSignificantBits();
            var slashes = Vector256.Equals(bytes, Vector256.Create((byte)'\\')).ExtractMostSignificantBits();
            if ((slashes | escape) != 0) quotes &= ~Escaped(slashes, ref escape);
            var strings = RunningXor(quotes) ^ inString;
            inString = (uint)((int)strings >> 31);

            // '[' and ']' differ from '{' and '}' by 0x20 only.
            var folded = bytes | Vector256.Create((byte)0x20);
            var opens = Vector256.Equals(folded, Vector256.Create((byte)'{')).ExtractMostSignificantBits() & ~strings;
            var closes = Vector256.Equals(folded, Vector256.Create((byte)'}')).ExtractMostSignificantBits() & ~strings;
            var closing = BitOperations.PopCount(closes);
            if (closing >= depth && closes != 0)
            {
                var end = FindClose(opens, closes, depth);
                if (end >= 0) return at + end + 1;
            }

            depth += BitOperations.PopCount(opens) - closing;
        }

        return ContainerEnd(json, at, depth, inString != 0, escape != 0);
    }

    /// <summary>The same byte by byte, for the bytes behind the last whole block.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int ContainerEnd(ReadOnlySpan<byte> json, int at, int depth, bool inString, bool escaped)
    {
        for (; at < json.Length; at++)
        {
            var b = json[at];
            if (escaped) escaped = false;
            else if (b == '"') inString = !inString;
            else if (inString) escaped = b == '\\';
            else if (b is (byte)'{' or (byte)'[') depth++;
            else if (b is (byte)'}' or (byte)']' && --depth == 0) return at + 1;
        }

        return -1;
    }

    /// <summary>The position in a block at which the depth falls to 0, or -1.</summary>
    private static int FindClose(uint opens, uint closes, int depth)
    {
        for (var both = opens | closes; both != 0; both &= both - 1)
        {
            var bit = both & (0u - both);
            if ((opens & bit) != 0) depth++;
            else if (--depth == 0) return BitOperations.TrailingZeroCount(bit);
        }

        return -1;
    }

    /// <summary>A bit per byte that a backslash escapes; carries over into the next block.</summary>
    private static uint Escaped(uint slashes, ref uint carry)
    {
        var escaped = carry;
        carry = 0;
        for (; slashes != 0; slashes &= slashes - 1)
        {
            var bit = slashes & (0u - slashes);
            if ((escaped & bit) != 0) continue;
            if (bit == 1u << 31) carry = 1;
            else escaped |= bit << 1;
        }

        return escaped;
    }

    /// <summary>Bit i of the result is the exclusive-or of bits 0 to i.</summary>
    private static uint RunningXor(uint bits)
    {
        bits ^= bits << 1;
        bits ^= bits << 2;
        bits ^= bits << 4;
        bits ^= bits << 8;
        return bits ^ (bits << 16);
    }
}
