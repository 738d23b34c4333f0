using System.Text;
using OpsLog.Cli;
using Xunit;

namespace OpsLog.Tests.Cli;

public class TerminalTests
{
    [Theory]
    [InlineData("stats", "records")]
    [InlineData("ls --long", "task[1]")]
    [InlineData("log", "task[1]")]
    [InlineData("undo", "undone")]
    [InlineData("verify", "sound")]
    [InlineData("compact", "1 records in")]
    public async Task On_a_terminal_people_see_the_same_facts(string verb, string expected)
    {
        using var runner = new CliRunner();
        await runner.ApplyAsync(["""{"id":"task[1]","data":{"title":"[bold] is no markup here"}}""", """{"id":"task[1]","data":{}}"""]);
        using var output = new MemoryStream();
        using var terminal = new StringWriter();
        using var error = new StringWriter();
        var streams = new CliStreams(Stream.Null, output, error) { OutputTerminal = terminal, ErrorTerminal = error };
        var words = verb.Split(' ');
        Assert.Equal(0, await CliApp.RunAsync([words[0], runner.Store, .. words[1..]], streams, CancellationToken.None));
        Assert.Contains(expected, terminal.ToString(), StringComparison.Ordinal);
        Assert.Empty(output.ToArray());
    }

    [Fact]
    public async Task On_a_terminal_json_and_documents_stay_plain()
    {
        using var runner = new CliRunner();
        await runner.ApplyAsync(["""{"id":"a","data":{"v":1}}"""]);
        foreach (var (arguments, expected) in new (string[], string)[]
        {
            (["get", runner.Store, "a"], "{\"v\":1}\n"),
            (["export", runner.Store], "{\"id\":\"a\",\"data\":{\"v\":1}}\n"),
            (["ls", runner.Store, "--json"], "{\"id\":\"a\",\"data\":{\"v\":1}}\n"),
        })
        {
            using var output = new MemoryStream();
            using var terminal = new StringWriter();
            var streams = new CliStreams(Stream.Null, output, TextWriter.Null) { OutputTerminal = terminal, ErrorTerminal = TextWriter.Null };
            Assert.Equal(0, await CliApp.RunAsync(arguments, streams, CancellationToken.None));
            Assert.Equal((expected, ""), (Encoding.UTF8.GetString(output.ToArray()), terminal.ToString()));
        }
    }
}
