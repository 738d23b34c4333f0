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
/// <param name="Races">How often others may be first in one step (<see cref="StepRun.LostRaces"/>); who loses more often than that is not followed further.</param>
/// <param name="MostStates">How many states at most.</param>
/// <param name="IsFull">Whether it goes through all orders, also of what is the same in any.</param>
internal sealed record ExploreLimits(int Crashes = 0, int Switches = int.MaxValue, int LostAnswers = 0, int Races = int.MaxValue, int MostStates = 2_000_000, bool IsFull = false);

/// <summary>
/// Goes through all interleavings of a program at the granularity of storage calls. Where ways part it keeps a copy of the simulator, from which the
/// others go on; a state that was reached before is not gone on from. States are equal if the disk is and each process stands where it did (<see cref="SimProcess.Fingerprint"/>). Of
/// two processes, orders that nobody can tell apart are gone through once (see <see cref="View"/>).
/// </summary>
internal sealed class Explorer(SimProgram program, ExploreLimits limits)
{
    private const int MostOpenWithCopies = 500_000;
    private readonly Dictionary<ulong, Reached> _reached = [];
    private readonly HashSet<ulong> _ends = [];
    private readonly EngineRecords? _records = limits.IsFull ? null : new EngineRecords();
    // Those with the most switches left first, of those the newest.
    private readonly PriorityQueue<Branch, (int, long)> _open = new();
    private bool _reduces;
    private long _branches;

    /// <summary>How the storage breaks its contract.</summary>
    public DiskDefect Defect { get; init; }

    public long States => _reached.Count;

    /// <summary>Ways that were gone, each to its end or to a state that was reached before, and those that were looked along.</summary>
    public long Runs { get; private set; }

    /// <summary>Places at which the engine itself was asked what it does; 0: it was asked at all.</summary>
    public int Moves => _records?.Count ?? 0;

    /// <summary>The states in which nobody has anything left to do.</summary>
    public IReadOnlySet<ulong> Ends => _ends;

    /// <summary>States that were not gone on from, because somebody had lost too many races.</summary>
    public long Cut { get; private set; }

    /// <summary>Whether all states were looked at.</summary>
    public bool IsComplete { get; private set; }

    public TimeSpan Elapsed { get; private set; }

    public SimResult? Failure { get; private set; }

    public void Run()
    {
        var watch = Stopwatch.StartNew();
        _reduces = CanReduce();
        Push(new Branch(null, null, new Budget(limits.Crashes, limits.Switches, limits.LostAnswers, -1), View.Unknown, null));
        while (_open.Count > 0 && Failure is null && _reached.Count < limits.MostStates)
        {
            var branch = _open.Dequeue();
            if (branch.State is not { } state || !IsReached(state, branch.Left)) Follow(branch);
        }

        IsComplete = _open.Count == 0;
        Elapsed = watch.Elapsed;
    }

    // While switches are counted, another order of the same transitions may need more of them. Footprints know the steps of small programs, and no history that is kept.
    private bool CanReduce() =>
        !limits.IsFull && limits is { Switches: int.MaxValue, LostAnswers: 0 } && Defect != DiskDefect.LosesAppends && program.Settings.Retention == 0 &&
        program.Processes.Count == 2 && program.Processes.All(p => p.Role == Role.Agent && p.Steps.All(s => SmallPrograms.Kinds.Contains(s.Kind)));

    private void Follow(Branch branch)
    {
        Runs++;
        var (path, left, view) = (branch.Path, branch.Left, branch.View);
        var simulator = branch.From?.Copy() ?? new Simulator(program, new SimOptions { Defect = Defect, Records = _records });
        try
        {
            if (branch.From is null) Repeat(simulator, path?.Before);
            if (path is not null) view = Apply(simulator, branch.From, path, left, view);
            while (Reach(left.Mix(simulator.Fingerprint()), left, view.Asleep, out var only))
            {
                if (simulator.Processes.Exists(p => p.Running?.LostRaces > limits.Races))
                {
                    Cut++;
                    return;
                }

                if (!simulator.Processes.Exists(p => p.HasWork))
                {
                    if (_ends.Add(left.Mix(simulator.Fingerprint()))) Ending.Run(simulator);
                    return;
                }

                if (only != View.Nobody) view = view with { Asleep = View.Nobody };
                else if (view.Asleep != View.Nobody) only = 1 - view.Asleep;
                else if (_reduces && simulator.Processes.TrueForAll(p => p.HasWork)) (only, view) = WhoIsEnough(simulator, path, left, view);
                if (Failure is not null) return; // who looked ahead found it
                var options = Options(simulator, left, only);
                if (options.Count == 0) return; // only who is asleep has anything left to do
                var first = options[0];
                var from = options.Count > 1 ? Keep(simulator) : null;
                for (var i = options.Count - 1; i > 0; i--)
                {
                    var option = options[i];
                    var then = !IsLiving(option.Decision) ? View.Unknown : view[first.Decision.Process] is null ? view : view with { Asleep = first.Decision.Process };
                    Push(new Branch(from, new Place(path, option.Decision), option.Left, then, option.State));
                }

                (path, left) = (new Place(path, first.Decision), first.Left);
                view = Apply(simulator, from, path, left, view);
            }
        }
        catch (InvariantViolation violation)
        {
            Failure ??= Confirmed(new SimResult(program, Decisions(path), violation, simulator));
        }
    }

