using System.Globalization;
using OpsLog.Tests.Corpus;
using OpsLog.Tests.Kill;
using Xunit;

namespace OpsLog.Tests.ManyWriters;

/// <summary>
/// Goal: real processes that write to one folder at once lose no acknowledged line, also when they are killed and restarted, or paused while
/// others compact. Method: 2, 4 and 8 times <c>opslog apply --agent … --durability os --refresh-every 50</c>, 500 keys of its own each; every
/// acknowledged key must be exported. The number of runs is the environment variable OPSLOG_AGENT_RUNS (default 1, without the eight; the full run is 5).
/// </summary>
public sealed class ProcessTests
{
    private const int Keys = 500;

    private static readonly int s_runs =
        int.TryParse(Environment.GetEnvironmentVariable("OPSLOG_AGENT_RUNS"), CultureInfo.InvariantCulture, out var n) ? n : 1;

    public static TheoryData<int, bool, int> Runs
    {
        get
        {
            var data = new TheoryData<int, bool, int>();
            foreach (var processes in s_runs == 1 ? (int[])[2, 4] : [2, 4, 8])
            {
                for (var run = 1; run <= s_runs; run++)
                {
                    data.Add(processes, false, run);
                    data.Add(processes, true, run);
                }
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Runs))]
    public async Task I1_processes_that_write_at_once_lose_nothing(int processes, bool onExistingStore, int run)
    {
        using var folder = new TempFolder();
        if (onExistingStore) await MakeStoreAsync(folder);
        var agents = Enumerable.Range(0, processes).Select(i => AgentProcess.Start(folder["store"], $"agent-{i}", Input(folder, i, compactEvery: 0))).ToList();
        foreach (var agent in agents)
        {
            using (agent)
            {
                var (exitCode, acknowledged, errors) = await agent.EndAsync();
                Assert.True(exitCode == 0, $"run {run}: {errors}");
                Assert.Equal(Enumerable.Range(1, Keys), acknowledged);
            }
        }

        await AssertAllThereAsync(folder, processes, onExistingStore, $"run {run}");
    }

    [Theory]
    [MemberData(nameof(Runs))]
    public async Task I1_F1_processes_that_are_killed_and_restarted_lose_nothing(int processes, bool onExistingStore, int run)
    {
        using var folder = new TempFolder();
        if (onExistingStore) await MakeStoreAsync(folder);
        await Task.WhenAll(Enumerable.Range(0, processes).Select(i => UntilDoneAsync(folder, i, new Random((run * 100) + i))));
        await AssertAllThereAsync(folder, processes, onExistingStore, $"run {run}");
    }

    /// <summary>While one is paused the others compact, and end; it goes on with whatever it held.</summary>
    [Theory]
    [MemberData(nameof(Runs))]
    public async Task I1_F21_processes_that_are_paused_while_others_compact_lose_nothing(int processes, bool onExistingStore, int run)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Pausing a process needs SIGSTOP.");
        using var folder = new TempFolder();
        if (onExistingStore) await MakeStoreAsync(folder);
        var random = new Random(run);
        var agents = Enumerable.Range(0, processes).Select(i => AgentProcess.Start(folder["store"], $"agent-{i}", Input(folder, i, compactEvery: 60))).ToList();
        try
        {
            var paused = new List<AgentProcess>();
            foreach (var agent in agents.Take(processes / 2))
            {
                await MoveOnAsync(agent.ReachAsync(random.Next(1, Keys)), paused);
                agent.Pause();
                paused.Add(agent);
            }

            var others = Task.WhenAll(agents.Skip(paused.Count).Select(agent => agent.EndAsync()));
            await MoveOnAsync(others, paused);
            Assert.All(await others, end => Assert.True(end.ExitCode == 0, $"run {run}: {end.Errors}"));
            // The paused ones live, so that nobody takes their logs for a dead agent's; whoever compacts covers what they wrote.
            var compacting = OpslogProcess.RunAsync("compact", folder["store"], "--agent", "compactor");
            await MoveOnAsync(compacting, paused);
            var (compacted, _, errors) = await compacting;
            Assert.True(compacted == 0, errors);
            foreach (var agent in paused) agent.Continue();
            foreach (var end in await Task.WhenAll(paused.Select(agent => agent.EndAsync()))) Assert.True(end.ExitCode == 0, $"run {run}: {end.Errors}");
        }
        finally
        {
            agents.ForEach(agent => agent.Dispose());
        }

