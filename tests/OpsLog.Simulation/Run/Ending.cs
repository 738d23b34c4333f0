using OpsLog.Simulation.Model;
using OpsLog.Simulation.Programs;

namespace OpsLog.Simulation.Run;

/// <summary>What every run ends with: nothing fails any more, everybody comes to rest, and all must show the same.</summary>
internal static class Ending
{
    private static readonly Step s_refresh = new(StepKind.Refresh, -2, []);
    private static readonly Step s_close = new(StepKind.Close, -2, []);
    private static readonly Step s_compact = new(StepKind.Compact, -2, []);
    private static readonly Step s_feed = new(StepKind.Feed, -2, []);

    public static void Run(Simulator simulator)
    {
        simulator.RunOut();
        simulator.Trace("everything is quiet");
        if (simulator.Auditor.Manifest is null) return;
        var single = simulator.Program.Processes.All(p => p.Role != Role.Agent);
        foreach (var process in simulator.Processes.ToList())
        {
            if (process.Store is null || process.MustReopen) continue;
            if (process.Role != Role.Single)
            {
                Must(simulator, process, s_refresh);
                simulator.Checker.RequireExact(process, $"at the end, {process.Name} refreshed");
            }
            else if (simulator.Processes.Count == 1)
            {
                simulator.Checker.RequireExact(process, "at the end, the only writer");
            }
        }

        Look(simulator);
        foreach (var process in simulator.Processes.ToList())
            if (process.Store is not null) simulator.Drive(process, s_close); // one that was hit may fail to sign off
        Continue(simulator, single ? Role.Single : Role.Agent, "Z", compacts: true);
        switch (simulator.Program.Seed % 4)
        {
            case 0:
                Continue(simulator, Role.Single, "", compacts: true);
                break;
            case 1 when !single:
                Continue(simulator, Role.Single, "", compacts: false);
                Continue(simulator, Role.Agent, "A", compacts: true);
                break;
        }

        Look(simulator);
        if (simulator.Program.Settings.StopsFeeds)
            foreach (var consumer in simulator.Processes.Select(p => p.Feed).Where(f => f.Stamps.Count > 0).ToList()) Look(simulator, consumer);
        simulator.Checker.RequireOutcomes();
    }

    // Somebody opens the store read-only, and reads the feed: on from where a consumer stopped, or from the start.
    private static void Look(Simulator simulator, FeedReading? consumer = null)
    {
        var reader = simulator.Join(new ProcessPlan("", Role.Reader, 0, []));
        if (consumer is not null) reader.Feed = consumer;
        Must(simulator, reader, Step.Opening);
        simulator.Checker.RequireExact(reader, "a fresh read-only opening");
        if (simulator.Program.Settings is { Retention: 2, HasFeeds: true }) Must(simulator, reader, s_feed);
        Must(simulator, reader, s_close);
    }

    // Somebody opens the store, writes and goes.
    private static void Continue(Simulator simulator, Role role, string agent, bool compacts)
    {
        var process = simulator.Join(new ProcessPlan(agent, role, 0, []));
        Must(simulator, process, Step.Opening);
        simulator.Checker.RequireExact(process, $"a fresh opening ({role})");
        Must(simulator, process, new Step(StepKind.Set, 1000 + process.Index, [new Part("a")]));
        if (compacts) Must(simulator, process, s_compact);
        simulator.Checker.RequireExact(process, $"a fresh opening ({role}) that has written");
        Must(simulator, process, s_close);
    }

    private static void Must(Simulator simulator, SimProcess process, Step step)
    {
        simulator.Drive(process, step);
        var run = process.Runs[^1];
        if (run.End != StepEnd.Done) throw new InvariantViolation(Invariant.L1Fails, $"nothing fails any more, but {run} did: {run.Failure}");
    }
}
