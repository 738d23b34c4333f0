using System.Globalization;

namespace OpsLog.Cli;

/// <summary>Times as every verb prints them: UTC, to the millisecond, as in the stored lines.</summary>
internal static class TimeText
{
    /// <summary>The time as text; <see langword="null"/> for none.</summary>
    public static string? Of(DateTimeOffset? time) => time?.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture);
}
