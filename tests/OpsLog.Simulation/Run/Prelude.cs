using OpsLog.Simulation.Programs;

namespace OpsLog.Simulation.Run;

/// <summary>What a program begins with, one process after the other: the interleavings of openings are many, and looked at elsewhere.</summary>
internal static class Prelude
{
    public static void Run(Simulator simulator)
    {
        if (simulator.Program.Prelude is not { } steps) return;
        foreach (var process in simulator.Processes)
        {
            simulator.Drive(process, Step.Opening);
            foreach (var step in steps)
                if (process.Index == 0) simulator.Drive(process, step);
        }
    }
}
