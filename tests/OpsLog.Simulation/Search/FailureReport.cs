using System.Text;
using OpsLog.Simulation.Run;

namespace OpsLog.Simulation.Search;

/// <summary>What a failing run looks like to whoever has to find the cause.</summary>
internal static class FailureReport
{
    public static string Of(SimResult failure, bool shrinks)
    {
        var text = new StringBuilder();
        text.AppendLine($"seed {failure.Program.Seed} violates {failure.Violation!.Message}");
        var shown = shrinks ? Shrinker.Shrink(failure) : failure;
        text.AppendLine($"{(shrinks ? "shrunk from" : "with")} {failure.Program.StepCount} steps and {failure.Decisions.Count} decisions{(shrinks ? $" to {shown.Program.StepCount} and {shown.Decisions.Count}" : "")}:");
        text.Append(shown.Program);
        text.AppendLine($"schedule: {string.Join(' ', shown.Decisions)}");
        var trace = new List<string>();
        var again = SimResult.Of(shown.Program, new Replay(shown.Decisions), new SimOptions { Trace = trace.Add });
        foreach (var line in trace) text.Append("  ").AppendLine(line);
        text.AppendLine($"=> {again.Violation?.Message ?? "NOT REPRODUCED"}");
        return text.ToString();
    }
}