        await AssertAllThereAsync(folder, processes, onExistingStore, $"run {run}");
    }

    // One that was paused in the middle of changing the manifest keeps everybody waiting, in the end longer than their patience (a minute): it gets a moment to get out of there, and is paused again.
    private static async Task MoveOnAsync(Task task, List<AgentProcess> paused)
    {
        for (var moments = 0; await Task.WhenAny(task, Task.Delay(TimeSpan.FromSeconds(15))) != task; moments++)
        {
            Assert.True(moments < 40, "Nobody gets on, though whoever is paused had its moments.");
            paused.ForEach(agent => agent.Continue());
            await Task.Delay(TimeSpan.FromMilliseconds(5));
            paused.ForEach(agent => agent.Pause());
        }
    }

    [Fact]
    public async Task E_two_processes_with_one_id_and_default_options_lose_nothing()
    {
        using var folder = new TempFolder();
        using var first = AgentProcess.Start(folder["store"], "same", Input(folder, 0, compactEvery: 100));
        using var second = AgentProcess.Start(folder["store"], "same", Input(folder, 1, compactEvery: 100));
        foreach (var (exitCode, _, errors) in await Task.WhenAll(first.EndAsync(), second.EndAsync())) Assert.True(exitCode == 0, errors);
        await AssertAllThereAsync(folder, 2, onExistingStore: false, "one id");
    }

    private static async Task UntilDoneAsync(TempFolder folder, int agent, Random random)
    {
        var lines = await File.ReadAllLinesAsync(Input(folder, agent, compactEvery: random.Next(2) * 90));
        var applied = 0;
        for (var start = 0; applied < lines.Length; start++)
        {
            var file = folder[string.Create(CultureInfo.InvariantCulture, $"rest-{agent}-{start}.jsonl")];
            await File.WriteAllLinesAsync(file, lines.Skip(applied));
            using var process = AgentProcess.Start(folder["store"], $"agent-{agent}", file);
            // Killed while it starts, while it writes, while it compacts, or (the last ones) not at all.
            if (start < (s_runs == 1 ? 3 : 6))
            {
                await process.ReachAsync(random.Next(0, 200));
                if (random.Next(3) == 0) await Task.Delay(random.Next(0, 150));
                process.Kill();
            }

            var (exitCode, acknowledged, errors) = await process.EndAsync();
            Assert.True(exitCode is 0 or 137, $"agent {agent}, start {start}: exit {exitCode}: {errors}");
            Assert.Equal(Enumerable.Range(1, acknowledged.Count), acknowledged);
            applied += acknowledged.Count;
        }
    }

    private static async Task AssertAllThereAsync(TempFolder folder, int processes, bool onExistingStore, string context)
    {
        var state = await OpslogProcess.ExportAsync(folder["store"]);
        var wanted = Enumerable.Range(0, processes).SelectMany(agent => Enumerable.Range(1, Keys).Select(key => Key(agent, key)));
        if (onExistingStore) wanted = wanted.Concat(Enumerable.Range(1, 200).Select(i => $"old-{i}"));
        var missing = wanted.Where(key => !state.ContainsKey(key)).ToList();
        Assert.True(missing.Count == 0, $"{context}: {missing.Count} of {processes * Keys} acknowledged keys are missing: {string.Join(", ", missing.Take(20))}");
        Assert.Equal((processes * Keys) + (onExistingStore ? 200 : 0), state.Count);
        var (verified, output, _) = await OpslogProcess.RunAsync("verify", folder["store"]);
        Assert.True(verified == 0, $"{context}: {output}");

        // An only writer takes the store over, and nothing changes.
        var (compacted, _, errors) = await OpslogProcess.RunAsync("compact", folder["store"]);
        Assert.True(compacted == 0, $"{context}: {errors}");
        Assert.Equal(state.Keys, (await OpslogProcess.ExportAsync(folder["store"])).Keys);
    }

    /// <summary>A store with a snapshot, pending operations and an agent's closed log.</summary>
    private static async Task MakeStoreAsync(TempFolder folder)
    {
        await RunAsync(Lines(1, 100).Append("""{"op":"compact"}""").Concat(Lines(101, 150)));
        await RunAsync(Lines(151, 200), "--agent", "earlier");

        async Task RunAsync(IEnumerable<string> lines, params string[] more)
        {
            await File.WriteAllLinesAsync(folder["old.jsonl"], lines);
            var (exitCode, _, errors) = await OpslogProcess.RunAsync(["apply", folder["store"], folder["old.jsonl"], .. more]);
            Assert.True(exitCode == 0, errors);
        }

        static IEnumerable<string> Lines(int from, int to) =>
            Enumerable.Range(from, to - from + 1).Select(i => string.Create(CultureInfo.InvariantCulture, $"{{\"id\":\"old-{i}\",\"data\":{{\"n\":{i}}}}}"));
    }

    private static string Input(TempFolder folder, int agent, int compactEvery)
    {
        var file = folder[string.Create(CultureInfo.InvariantCulture, $"input-{agent}.jsonl")];
        var lines = new List<string>();
        for (var key = 1; key <= Keys; key++)
        {
            lines.Add(string.Create(CultureInfo.InvariantCulture, $"{{\"op\":\"set\",\"id\":\"{Key(agent, key)}\",\"data\":{{\"agent\":{agent},\"n\":{key}}}}}"));
            if (compactEvery > 0 && key % compactEvery == 0) lines.Add("""{"op":"compact"}""");
        }

        File.WriteAllLines(file, lines);
        return file;
    }

    private static string Key(int agent, int key) => string.Create(CultureInfo.InvariantCulture, $"key-{agent}-{key}");
}