    // Which of two processes it is enough to let go on; nobody: both have to.
    private (int Process, View View) WhoIsEnough(Simulator simulator, Place? path, Budget left, View view)
    {
        // The next race that such a process loses ends the path: what the other may still do would be left out.
        List<int> candidates = [.. simulator.Processes.Where(p => p.Running is null || p.Running.LostRaces < limits.Races).Select(p => p.Index).OrderBy(i => i != left.Current)];
        foreach (var index in candidates)
            if (view.IsEnough(index) is true) return (index, view);
        foreach (var index in candidates)
        {
            if (view[index] is null) view = view.With(index, LookAhead(simulator, path, left, index));
            if (view.IsEnough(index) is null) view = view.With(1 - index, LookAhead(simulator, path, left, 1 - index));
            if (view.IsEnough(index) is true) return (index, view);
        }

        return (View.Nobody, view);
    }

    // Lets a process go on alone, in a copy. Null: that violates something.
    private Alone? LookAhead(Simulator from, Place? path, Budget left, int index)
    {
        Runs++;
        var simulator = from.Copy();
        var decisions = Decisions(path).ToList();
        var transitions = new List<Footprint>();
        try
        {
            var process = simulator.Processes[index];
            while (process.HasWork && !(process.Running?.LostRaces > limits.Races))
            {
                decisions.Add(Goes(process));
                transitions.Add(Footprint.Of(simulator, process, left.Crashes > 0, () => Repeat(simulator, decisions[^1])));
            }
        }
        catch (InvariantViolation violation)
        {
            Failure ??= Confirmed(new SimResult(program, decisions, violation, simulator));
            return null;
        }

        return new Alone(transitions, 0, transitions.Count, IsWhole: true);
    }

    // What was found by records must be what the engine itself does.
    private SimResult Confirmed(SimResult failure)
    {
        if (_records is null) return failure;
        var again = SimResult.Of(program, new Replay(failure.Decisions), new SimOptions { Defect = Defect });
        return again.Violation is not null ? again : failure with { Violation = new InvariantViolation(Invariant.L3Deterministic, $"the engine itself does not violate this: {failure.Violation!.Message}") };
    }

    private static Decision[] Decisions(Place? path)
    {
        var decisions = new List<Decision>();
        for (; path is not null; path = path.Before) decisions.Add(path.Decision);
        decisions.Reverse();
        return [.. decisions];
    }

    private static void Repeat(Simulator simulator, Place? path)
    {
        Prelude.Run(simulator);
        foreach (var decision in Decisions(path)) Repeat(simulator, decision);
    }

    private static void Repeat(Simulator simulator, Decision decision)
    {
        if (!simulator.TryApply(decision)) throw new InvariantViolation(Invariant.L3Deterministic, $"{decision} cannot be repeated");
    }

    // What other ways from here go on from. Null: they go from the start, for an engine that runs itself cannot be copied, and each copy takes some 6 KB.
    private Simulator? Keep(Simulator simulator) => _records is null || _open.Count > MostOpenWithCopies ? null : simulator.Copy();

    // The last decision of a path; from: what was kept of the place before it, if anything. Behind a change its process may die: that is a path of its own, if it leads to a
    // state that was not reached.
    private View Apply(Simulator simulator, Simulator? from, Place path, Budget left, View view)
    {
        var decision = path.Decision;
        var process = simulator.Processes[decision.Process];
        var mayDie = left.Crashes > 0 && decision.Kind == DecisionKind.Go && process.Storage is { Pending: [{ Changes: true }, ..] };
        if (mayDie) from ??= Keep(simulator);
        var acknowledged = process.Acknowledged;
        if (_reduces && IsLiving(decision)) view = view.After(decision.Process, Footprint.Of(simulator, process, left.Crashes > 0, () => Repeat(simulator, decision)));
        else Repeat(simulator, decision);
        if (!mayDie) return view;
        var after = left with { Crashes = left.Crashes - 1 };
        if (StateIfDead(simulator, process, acknowledged, after) is { } state)
            Push(new Branch(from, path with { Decision = decision with { Kind = DecisionKind.CrashAfter } }, after, View.Unknown, state));
        return view;
    }

