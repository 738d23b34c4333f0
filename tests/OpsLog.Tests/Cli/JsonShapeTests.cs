using System.Text.Json;
using System.Text.RegularExpressions;
using OpsLog.Cli.Verbs;
using OpsLog.Tests.Docs;
using Xunit;

namespace OpsLog.Tests.Cli;

/// <summary>Goal: JSON has the members that docs/cli.md lists. Method: the tables of the page are the expectations; every row is run.</summary>
public sealed partial class JsonShapeTests
{
    private const string Results = "Results as JSON";
    private const string Told = "JSON on standard error";

    // Told by tail --follow alone; AgentVerbsTests have them.
    private static readonly string[] s_ofFollowing = ["overwrote", "overwrittenBy"];

    private static readonly List<TableRow> s_rows = [.. new MarkdownPage("docs/cli.md").Rows.Where(r => r.Section is Results or Told)];

    public static TheoryData<string> Verbs => [.. s_rows.Where(r => r.Section == Results).SelectMany(r => Names(r.Cells[0]))];

    [Fact]
    public async Task Every_verb_is_listed_but_the_one_that_prints_a_document_and_the_one_that_prints_numbers()
    {
        var verbs = (await CliRunner.RunAsync("--help")).Lines.Select(l => VerbLine().Match(l)).Where(m => m.Success).Select(m => m.Groups["verb"].Value);
        Assert.Equal(verbs.Except(["get", "apply"]).Order(StringComparer.Ordinal), Verbs.Select(v => v.Data).Order(StringComparer.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Verbs))]
    public async Task Results_have_the_members_that_the_page_lists(string verb)
    {
        using var runner = await FilledAsync();
        string[] arguments = verb switch
        {
            "set" => ["new", "{}", "--agent", "A"],
            "rm" => ["a", "--agent", "A"],
            "undo" or "redo" or "compact" => ["--agent", "A"],
            "archive" => ["--id", "a", "--segment", "s", "--agent", "A"],
            "backup" or "restore" or "repair" => ["--to", runner.PathOf("target")],
            "copy" => [runner.PathOf("target")],
            "tail" => ["-n", "1000"],
            _ => [],
        };
        if (verb == "redo") Assert.Equal(0, (await CliRunner.RunAsync("undo", runner.Store, "--agent", "A")).Code);
        var result = await CliRunner.RunAsync([verb, runner.Store, .. arguments, "--json"]);
        Assert.Equal((0, ""), (result.Code, result.Error));
        AssertShape(verb, result.Lines);
    }

    [Fact]
    public async Task What_is_told_has_the_members_that_the_page_lists()
    {
        using var runner = new CliRunner();
        AssertShape("summary", [(await runner.ApplyAsync(["""{"id":"a","data":{"v":1}}"""], "--json")).Error, (await runner.ApplyAsync(["""{"id":"b","data":{"v":1}}"""], "--json", "--agent", "A")).Error]);
        AssertShape("waiting", [ApplyVerb.Waiting("held by postgres://u:hunter2@host/db\nstill", "postgres://u:hunter2@host/db", json: true)]);
        Assert.DoesNotContain("hunter2", ApplyVerb.Waiting("held by postgres://u:hunter2@host/db", "postgres://u:hunter2@host/db", json: true), StringComparison.Ordinal);
        Assert.Equal("opslog: waiting: held", ApplyVerb.Waiting("held", runner.Store, json: false));

        var malformed = await runner.ApplyAsync(["nonsense"], "--json");
        Assert.Equal(0, (await CliRunner.RunAsync("compact", runner.Store)).Code);
        await runner.ApplyAsync(["""{"id":"c","data":{"v":1}}""", """{"id":"d","data":{"v":1}}"""]);
        var log = Directory.GetFiles(Path.Combine(runner.Store, "ops"), "ops-*.jsonl").Max(StringComparer.Ordinal)!;
        await File.AppendAllTextAsync(log, "{\"ts\":\"2026", CancellationToken.None);
        AssertShape("note", [(await CliRunner.RunAsync("export", runner.Store, "--json")).Error.Trim()]);
        var bytes = await File.ReadAllBytesAsync(log, CancellationToken.None);
        bytes[20] ^= 1;
        await File.WriteAllBytesAsync(log, bytes, CancellationToken.None);
        var refused = (await CliRunner.RunAsync("export", runner.Store, "--json")).Error;
        AssertShape("error", [malformed.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries)[^1], refused]);
        AssertShape("damage", [JsonDocument.Parse(refused).RootElement.GetProperty("damage").GetRawText()]);
        var skipping = (await CliRunner.RunAsync("export", runner.Store, "--json", "--recovery", "skip-corrupt")).Error.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        var skipped = Assert.Single(skipping, l => l.StartsWith("{\"skipped\"", StringComparison.Ordinal));
        AssertShape("skipped", [skipped]);
        AssertShape("damage", [JsonDocument.Parse(skipped).RootElement.GetProperty("skipped").GetRawText()]);
    }

    /// <summary>What a row lists as always there is in every object; all an object has is listed; all that is listed occurs.</summary>
    private static void AssertShape(string name, string[] objects)
    {
        Assert.NotEmpty(objects);
        var row = Assert.Single(s_rows, r => Names(r.Cells[0]).Contains(name));
        var (always, sometimes) = (Names(row.Cells[1]), Names(row.Cells[2]));
        var shapes = objects.Select(o => JsonDocument.Parse(o).RootElement.EnumerateObject().Select(m => m.Name).ToList()).ToList();
        foreach (var shape in shapes)
        {
            Assert.Equal(always, shape.Where(always.Contains));
            Assert.Empty(shape.Except(always).Except(sometimes));
        }

        Assert.Empty(sometimes.Except(s_ofFollowing).Except(shapes.SelectMany(s => s)));
    }

    private static List<string> Names(string cell) => [.. Name().Matches(cell).Select(m => m.Groups["name"].Value)];

    /// <summary>A store of an agent in which everything has happened that an operation can tell.</summary>
    private static async Task<CliRunner> FilledAsync()
    {
        var runner = new CliRunner();
        string[] lines =
        [
            """{"id":"a","data":{"v":1}}""",
            """{"op":"batch","ops":[{"op":"set","id":"b","data":{}},{"op":"set","id":"c","data":{}}]}""",
            """{"op":"delete","id":"b"}""",
            """{"op":"undo"}""",
            """{"op":"redo"}""",
            """{"op":"archive","ids":["c"],"segment":"old"}""",
            """{"id":"a","data":{"v":2}}""",
        ];
        Assert.Equal(0, (await runner.ApplyAsync(lines, "--agent", "A")).Code);

        // What A's undo takes back is not what shows: B's delete is.
        Assert.Equal(0, (await runner.ApplyAsync(["""{"id":"m","data":{}}"""], "--agent", "A")).Code);
        Assert.Equal(0, (await runner.ApplyAsync(["""{"op":"delete","id":"m"}"""], "--agent", "B")).Code);
        Assert.Equal(0, (await CliRunner.RunAsync("undo", runner.Store, "--agent", "A")).Code);
        return runner;
    }

    [GeneratedRegex("`(?<name>[A-Za-z]+)`")]
    private static partial Regex Name();

    [GeneratedRegex("^  (?<verb>[a-z]+) STORE")]
    private static partial Regex VerbLine();
}
