using OpsLog.Simulation.Disk;
using OpsLog.Simulation.Model;
using OpsLog.Simulation.Programs;
using OpsLog.Simulation.Run;
using OpsLog.Simulation.Search;
using Xunit;

namespace OpsLog.Simulation.Tests;

/// <summary>
/// Goal: the simulation finds what it is there to find, and finds it again. Method: storages that break their contract, each of which must make a seed fail that
/// passes without the defect; and the same runs over again.
/// </summary>
public sealed class HarnessTests
{
    private const ulong MostSeeds = 400;

    [Theory]
    [InlineData("IgnoresAppendCondition")]
    [InlineData("IgnoresVersion")]
    [InlineData("LosesAppends")]
    [InlineData("IgnoresSync")]
    [InlineData("IgnoresAbsence")]
    public void A_storage_that_breaks_its_contract_is_found(string defect)
    {
        Assert.NotNull(FirstFailure(Enum.Parse<DiskDefect>(defect)));
    }

    [Fact]
    public void A_storage_that_never_deletes_does_no_harm()
    {
        for (ulong seed = 1; seed <= 150; seed++)
            Assert.Null(SeedRunner.Run(seed, Mix.Core, new SimOptions { Defect = DiskDefect.KeepsDeleted }).Violation);
    }

    [Fact]
    public void A_seed_runs_the_same_way_again()
    {
        for (ulong seed = 1; seed <= 40; seed++)
        {
            var (first, second) = (Trace(seed, out var decisions), Trace(seed, out _));
            Assert.Equal(first, second);
            Assert.NotEmpty(decisions);
        }
    }

    [Fact]
    public void A_schedule_runs_the_same_way_again()
    {
        for (ulong seed = 1; seed <= 40; seed++)
        {
            var first = Trace(seed, out var decisions);
            var second = new List<string>();
            SimResult.Of(ProgramGenerator.Make(seed, Mix.Many), new Replay(decisions), new SimOptions { Trace = second.Add });
            Assert.Equal(first, second);
        }
    }

    [Fact]
    public void A_failing_run_is_shrunk_to_one_that_fails_alike()
    {
        var options = new SimOptions { Defect = DiskDefect.IgnoresVersion };
        var failure = FirstFailure(options.Defect)!;
        var shrunk = Shrinker.Shrink(failure, options);
        Assert.Equal(failure.Violation!.Invariant, shrunk.Violation!.Invariant);
        Assert.True(shrunk.Program.StepCount < failure.Program.StepCount);
        Assert.True(shrunk.Decisions.Count < failure.Decisions.Count);
        Assert.Equal(shrunk.Violation.Message, SimResult.Of(shrunk.Program, new Replay(shrunk.Decisions), options).Violation?.Message);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void The_exhaustive_search_finds_a_storage_that_breaks_its_contract(bool isFull)
    {
        var program = SmallPrograms.Make([[StepKind.Set], [StepKind.Compact]], StorageForm.Append, compacted: false, seals: true);
        var sound = new Explorer(program, new ExploreLimits(IsFull: isFull));
        sound.Run();
        Assert.Null(sound.Failure);
        var broken = new Explorer(program, new ExploreLimits(IsFull: isFull)) { Defect = DiskDefect.IgnoresAppendCondition };
        broken.Run();
        Assert.NotNull(broken.Failure);
    }

    [Fact]
    public void States_are_the_same_whoever_went_first_if_neither_saw_the_other()
    {
        var program = SmallPrograms.Make([[StepKind.Set], [StepKind.Close]], StorageForm.Append, compacted: false, seals: false);
        Assert.Equal(After(program, 0, 1), After(program, 1, 0));
        Assert.NotEqual(After(program, 0, 0), After(program, 0, 1));
    }

    [Fact]
    public void An_engine_that_does_two_things_at_one_place_is_found()
    {
        var records = new EngineRecords();
        var first = records.Add(1, new EngineMove([], [], TimeSpan.FromSeconds(1), null));
        Assert.Same(first, records.Add(1, new EngineMove([], [], TimeSpan.FromSeconds(1), null)));
        Assert.Throws<InvariantViolation>(() => records.Add(1, new EngineMove([], [], TimeSpan.FromSeconds(2), null)));
    }

    [Fact]
    public void A_call_made_on_another_thread_is_found()
    {
        // Buffered writes are flushed by the pool: a level that a simulation cannot run, and must not run silently.
        var program = SmallPrograms.Make([[StepKind.Set], [StepKind.Set]], StorageForm.Append, compacted: false, seals: false);
        program = program with { Settings = program.Settings with { Durability = Durability.Buffered } };
        var violation = SimResult.Of(program, new Replay([]), new SimOptions()).Violation;
        Assert.NotNull(violation);
    }

    private static ulong After(SimProgram program, params int[] processes)
    {
        var simulator = new Simulator(program, new SimOptions());
        Prelude.Run(simulator);
        foreach (var process in processes) Assert.True(simulator.TryApply(new Decision(DecisionKind.Go, process)));
        return simulator.Fingerprint();
    }

    private static SimResult? FirstFailure(DiskDefect defect)
    {
        for (ulong seed = 1; seed <= MostSeeds; seed++)
        {
            var result = SeedRunner.Run(seed, Mix.Core, new SimOptions { Defect = defect });
            if (result.Violation is not null && SeedRunner.Run(seed, Mix.Core).Violation is null) return result;
        }

        return null;
    }

    private static List<string> Trace(ulong seed, out IReadOnlyList<Decision> decisions)
    {
        var lines = new List<string>();
        decisions = SeedRunner.Run(seed, Mix.Many, new SimOptions { Trace = lines.Add }).Decisions;
        return lines;
    }
}
