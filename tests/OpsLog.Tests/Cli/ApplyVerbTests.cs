using System.Text.Json;
using Xunit;

namespace OpsLog.Tests.Cli;

public class ApplyVerbTests
{
    [Fact]
    public async Task Every_operation_does_its_work_and_export_shows_the_result()
    {
        using var runner = new CliRunner();
        var result = await runner.ApplyAsync(
        [
            """{"op":"set","id":"b","data":{"v":1}}""",
            """{"op":"set","id":"a","data":{"v":1.0}}""",
            """{"op":"set","id":"c","data":{"v":1}}""",
            """{"op":"delete","id":"b"}""",
            """{"op":"undo"}""",
            """{"op":"redo"}""",
            """{"op":"batch","ops":[{"op":"set","id":"d","data":{}},{"op":"delete","id":"c"}]}""",
            """{"op":"compact"}""",
            """{"op":"refresh"}""",
            """{"op":"archive","ids":["d"],"segment":"2026-Q4"}""",
            """{"id":"e","data":{"without":"op"}}""",
        ]);
        Assert.Equal((0, ""), (result.Code, result.Output));
        Assert.Contains("12 operations in ", result.Error, StringComparison.Ordinal);
        Assert.Equal(["""{"id":"a","data":{"v":1.0}}""", """{"id":"e","data":{"without":"op"}}"""], await runner.ExportAsync());
        Assert.Equal("""{"id":"d","data":{}}""", Assert.Single((await CliRunner.RunAsync("export", runner.Store, "--archive", "2026-Q4")).Lines));
    }

    [Fact]
    public async Task What_has_nothing_to_do_is_counted_and_no_error()
    {
        using var runner = new CliRunner();
        var result = await runner.ApplyAsync(
        [
            """{"op":"undo"}""",
            """{"op":"redo"}""",
            """{"op":"delete","id":"absent"}""",
            """{"op":"archive","ids":["absent"],"segment":"s"}""",
            """{"op":"archive","ids":[],"segment":"s"}""",
            """{"op":"batch","ops":[{"op":"delete","id":"absent"},{"op":"set","id":"a","data":{}},{"op":"delete","id":"a"},{"op":"delete","id":"a"}]}""",
            """{"op":"batch","ops":[]}""",
        ], "--json", "--ack");
        Assert.Equal(0, result.Code);
        Assert.Equal(["1", "2", "3", "4", "5", "6", "7"], result.Lines);
        using var summary = JsonDocument.Parse(result.Error);
        Assert.Equal(9, summary.RootElement.GetProperty("operations").GetInt64());
        Assert.Equal(7, summary.RootElement.GetProperty("nothingToDo").GetInt64());
    }

    [Fact]
    public async Task Empty_lines_count_and_are_skipped()
    {
        using var runner = new CliRunner();
        var result = await runner.ApplyTextAsync("\n{\"id\":\"a\",\"data\":{}}\r\n \t\n\n{\"id\":\"b\",\"data\":{}}", "--ack");
        Assert.Equal((0, "2\n5\n"), (result.Code, result.Output));
        Assert.Equal(2, (await runner.ExportAsync()).Length);
    }

    [Theory]
    [InlineData("1")]
    [InlineData("7")]
    public async Task A_malformed_line_stops_with_its_number_and_everything_before_it_is_kept(string concurrency)
    {
        using var runner = new CliRunner();
        var lines = Enumerable.Range(1, 50).Select(n => $$$"""{"op":"set","id":"k{{{n}}}","data":{"n":{{{n}}}}}""").ToArray();
        var result = await runner.ApplyAsync([.. lines, "", "{oops", """{"op":"set","id":"after","data":{}}"""], "--ack", "--concurrency", concurrency);
        Assert.Equal(2, result.Code);
        Assert.Contains("input line 52", result.Error, StringComparison.Ordinal);
        Assert.Equal(Enumerable.Range(1, 50), result.Lines.Select(int.Parse).Order());
        Assert.Equal(50, (await runner.ExportAsync()).Length);
    }

