using OpsLog.Simulation.Model;
using OpsLog.Simulation.Programs;

namespace OpsLog.Simulation.Run;

/// <summary>How a run ended: the decisions it went by, and what it violated, if anything.</summary>
internal sealed record SimResult(SimProgram Program, IReadOnlyList<Decision> Decisions, InvariantViolation? Violation, Simulator Simulator)
{
    /// <summary>Runs a program under a schedule, and ends it.</summary>
    public static SimResult Of(SimProgram program, IDecider decider, SimOptions options)
    {
        var simulator = new Simulator(program, options);
        var decisions = new List<Decision>();
        try
        {
            Prelude.Run(simulator);
            while (decider.Next(simulator) is { } decision)
            {
                decisions.Add(decision); // before it happens: it may be the one that violates
                if (!simulator.TryApply(decision)) decisions.RemoveAt(decisions.Count - 1);
            }

            Ending.Run(simulator);
            return new SimResult(program, decisions, null, simulator);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            var violation = e as InvariantViolation ?? new InvariantViolation(Invariant.L4Harness, e.ToString());
            return new SimResult(program, decisions, violation, simulator);
        }
    }
}
