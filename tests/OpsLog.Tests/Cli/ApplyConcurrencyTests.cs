using System.Globalization;
using System.Text.Json;
using CsCheck;
using Xunit;

namespace OpsLog.Tests.Cli;

/// <summary>Goal: callers at once change nothing but the order of acknowledgements. Method: random programs, one caller against several.</summary>
public class ApplyConcurrencyTests
{
    private static readonly Gen<string> Single = Gen.OneOf(
        Gen.Select(Gen.Int[0, 9], Gen.Int[0, 99], (id, v) => $$$"""{"op":"set","id":"k{{{id}}}","data":{"v":{{{v}}}}}"""),
        Gen.Int[0, 9].Select(id => $$"""{"op":"delete","id":"k{{id}}"}"""));

    private static readonly Gen<string> Line = Gen.Frequency(
        (20, Single),
        (1, Gen.Const("""{"op":"compact"}""")),
        (1, Gen.Const("""{"op":"refresh"}""")),
        (1, Gen.Const("""{"op":"archive","ids":["k1","k2"],"segment":"s"}""")),
        (2, Single.Array[0, 5].Select(ops => $$"""{"op":"batch","ops":[{{string.Join(',', ops)}}]}""")));

    [Fact]
    public async Task Any_program_ends_in_the_same_state_and_acknowledges_every_line_once()
    {
        await Line.Array[0, 200].SampleAsync(async lines =>
        {
            using var alone = new CliRunner();
            using var together = new CliRunner();
            var one = await alone.ApplyAsync(lines, "--durability", "os", "--ack");
            var many = await together.ApplyAsync(lines, "--durability", "os", "--ack", "--concurrency", "8");
            return (one.Code, many.Code) == (0, 0)
                && one.Lines.Select(Number).SequenceEqual(Enumerable.Range(1, lines.Length))
                && many.Lines.Select(Number).Order().SequenceEqual(Enumerable.Range(1, lines.Length))
                && string.Join('\n', await alone.ExportAsync()) == string.Join('\n', await together.ExportAsync());
        }, iter: 20, threads: 1);
    }

    [Fact]
    public async Task Operations_on_one_record_keep_the_order_of_the_input()
    {
        using var runner = new CliRunner();
        var lines = Enumerable.Range(0, 2000).Select(n => $$$"""{"op":"set","id":"k{{{n % 3}}}","data":{"n":{{{n}}}}}""").ToArray();
        Assert.Equal(0, (await runner.ApplyAsync(lines, "--durability", "os", "--concurrency", "16")).Code);
        for (var k = 0; k < 3; k++)
        {
            var log = await CliRunner.RunAsync("log", runner.Store, "--id", $"k{k}", "--json");
            var numbers = log.Lines.Select(l => JsonDocument.Parse(l).RootElement.GetProperty("data").GetProperty("n").GetInt32());
            Assert.Equal(Enumerable.Range(0, 2000).Where(n => n % 3 == k), numbers);
        }
    }

    [Fact]
    public async Task An_undo_waits_for_all_before_it()
    {
        using var runner = new CliRunner();
        var lines = Enumerable.Range(0, 100).Select(n => $$$"""{"op":"set","id":"k{{{n}}}","data":{}}""")
            .Concat(Enumerable.Repeat("""{"op":"undo"}""", 100)).ToArray();
        Assert.Equal(0, (await runner.ApplyAsync(lines, "--durability", "os", "--concurrency", "8")).Code);
        Assert.Empty(await runner.ExportAsync());
    }

    private static int Number(string line) => int.Parse(line, CultureInfo.InvariantCulture);
}
