using System.Text.Json;
using Xunit;

namespace OpsLog.Tests.Cli;

public class ApplyBatchTests
{
    [Fact]
    public async Task Neighbouring_lines_with_the_same_value_form_one_batch()
    {
        using var runner = new CliRunner();
        var result = await runner.ApplyAsync(
        [
            """{"commit":"c1","op":"set","id":"a","data":{}}""",
            """{"commit":"c1","op":"set","id":"b","data":{}}""",
            "",
            """{"commit":"c1","op":"delete","id":"a"}""",
            """{"commit":"c2","op":"set","id":"c","data":{}}""",
            """{"op":"set","id":"d","data":{}}""",
            """{"op":"set","id":"e","data":{}}""",
            """{"commit":"c1","op":"set","id":"f","data":{}}""",
            """{"commit":"c1","op":"set","id":"g","data":{}}""",
        ], "--batch-by", "commit", "--ack");
        Assert.Equal(0, result.Code);
        Assert.Equal(["1", "2", "4", "5", "6", "7", "8", "9"], result.Lines);
        Assert.Equal(["a 0/3", "b 1/3", "a 2/3", "c 0/1", "d 0/1", "e 0/1", "f 0/2", "g 1/2"], await BatchesAsync(runner));
    }

    [Fact]
    public async Task A_batch_is_undone_as_a_whole()
    {
        using var runner = new CliRunner();
        string[] lines =
        [
            """{"op":"set","id":"a","data":{"v":1}}""",
            """{"c":1,"op":"set","id":"a","data":{"v":2}}""",
            """{"c":1,"op":"set","id":"b","data":{"v":2}}""",
            """{"op":"undo","c":1}""",
        ];
        Assert.Equal(0, (await runner.ApplyAsync(lines, "--batch-by", "c")).Code);
        Assert.Equal(["""{"id":"a","data":{"v":1}}"""], await runner.ExportAsync());
    }

    [Theory]
    [InlineData("nonsense")]
    [InlineData("""{"op":"\ud800","c":1}""")]
    [InlineData("""{"\ud800":1,"c":1,"id":"d","data":{}}""")]
    public async Task A_malformed_line_inside_a_batch_keeps_the_lines_before_it(string malformed)
    {
        using var runner = new CliRunner();
        var result = await runner.ApplyAsync(
            ["""{"c":1,"id":"a","data":{}}""", """{"c":1,"id":"b","data":{}}""", malformed], "--batch-by", "c", "--ack");
        Assert.Equal(2, result.Code);
        Assert.Contains("input line 3", result.Error, StringComparison.Ordinal);
        Assert.Equal(["1", "2"], result.Lines);
        Assert.Equal(2, (await runner.ExportAsync()).Length);
    }

    [Fact]
    public async Task A_stop_inside_a_batch_leaves_all_of_it_out()
    {
        using var runner = new CliRunner();
        using var stop = new CancellationTokenSource();
        await stop.CancelAsync();
        var result = await CliRunner.RunAsync(new MemoryStream("{\"c\":1,\"id\":\"a\",\"data\":{}}\n"u8.ToArray()), stop.Token, "apply", runner.Store, "--batch-by", "c", "--ack");
        Assert.Equal((130, ""), (result.Code, result.Output));
    }

    private static async Task<string[]> BatchesAsync(CliRunner runner)
    {
        var log = await CliRunner.RunAsync("log", runner.Store, "--json");
        return log.Lines.Select(line =>
        {
            using var operation = JsonDocument.Parse(line);
            var batch = operation.RootElement.TryGetProperty("batch", out var b) ? $"{b[0]}/{b[1]}" : "0/1";
            return $"{operation.RootElement.GetProperty("id")} {batch}";
        }).ToArray();
    }
}
