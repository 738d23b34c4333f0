using System.Text;
using System.Text.RegularExpressions;
using OpsLog.Format;
using Xunit;

namespace OpsLog.Tests.Docs;

/// <summary>
/// Goal: what the pages say stays true. Method: code on a page has to be part of a file that is compiled, links and paths have to lead
/// somewhere, the lines of a store that are shown have to be lines of a store, and the types that are named have to be there.
/// </summary>
public sealed partial class PagesTests
{
    // Which script runs the shell blocks of a page. What .ci/run does with those of CONTRIBUTING.md is its reader's own business.
    private static readonly Dictionary<string, string> s_runners = new(StringComparer.Ordinal)
    {
        ["README.md"] = ".ci/run",
        ["docs/cli.md"] = "eng/docs.sh",
        ["docs/operations.md"] = "eng/docs.sh",
        ["docs/getting-started.md"] = "eng/packages.sh",
    };

    public static TheoryData<string> Pages => [.. Repository.Pages()];

    public static TheoryData<string> AllPages => [.. Repository.Pages(), .. Repository.PackagePages()];

    [Theory]
    [MemberData(nameof(AllPages))]
    public void Every_block_says_what_it_holds_and_shell_is_on_pages_whose_blocks_are_run(string page)
    {
        foreach (var block in new MarkdownPage(page).Blocks)
        {
            Assert.Contains(block.Language.Split(' ')[0], (string[])["", "csharp", "sh", "json", "jsonl", "sql"]);
            if (block.Language != "sh" || page == "CONTRIBUTING.md") continue;
            Assert.True(s_runners.TryGetValue(page, out var script), $"{page}, {block.Section}: nothing runs this block.");
            Assert.Contains(page, Repository.Read(script), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void The_commands_for_contributors_name_what_is_there()
    {
        var commands = string.Join('\n', new MarkdownPage("CONTRIBUTING.md").Blocks.Where(b => b.Language == "sh").SelectMany(b => b.Lines));
        Assert.All(Regex.Matches(commands, @"--project (?<path>\S+)"), match => Assert.True(Repository.Has(match.Groups["path"].Value), match.Value));
        Assert.All(Regex.Matches(commands, @"--filter-class (?<name>\S+)"), match => Assert.NotNull(typeof(PagesTests).Assembly.GetType(match.Groups["name"].Value)));
        Assert.True(Repository.Has(".ci/run"));
    }

    [Theory]
    [MemberData(nameof(AllPages))]
    public void Every_block_of_CSharp_is_part_of_a_file_that_is_compiled(string page)
    {
        if (page == "docs/getting-started.md")
        {
            Assert.Contains(page, Repository.Read("eng/packages.sh"), StringComparison.Ordinal); // compiles and runs it as it stands
            return;
        }

        var compiled = Repository.Files("samples").Concat(Repository.Files("tests").Where(file => file.Contains("/Docs/", StringComparison.Ordinal)))
            .Where(file => file.EndsWith(".cs", StringComparison.Ordinal))
            .Select(file => Code(Repository.Read(file).ReplaceLineEndings("\n").Split('\n')))
            .ToList();
        foreach (var block in new MarkdownPage(page).Blocks.Where(b => b.Language is "csharp" or "cs" or "c#"))
        {
            var code = Code(block.Lines);
            Assert.True(compiled.Any(file => Contains(file, code)), $"{page}, {block.Section}: no sample and no file of a folder tests/*/Docs has these lines:\n{string.Join('\n', block.Lines)}");
        }
    }

    [Theory]
    [MemberData(nameof(Pages))]
    public void Every_link_leads_somewhere(string page)
    {
        foreach (var line in new MarkdownPage(page).ProseLines)
        {
            foreach (Match link in Link().Matches(line))
            {
                var target = link.Groups["target"].Value;
                if (target.StartsWith("https://", StringComparison.Ordinal)) continue;
                var (path, anchor) = target.Split('#') is [var p, var a] ? (p, a) : (target, "");
                var file = path.Length == 0 ? page : Path.GetRelativePath(Repository.Root, Path.GetFullPath(Path.Combine(Repository.Root, Path.GetDirectoryName(page)!, path)));
                Assert.True(Repository.Has(file), $"{page}: nothing is at '{target}'.");
                if (anchor.Length > 0) Assert.Contains(anchor, new MarkdownPage(file).Headings.Select(Anchor));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Pages))]
    public void Every_path_of_the_repository_that_is_named_exists(string page)
    {
        foreach (Match path in RepositoryPath().Matches(string.Join('\n', new MarkdownPage(page).ProseLines)))
            Assert.True(Repository.Has(path.Groups["path"].Value), $"{page}: there is no '{path.Groups["path"].Value}'.");
    }

    [Fact]
    public void The_README_runs_with_two_commands_and_continuous_integration_runs_them_as_they_stand()
    {
        var block = Assert.Single(new MarkdownPage("README.md").Blocks, b => b.Language is "sh" or "bash" or "shell");
        Assert.Equal("Run it", block.Section);
        Assert.Equal(2, block.Lines.Count);
        Assert.Contains("'/^## Run it$/", Repository.Read(".ci/run"), StringComparison.Ordinal);
        foreach (Match project in Regex.Matches(block.Lines[0], "--project (?<path>[^ ]+)")) Assert.True(Repository.Has(project.Groups["path"].Value));
    }

    [Fact]
    public void The_lines_of_a_log_that_the_README_shows_are_what_the_program_writes()
    {
        var lines = new MarkdownPage("README.md").Blocks.Single(b => b.Language == "json").Lines;
        Assert.Equal(2, lines.Count);
        long offset = 0;
        foreach (var line in lines)
        {
            var bytes = Encoding.UTF8.GetBytes(line);
            Assert.Equal(LineVerdict.Operation, OperationCodec.TryRead(bytes, offset, offset == 0, out var operation, out _));
            Assert.True(operation.HasChecksum);
            offset += bytes.Length + 1;
        }
    }

    [Fact]
    public void The_types_in_the_tables_of_the_architecture_are_there()
    {
        var types = typeof(OpsStore<>).Assembly.GetTypes().Select(type => type.Name.Split('`')[0]).ToHashSet(StringComparer.Ordinal);
        var named = new MarkdownPage("docs/architecture.md").Rows.SelectMany(row => CodeSpan().Matches(row.Cells[0])).Select(match => match.Groups["name"].Value).ToList();
        Assert.True(named.Count > 20);
        Assert.All(named, name => Assert.Contains(name, types));
    }

    private static List<string> Code(IEnumerable<string> lines) => lines.Select(line => line.Trim()).Where(line => line.Length > 0).ToList();

    private static bool Contains(List<string> file, List<string> code) =>
        Enumerable.Range(0, Math.Max(0, file.Count - code.Count + 1)).Any(start => file.Skip(start).Take(code.Count).SequenceEqual(code, StringComparer.Ordinal));

    // As GitHub makes it of a heading.
    private static string Anchor(string heading) => NotOfAnAnchor().Replace(heading.ToLowerInvariant(), "").Replace(' ', '-');

    [GeneratedRegex(@"\[[^\]]*\]\((?<target>[^)\s]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"`(?<path>(?:src|tests|docs|samples|eng|benchmarks)/[A-Za-z0-9_./-]*)`")]
    private static partial Regex RepositoryPath();

    [GeneratedRegex(@"`(?<name>[A-Z][A-Za-z]+)(?:<T>)?`")]
    private static partial Regex CodeSpan();

    [GeneratedRegex(@"[^\w\- ]")]
    private static partial Regex NotOfAnAnchor();
}
