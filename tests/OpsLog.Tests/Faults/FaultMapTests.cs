using System.Globalization;
using System.Reflection;
using System.Text.RegularExpressions;
using OpsLog.Testing;
using Xunit;

namespace OpsLog.Tests.Faults;

/// <summary>
/// Goal: docs/faults.md is true. Method: every entry is there, each names tests that exist or says why there is none, and every test of this folder is in it.
/// Tests of other projects are looked for in their source.
/// </summary>
public sealed partial class FaultMapTests
{
    private static readonly string[] s_columns = ["commit", "checkpoint", "undo", "open", "reader", "agents"];
    private static readonly string s_root = Root();
    private static readonly string[] s_lines = File.ReadAllLines(Path.Combine(s_root, "docs", "faults.md"));

    [Fact]
    public void Every_bug_has_a_row()
    {
        var rows = Rows().Where(r => r.Fault == 0 && int.TryParse(r.Cells[0], CultureInfo.InvariantCulture, out _)).ToList();
        Assert.Equal(Enumerable.Range(1, 75), rows.Select(r => int.Parse(r.Cells[0], CultureInfo.InvariantCulture)));
        Assert.All(rows, AssertProven);
    }

    [Fact]
    public void Every_fault_has_a_row_for_every_column()
    {
        var rows = Rows().Where(r => r.Fault > 0 && s_columns.Contains(r.Cells[0])).ToList();
        var wanted = Enumerable.Range(1, 42).SelectMany(fault => s_columns.Select(column => $"F{fault} {column}"));
        Assert.Equal(wanted, rows.Select(r => $"F{r.Fault} {r.Cells[0]}"));
        Assert.All(rows, AssertProven);
    }

    [Fact]
    public void Every_named_test_exists()
    {
        var names = s_lines.SelectMany(Names).Distinct(StringComparer.Ordinal).ToList();
        Assert.True(names.Count > 80);
        var missing = names.Where(n => !IsTest(n)).ToList();
        Assert.True(missing.Count == 0, string.Join('\n', missing));
    }

    [Fact]
    public void Every_test_of_this_folder_is_named()
    {
        var named = s_lines.SelectMany(Names).ToHashSet(StringComparer.Ordinal);
        var tests = typeof(FaultMapTests).Assembly.GetTypes()
            .Where(t => t.Namespace == typeof(FaultMapTests).Namespace && t != typeof(FaultMapTests))
            .SelectMany(t => t.GetMethods(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly).Where(IsMarked).Select(m => $"{t.Name}.{m.Name}"));
        var unnamed = tests.Where(t => !named.Contains(t)).ToList();
        Assert.True(unnamed.Count == 0, string.Join('\n', unnamed));
    }

    [GeneratedRegex("`([A-Z][A-Za-z0-9]+[.][A-Z][A-Za-z0-9_]+)`")]
    private static partial Regex TestName();

    private static IEnumerable<string> Names(string line) => TestName().Matches(line).Select(m => m.Groups[1].Value);

    /// <summary>The rows of all tables, with the number of the fault whose heading they stand under (0: none).</summary>
    private static IEnumerable<(int Fault, string[] Cells)> Rows()
    {
        var fault = 0;
        foreach (var line in s_lines)
        {
            if (line.StartsWith('#')) fault = line.StartsWith("### F", StringComparison.Ordinal) ? int.Parse(line[5..line.IndexOf(' ', 5)], CultureInfo.InvariantCulture) : 0;
            if (line.StartsWith("| ", StringComparison.Ordinal)) yield return (fault, [.. line.Trim('|').Split(" | ").Select(c => c.Trim())]);
        }
    }

    private static void AssertProven((int Fault, string[] Cells) row)
    {
        var text = $"F{row.Fault}: {string.Join(" | ", row.Cells)}";
        Assert.True(row.Cells.Length == 3, text);
        Assert.True(row.Cells[1].Length > 10, $"no outcome: {text}");
        Assert.True(Names(row.Cells[2]).Any() || (row.Cells[2].StartsWith("none: ", StringComparison.Ordinal) && row.Cells[2].Length > 20), $"neither test nor reason: {text}");
    }

    private static bool IsTest(string name)
    {
        var (type, method) = (name[..name.IndexOf('.', StringComparison.Ordinal)], name[(name.IndexOf('.', StringComparison.Ordinal) + 1)..]);
        // Two folders may have a class of that name.
        var found = new[] { typeof(FaultMapTests).Assembly, typeof(StorageContract).Assembly }.SelectMany(a => a.GetTypes()).Where(t => t.Name == type).ToList();
        if (found.Count > 0) return found.SelectMany(t => t.GetMethods()).Any(m => m.Name == method && IsMarked(m));

        return Directory.EnumerateFiles(Path.Combine(s_root, "tests"), type + ".cs", SearchOption.AllDirectories)
            .Any(f => Regex.IsMatch(File.ReadAllText(f), $@"\[(Fact|Theory)[^;{{]*public (async )?(Task|void) {method}\("));
    }

    private static bool IsMarked(MethodInfo method) => method.GetCustomAttributes().Any(a => a is FactAttribute);

    private static string Root()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "OpsLog.slnx")))
            folder = Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("The tests do not run inside the repository: OpsLog.slnx is in no folder above.");
        return folder;
    }
}
