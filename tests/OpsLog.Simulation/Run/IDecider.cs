namespace OpsLog.Simulation.Run;

/// <summary>Says what happens next.</summary>
internal interface IDecider
{
    /// <returns>Null: nothing more; what is left runs to its end without faults.</returns>
    Decision? Next(Simulator simulator);
}

/// <summary>A schedule that is known: a run is repeated, or a shorter one is tried.</summary>
internal sealed class Replay(IReadOnlyList<Decision> decisions) : IDecider
{
    private int _next;

    public Decision? Next(Simulator simulator) => _next < decisions.Count ? decisions[_next++] : null;
}