    [Theory]
    [InlineData("""{"op":"set","id":"a","data":7}""")]
    [InlineData("""{"op":"set","id":"","data":{}}""")]
    [InlineData("""{"op":"set","id":"\udc00","data":{}}""")]
    public async Task What_no_store_takes_is_a_malformed_line(string line)
    {
        using var runner = new CliRunner();
        var result = await runner.ApplyAsync(["""{"id":"k","data":{}}""", line], "--json");
        Assert.Equal(2, result.Code);
        var error = result.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries)[^1];
        Assert.Equal(2, JsonDocument.Parse(error).RootElement.GetProperty("inputLine").GetInt64());
        Assert.Single(await runner.ExportAsync());
    }

    [Fact]
    public async Task An_export_applied_to_a_new_store_gives_the_same_export()
    {
        using var runner = new CliRunner();
        await runner.ApplyAsync(
        [
            """{"id":"z\n\"\\ \u0001","data":{ "b" : 1e3, "a" : "\u00e9/\/" , "b": 2 }}""",
            """{"id":"__proto__","data":{}}""",
            """{"id":"ﬀ","data":{}}""",
            """{"id":"😀","data":{"deep":[[[{}]]]}}""",
        ]);
        var exported = await CliRunner.RunAsync("export", runner.Store);
        Assert.Equal(4, exported.Lines.Length);

        using var copy = new CliRunner();
        Assert.Equal(0, (await copy.ApplyTextAsync(exported.Output)).Code);
        Assert.Equal(exported.Output, (await CliRunner.RunAsync("export", copy.Store)).Output);
    }

    [Theory]
    [InlineData("disk")]
    [InlineData("os")]
    [InlineData("buffered")]
    public async Task Every_durability_level_keeps_everything(string durability)
    {
        using var runner = new CliRunner();
        var lines = Enumerable.Range(0, 300).Select(n => $$$"""{"op":"set","id":"k{{{n % 40}}}","data":{"n":{{{n}}}}}""").ToArray();
        var result = await runner.ApplyAsync(lines, "--durability", durability, "--ack");
        Assert.Equal(0, result.Code);
        Assert.Equal(Enumerable.Range(1, 300), result.Lines.Select(int.Parse));
        Assert.Equal(Enumerable.Range(260, 40), (await runner.ExportAsync()).Select(NumberOf).Order());
    }

    [Fact]
    public async Task Operations_come_from_a_file_too()
    {
        using var runner = new CliRunner();
        var file = runner.PathOf("operations.jsonl");
        await File.WriteAllTextAsync(file, "\uFEFF{\"id\":\"a\",\"data\":{\"x\":\"" + new string('x', 300_000) + "\"}}\n{\"id\":\"b\",\"data\":{}}", CancellationToken.None);
        Assert.Equal(0, (await CliRunner.RunAsync("apply", runner.Store, file)).Code);
        Assert.Equal(2, (await runner.ExportAsync()).Length);
    }

    [Fact]
    public async Task A_stop_keeps_what_was_acknowledged_and_exits_130()
    {
        using var runner = new CliRunner();
        using var stop = new CancellationTokenSource();
        await using var input = new StoppingStream("{\"id\":\"a\",\"data\":{}}\n", stop);
        var result = await CliRunner.RunAsync(input, stop.Token, "apply", runner.Store, "--ack");
        Assert.Equal((130, "1\n"), (result.Code, result.Output));
        Assert.Single(await runner.ExportAsync());
    }

    private static int NumberOf(string line)
    {
        using var record = JsonDocument.Parse(line);
        return record.RootElement.GetProperty("data").GetProperty("n").GetInt32();
    }

    /// <summary>Gives its lines, then the user presses Ctrl-C while the next read waits.</summary>
    private sealed class StoppingStream(string text, CancellationTokenSource stop) : MemoryStream(System.Text.Encoding.UTF8.GetBytes(text))
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (Position < Length) return new(Read(buffer.Span));
            stop.Cancel();
            return new(new TaskCompletionSource<int>().Task);
        }
    }
}
