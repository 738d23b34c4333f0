using System.Text;
using OpsLog.Cli;
using Xunit;

namespace OpsLog.Tests.Cli;

/// <summary>Standard output that cannot be written ends the run, with exit 5 and never by waiting for ever.</summary>
public class OutputFailureTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(1);

    [Theory]
    [InlineData(10, "disk", "1")]
    [InlineData(10, "disk", "4")]
    [InlineData(5000, "os", "1")]
    [InlineData(5000, "os", "4")]
    [InlineData(5000, "buffered", "4")]
    public async Task Acknowledgements_that_cannot_be_printed_end_the_run(int count, string durability, string concurrency)
    {
        using var runner = new CliRunner();
        var result = await RunAsync(new MemoryStream(Lines(count)), "apply", runner.Store, "--ack", "--durability", durability, "--concurrency", concurrency);
        Assert.Equal(5, result.Code);
        // It is no line's fault.
        Assert.DoesNotContain("input line", result.Error, StringComparison.Ordinal);
        Assert.Contains("opslog: nobody takes it", result.Error, StringComparison.Ordinal);
        Assert.Equal(0, (await CliRunner.RunAsync("verify", runner.Store)).Code);
    }

    [Theory]
    [InlineData("1")]
    [InlineData("4")]
    public async Task It_ends_while_the_input_is_silent_too(string concurrency)
    {
        using var runner = new CliRunner();
        await using var input = new SilentStream(Lines(10));
        Assert.Equal(5, (await RunAsync(input, "apply", runner.Store, "--ack", "--concurrency", concurrency)).Code);
    }

    [Fact]
    public async Task A_batch_whose_acknowledgement_cannot_be_printed_is_stored()
    {
        using var runner = new CliRunner();
        var lines = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, 10).Select(n => $$$"""{"c":1,"id":"k{{{n}}}","data":{}}{{{"\n"}}}""")));
        Assert.Equal(5, (await RunAsync(new MemoryStream(lines), "apply", runner.Store, "--ack", "--batch-by", "c", "--concurrency", "4")).Code);
        Assert.Equal(10, (await runner.ExportAsync()).Length);
    }

    [Theory]
    [InlineData("--help")]
    [InlineData("--version")]
    [InlineData("ls")]
    [InlineData("stats")]
    public async Task Results_that_cannot_be_printed_are_exit_5(string verb)
    {
        using var runner = new CliRunner();
        await runner.ApplyAsync(["""{"id":"a","data":{}}"""]);
        string[] arguments = verb.StartsWith('-') ? [verb] : [verb, runner.Store];
        Assert.Equal(5, (await RunAsync(Stream.Null, arguments)).Code);
    }

    private static async Task<CliResult> RunAsync(Stream input, params string[] arguments)
    {
        await using var output = new FullStream();
        using var error = new StringWriter();
        // A run that waits for ever must fail, not hang the tests.
        var code = await CliApp.RunAsync(arguments, input, output, error, CancellationToken.None).WaitAsync(s_patience);
        return new CliResult(code, "", error.ToString());
    }

    private static byte[] Lines(int count) =>
        Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, count).Select(n => $$$"""{"id":"k{{{n}}}","data":{"n":{{{n}}}}}{{{"\n"}}}""")));

    /// <summary>Takes nothing, like a full disk.</summary>
    private sealed class FullStream : MemoryStream
    {
        public override void Write(byte[] buffer, int offset, int count) => throw new IOException("nobody takes it");

        public override void Write(ReadOnlySpan<byte> buffer) => throw new IOException("nobody takes it");
    }

    /// <summary>Gives its bytes, and then neither more nor an end.</summary>
    private sealed class SilentStream(byte[] bytes) : MemoryStream(bytes)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            Position < Length ? new(Read(buffer.Span)) : new(new TaskCompletionSource<int>().Task);
    }
}
