using Xunit;
using static OpsLog.Tests.Cli.ToolProcess;

namespace OpsLog.Tests.Cli;

/// <summary>Standard input, output and error that the tool was started without, or that cannot be used. Runs are real processes: only they have such files.</summary>
public class StandardFilesTests
{
    [Theory]
    [InlineData("2>/dev/full")]
    [InlineData("2</dev/null")]
    [InlineData("2>&-")]
    public async Task Errors_that_cannot_be_written_change_no_exit_code(string redirection)
    {
        if (redirection.Contains("full", StringComparison.Ordinal) && !OperatingSystem.IsLinux()) return; // only there
        using var runner = new CliRunner();
        await runner.ApplyAsync(["""{"id":"a","data":{}}"""]);
        using var shell = StartShell($$$"""
            opslog get "$1" none {{{redirection}}}; echo $?
            opslog none {{{redirection}}}; echo $?
            echo '{"id":"b","data":{}}' | opslog apply "$1" {{{redirection}}}; echo $?
            """, runner.Store);
        Assert.Equal("1\n2\n0\n", await shell.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken));
        Assert.Equal(0, await EndAsync(shell));
        Assert.Equal(2, (await runner.ExportAsync()).Length);
    }

    [Theory]
    [InlineData("apply \"$1\" <&-")]
    [InlineData("apply \"$1\" --agent A --concurrency 4 <&-")]
    [InlineData("set \"$1\" z <&-")]
    [InlineData("apply \"$1\" <&- >&-")]
    public async Task A_closed_input_is_an_error(string command)
    {
        using var runner = new CliRunner();
        using var shell = StartShell("opslog " + command, runner.Store);
        var errors = shell.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        Assert.Equal(5, await EndAsync(shell));
        Assert.Contains("opslog: standard input is closed", await errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("get \"$1\" a >&-")]
    [InlineData("get \"$1\" a <&- >&-")]
    [InlineData("apply \"$1\" \"$2\" --ack <&- >&-")]
    [InlineData("--help >&-")]
    public async Task A_closed_output_is_an_error_of_what_prints(string command)
    {
        using var runner = new CliRunner();
        await runner.ApplyAsync(["""{"id":"a","data":{}}"""]);
        await File.WriteAllTextAsync(runner.PathOf("input"), """{"id":"a","data":{}}""", TestContext.Current.CancellationToken);
        using var shell = StartShell("opslog " + command, runner.Store, runner.PathOf("input"));
        var errors = shell.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        Assert.Equal(5, await EndAsync(shell));
        Assert.Contains("opslog: standard output is closed", await errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("get \"$1\" a", 5)]
    [InlineData("apply \"$1\" \"$2\"", 0)]
    [InlineData("verify \"$1\" > /dev/null", 0)]
    public async Task With_all_three_closed_only_what_is_missed_is_an_error(string command, int code)
    {
        using var runner = new CliRunner();
        await runner.ApplyAsync(["""{"id":"a","data":{}}"""]);
        await File.WriteAllTextAsync(runner.PathOf("input"), """{"id":"b","data":{}}""", TestContext.Current.CancellationToken);
        using var shell = StartShell($"exec 3>&1 <&- >&- 2>&-; opslog {command} 3>&-; echo $? >&3", runner.Store, runner.PathOf("input"));
        Assert.Equal($"{code}\n", await shell.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken));
        Assert.Equal(0, await EndAsync(shell));
        Assert.Equal(0, (await CliRunner.RunAsync("verify", runner.Store)).Code);
    }
}
