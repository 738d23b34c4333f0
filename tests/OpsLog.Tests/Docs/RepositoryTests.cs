using System.Text.RegularExpressions;
using Xunit;

namespace OpsLog.Tests.Docs;

/// <summary>
/// Goal: the tree stays fit to be read by a stranger. Method: every text file of the repository is looked at.
/// </summary>
public sealed partial class RepositoryTests
{
    private static readonly string[] s_text = [".cs", ".md", ".csproj", ".props", ".slnx", ".json", ".txt", ".sh", ".mjs", ".editorconfig", "run"];

    private static IEnumerable<string> TextFiles => Repository.Files().Where(file => s_text.Any(end => file.EndsWith(end, StringComparison.Ordinal)));

    [Fact]
    public void No_file_names_a_place_of_somebodys_machine() => AssertNone(MachinePath(), TextFiles);

    [Fact]
    public void No_file_holds_a_note_of_something_left_undone() => AssertNone(Unfinished(), TextFiles);

    [Fact]
    public void No_test_is_skipped_for_good_and_none_waits_by_the_clock() =>
        AssertNone(Skipped(), Repository.Files("tests").Where(f => f.EndsWith(".cs", StringComparison.Ordinal)));

    [Fact]
    public void No_file_of_code_is_longer_than_400_lines() =>
        Assert.All(Repository.Files().Where(f => f.EndsWith(".cs", StringComparison.Ordinal)), file =>
            Assert.True(Repository.Read(file).Count(c => c == '\n') <= 400, file));

    private static void AssertNone(Regex pattern, IEnumerable<string> files) =>
        Assert.Empty(files.SelectMany(file => pattern.Matches(Repository.Read(file)).Select(match => $"{file}: {match.Value}")));

    // Character classes keep these patterns from matching themselves.
    [GeneratedRegex(@"(?<![\w.~*/:-])/(?:home|root|Users|wor[k]|workspace|mnt)/\w")]
    private static partial Regex MachinePath();

    [GeneratedRegex(@"\b(?:TOD[O]|FIXM[E]|XX[X]|HAC[K])\b|NotImplemented[E]xception")]
    private static partial Regex Unfinished();

    [GeneratedRegex(@"\bSkip\s*=\s*""|Thread\.Slee[p]\(")]
    private static partial Regex Skipped();
}
