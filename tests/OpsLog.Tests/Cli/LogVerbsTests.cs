using System.Text;
using System.Text.Json;
using OpsLog.Cli;
using Xunit;

namespace OpsLog.Tests.Cli;

/// <summary>log and tail.</summary>
public class LogVerbsTests
{
    private static readonly string[] Program =
    [
        """{"op":"set","id":"a","data":{"v":1}}""",
        """{"op":"set","id":"b","data":{"v":1.0}}""",
        """{"op":"set","id":"a","data":{"v":2}}""",
        """{"op":"delete","id":"b"}""",
        """{"op":"undo"}""",
    ];

    [Fact]
    public async Task Log_tells_all_of_an_operation_to_scripts()
    {
        using var runner = new CliRunner();
        await runner.ApplyAsync(Program);
        var log = (await CliRunner.RunAsync("log", runner.Store, "--json")).Lines.Select(l => JsonDocument.Parse(l).RootElement).ToArray();
        Assert.Equal(["set a", "set b", "set a", "delete b", "set b"], log.Select(o => $"{o.GetProperty("op")} {o.GetProperty("id")}"));
        Assert.Equal(["null", "null", "{\"v\":1}", "{\"v\":1.0}", "null"], log.Select(o => o.GetProperty("prev").GetRawText()));
        Assert.Equal("{\"v\":1.0}", log[4].GetProperty("data").GetRawText());
        Assert.False(log[3].TryGetProperty("data", out _));
        Assert.Equal(log[3].GetProperty("clock").GetInt64(), log[4].GetProperty("undo").GetProperty("of")[0].GetInt64());
        Assert.True(log.Select(o => o.GetProperty("clock").GetInt64()).SequenceEqual(log.Select(o => o.GetProperty("clock").GetInt64()).Order()));
        Assert.All(log, o => Assert.True(o.GetProperty("ts").TryGetDateTime(out _)));
    }

    [Fact]
    public async Task Log_is_a_line_for_each_operation_to_people()
    {
        using var runner = new CliRunner();
        await runner.ApplyAsync(Program);
        var lines = (await CliRunner.RunAsync("log", runner.Store)).Lines.Select(l => l.Split('\t')).ToArray();
        Assert.Equal(5, lines.Length);
        Assert.All(lines, columns => Assert.Equal(6, columns.Length));
        Assert.Equal(["delete", "b"], lines[3][1..3]);
        Assert.Equal($"undo of {lines[3][4]}", lines[4][5]);
    }

    [Fact]
    public async Task One_records_history_is_asked_for_by_id()
    {
        using var runner = new CliRunner();
        await runner.ApplyAsync(Program);
        Assert.Equal(2, (await CliRunner.RunAsync("log", runner.Store, "--id", "a")).Lines.Length);
        Assert.Equal(3, (await CliRunner.RunAsync("log", runner.Store, "--id", "b")).Lines.Length);
        Assert.Equal(1, (await CliRunner.RunAsync("log", runner.Store, "--id", "never")).Code);
    }

    [Fact]
    public async Task A_position_goes_on_where_it_was_printed()
    {
        using var runner = new CliRunner();
        await runner.ApplyAsync(Program);
        var all = (await CliRunner.RunAsync("log", runner.Store, "--json")).Lines;
        var position = JsonDocument.Parse(all[1]).RootElement.GetProperty("position").GetString()!;
        Assert.Equal(all[2..], (await CliRunner.RunAsync("log", runner.Store, "--json", "--since", position)).Lines);
        Assert.Single((await CliRunner.RunAsync("log", runner.Store, "--since", position, "--id", "a")).Lines);
        Assert.Equal(2, (await CliRunner.RunAsync("log", runner.Store, "--since", "nonsense")).Code);
    }

    [Fact]
    public async Task Tail_prints_the_newest()
    {
        using var runner = new CliRunner();
        await runner.ApplyAsync(Program);
        var all = (await CliRunner.RunAsync("log", runner.Store)).Lines;
        Assert.Equal(all, (await CliRunner.RunAsync("tail", runner.Store)).Lines);
        Assert.Equal(all[3..], (await CliRunner.RunAsync("tail", runner.Store, "-n", "2")).Lines);
        Assert.Empty((await CliRunner.RunAsync("tail", runner.Store, "--lines", "0")).Lines);
    }

    [Fact]
    public async Task Tail_follows_what_is_written_until_it_is_stopped()
    {
        using var runner = new CliRunner();
        await runner.ApplyAsync(Program);
        using var stop = new CancellationTokenSource();
        using var output = new WatchedStream();
        using var error = new StringWriter();
        var tail = CliApp.RunAsync(["tail", runner.Store, "--follow", "--json", "-n", "1"], Stream.Null, output, error, stop.Token);
        await output.ContainsAsync("\"undo\"");
        await CliRunner.RunAsync("set", runner.Store, "new", """{"v":9}""");
        await output.ContainsAsync("\"id\":\"new\"");
        await stop.CancelAsync();
        Assert.Equal(130, await tail);
    }
}
