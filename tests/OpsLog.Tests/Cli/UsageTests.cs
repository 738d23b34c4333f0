using System.Text.Json;
using Xunit;

namespace OpsLog.Tests.Cli;

public class UsageTests
{
    public static TheoryData<string> Mistakes => new(
        "",
        "frobnicate",
        "get",
        "get STORE",
        "get STORE a b",
        "get STORE a --frobnicate",
        "export s3://bucket/prefix",
        "ls STORE --where name",
        "ls STORE --limit many",
        "ls STORE --limit -1",
        "tail STORE -n -1",
        "log STORE --recovery hope",
        "apply STORE no-such-file",
        "apply STORE - --durability maybe",
        "apply STORE - --concurrency 0",
        "apply STORE - --concurrency 1025",
        "set STORE a {",
        "set STORE a 5",
        "apply STORE - --agent A --refresh-every 0",
        "apply STORE - --refresh-every -5",
        "apply STORE - --refresh-every 5",
        "apply STORE - --agent",
        "export STORE --agent A",
        "rm STORE",
        "archive STORE --segment s",
        "archive STORE --id a --where b=1",
        "backup STORE",
        "backup STORE --to STORE",
        "restore STORE --to STORE/inside",
        "repair STORE");

    [Theory]
    [MemberData(nameof(Mistakes))]
    public async Task A_mistaken_command_line_is_exit_2_with_one_line_and_makes_nothing(string text)
    {
        using var runner = new CliRunner();
        var arguments = text.Replace("STORE", runner.Store, StringComparison.Ordinal).Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var result = await CliRunner.RunAsync(arguments);
        Assert.Equal(2, result.Code);
        Assert.Empty(result.Output);
        Assert.Single(result.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.False(Directory.Exists(runner.Store));
    }

    [Fact]
    public async Task With_json_a_mistake_is_told_as_JSON()
    {
        var result = await CliRunner.RunAsync("get", "--json");
        Assert.Equal(2, result.Code);
        using var error = JsonDocument.Parse(result.Error);
        Assert.Equal("usage", error.RootElement.GetProperty("error").GetString());
        Assert.Equal(2, error.RootElement.GetProperty("exit").GetInt32());
    }

    [Theory]
    [InlineData(true, "get", "--json")]
    [InlineData(true, "get", "--json=true")]
    [InlineData(true, "get", "--json:true")]
    [InlineData(true, "get", "--json=maybe")]
    [InlineData(true, "get", "--json", "true", "--frobnicate", "a", "b")]
    [InlineData(true, "frobnicate", "--json=true")]
    [InlineData(true, "ls", "", "--json=true")]
    [InlineData(false, "ls", "", "--json=false")]
    [InlineData(false, "ls", "", "--json", "false")]
    [InlineData(false, "get", "", "--", "--json")]
    [InlineData(false, "get", "--json=false")]
    public async Task An_error_is_JSON_where_results_would_be(bool json, params string[] arguments)
    {
        var result = await CliRunner.RunAsync(arguments);
        Assert.Equal((2, json), (result.Code, result.Error.StartsWith('{')));
    }

    [Fact]
    public async Task A_mistake_is_told_once()
    {
        var result = await CliRunner.RunAsync("get");
        Assert.Single(System.Text.RegularExpressions.Regex.Matches(result.Error, "Required argument missing"));
    }

    [Theory]
    [InlineData("ls")]
    [InlineData("verify")]
    [InlineData("stats")]
    [InlineData("repair", "--to", "elsewhere")]
    [InlineData("backup", "--to", "elsewhere")]
    public async Task Where_no_store_is_the_error_says_where_to_look(string verb, params string[] arguments)
    {
        using var runner = new CliRunner();
        var result = await CliRunner.RunAsync([verb, runner.Store, .. arguments]);
        Assert.Equal(1, result.Code);
        Assert.Contains("no manifest.json. Check the folder or the URI.", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Help_names_every_verb()
    {
        var result = await CliRunner.RunAsync("--help");
        Assert.Equal(0, result.Code);
        string[] verbs =
        [
            "apply", "export", "log", "get", "set", "rm", "ls", "undo", "redo", "compact", "archive", "archives", "agents", "stats", "tail", "backup",
            "restore", "copy", "verify", "repair",
        ];
        Assert.All(verbs, verb => Assert.Contains($"  {verb} ", result.Output, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Help_calls_the_tool_as_it_is_called_and_shows_what_may_be_left_out()
    {
        var all = (await CliRunner.RunAsync("--help")).Output;
        Assert.Contains("  opslog VERB ", all, StringComparison.Ordinal);
        Assert.Contains("  apply STORE [FILE]  ", all, StringComparison.Ordinal);
        Assert.Contains("  set STORE ID [JSON]  ", all, StringComparison.Ordinal);
        Assert.Contains("  rm STORE ID...  ", all, StringComparison.Ordinal);
        var apply = (await CliRunner.RunAsync("apply", "--help")).Output;
        Assert.Contains("  opslog apply <STORE> [<FILE>] [options]", apply, StringComparison.Ordinal);
        Assert.DoesNotContain("OpsLog.Cli", all + apply, StringComparison.Ordinal);
        var missing = await CliRunner.RunAsync("apply");
        Assert.DoesNotContain("OpsLog.Cli", missing.Error, StringComparison.Ordinal);
    }

    /// <summary>None that is refused when it is given, and none twice.</summary>
    [Theory]
    [InlineData("apply", "[default: -]", "[default: disk]", "[default: 1]", "[default: tolerate-torn-tail]")]
    [InlineData("ls", "[default: tolerate-torn-tail]")]
    [InlineData("tail", "[default: 10]", "[default: tolerate-torn-tail]")]
    public async Task Help_tells_the_defaults_there_are(string verb, params string[] defaults)
    {
        var help = (await CliRunner.RunAsync(verb, "--help")).Output;
        var told = System.Text.RegularExpressions.Regex.Matches(help, @"\[default: [^\]]*\]").Select(m => m.Value);
        Assert.Equal(defaults.Order(StringComparer.Ordinal), told.Order(StringComparer.Ordinal));
        Assert.DoesNotContain("(default)", help, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("rm", "")]
    [InlineData("archive", "--id", "a", "--segment", "")]
    [InlineData("archive", "--id", "")]
    public async Task An_error_does_not_name_parameters_of_the_library(string verb, params string[] arguments)
    {
        using var runner = new CliRunner();
        await runner.ApplyAsync(["""{"id":"a","data":{}}"""]);
        foreach (var json in (string[][])[[], ["--json"]])
        {
            var result = await CliRunner.RunAsync([verb, runner.Store, .. arguments, .. json]);
            Assert.NotEqual(0, result.Code);
            Assert.DoesNotContain("Parameter", result.Error, StringComparison.Ordinal);
        }

        var line = await runner.ApplyAsync(["""{"op":"archive","ids":["a"],"segment":""}"""]);
        Assert.Equal(2, line.Code);
        Assert.DoesNotContain("Parameter", line.Error, StringComparison.Ordinal);
    }
}
