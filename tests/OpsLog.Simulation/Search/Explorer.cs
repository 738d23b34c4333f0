using System.Diagnostics;
using OpsLog.Simulation.Disk;
using OpsLog.Simulation.Model;
using OpsLog.Simulation.Programs;
using OpsLog.Simulation.Run;

namespace OpsLog.Simulation.Search;

/// <summary>How far an exhaustive search goes.</summary>
/// <param name="Crashes">How many processes may die, at any storage call.</param>
/// <param name="Switches">How often a process that could go on is left for another; the default: no limit.</param>
/// <param name="LostAnswers">How many answers may be lost.</param>
/// <param name="Races">How often others may be first in one step; who loses more often than that is not followed further.</param>
/// <param name="MostStates">How many states at most.</param>
internal sealed record ExploreLimits(int Crashes = 0, int Switches = int.MaxValue, int LostAnswers = 0, int Races = int.MaxValue, int MostStates = 2_000_000);

/// <summary>
/// Goes through all interleavings of a program at the granularity of storage calls. It keeps no states: each path is run again from the start, but a state that was
/// reached before is not gone on from. States are equal if the disk, the time, and all that each process was ever told are.
/// </summary>
internal sealed class Explorer(SimProgram program, ExploreLimits limits)
{
    // Each state that was reached, and the most switches that were left then: with fewer there is nothing new behind it.
    private readonly Dictionary<ulong, int> _seen = [];
    // Those with the most switches left first, of those the newest.
    private readonly PriorityQueue<Branch, (int, long)> _open = new();
    private long _branches;

    /// <summary>How the storage breaks its contract.</summary>
    public DiskDefect Defect { get; init; }

    public long States => _seen.Count;

    /// <summary>Times a program was run from its start.</summary>
    public long Runs { get; private set; }

    public long Endings { get; private set; }

    /// <summary>States that were not gone on from, because somebody had lost too many races.</summary>
    public long Cut { get; private set; }

    /// <summary>Whether all states were looked at.</summary>
    public bool IsComplete { get; private set; }

    public TimeSpan Elapsed { get; private set; }

    public SimResult? Failure { get; private set; }

    public void Run()
    {
        var watch = Stopwatch.StartNew();
        Push(new Branch(null, new Budget(limits.Crashes, limits.Switches, limits.LostAnswers, -1), null));
        while (_open.Count > 0 && Failure is null && _seen.Count < limits.MostStates)
        {
            var branch = _open.Dequeue();
            if (branch.State is not { } state || !IsSeen(state, branch.Left)) Follow(branch);
        }

        IsComplete = _open.Count == 0;
        Elapsed = watch.Elapsed;
    }

    private void Follow(Branch branch)
    {
        Runs++;
        var simulator = new Simulator(program, new SimOptions { Defect = Defect });
        var (path, left) = (branch.Path, branch.Left);
        try
        {
            Prelude.Run(simulator);
            foreach (var decision in Decisions(path?.Before)) Repeat(simulator, decision);
            if (path is not null) Apply(simulator, path, left);
            while (See(left.Mix(simulator.Fingerprint()), left))
            {
                if (simulator.Processes.Exists(p => p.Running?.Conflicts > limits.Races))
                {
                    Cut++;
                    return;
                }

                var options = Options(simulator, left);
                if (options.Count == 0)
                {
                    Endings++;
                    Ending.Run(simulator);
                    return;
                }

                for (var i = options.Count - 1; i > 0; i--) Push(new Branch(new Place(path, options[i].Decision), options[i].Left, null));
                path = new Place(path, options[0].Decision);
                left = options[0].Left;
                Apply(simulator, path, left);
            }
        }
        catch (InvariantViolation violation)
        {
            Failure = new SimResult(program, Decisions(path), violation, simulator);
        }
    }

    private static Decision[] Decisions(Place? path)
    {
        var decisions = new List<Decision>();
        for (; path is not null; path = path.Before) decisions.Add(path.Decision);
        decisions.Reverse();
        return [.. decisions];
    }

