using OpsLog.Simulation.Disk;
using OpsLog.Simulation.Programs;
using OpsLog.Simulation.Run;
using OpsLog.Simulation.Search;
using Xunit;

namespace OpsLog.Simulation.Tests;

/// <summary>
/// Goal: a copy of a simulator goes on as its original does, and neither notices what the other does. Method: schedules are drawn and gone through without copies; then again,
/// with copies at every decision: one goes on to the end as the first run did, one goes another way.
/// </summary>
public sealed class CopyTests
{
    [Theory]
    [InlineData("Locks", "Set Compact | Delete Set")]
    [InlineData("Append", "Set Compact | Delete Set")]
    [InlineData("Append", "Compact Close | Set Compact")]
    [InlineData("Numbered", "Set Compact | Delete Set")]
    [InlineData("Numbered", "Delete Refresh | Compact Compact")]
    public void A_copy_goes_on_as_its_original(string form, string plans)
    {
        var program = SmallPrograms.Parse(plans, Enum.Parse<StorageForm>(form), compacted: false, seals: true);
        for (ulong seed = 1; seed <= 3; seed++)
        {
            var first = Start(program);
            var schedule = Draw(first, seed);
            var end = End(first, schedule);
            var original = Start(program);
            for (var i = 0; i < schedule.Count; i++)
            {
                var (copy, stray) = (original.Copy().Copy(), original.Copy());
                Apply(original, schedule[i]);
                Stray(stray, seed + (ulong)i);
                for (var j = i; j < schedule.Count; j++) Apply(copy, schedule[j]);
                Assert.Equal(end, End(copy, schedule));
                Assert.Equal(schedule[i].State, original.Fingerprint());
            }

            Assert.Equal(end, End(original, schedule));
        }
    }

    [Fact]
    public void Two_appends_to_one_object_make_two()
    {
        var one = new SimObject("ops/log", [], 1, default, 1).Append("ab"u8, 2, default);
        var (first, second) = (one.Append("cd"u8, 3, default), one.Append("ef"u8, 3, default));
        Assert.Equal("abcdef"u8, first.Append("ef"u8, 4, default).Span);
        Assert.Equal("abefcd"u8, second.Append("cd"u8, 4, default).Span);
        Assert.Equal("ab"u8, one.Span);
    }

    [Fact]
    public void What_an_engine_is_doing_is_not_copied()
    {
        var program = SmallPrograms.Parse("Set | Set", StorageForm.Append, compacted: false, seals: false);
        Assert.Throws<InvalidOperationException>(() => new Simulator(program, new SimOptions()).Copy());
    }

    private static Simulator Start(SimProgram program)
    {
        var simulator = new Simulator(program, new SimOptions { Records = new EngineRecords() });
        Prelude.Run(simulator);
        return simulator;
    }

    // Lets everybody go on to the end, in an order by the seed.
    private static List<(Decision Decision, ulong State)> Draw(Simulator simulator, ulong seed)
    {
        var random = new SimRandom(seed);
        var schedule = new List<(Decision, ulong)>();
        while (simulator.Processes.FindAll(p => p.HasWork) is { Count: > 0 } working)
        {
            var process = random.Pick<SimProcess>([.. working]);
            var decision = new Decision(process.CanBegin || process.Waits ? DecisionKind.Go : DecisionKind.Fire, process.Index);
            Assert.True(simulator.TryApply(decision));
            schedule.Add((decision, simulator.Fingerprint()));
        }

        return schedule;
    }

    private static void Apply(Simulator simulator, (Decision Decision, ulong State) next)
    {
        Assert.True(simulator.TryApply(next.Decision));
        Assert.Equal(next.State, simulator.Fingerprint());
    }

    // All that was decided, is stored and was counted, when everybody has come to rest.
    private static ulong End(Simulator simulator, List<(Decision Decision, ulong State)> schedule)
    {
        Ending.Run(simulator);
        return new SimResult(simulator.Program, [.. schedule.Select(s => s.Decision)], null, simulator).Digest();
    }

    // Somebody dies, of its append perhaps only a beginning has happened; the others go on in another order.
    private static void Stray(Simulator simulator, ulong seed)
    {
        var random = new SimRandom(seed);
        var dead = random.Next(simulator.Processes.Count);
        if (!simulator.TryApply(new Decision(DecisionKind.CrashTorn, dead, 7))) simulator.TryApply(new Decision(DecisionKind.CrashAfter, dead));
        Draw(simulator, seed + 1);
        Ending.Run(simulator);
    }
}
