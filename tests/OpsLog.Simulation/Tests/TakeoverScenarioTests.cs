using OpsLog.Simulation.Programs;
using OpsLog.Simulation.Run;
using Xunit;

namespace OpsLog.Simulation.Tests;

/// <summary>
/// Goal: who follows the store misses nothing while it changes hands between a single writer and agents. Method: the follower is stopped before each of its storage calls
/// in turn, and the others go on meanwhile.
/// </summary>
public sealed class TakeoverScenarioTests : ScenarioTests
{
    private const int MostCalls = 8;

    /// <summary>Seed 199762 of mix many: a numbered log's last write, and the seal behind it, came between two looks of one refresh.</summary>
    [Theory]
    [MemberData(nameof(Forms))]
    public void A_single_writers_last_write_is_missed_by_no_refresh_that_its_end_falls_into(string form)
    {
        for (var calls = 0; calls < MostCalls; calls++)
        {
            var s = new Scenario(form);
            var b = s.Agent("B");
            var single = s.Single();
            b.Refresh();
            b.Begin(StepKind.Refresh).Advance(calls);
            single.Set("c");
            var written = single.Number;
            if (form == "Locks") single.Close();
            s.Agent("C");
            b.Finish();
            Assert.Equal(written, b.Refresh().Shows("c"));
            s.End();
        }
    }

    /// <summary>Seed 3006931 of mix feeds: the log was withdrawn by who had registered it, with what another had written to it.</summary>
    [Theory]
    [InlineData("Append")]
    [InlineData("Locks")]
    public void A_log_that_another_has_taken_over_is_not_withdrawn(string form)
    {
        for (var calls = 0; calls < MostCalls; calls++)
        {
            var s = new Scenario(form);
            s.Agent("A").Set("x").Close();
            s.Agent("B").Compact().Close();
            var late = s.Join("", Role.Single).BeginToOpen().Advance(calls);
            var single = s.Join("", Role.Single).BeginToOpen().GoOn();
            if (single.IsDone) single.Begin(StepKind.Set, "x").GoOn();
            late.GoOn();
            s.End();
        }
    }

    /// <summary>Seed 56720 of mix many: an empty object that no longer seals its log was left out of the log's length, and history lost a byte of the last line.</summary>
    [Fact]
    public void A_seal_that_the_single_writer_goes_on_behind_is_part_of_the_logs_length()
    {
        for (var calls = 0; calls < 3 * MostCalls; calls++)
        {
            for (var more = 0; more < MostCalls; more++)
            {
                var s = new Scenario("Numbered", seals: true, keepsHistory: true);
                var a = s.Agent("A");
                var single = s.Single().Set("b");
                a.Begin(StepKind.Compact).Advance(calls);
                single.Close().Open();
                single.Begin(StepKind.Set, "c").GoOn();
                a.Advance(more);
                s.Agent("C");
                a.GoOn();
                s.End();
            }
        }
    }
}
