using System.Text;
using System.Text.Json;

namespace OpsLog.Compare;

/// <summary>What a run gives.</summary>
/// <param name="Head">What was measured, on what and how, as Markdown.</param>
/// <param name="Results">The tables.</param>
internal sealed record Findings(string Head, IReadOnlyList<Result> Results)
{
    public static Findings Load(string file) => JsonSerializer.Deserialize<Findings>(File.ReadAllText(file))!;

    /// <summary>Those of an earlier run, and of workloads that later runs have, theirs.</summary>
    public static Findings Load(IReadOnlyList<string> files)
    {
        var all = Load(files[0]);
        foreach (var later in files.Skip(1).Select(Load))
        {
            var names = later.Results.Select(r => r.Workload).Distinct().ToArray();
            var results = all.Results.ToList();
            var at = results.FindIndex(r => names.Contains(r.Workload));
            results.RemoveAll(r => names.Contains(r.Workload));
            results.InsertRange(at < 0 ? results.Count : at, later.Results);
            all = new Findings($"{all.Head}\nThe tables of {string.Join(", ", names)} are those of a later run.\n", results);
        }

        return all;
    }

    /// <summary>Replaces the file whole: whoever reads it, and a process that is killed meanwhile, leaves one of the two.</summary>
    public void Save(string file)
    {
        File.WriteAllText(file + ".new", JsonSerializer.Serialize(this));
        File.Move(file + ".new", file, overwrite: true);
    }
}

/// <summary>Results as Markdown, in the document between its markers.</summary>
internal static class Report
{
    private const string Begin = "<!-- tables: written by benchmarks/OpsLog.Compare -->";
    private const string End = "<!-- end of tables -->";

    public static string Markdown(Result result)
    {
        var more = result.Rows.SelectMany(row => row.More.Keys).Distinct().ToArray();
        var hasModes = result.Rows.Any(row => row.Mode.Length > 0);
        var text = new StringBuilder($"\n#### {result.Workload}: {result.Title}\n\n| ");
        string[] columns = [.. hasModes ? [" ", "how"] : new[] { " " }, result.Unit, "ratio", "min-max", .. more];
        text.Append(string.Join(" | ", columns)).Append(" |\n|---|");
        if (hasModes) text.Append("---|");
        text.Append(string.Concat(Enumerable.Repeat("---:|", columns.Length - (hasModes ? 2 : 1)))).Append('\n');
        foreach (var row in result.Rows)
        {
            text.Append($"| {(row.Name == "OpsLog" ? "**OpsLog**" : row.Name)} | ");
            if (hasModes) text.Append($"{row.Mode} | ");
            text.Append(row.Failure is { } failure
                ? $"failed: {failure} | | |"
                : $"{Figures.Text(Figures.Median(row.Figures))} | {Ratio(row)} | {Spread(row)} |");
            foreach (var name in more) text.Append(row.More.TryGetValue(name, out var value) ? $" {Figures.Text(value)} |" : " |");
            text.Append('\n');
        }

        if (result.Note.Length > 0) text.Append('\n').Append(result.Note).Append('\n');
        return text.ToString();
    }

    /// <summary>Replaces what lies between the markers of a document.</summary>
    public static async Task WriteAsync(string path, Findings findings, IEnumerable<string> images)
    {
        var document = await File.ReadAllTextAsync(path);
        var (begin, end) = (document.IndexOf(Begin, StringComparison.Ordinal), document.IndexOf(End, StringComparison.Ordinal));
        if (begin < 0 || end < begin) throw new InvalidDataException($"{path} does not have the markers '{Begin}' and '{End}'.");
        var text = new StringBuilder(document, 0, begin + Begin.Length, 1 << 16).Append('\n').Append(findings.Head);
        foreach (var image in images) text.Append($"\n![{Path.GetFileNameWithoutExtension(image)}](images/{Path.GetFileName(image)})\n");
        foreach (var result in findings.Results) text.Append(Markdown(result));
        text.Append('\n').Append(document, end, document.Length - end);
        await File.WriteAllTextAsync(path, text.ToString());
    }

    private static string Ratio(Row row) => row.Ratios.Count == 0 ? "" : Figures.Ratio(Figures.Median(row.Ratios));

    private static string Spread(Row row) => row.Ratios.Count == 0 || row.Ratios.All(r => r == 1) ? "" : $"{Figures.Ratio(row.Ratios.Min())}-{Figures.Ratio(row.Ratios.Max())}";
}
