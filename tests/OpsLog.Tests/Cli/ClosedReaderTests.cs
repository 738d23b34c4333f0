using System.Globalization;
using Xunit;
using static OpsLog.Tests.Cli.ToolProcess;

namespace OpsLog.Tests.Cli;

/// <summary>A reader of standard output that goes away, as <c>head</c> does, ends the run quietly. Runs are real processes: only their pipes can break.</summary>
public class ClosedReaderTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_follower_ends_with_the_next_operation_or_without_one(bool hasNext)
    {
        using var runner = new CliRunner();
        await runner.ApplyAsync(["""{"id":"first","data":{}}"""]);
        using var tail = Start("tail", runner.Store, "--follow");
        var errors = tail.StandardError.ReadToEndAsync();
        Assert.Contains("first", await tail.StandardOutput.ReadLineAsync(), StringComparison.Ordinal);
        tail.StandardOutput.Close();
        if (hasNext) Assert.Equal(0, (await CliRunner.RunAsync("set", runner.Store, "second", "{}")).Code);
        Assert.Equal((141, ""), (await EndAsync(tail), await errors));
    }

    [Theory]
    [InlineData("1")]
    [InlineData("4")]
    public async Task An_apply_whose_acknowledgements_nobody_reads_ends_and_says_how_far_it_got(string concurrency)
    {
        using var runner = new CliRunner();
        using var apply = Start("apply", runner.Store, "--ack", "--concurrency", concurrency);
        var errors = apply.StandardError.ReadToEndAsync();
        await apply.StandardInput.WriteLineAsync("""{"id":"a","data":{}}""");
        await apply.StandardInput.FlushAsync(TestContext.Current.CancellationToken);
        Assert.Equal("1", await apply.StandardOutput.ReadLineAsync());
        apply.StandardOutput.Close();
        // The input stays open: it ends for want of a reader.
        await apply.StandardInput.WriteLineAsync("""{"id":"b","data":{}}""");
        await apply.StandardInput.FlushAsync(TestContext.Current.CancellationToken);
        Assert.Equal(141, await EndAsync(apply));
        Assert.StartsWith("2 operations in ", Assert.Single((await errors).Split('\n', StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);
        Assert.Equal(2, (await runner.ExportAsync()).Length);
    }

    [Fact]
    public async Task Help_that_nobody_reads_is_no_error()
    {
        using var help = StartShell("opslog --help | true; echo ${PIPESTATUS[0]}");
        var errors = help.StandardError.ReadToEndAsync();
        Assert.Contains(int.Parse(await help.StandardOutput.ReadToEndAsync(), CultureInfo.InvariantCulture), new[] { 0, 141 });
        Assert.Equal((0, ""), (await EndAsync(help), await errors));
    }

    [Fact]
    public async Task A_file_is_shared_with_what_else_the_shell_writes_to_it()
    {
        using var runner = new CliRunner();
        await runner.ApplyAsync(["""{"id":"a","data":{}}"""]);
        var file = runner.PathOf("output");
        using var shell = StartShell("(echo before; opslog ls \"$1\"; opslog get \"$1\" none 2>&1; opslog ls \"$1\"; echo behind) > \"$2\"; opslog ls \"$1\" >> \"$2\"", runner.Store, file);
        Assert.Equal(0, await EndAsync(shell));
        var lines = await File.ReadAllLinesAsync(file, TestContext.Current.CancellationToken);
        Assert.Equal(["before", "a", "a", "behind", "a"], lines.Where(l => !l.StartsWith("opslog: ", StringComparison.Ordinal)));
        Assert.StartsWith("opslog: there is no record", lines[2], StringComparison.Ordinal);
    }
}
