using OpsLog.Simulation.Programs;
using OpsLog.Simulation.Search;
using Xunit;

namespace OpsLog.Simulation.Tests;

/// <summary>
/// Goal: no interleaving of small programs violates an invariant. Method: all of them, at the granularity of storage calls, with one process dying at every call; and longer
/// programs with few forced switches. Here a part of each; the command <c>exhaustive</c> runs the rest.
/// </summary>
public sealed class ExhaustiveTests
{
    public static TheoryData<string, string> Small
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (var form in Enum.GetNames<StorageForm>())
            {
                data.Add(form, "Set Set | Delete Compact");
                data.Add(form, "Set Close | Compact Set");
            }

            data.Add("Append", "Refresh Refresh | Delete Compact");
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Small))]
    public void No_interleaving_of_two_agents_and_a_crash_violates_an_invariant(string form, string plans)
    {
        var program = SmallPrograms.Parse(plans, Enum.Parse<StorageForm>(form), compacted: false, seals: false);
        var (full, reduced) = (Search(program, isFull: true), Search(program, isFull: false));
        Assert.True(reduced.Ends.SetEquals(full.Ends), $"{reduced.Ends.Count} ends, but {full.Ends.Count} if no order is left out");
        Assert.InRange(reduced.States, 300, full.States - 1);

        static Explorer Search(SimProgram program, bool isFull)
        {
            var explorer = new Explorer(program, new ExploreLimits(Crashes: 1, IsFull: isFull));
            explorer.Run();
            Assert.True(explorer.Failure is null, explorer.Failure is null ? "" : FailureReport.Of(explorer.Failure, shrinks: true));
            Assert.True(explorer.IsComplete);
            return explorer;
        }
    }

    [Theory]
    [InlineData("Locks", 2, 1)]
    [InlineData("Append", 2, 1)]
    [InlineData("Numbered", 3, 1)]
    public void No_program_of_four_steps_with_few_switches_violates_an_invariant(string form, int agents, int switches)
    {
        long states = 0;
        foreach (var program in SmallPrograms.FewSwitches(agents, steps: 4, count: 1, Enum.Parse<StorageForm>(form), seed: 7))
        {
            var explorer = new Explorer(program, new ExploreLimits(Switches: switches));
            explorer.Run();
            Assert.True(explorer.Failure is null, explorer.Failure is null ? "" : FailureReport.Of(explorer.Failure, shrinks: true));
            Assert.True(explorer.IsComplete);
            states += explorer.States;
        }

        Assert.InRange(states, 300, 1_000_000);
    }
}
