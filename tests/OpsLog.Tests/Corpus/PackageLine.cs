using System.Text;
using Xunit;

namespace OpsLog.Tests.Corpus;

/// <summary>Whether a line of the package's log is an operation, decided here anew from the package's rules, to judge the library's refusals.</summary>
internal static class PackageLine
{
    private static readonly UTF8Encoding s_strict = new(false, throwOnInvalidBytes: true);

    /// <summary>
    /// Whether a reader has to take the line. Lines that the package writes but does not read back (id "", data null, a <c>prev</c> that is
    /// neither object nor null) are sound too: they were acknowledged.
    /// </summary>
    public static bool IsSound(ReadOnlySpan<byte> line)
    {
        try
        {
            var text = s_strict.GetString(line).Trim('\uFEFF', ' ', '\t', '\r', '\0');
            return text.Length == 0 || (JsonTree.Parse(text) is Dictionary<string, object?> o && IsOperation(o));
        }
        catch (Exception e) when (e is FormatException or DecoderFallbackException)
        {
            return false;
        }
    }

    /// <summary>Whether the package's own reader takes a sound line.</summary>
    public static bool IsReadByThePackage(ReadOnlySpan<byte> line)
    {
        var o = (Dictionary<string, object?>)JsonTree.Parse(s_strict.GetString(line).Trim('\uFEFF', ' ', '\t', '\r'))!;
        var previous = o["prev"];
        return o["id"] is not "" && (previous is null || previous is Dictionary<string, object?>)
            && ((string)o["op"]! == "set" ? o["data"] is not null : previous is not null);
    }

    /// <summary>The lines of a file that end in a newline.</summary>
    public static IEnumerable<byte[]> LinesOf(byte[] file)
    {
        for (int start = 0, end; (end = Array.IndexOf(file, (byte)'\n', start)) >= 0; start = end + 1) yield return file[start..end];
    }

    private static bool IsOperation(Dictionary<string, object?> o) =>
        o.GetValueOrDefault("ts") is string { Length: > 0 }
        && o.GetValueOrDefault("op") is "set" or "delete"
        && o.GetValueOrDefault("id") is string
        && o.ContainsKey("prev")
        && o.ContainsKey("data") == ((string)o["op"]! == "set")
        && (!o.TryGetValue("encoding", out var encoding) || encoding is "full" or "delta")
        && (!o.TryGetValue("agent", out var agent) || agent is string { Length: > 0 })
        && (!o.TryGetValue("clock", out var clock) || clock is double n && n >= 0 && n == Math.Floor(n) && !double.IsInfinity(n));

    /// <summary>The bytes and the offset of a line, counted from 1; whether it ends in a newline.</summary>
    public static (byte[] Bytes, long Offset, bool IsFinished) At(byte[] file, long number)
    {
        var start = 0;
        for (var line = 1L; line < number; line++)
        {
            var next = Array.IndexOf(file, (byte)'\n', start);
            Assert.True(next >= 0, $"There is no line {number}.");
            start = next + 1;
        }

        var end = Array.IndexOf(file, (byte)'\n', start);
        return end < 0 ? (file[start..], start, false) : (file[start..end], start, true);
    }
}
