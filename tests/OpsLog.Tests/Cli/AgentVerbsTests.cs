using System.Text;
using System.Text.Json;
using OpsLog.Cli;
using OpsLog.Tests.Faults;
using Xunit;

namespace OpsLog.Tests.Cli;

/// <summary>What the tool does where many write: --agent, --refresh-every, agents, stats and tail.</summary>
public sealed class AgentVerbsTests
{
    [Fact]
    public async Task Every_writing_verb_writes_as_the_agent_it_is_given()
    {
        using var runner = new CliRunner();
        await runner.ApplyAsync(["""{"id":"a","data":{"n":1}}""", """{"id":"b","data":{"n":1}}""", """{"id":"c","data":{"n":1}}"""], "--agent", "apply");
        string[][] commands =
        [
            ["set", runner.Store, "a", """{"n":2}""", "--agent", "setter"],
            ["rm", runner.Store, "b", "--agent", "remover"],
            ["undo", runner.Store, "--agent", "setter"],
            ["redo", runner.Store, "--agent", "setter"],
            ["archive", runner.Store, "--id", "c", "--segment", "old", "--agent", "archiver"],
            ["compact", runner.Store, "--agent", "compactor"],
        ];
        foreach (var command in commands)
        {
            var result = await CliRunner.RunAsync(command);
            Assert.True(result.Code == 0, $"{string.Join(' ', command)}: {result.Error}");
        }

        Assert.Equal(["""{"id":"a","data":{"n":2}}"""], await runner.ExportAsync());
        var agents = (await CliRunner.RunAsync("log", runner.Store)).Lines.Select(line => line.Split('\t')[3]).Distinct(StringComparer.Ordinal);
        Assert.Equal(["apply", "archiver", "remover", "setter"], agents.Order(StringComparer.Ordinal));
        Assert.Equal(1, (await CliRunner.RunAsync("undo", runner.Store, "--agent", "nobody")).Code);
    }

    [Fact]
    public async Task Agents_are_listed_with_how_far_they_are_covered()
    {
        using var runner = new CliRunner();
        await runner.ApplyAsync(["""{"id":"a","data":{"n":1}}""", """{"op":"compact"}""", """{"id":"a","data":{"n":2}}""", """{"id":"b","data":{"n":3}}"""], "--agent", "one\ttab");
        await CliRunner.RunAsync("set", runner.Store, "c", "{}", "--agent", "two");
        var rows = (await CliRunner.RunAsync("agents", runner.Store)).Lines.Select(line => line.Split('\t')).ToList();
        Assert.All(rows, row => Assert.Equal(8, row.Length));
        var one = rows.Single(row => row[0] == "\"one\\ttab\"" && row[6] == "2");
        Assert.Equal(("3", "sealed"), (one[2], one[7]));
        Assert.Matches("^ops/agent-one%09tab-", one[1]);
        Assert.Equal("1", rows.Single(row => row[0] == "two")[6]);

        var objects = (await CliRunner.RunAsync("agents", runner.Store, "--json")).Lines.Select(line => JsonDocument.Parse(line).RootElement).ToList();
        Assert.Equal(rows.Count, objects.Count);
        string[] members = ["agent", "log", "clock", "lastSeen", "logBytes", "covered", "operationsSinceCheckpoint", "sealed"];
        Assert.All(objects, o => Assert.Equal(members, o.EnumerateObject().Select(member => member.Name)));
        var two = objects.Single(o => o.GetProperty("agent").GetString() == "two");
        Assert.True(two.GetProperty("sealed").GetBoolean());
        Assert.Equal(0, two.GetProperty("covered").GetInt64());
        Assert.Equal(new FileInfo(Path.Combine(runner.Store, two.GetProperty("log").GetString()!)).Length, two.GetProperty("logBytes").GetInt64());
        Assert.True(two.GetProperty("lastSeen").TryGetDateTime(out _));
    }

    [Fact]
    public async Task Where_one_writes_alone_no_agent_is_listed()
    {
        using var runner = new CliRunner();
        Assert.Equal(1, (await CliRunner.RunAsync("agents", runner.Store)).Code);
        await runner.ApplyAsync(["""{"id":"a","data":{"n":1}}"""]);
        foreach (var json in (string[][])[[], ["--json"]])
        {
            var result = await CliRunner.RunAsync(["agents", runner.Store, .. json]);
            Assert.Equal((0, ""), (result.Code, result.Output));
        }
    }

