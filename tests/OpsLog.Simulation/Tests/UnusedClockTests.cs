using OpsLog.Simulation.Programs;
using OpsLog.Simulation.Run;
using Xunit;

namespace OpsLog.Simulation.Tests;

/// <summary>
/// Goal: a clock that an append used which then failed stays used, for everybody, though no line has it. Method: the agent that used it makes a snapshot, and another,
/// that has nothing to read because of it, makes the next one.
/// </summary>
public sealed class UnusedClockTests : ScenarioTests
{
    /// <summary>Seed 43013 of mix many: the second snapshot had a lower floor, what its maker wrote next was at the floor of the first, and whoever knew that floor forgot it.</summary>
    [Theory]
    [MemberData(nameof(Forms))]
    public void No_snapshot_falls_behind_the_one_it_replaces(string form)
    {
        var s = new Scenario(form, seals: true);
        var (a, b) = (s.Agent("A"), s.Agent("B"));
        a.Begin(StepKind.Set, "x").StopBeforeLine().But(DecisionKind.Fail).GoOn();
        Assert.Equal(StepEnd.Rejected, a.Ended);
        var first = a.Compact().Close().Open();
        Assert.Equal(1, s.Manifest.Snapshot.Floor);
        b.Compact();
        Assert.InRange(s.Manifest.Snapshot.Floor, 1, long.MaxValue);
        b.Set("y");
        Assert.InRange(b.Clock, 2, long.MaxValue);
        Assert.Equal(b.Number, first.Refresh().Shows("y"));
        s.End();
    }

    /// <summary>The floor came from where a log starts that has no line; when it was gone there was nothing to take it from.</summary>
    [Theory]
    [MemberData(nameof(Forms))]
    public void No_snapshot_falls_behind_one_whose_floor_was_the_start_of_an_unwritten_log(string form)
    {
        var s = new Scenario(form, seals: true);
        var (a, b) = (s.Agent("A"), s.Agent("B"));
        a.Begin(StepKind.Set, "x").StopBeforeLine().But(DecisionKind.Fail).GoOn();
        a.Begin(StepKind.Set, "y").StopBeforeLine();
        if (form == "Locks") b.Compact();
        else b.Begin(StepKind.Compact).StopBeforeSwap();
        a.But(DecisionKind.Fail).GoOn();
        b.GoOn();
        b.Compact();
        Assert.InRange(s.Manifest.Snapshot.Clock, s.Manifest.Snapshot.Floor, long.MaxValue);
        b.Set("z");
        a.Refresh();
        Assert.Equal(b.Number, a.Shows("z"));
        s.End();
    }
}
