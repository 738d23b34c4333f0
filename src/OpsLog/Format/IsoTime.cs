using System.Globalization;
using System.Text;

namespace OpsLog.Format;

/// <summary>Times as JavaScript's <c>toISOString</c> writes them: <c>2026-11-23T06:16:05.123Z</c>, UTC, milliseconds, 24 characters.</summary>
internal static class IsoTime
{
    private const string Pattern = "yyyy-MM-dd'T'HH:mm:ss.fff'Z'";

    /// <summary>Writes a time into 24 bytes.</summary>
    public static void Write(DateTimeOffset time, Span<byte> destination)
        => time.UtcDateTime.TryFormat(destination, out _, Pattern, CultureInfo.InvariantCulture);

    public static string ToText(DateTimeOffset time) => time.UtcDateTime.ToString(Pattern, CultureInfo.InvariantCulture);

    /// <summary>Reads a time of exactly that form.</summary>
    public static bool TryRead(string text, out DateTimeOffset time)
        => DateTimeOffset.TryParseExact(text, Pattern, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out time);

    /// <summary>Reads the contents of a line's time string; <see langword="null"/> if it is no such time.</summary>
    public static DateTimeOffset? Read(ReadOnlySpan<byte> timestamp)
        => timestamp.Length == OperationCodec.TimestampLength && TryRead(Encoding.ASCII.GetString(timestamp), out var time) ? time : null;
}
