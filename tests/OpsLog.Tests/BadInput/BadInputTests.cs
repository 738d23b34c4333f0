using System.Text.Json;
using OpsLog.Storage;
using OpsLog.Tests.Cli;
using OpsLog.Tests.Corpus;
using Xunit;

namespace OpsLog.Tests.BadInput;

/// <summary>
/// Goal: whatever is wrong with what is given, the caller learns it by the error the documentation names, and nothing else happens.
/// Method: the tables of docs/bad-input.md are the test data. Rows that are written out are run as they stand; each described row has a case
/// here of the same name, and neither side may have one that the other lacks.
/// </summary>
public sealed class BadInputTests
{
    private static readonly Dictionary<string, BadInputCase> s_cases = IdAndDocumentCases.All.Concat(OptionAndCallCases.All).Concat(StoreCases.All)
        .ToDictionary(c => c.Key, c => c.Case, StringComparer.Ordinal);

    public static TheoryData<string> Described => [.. BadInputPage.Described().Select(BadInputPage.KeyOf)];

    public static TheoryData<string> OfTheTool => [.. BadInputPage.Described().Where(r => r.Exit is not null).Select(BadInputPage.KeyOf)];

    public static TheoryData<string, int> CommandLines => Literal(BadInputPage.CommandLines);

    public static TheoryData<string, int> ApplyLines => Literal(BadInputPage.ApplyLines);

    [Fact]
    public void Every_row_has_its_case_and_every_case_its_row()
    {
        Assert.Equal(Described.Select(d => d.Data).Order(StringComparer.Ordinal), s_cases.Keys.Order(StringComparer.Ordinal));
        Assert.True(BadInputPage.Rows.Count > 100);
        foreach (var row in BadInputPage.Described())
            Assert.True(row.Exit is not null == s_cases[BadInputPage.KeyOf(row)].Arguments is not null, $"{row}: the exit code and the tool's arguments go together.");
    }

    [Theory]
    [MemberData(nameof(Described))]
    public async Task The_library_raises_the_error_of_the_row(string key)
    {
        var row = BadInputPage.Described().Single(r => BadInputPage.KeyOf(r) == key);
        using var folder = new TempFolder();
        await s_cases[key].Prepare(folder["store"]);
        var exception = await Record.ExceptionAsync(() => s_cases[key].Call(folder["store"]));
        Assert.NotNull(exception);
        Assert.Equal(row.Error, exception is OpsLogException known ? known.Error.ToString() : exception.GetType().Name);
        Assert.NotEmpty(exception.Message);
    }

    [Theory]
    [MemberData(nameof(OfTheTool))]
    public async Task The_tool_exits_as_the_row_says(string key)
    {
        var row = BadInputPage.Described().Single(r => BadInputPage.KeyOf(r) == key);
        using var folder = new TempFolder();
        await s_cases[key].Prepare(folder["store"]);
        await using var other = row.Error == nameof(OpsLogError.Locked) ? await BadInputCase.OpenAsync(folder["store"]) : null;
        AssertRefused(row.Exit!.Value, await s_cases[key].RunToolAsync(folder["store"]));
    }

    [Theory]
    [MemberData(nameof(CommandLines))]
    public async Task A_command_line_exits_as_the_row_says_and_makes_nothing(string commandLine, int exit)
    {
        using var runner = new CliRunner();
        var words = commandLine.Replace("STORE", runner.Store, StringComparison.Ordinal).Split(' ');
        Assert.Equal("opslog", words[0]);
        AssertRefused(exit, await CliRunner.RunAsync(words[1..]));
        Assert.False(Directory.Exists(runner.Store));
    }

    [Theory]
    [MemberData(nameof(ApplyLines))]
    public async Task A_malformed_line_ends_the_run_with_its_number_and_what_was_before_it_is_kept(string line, int exit)
    {
        using var runner = new CliRunner();
        var result = await runner.ApplyAsync(["""{"op":"set","id":"kept","data":{}}""", "", line, """{"op":"set","id":"never","data":{}}"""], "--json");
        Assert.Equal(exit, result.Code);
        using var error = JsonDocument.Parse(result.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries)[^1]);
        Assert.Equal(3, error.RootElement.GetProperty("inputLine").GetInt32());
        Assert.Equal(["""{"id":"kept","data":{}}"""], await runner.ExportAsync());
    }

    [Fact]
    public async Task What_the_library_refuses_leaves_the_store_as_it_was()
    {
        var storage = new MemoryStorage();
        await using var store = await OpsStore<JsonElement>.OpenAsync(storage);
        await store.SetAsync("a", BadInputCase.Json("{}"));
        var before = store.Statistics.LogBytes;
        await Assert.ThrowsAsync<ArgumentException>(() => store.SetAsync("", BadInputCase.Json("{}")).AsTask());
        await Assert.ThrowsAsync<OpsLogException>(() => store.SetAsync("b", BadInputCase.Json("[]")).AsTask());
        await Assert.ThrowsAsync<OpsLogException>(() => store.SetAsync("a", BadInputCase.Json("{}"), Revision.None).AsTask());
        Assert.Equal((1, before), (store.Count, store.Statistics.LogBytes));
    }

    private static TheoryData<string, int> Literal(string section)
    {
        var data = new TheoryData<string, int>();
        foreach (var row in BadInputPage.Literal(section)) data.Add(row.Given, row.Exit!.Value);
        return data;
    }

    private static void AssertRefused(int exit, CliResult result)
    {
        Assert.True(exit == result.Code, $"exit {result.Code}: {result.Error}");
        Assert.Empty(result.Output);
        if (exit > 1) Assert.StartsWith("opslog: ", result.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries)[^1], StringComparison.Ordinal);
    }
}
