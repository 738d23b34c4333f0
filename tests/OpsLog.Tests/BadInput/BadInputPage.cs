using System.Globalization;
using OpsLog.Tests.Docs;

namespace OpsLog.Tests.BadInput;

/// <summary>A row of docs/bad-input.md: what is given, the error the library raises, the exit code of the tool (null: not to be had there).</summary>
internal sealed record BadInputRow(string Section, string Given, string Error, int? Exit);

/// <summary>The tables of docs/bad-input.md: they are the expectations of these tests.</summary>
internal static class BadInputPage
{
    public const string CommandLines = "Command lines";
    public const string ApplyLines = "Lines of apply";

    public static IReadOnlyList<BadInputRow> Rows { get; } =
        [.. new MarkdownPage("docs/bad-input.md").Rows.Select(row => new BadInputRow(row.Section, Given(row), row.Cells[1], Exit(row.Cells[^1])))];

    /// <summary>The rows of a section that are written out: their cell is the input itself.</summary>
    public static IEnumerable<BadInputRow> Literal(string section) => Rows.Where(r => string.Equals(r.Section, section, StringComparison.Ordinal));

    /// <summary>The rows that describe what is given.</summary>
    public static IEnumerable<BadInputRow> Described() => Rows.Where(r => r.Section is not (CommandLines or ApplyLines));

    /// <summary>What identifies a described row.</summary>
    public static string KeyOf(BadInputRow row) => $"{row.Section}: {row.Given}";

    private static string Given(TableRow row) => row.Section is CommandLines or ApplyLines ? row.Cells[0].Trim('`') : row.Cells[0];

    private static int? Exit(string cell) => cell == "–" ? null : int.Parse(cell, CultureInfo.InvariantCulture);
}
