using System.Globalization;
using System.Text.Json;
using OpsLog.Tests.Corpus;
using Xunit;

namespace OpsLog.Interop;

/// <summary>
/// Goal: the npm package opens what agents of ours leave once all have closed and one has compacted, and agents go on where the package stopped.
/// Method: every many-writer store of the corpus, written to by two agents; and seeded random programs of one to four agents, interleaved, in turns with the
/// package, which comes as a single writer or as an agent of its own. The number of programs is OPSLOG_INTEROP_PROGRAMS, as in <see cref="InteropTests"/>.
/// </summary>
public sealed class AgentInteropTests
{
    public static TheoryData<string> ManyWriters => [.. CorpusStore.All.Where(s => s.IsMultiWriter).Select(s => s.Name)];

    public static TheoryData<int> Programs => [.. Enumerable.Range(1, InteropTests.Number("OPSLOG_INTEROP_PROGRAMS", 10))];

    [Theory]
    [MemberData(nameof(ManyWriters))]
    public async Task The_package_reads_a_store_of_its_own_agents_after_ours(string name)
    {
        await PeerPackage.RequireAsync();
        var corpus = CorpusStore.Get(name);
        using var folder = new TempFolder();
        corpus.CopyTo(folder.Path);
        var options = corpus.Options(Recovery.SkipCorrupt);
        await using (var a = await OpenAsync(folder.Path, "one of ours", options))
        {
            await using var b = await OpenAsync(folder.Path, "another of ours", options);
            await a.SetAsync("added by the test", StoreReading.Element("""{"n":1}"""));
            await b.SetAsync("added by another", StoreReading.Element("""{"n":2}"""));
        }

        var expected = await CompactAsync(folder.Path, options);
        var version = expected.SchemaVersion.ToString(CultureInfo.InvariantCulture);
        foreach (var open in (string[])[$"{{\"readOnly\":true,\"version\":{version}}}", $"{{\"agentId\":\"theirs\",\"version\":{version}}}"])
        {
            var seen = await PeerPackage.RunAsync(folder.Path, open, []);
            Assert.Null(JsonTree.Difference(expected.State, seen.State));
            Assert.Empty(seen.Warnings);
        }

        await using var last = await OpenAsync(folder.Path, "the last of ours", corpus.Options());
        Assert.Null(JsonTree.Difference(expected.State, StoreReading.StateOf(last)));
    }

    [Theory]
    [MemberData(nameof(Programs))]
    public async Task Agents_and_the_package_take_turns_and_show_the_same(int seed)
    {
        await PeerPackage.RequireAsync();
        var program = new ProgramGenerator(seed);
        var trace = new List<string>();
        using var folder = new TempFolder();
        for (var turn = program.Next(1, 4); turn > 0; turn--)
        {
            var ours = await OurTurn(program, folder.Path, trace);
            InteropTests.AssertSame(seed, trace, "The package reads what agents wrote", ours, await PeerPackage.RunAsync(folder.Path, """{"readOnly":true}""", []));

            var closes = program.Chance(50) ? "true" : "false";
            var agent = program.Chance(50) ? ",\"agentId\":\"agent-1\"" : "";
            var steps = program.Theirs(program.Next(1, 25)).Where(s => s.Op is not ("archive" or "undo")).ToList();
            trace.Add($"the package opens ({agent}, checkpointOnClose {closes})");
            trace.AddRange(steps.Select(s => s.ToString()));
            var theirs = await PeerPackage.RunAsync(folder.Path, $"{{\"checkpointOnClose\":{closes}{agent}}}", steps);
            await using var next = await OpenAsync(folder.Path, "agent-2", new OpsStoreOptions { Durability = Durability.Os });
            InteropTests.AssertSame(seed, trace, "An agent opens what the package wrote", theirs, Report(next));
        }
    }

    private static async Task<PeerReport> OurTurn(ProgramGenerator program, string directory, List<string> trace)
    {
        var agents = new List<OpsStore<JsonElement>>();
        var count = program.Next(1, 5);
        for (var i = 0; i < count; i++) agents.Add(await OpenAsync(directory, $"agent-{i}", new OpsStoreOptions { Durability = Durability.Os }));
        trace.Add($"{count} agents of ours open");
        foreach (var step in program.Ours(program.Next(5, 60)).Where(s => s.Op != "archive"))
        {
            var agent = program.Next(0, count);
            trace.Add($"agent-{agent}: {step}");
            if (program.Chance(40)) await agents[agent].RefreshAsync();
            await step.ApplyAsync(agents[agent]);
        }

        foreach (var agent in agents) await agent.DisposeAsync();
        var (state, _) = await CompactAsync(directory, new OpsStoreOptions { Durability = Durability.Os });
        return new PeerReport(state, [], [], false);
    }

    private static async Task<(Dictionary<string, object?> State, int SchemaVersion)> CompactAsync(string directory, OpsStoreOptions options)
    {
        await using var last = await OpenAsync(directory, "compactor", options);
        await last.CompactAsync();
        return (StoreReading.StateOf(last), last.SchemaVersion);
    }

    private static PeerReport Report(OpsStore<JsonElement> store) => new(StoreReading.StateOf(store), [], [], false);

    private static ValueTask<OpsStore<JsonElement>> OpenAsync(string directory, string agent, OpsStoreOptions options)
    {
        options.AgentId = agent;
        return OpsStore<JsonElement>.OpenAsync(directory, options);
    }
}