    private static void Repeat(Simulator simulator, Decision decision)
    {
        if (!simulator.TryApply(decision)) throw new InvariantViolation(Invariant.L3Deterministic, $"{decision} cannot be repeated");
    }

    // The last decision of a path. Behind a change its process may die: that is a path of its own, if it leads to a state that was not seen.
    private void Apply(Simulator simulator, Place path, Budget left)
    {
        var decision = path.Decision;
        var process = simulator.Processes[decision.Process];
        var (changes, acknowledged) = (process.Storage is { Pending: [{ Changes: true }, ..] }, process.Acknowledged);
        Repeat(simulator, decision);
        if (!changes || left.Crashes == 0 || decision.Kind != DecisionKind.Go) return;
        var after = left with { Crashes = left.Crashes - 1 };
        var state = after.Mix(simulator.FingerprintIfDead(process, acknowledged));
        if (!IsSeen(state, after)) Push(new Branch(path with { Decision = decision with { Kind = DecisionKind.CrashAfter } }, after, state));
    }

    private void Push(Branch branch) => _open.Enqueue(branch, (-branch.Left.Switches, --_branches));

    private bool IsSeen(ulong state, Budget left) => _seen.TryGetValue(state, out var most) && most >= left.Switches;

    private bool See(ulong state, Budget left)
    {
        if (IsSeen(state, left)) return false;
        _seen[state] = left.Switches;
        return true;
    }

    private static List<(Decision Decision, Budget Left)> Options(Simulator simulator, Budget left)
    {
        var options = new List<(Decision, Budget)>();
        var current = left.Current >= 0 && simulator.Processes[left.Current].HasWork ? left.Current : -1;
        foreach (var process in simulator.Processes)
        {
            if (!process.HasWork) continue;
            var after = left with { Current = process.Index };
            if (current >= 0 && current != process.Index)
            {
                if (left.Switches == 0) continue;
                after = after with { Switches = left.Switches == int.MaxValue ? int.MaxValue : left.Switches - 1 };
            }

            var call = process.Storage is { Pending: [var first, ..] } ? first : null;
            var goes = (new Decision(call is null && !process.CanBegin ? DecisionKind.Fire : DecisionKind.Go, process.Index), after);
            if (process.Index == current) options.Insert(0, goes); // without a switch first
            else options.Add(goes);
            if (call is null) continue;
            if (left.LostAnswers > 0 && call.Changes) options.Add((new Decision(DecisionKind.LoseAnswer, process.Index), after with { LostAnswers = left.LostAnswers - 1 }));
            if (left.Crashes > 0) options.AddRange(Crashes(process, call).Select(c => (c, after with { Crashes = left.Crashes - 1 })));
        }

        return options;
    }

    // A death behind a read is one behind the change before it: nobody can tell. So: at the beginning of a step, and in and (see above) behind each change.
    private static IEnumerable<Decision> Crashes(SimProcess process, StorageCall call)
    {
        if (process.CallsOfStep == 0) yield return new Decision(DecisionKind.Crash, process.Index);
        if (call is not { Kind: CallKind.Append, Size: > 1 }) yield break;
        yield return new Decision(DecisionKind.CrashTorn, process.Index, call.Size / 2);
        yield return new Decision(DecisionKind.CrashTorn, process.Index, call.Size - 1); // all but the newline
    }

    /// <summary>How a state was reached.</summary>
    private sealed record Place(Place? Before, Decision Decision);

    /// <summary>A way that is still to be gone: where to, what may still go wrong there, and the state it leads to, if that is known.</summary>
    private sealed record Branch(Place? Path, Budget Left, ulong? State);

    /// <summary>What may still go wrong, and who was last.</summary>
    private sealed record Budget(int Crashes, int Switches, int LostAnswers, int Current)
    {
        // Who was last matters only while switches are counted.
        public ulong Mix(ulong state) =>
            Hashing.Add(Hashing.Add(state, (ulong)((Crashes * 16) + LostAnswers)), Switches == int.MaxValue ? ulong.MaxValue : (ulong)(Current + 1));
    }
}
