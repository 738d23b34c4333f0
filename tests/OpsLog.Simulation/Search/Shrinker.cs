using OpsLog.Simulation.Programs;
using OpsLog.Simulation.Run;

namespace OpsLog.Simulation.Search;

/// <summary>Makes a failing run smaller for as long as it violates the same invariant: fewer processes, steps, decisions, faults.</summary>
internal static class Shrinker
{
    private const int MostRuns = 4000;

    public static SimResult Shrink(SimResult failure, SimOptions? options = null)
    {
        var search = new Search(failure, options ?? new SimOptions());
        while (search.Pass() && !search.IsSpent)
        {
            // Until nothing can be left out any more.
        }

        return search.Best;
    }

    private sealed class Search(SimResult failure, SimOptions options)
    {
        private readonly string _signature = failure.Violation!.Signature;
        private int _runs;

        public SimResult Best { get; private set; } = failure;

        public bool IsSpent => _runs >= MostRuns;

        public bool Pass()
        {
            var before = Best;
            DropSteps();
            DropDecisions();
            Calm();
            return !ReferenceEquals(before, Best);
        }

        private void DropSteps()
        {
            for (var p = 0; p < Best.Program.Processes.Count; p++)
            {
                var steps = Best.Program.Processes[p].Steps;
                if (steps.Count > 1) Try(With(p, []), Best.Decisions);
                for (var i = Best.Program.Processes[p].Steps.Count - 1; i >= 0 && !IsSpent; i--)
                    Try(With(p, [.. Best.Program.Processes[p].Steps.Where((_, at) => at != i)]), Best.Decisions);
            }
        }

        private SimProgram With(int process, List<Step> steps) => Best.Program with
        {
            Processes = [.. Best.Program.Processes.Select((plan, p) => p == process ? plan with { Steps = steps } : plan)],
        };

        // Halves, then quarters and so on, then each alone.
        private void DropDecisions()
        {
            for (var size = Math.Max(1, Best.Decisions.Count / 2); size >= 1 && !IsSpent; size = size == 1 ? 0 : size / 2)
                for (var at = Best.Decisions.Count - size; at >= 0 && !IsSpent; at -= size)
                    Try(Best.Program, [.. Best.Decisions.Take(at), .. Best.Decisions.Skip(at + size)]);
        }

        // A fault that need not be.
        private void Calm()
        {
            for (var i = 0; i < Best.Decisions.Count && !IsSpent; i++)
            {
                var decision = Best.Decisions[i];
                if (decision.Kind is DecisionKind.Go or DecisionKind.Fire) continue;
                Try(Best.Program, [.. Best.Decisions.Take(i), new Decision(DecisionKind.Go, decision.Process), .. Best.Decisions.Skip(i + 1)]);
            }
        }

        private void Try(SimProgram program, IReadOnlyList<Decision> decisions)
        {
            _runs++;
            var result = SimResult.Of(program, new Replay(decisions), options);
            if (result.Violation?.Signature != _signature) return;
            if (program.StepCount < Best.Program.StepCount || result.Decisions.Count < Best.Decisions.Count || Faults(result) < Faults(Best)) Best = result;
        }

        private static int Faults(SimResult result) => result.Decisions.Count(d => d.IsFault);
    }
}
