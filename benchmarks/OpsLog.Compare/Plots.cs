using ScottPlot;

namespace OpsLog.Compare;

/// <summary>Bars of each workload's ratios to its limit.</summary>
internal static class Plots
{
    public static IReadOnlyList<string> Write(string folder, IReadOnlyList<Result> results)
    {
        Directory.CreateDirectory(folder);
        var images = new List<string>();
        foreach (var (name, title, workloads) in new[]
        {
            ("puts", "Puts: ratio to the limit (more is better)", new[] { "W1", "W2", "W3", "W3b", "W4" }),
            ("gets", "Random gets: time as a multiple of Dictionary's (less is better)", ["W5"]),
            ("opening", "Opening: ms in a fresh process (less is better)", ["W7"]),
        })
        {
            var chosen = results.Where(r => workloads.Contains(r.Workload) && r.Rows.Any(row => row.Name == "limit")).ToArray();
            if (chosen.Length == 0) continue;
            var path = Path.Join(folder, name + ".png");
            Draw(title, chosen, usesRatio: name != "opening").SavePng(path, 1100, 60 + (chosen.Length * 190));
            images.Add(path);
        }

        return images;
    }

    // One group of bars for each table, on a logarithmic scale: peers are up to a thousand times apart.
    private static Plot Draw(string title, Result[] results, bool usesRatio)
    {
        var plot = new Plot();
        plot.Title(title);
        var names = results.SelectMany(r => r.Rows.Select(row => row.Name)).Distinct().ToArray();
        var palette = new ScottPlot.Palettes.Category10();
        var (position, ticks) = (0.0, new List<Tick>());
        var floor = results.SelectMany(r => r.Rows).SelectMany(r => usesRatio ? r.Ratios : r.Figures).Where(f => f > 0).Min() / 2;
        foreach (var result in results)
        {
            foreach (var row in result.Rows.Where(row => row.Figures.Count > 0))
            {
                var value = Figures.Median(usesRatio ? row.Ratios : row.Figures);
                plot.Add.Bar(new Bar
                {
                    Position = -position,
                    Value = Math.Log10(value / floor),
                    Orientation = Orientation.Horizontal,
                    FillColor = row.Name == "OpsLog" ? Colors.OrangeRed : palette.GetColor(Array.IndexOf(names, row.Name)).WithAlpha(0.6),
                    Label = $"{row.Name}  {(usesRatio ? Figures.Ratio(value) : Figures.Text(value))}",
                });
                position++;
            }

            ticks.Add(new Tick(-(position - (result.Rows.Count(r => r.Figures.Count > 0) / 2.0) - 0.5), $"{result.Workload} {Short(result.Title)}"));
            position++;
        }

        plot.Axes.Left.TickGenerator = new ScottPlot.TickGenerators.NumericManual([.. ticks]);
        plot.Axes.Left.MajorTickStyle.Length = 0;
        plot.Axes.Bottom.IsVisible = false;
        plot.Axes.Margins(left: 0, right: 0.25, bottom: 0.02, top: 0.02);
        plot.HideGrid();
        return plot;
    }

    private static string Short(string title) => title.Replace(", ", ",\n", StringComparison.Ordinal).Replace("that survive", "that\nsurvive", StringComparison.Ordinal);
}