    [Fact]
    public async Task Stats_tell_each_agents_lag_and_who_holds_deleted_records()
    {
        using var runner = new CliRunner();
        await using var silent = await OpenAgentAsync(runner, "silent");
        var held = (await silent.SetAsync("s", Lab.Doc(1))).Log;
        await runner.ApplyAsync(
            ["""{"id":"a","data":{"n":1}}""", """{"op":"delete","id":"a"}""", """{"op":"compact"}""", """{"id":"b","data":{}}"""], "--agent", "busy");
        var stats = JsonDocument.Parse((await CliRunner.RunAsync("stats", runner.Store, "--json")).Output).RootElement;
        Assert.Equal(1, stats.GetProperty("tombstones").GetInt32());
        Assert.Equal(held, stats.GetProperty("tombstonesHeldBy").GetString());
        var agents = stats.GetProperty("agents").EnumerateArray().ToList();
        Assert.Equal(held, agents.Single(a => a.GetProperty("agent").GetString() == "silent").GetProperty("log").GetString());
        Assert.Equal(1, agents.Where(a => a.GetProperty("agent").GetString() == "busy").Sum(a => a.GetProperty("operationsSinceCheckpoint").GetInt32()));
        var lines = (await CliRunner.RunAsync("stats", runner.Store)).Lines;
        Assert.Contains($"tombstonesHeldBy\t{held}", lines);
        Assert.Contains(lines, line => line.StartsWith("agent busy\t1 operations behind the checkpoint, last seen 2", StringComparison.Ordinal));
    }

    /// <summary>A refresh after every second line: the third sees what was written beside the first two.</summary>
    [Fact]
    public async Task Others_writes_are_taken_in_after_so_many_lines()
    {
        using var runner = new CliRunner();
        await using var other = await OpenAgentAsync(runner, "other");
        await other.SetAsync("x", Lab.Doc(0));
        var pipe = new System.IO.Pipelines.Pipe();
        using var output = new MemoryStream();
        using var error = new StringWriter();
        var apply = CliApp.RunAsync(
            ["apply", runner.Store, "-", "--agent", "A", "--refresh-every", "2", "--durability", "os", "--json"], pipe.Reader.AsStream(), output, error, default);
        await WriteAsync("""{"id":"a","data":{}}""", """{"id":"b","data":{}}""");
        await ShownAsync("b");
        for (var i = 1; i <= 20; i++) await other.SetAsync("x", Lab.Doc(i)); // clocks far above those of A
        await WriteAsync("""{"id":"x","data":{"mine":true}}""");
        await pipe.Writer.CompleteAsync();
        Assert.True(await apply == 0, error.ToString());
        Assert.Contains("""{"id":"x","data":{"mine":true}}""", await runner.ExportAsync());
        var summary = JsonDocument.Parse(error.ToString().Trim()).RootElement;
        Assert.Equal((3, 0), (summary.GetProperty("operations").GetInt32(), summary.GetProperty("fenced").GetInt32()));
        Assert.True(summary.TryGetProperty("manifestConflicts", out _));

        async Task WriteAsync(params string[] lines) =>
            await pipe.Writer.WriteAsync(Encoding.UTF8.GetBytes(string.Concat(lines.Select(line => line + "\n"))));

        async Task ShownAsync(string id)
        {
            for (var tries = 0; !other.ContainsKey(id); tries++)
            {
                Assert.True(tries < 500, $"{id} is not there");
                await Task.Delay(10);
                await other.RefreshAsync();
            }
        }
    }

    [Fact]
    public async Task Tail_follows_all_agents_and_tells_what_was_overwritten_unseen()
    {
        using var runner = new CliRunner();
        await using var a = await OpenAgentAsync(runner, "A");
        await using var b = await OpenAgentAsync(runner, "B");
        await a.SetAsync("a", Lab.Doc(0));
        await b.SetAsync("b", Lab.Doc(0));
        using var stop = new CancellationTokenSource();
        using var output = new WatchedStream();
        var tail = CliApp.RunAsync(["tail", runner.Store, "--follow"], Stream.Null, output, TextWriter.Null, stop.Token);
        await output.ContainsAsync("\tset\tb\tB\t");
        await a.SetAsync("k", Lab.Doc(1));
        await b.SetAsync("l", Lab.Doc(1));
        await output.ContainsAsync("\tset\tk\tA\t2\t");
        await output.ContainsAsync("\tset\tl\tB\t2\t");
        await b.SetAsync("k", Lab.Doc(2)); // B has not seen A's
        await output.ContainsAsync("\tset\tk\tB\t3\toverwrote 2@A");
        await stop.CancelAsync();
        Assert.Equal(130, await tail);
    }

    [Fact]
    public async Task An_only_writer_is_refused_while_an_agent_lives_and_told_what_to_do()
    {
        using var runner = new CliRunner();
        await using (var a = await OpenAgentAsync(runner, "A"))
        {
            await a.SetAsync("a", Lab.Doc(0));
            var refused = await CliRunner.RunAsync("set", runner.Store, "b", "{}");
            Assert.Equal(3, refused.Code);
            Assert.Contains("--agent", refused.Error, StringComparison.Ordinal);
            Assert.Equal(0, (await CliRunner.RunAsync("set", runner.Store, "b", "{}", "--agent", "B")).Code);
        }

        Assert.Equal(0, (await CliRunner.RunAsync("set", runner.Store, "c", "{}")).Code);
        Assert.Equal(3, (await runner.ExportAsync()).Length);
    }

    private static ValueTask<OpsStore<JsonElement>> OpenAgentAsync(CliRunner runner, string agent) =>
        OpsStore<JsonElement>.OpenAsync(runner.Store, Lab.Options(o => (o.AgentId, o.Durability) = (agent, Durability.Os)));
}
