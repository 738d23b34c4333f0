using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace OpsLog.Benchmarks;

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
        _ => value.ToString("0.00", CultureInfo.InvariantCulture),
    };

    public static string Ratio(double value) => value.ToString(value >= 10 ? "0.0" : "0.00", CultureInfo.InvariantCulture);

    public static string Records(int count) => count >= 1_000_000 ? $"{count / 1_000_000}M" : $"{count / 1000}k";

    /// <summary>Per second, since a time stamp.</summary>
    public static double Rate(long operations, long since) => operations / Stopwatch.GetElapsedTime(since).TotalSeconds;

    public static double Nanoseconds(long operations, long since) => Stopwatch.GetElapsedTime(since).TotalNanoseconds / operations;

    public static double Milliseconds(long since) => Stopwatch.GetElapsedTime(since).TotalMilliseconds;
}

/// <summary>A table in Markdown, printed when it is full.</summary>
internal sealed class Table(string title, params string[] columns)
{
    private readonly List<string[]> _rows = [];

    public void Row(params string[] cells) => _rows.Add(cells);

    public void Print()
    {
        var text = new StringBuilder().AppendLine().AppendLine($"### {title}").AppendLine();
        text.AppendLine($"| {string.Join(" | ", columns)} |");
        text.AppendLine($"|---|{string.Concat(Enumerable.Repeat("---:|", columns.Length - 1))}");
        foreach (var row in _rows) text.AppendLine($"| {string.Join(" | ", row)} |");
        Console.Write(text);
    }
}

/// <summary>
/// Ways to do the same, measured in turn, round after round, so that what else the machine does hits all of them alike. The first round is
/// not counted: it warms up. Ratios are taken within a round.
/// </summary>
internal sealed class Comparison(string title, string unit)
{
    private readonly List<(string Name, int Base, Func<Task<double>> Measure, List<double> Figures)> _ways = [];
    private readonly List<string> _notes = [];

    /// <summary>Adds a way.</summary>
    /// <param name="name">What the row says.</param>
    /// <param name="measure">Gives one figure.</param>
    /// <param name="comparedTo">The row its ratio is to; the first by default.</param>
    /// <returns>The row's number.</returns>
    public int Add(string name, Func<Task<double>> measure, int comparedTo = 0)
    {
        _ways.Add((name, comparedTo, measure, []));
        return _ways.Count - 1;
    }

    public int Add(string name, Func<double> measure, int comparedTo = 0) => Add(name, () => Task.FromResult(measure()), comparedTo);

    /// <summary>A line under the table.</summary>
    public void Note(string text) => _notes.Add(text);

    public async Task RunAsync(int rounds)
    {
        for (var round = -1; round < rounds; round++)
        {
            foreach (var way in _ways)
            {
                GC.Collect();
                GC.WaitForPendingFinalizers();
                var figure = await way.Measure();
                if (round >= 0) way.Figures.Add(figure);
            }
        }

        var table = new Table(title, "", unit, "ratio", "min-max");
        foreach (var way in _ways)
        {
            var ratios = way.Figures.Select((figure, round) => figure / _ways[way.Base].Figures[round]).ToArray();
            var spread = ratios.All(r => r == 1) ? "" : $"{Figures.Ratio(ratios.Min())}-{Figures.Ratio(ratios.Max())}";
            table.Row(way.Name, Figures.Text(Figures.Median(way.Figures)), Figures.Ratio(Figures.Median(ratios)), spread);
        }

        table.Print();
        foreach (var note in _notes) Console.WriteLine($"\n{note}");
    }
}