    // The state behind a death; null: it was reached already.
    private ulong? StateIfDead(Simulator simulator, SimProcess process, int acknowledged, Budget after)
    {
        var state = after.Mix(simulator.FingerprintIfDead(process, acknowledged));
        return IsReached(state, after) ? null : state;
    }

    private void Push(Branch branch) => _open.Enqueue(branch, (-branch.Left.Switches, --_branches));

    private bool IsReached(ulong state, Budget left) => _reached.TryGetValue(state, out var reached) && reached.Switches >= left.Switches && reached.Asleep == View.Nobody;

    // False: there is nothing new behind the state. Only: what is new is what this process does; nobody: what any does who is not asleep.
    private bool Reach(ulong state, Budget left, int asleep, out int only)
    {
        only = View.Nobody;
        if (!_reached.TryGetValue(state, out var reached) || reached.Switches < left.Switches)
        {
            _reached[state] = new Reached(left.Switches, asleep);
            return true;
        }

        if (reached.Asleep == View.Nobody || reached.Asleep == asleep) return false;
        only = reached.Asleep;
        _reached[state] = reached with { Asleep = View.Nobody };
        return true;
    }

    private static bool IsLiving(Decision decision) => decision.Kind is DecisionKind.Go or DecisionKind.Fire;

    private static Decision Goes(SimProcess process) =>
        new(process.CanBegin || process.Storage is { Pending.Count: > 0 } ? DecisionKind.Go : DecisionKind.Fire, process.Index);

    private List<Option> Options(Simulator simulator, Budget left, int only)
    {
        var options = new List<Option>();
        var current = left.Current >= 0 && simulator.Processes[left.Current].HasWork ? left.Current : -1;
        foreach (var process in simulator.Processes)
        {
            if (!process.HasWork || (only != View.Nobody && process.Index != only)) continue;
            var after = left with { Current = process.Index };
            if (current >= 0 && current != process.Index)
            {
                if (left.Switches == 0) continue;
                after = after with { Switches = left.Switches == int.MaxValue ? int.MaxValue : left.Switches - 1 };
            }

            var goes = new Option(Goes(process), after, null);
            if (process.Index == current) options.Insert(0, goes); // without a switch first
            else options.Add(goes);
            if (process.Storage is not { Pending: [var call, ..] }) continue;
            if (left.LostAnswers > 0 && call.Changes) options.Add(new Option(new Decision(DecisionKind.LoseAnswer, process.Index), after with { LostAnswers = left.LostAnswers - 1 }, null));
            if (left.Crashes > 0) AddCrashes(options, simulator, process, call, after with { Crashes = left.Crashes - 1 });
        }

        return options;
    }

    // A death behind a read is one behind the change before it, unless others can tell by its locks. So: at the beginning of a step, and in and (see above) behind each change.
    private void AddCrashes(List<Option> options, Simulator simulator, SimProcess process, StorageCall call, Budget after)
    {
        if ((process.CallsOfStep == 0 || program.Settings.HoldsWriters) && StateIfDead(simulator, process, process.Acknowledged, after) is { } state)
            options.Add(new Option(new Decision(DecisionKind.Crash, process.Index), after, state));
        if (call is not { Kind: CallKind.Append, Size: > 1 }) return;
        options.Add(new Option(new Decision(DecisionKind.CrashTorn, process.Index, call.Size / 2), after, null));
        options.Add(new Option(new Decision(DecisionKind.CrashTorn, process.Index, call.Size - 1), after, null)); // all but the newline
    }

    /// <summary>How a state was reached.</summary>
    private sealed record Place(Place? Before, Decision Decision);

    /// <summary>What may happen next, what may go wrong then, and the state it leads to, if that is known.</summary>
    private readonly record struct Option(Decision Decision, Budget Left, ulong? State);

    /// <summary>
    /// A way that is still to be gone: a simulator that stands before its last step, if one is kept (others go on from it too: it is copied, and never goes on itself), where to,
    /// what may still go wrong there, what is known before its last step, and the state it leads to, if that is known.
    /// </summary>
    private sealed record Branch(Simulator? From, Place? Path, Budget Left, View View, ulong? State);

    /// <summary>A state that was reached: the most switches that were left then, for with fewer there is nothing new behind it; and who was asleep.</summary>
    private readonly record struct Reached(int Switches, int Asleep);

    /// <summary>What may still go wrong, and who was last.</summary>
    private sealed record Budget(int Crashes, int Switches, int LostAnswers, int Current)
    {
        // Who was last matters only while switches are counted.
        public ulong Mix(ulong state) =>
            Hashing.Add(Hashing.Add(state, (ulong)((Crashes * 16) + LostAnswers)), Switches == int.MaxValue ? ulong.MaxValue : (ulong)(Current + 1));
    }
}
