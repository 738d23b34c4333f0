using System.Diagnostics;
using System.Globalization;

namespace OpsLog.Compare;

/// <summary>Medians, and how figures are written.</summary>
internal static class Figures
{
    public static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return sorted.Length % 2 == 1 ? sorted[sorted.Length / 2] : (sorted[(sorted.Length / 2) - 1] + sorted[sorted.Length / 2]) / 2;
    }

    public static string Text(double value) => Math.Abs(value) switch
    {
        >= 1_000_000 => (value / 1_000_000).ToString("0.00", CultureInfo.InvariantCulture) + " M",
        >= 10_000 => (value / 1_000).ToString("0", CultureInfo.InvariantCulture) + " k",
        >= 100 => value.ToString("#,0", CultureInfo.InvariantCulture),
        >= 10 => value.ToString("0.0", CultureInfo.InvariantCulture),
        _ => value.ToString("0.##", CultureInfo.InvariantCulture),
    };

    public static string Ratio(double value) => value.ToString(
        value switch { >= 100 => "#,0", >= 10 => "0.0", >= 0.095 => "0.00", _ => "0.0000" }, CultureInfo.InvariantCulture);

    public static string Records(int count) => count >= 1_000_000 ? $"{count / 1_000_000}M" : $"{count / 1000}k";

    /// <summary>Per second, since a time stamp.</summary>
    public static double Rate(long operations, long since) => operations / Stopwatch.GetElapsedTime(since).TotalSeconds;

    public static double Nanoseconds(long operations, long since) => Stopwatch.GetElapsedTime(since).TotalNanoseconds / operations;

    public static double Milliseconds(long since) => Stopwatch.GetElapsedTime(since).TotalMilliseconds;
}
