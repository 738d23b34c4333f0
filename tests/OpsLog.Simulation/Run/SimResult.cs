using OpsLog.Simulation.Model;
using OpsLog.Simulation.Programs;

namespace OpsLog.Simulation.Run;

/// <summary>How a run ended: the decisions it went by, and what it violated, if anything.</summary>
internal sealed record SimResult(SimProgram Program, IReadOnlyList<Decision> Decisions, InvariantViolation? Violation, Simulator Simulator)
{
    /// <summary>The run as one number: what was decided, which operations came to count, what was violated, and all bytes that are stored at its end.</summary>
    public ulong Digest()
    {
        var hash = Hashing.Add(Simulator.Disk.Fingerprint(), (ulong)Simulator.Calls);
        foreach (var (kind, process, argument) in Decisions) hash = Hashing.Add(hash, ((ulong)kind << 48) ^ ((ulong)process << 32) ^ (uint)argument);
        foreach (var operation in Simulator.Auditor.History.Operations) hash = Hashing.Of(operation.Stamp.Log, Hashing.Add(hash, (ulong)operation.Stamp.Clock));
        return Violation is null ? hash : Hashing.Of(Violation.Message, hash);
    }

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
