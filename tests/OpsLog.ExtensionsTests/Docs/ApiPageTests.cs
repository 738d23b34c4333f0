using System.Text.RegularExpressions;
using OpsLog.Tests.Docs;
using Xunit;

namespace OpsLog.ExtensionsTests.Docs;

/// <summary>
/// Goal: docs/api.md is complete, and nothing is public that no page or sample shows. Method: the page's tables against the lists of the public surface.
/// </summary>
public sealed partial class ApiPageTests
{
    private static readonly List<TableRow> s_rows = [.. new MarkdownPage("docs/api.md").Rows.Where(r => r.Cells.Count == 4)];

    // Pages and samples: whoever uses the library meets the type there.
    private static readonly List<string> s_places = [.. Repository.Pages(), .. Repository.PackagePages(), .. Repository.Files("samples").Where(f => f.EndsWith(".cs", StringComparison.Ordinal))];

    [Fact]
    public void The_page_lists_every_public_type_once()
    {
        var lists = Repository.Files("src").Where(f => Path.GetFileName(f).StartsWith("PublicAPI.", StringComparison.Ordinal)).ToList();
        Assert.NotEmpty(lists);
        var types = lists.SelectMany(list => Repository.Read(list).Split('\n')).Select(line => line.Trim())
            .Where(line => line.Length > 0 && !line.StartsWith('#') && !line.Contains("->", StringComparison.Ordinal))
            .Select(type => NameOf().Match(type).Value);
        Assert.Equal(types.Order(StringComparer.Ordinal), s_rows.Select(row => Code(row.Cells[0])).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Every_type_has_a_line_of_purpose() => Assert.All(s_rows, row => Assert.True(row.Cells[1].Length > 5, row.Cells[0]));

    [Fact]
    public void Every_type_is_met_where_the_page_says()
    {
        Assert.All(s_rows, row =>
        {
            var target = Link().Match(row.Cells[3]).Groups[1].Value;
            var file = Path.GetRelativePath(Repository.Root, Path.GetFullPath(Path.Combine(Repository.Root, "docs", target))).Replace('\\', '/');
            Assert.True(s_places.Contains(file, StringComparer.Ordinal) && file != "docs/api.md", $"{row.Cells[0]}: {target} is no other page and no sample.");
            var text = Repository.Read(file);
            Assert.True(text.Contains(Code(row.Cells[2]), StringComparison.Ordinal), $"{row.Cells[0]}: '{Code(row.Cells[2])}' is not in {file}.");
        });
    }

    private static string Code(string cell) => CodeSpan().Match(cell).Groups[1].Value;

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex CodeSpan();

    // Without its namespace: of a nested type, the outer one's name too.
    [GeneratedRegex(@"\w+(<\w+>\.\w+|<\w+>)?$")]
    private static partial Regex NameOf();

    [GeneratedRegex(@"\]\(([^)]+)\)")]
    private static partial Regex Link();
}
