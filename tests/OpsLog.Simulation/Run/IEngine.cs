namespace OpsLog.Simulation.Run;

/// <summary>What carries out the steps of a process.</summary>
internal interface IEngine
{
    /// <summary>What its opening shows; null while it has none.</summary>
    IOpenStore? Store { get; }

    /// <summary>Carries out a step: makes its storage calls, waits for its timers, and gives it its result.</summary>
    Task RunAsync(StepRun run);

    /// <summary>The opening is closed, or its process has died.</summary>
    void Leave();
}
