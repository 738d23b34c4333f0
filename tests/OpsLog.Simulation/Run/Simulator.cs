using OpsLog.Simulation.Disk;
using OpsLog.Simulation.Model;
using OpsLog.Simulation.Programs;
using OpsLog.Storage;

namespace OpsLog.Simulation.Run;

/// <summary>How a run is looked at.</summary>
internal sealed record SimOptions
{
    /// <summary>Gets a line for everything that happens; null: nobody asks.</summary>
    public Action<string>? Trace { get; init; }

    /// <summary>How the storage breaks its contract.</summary>
    public DiskDefect Defect { get; init; }

    /// <summary>A real storage on which everything happens as well; null: none.</summary>
    public IDiskMirror? Mirror { get; init; }

    /// <summary>What the engine did in other runs of the same program, to be done again; null: it runs itself. Only where time stands still, and steps are run one at a time.</summary>
    public EngineRecords? Records { get; init; }
}

/// <summary>
/// One run of a program under a schedule, on one thread: nothing runs but what a decision lets run, so the same program and decisions give the same run.
/// </summary>
internal sealed class Simulator
{
    private const int MostCallsOfAStep = 4000;
    private readonly SimOptions _options;
    private readonly SimTime _time;
    private readonly List<StorageCall> _delayed = [];
    private int _openings;
    private int _callsOfStep;

    public Simulator(SimProgram program, SimOptions options)
    {
        (Program, _options) = (program, options);
        _time = new SimTime { StandsStill = program.Prelude is not null };
        Auditor = new Auditor { Disk = () => Disk!, Records = options.Records };
        Disk = new SimDisk(program.Settings.Append, program.Settings.HoldsWriters, options.Defect) { Watcher = Auditor, Mirror = options.Mirror, Now = SimTime.Start };
        Checker = new Checker(this);
        for (var i = 0; i < program.Processes.Count; i++) Processes.Add(new SimProcess(i, program.Processes[i], program, _time, options.Records));
    }

    private Simulator(Simulator original)
    {
        (Program, _options, _openings, _callsOfStep, Calls) = (original.Program, original._options, original._openings, original._callsOfStep, original.Calls);
        _time = original._time.Copy();
        Auditor = original.Auditor.Copy(() => Disk!);
        Disk = original.Disk.Copy(Auditor);
        Checker = original.Checker.Copy(this);
        Processes = original.Processes.ConvertAll(process => process.Copy(Disk, _time));
    }

    public SimProgram Program { get; }

    public SimDisk Disk { get; }

    public Auditor Auditor { get; }

    public Checker Checker { get; }

    public List<SimProcess> Processes { get; } = [];

    /// <summary>The calls that went unanswered and may still happen.</summary>
    public int Delayed => _delayed.Count;

    public int Calls { get; private set; }

    public int PowerLosses { get; private set; }

    public bool IsTracing => _options.Trace is not null;

    public int NextOpening() => ++_openings;

    /// <summary>
    /// A copy that goes on as this one, and shares nothing with it that changes. Only where what engines do is recorded (<see cref="SimOptions.Records"/>), no call is delayed,
    /// and the power was never lost.
    /// </summary>
    public Simulator Copy() => _delayed.Count == 0 && PowerLosses == 0 && _options.Mirror is null ? new Simulator(this) : throw new InvalidOperationException("This cannot be copied.");

    /// <summary>Lets a decision happen.</summary>
    /// <returns>False if it makes no sense here; nothing has happened then.</returns>
    /// <exception cref="InvariantViolation">Something that must hold does not.</exception>
    public bool TryApply(Decision decision)
    {
        switch (decision.Kind)
        {
            case DecisionKind.Land:
                return TryLand(decision);
            case DecisionKind.Wait:
                Advance(TimeSpan.FromSeconds(decision.Argument));
                return true;
            case DecisionKind.PowerLoss:
                LosePower(decision);
                return true;
        }

        if ((uint)decision.Process >= (uint)Processes.Count) return false;
        var process = Processes[decision.Process];
        if (decision.Kind == DecisionKind.Turn) return TryTurn(process, decision.Argument);
        if (decision.Kind == DecisionKind.Go && process.CanBegin && !(decision.Argument > 0 && process.Waits))
        {
            Begin(process, null);
            return true;
        }

        if (decision.Kind == DecisionKind.Fire) return TryFire(process);
        if (process.Storage is not { } storage) return false;
        if (storage.Pending.Count > 0) return TryCall(process, storage, decision);
        if (decision.Kind is < DecisionKind.Crash or > DecisionKind.CrashDelayed) return false;
        Crash(process, "between calls");
        return true;
    }

    /// <summary>Runs everything to its end without faults, one process after the other.</summary>
    public void RunOut()
    {
        foreach (var process in Processes)
            while (process.HasWork) Advance(process);
    }

    /// <summary>Lets a process run a step that is not in its plan, to its end.</summary>
    public void Drive(SimProcess process, Step step)
    {
        Start(process, step);
        while (process.Running is not null) Advance(process);
    }

    /// <summary>Lets a process begin a step that is not in its plan.</summary>
    public void Start(SimProcess process, Step step) => Begin(process, step);

    /// <summary>The call or timer that a process waits for happens.</summary>
    public void Advance(SimProcess process)
    {
        if (!TryApply(new Decision(DecisionKind.Go, process.Index)) && !TryFire(process))
            throw new InvariantViolation(Invariant.L2Ends, $"{process.Running} waits for nothing");
    }

    /// <summary>Another process, for looking at what is there.</summary>
    public SimProcess Join(ProcessPlan plan)
    {
        var process = new SimProcess(Processes.Count, plan, Program, _time, _options.Records);
        Processes.Add(process);
        return process;
    }

    /// <summary>The whole state as one number: equal ones go on alike.</summary>
    public ulong Fingerprint() => Fingerprint(null, 0);

    /// <summary>The same, if a process had died for good just before its last call was answered.</summary>
    /// <param name="dead">Which.</param>
    /// <param name="acknowledged">How many of its steps had been acknowledged then.</param>
    public ulong FingerprintIfDead(SimProcess dead, int acknowledged) => Fingerprint(dead, acknowledged);

    private ulong Fingerprint(SimProcess? dead, int acknowledged)
    {
        var hash = Hashing.Add(Disk.Fingerprint(dead?.Storage), (ulong)_time.Now.Ticks);
        foreach (var process in Processes) hash = Hashing.Add(hash, process == dead ? dead.FingerprintOfDead(acknowledged) : process.Fingerprint());
        ulong operations = 0;
        foreach (var operation in Auditor.History.Operations) operations += Hashing.Of(operation.Stamp.Log, (ulong)operation.Stamp.Clock);
        return Hashing.Add(hash, operations);
    }

    public void Trace(string text) => _options.Trace?.Invoke(text);

    private void Begin(SimProcess process, Step? step)
    {
        _callsOfStep = 0;
        var run = step is null ? process.Begin(this) : process.Begin(step, this);
        if (IsTracing) Trace($"{process.Name} begins {run.Step}");
        Settle(process);
    }

    private bool TryFire(SimProcess process)
    {
        if (process.Clock?.Next is null || (process.Waits && process.UnderWay.Count < 2)) return false;
        RequireProgress(process);
        process.Clock.Fire();
        Disk.Now = _time.Now;
        if (IsTracing) Trace($"{process.Name} has waited until {_time.Now:HH:mm:ss.fff}");
        Settle(process);
        return true;
    }

    // Of the calls that wait, another one is the next to happen.
    private static bool TryTurn(SimProcess process, int index)
    {
        if (process.Storage is not { Pending: { Count: > 1 } pending }) return false;
        var call = pending[index % pending.Count];
        pending.Remove(call);
        pending.Insert(0, call);
        return true;
    }

    private bool TryCall(SimProcess process, SimStorage storage, Decision decision)
    {
        var call = storage.Pending[0];
        if (!Fits(decision, call)) return false;
        if (decision.Kind == DecisionKind.Reach)
        {
            call.Apply();
            call.HasHappened = true;
            if (IsTracing) Trace($"{process.Name}   {call}: {call.Result}; its answer is to come");
            return true;
        }

        storage.Pending.RemoveAt(0);
        Calls++;
        RequireProgress(process);
        if (decision.IsFault) Hit(process);
        try
        {
            Happen(call, decision);
        }
        finally
        {
            if (IsTracing) Trace($"{process.Name}   {call}: {Describe(decision, call)}");
        }

        switch (decision.Kind)
        {
            case DecisionKind.Hold:
                call.Refuse();
                call.Answer();
                break;
            case DecisionKind.Go:
                if (call.IsConflict && (call.Kind == CallKind.Append || call.Key.Value == ObjectNames.Manifest))
                    foreach (var run in call.Steps) run.LostRaces++;
                call.Answer();
                break;
            case DecisionKind.Fail:
                call.Throw(new StorageException(decision.Fault, $"{call.Kind} of {call.Key} failed (simulated)"));
                break;
            case DecisionKind.Break:
                call.Throw(new StorageException(StorageFault.Broken, $"{call.Kind} of {call.Key} broke (simulated)") { OutcomeUnknown = call.Changes });
                break;
            case DecisionKind.Crash or DecisionKind.CrashAfter or DecisionKind.CrashTorn or DecisionKind.CrashDelayed:
                Crash(process, $"in {call}");
                return true;
            default:
                call.Throw(new StorageException(StorageFault.Unavailable, $"{call.Kind} of {call.Key} went unanswered (simulated)") { OutcomeUnknown = true });
                break;
        }

        Settle(process);
        return true;
    }

    private static void Hit(SimProcess process)
    {
        process.WasHit = true;
        foreach (var run in process.UnderWay) run.WasHit = true;
    }

    private void RequireProgress(SimProcess process)
    {
        if (++_callsOfStep > MostCallsOfAStep * Processes.Count) throw new InvariantViolation(Invariant.L2Ends, $"{process.Running} has made thousands of storage calls, or waited as often, and does not end");
    }

    private bool Fits(Decision decision, StorageCall call) => decision.Kind switch
    {
        DecisionKind.Reach => call.Changes && !call.HasHappened,
        DecisionKind.Go or DecisionKind.Crash => true,
        DecisionKind.LoseAnswer => call.Changes,
        _ when call.HasHappened => false,
        DecisionKind.Tear or DecisionKind.CrashTorn => call.Kind == CallKind.Append && call.Size > 0,
        DecisionKind.CrashAfter => call.Changes,
        DecisionKind.Delay or DecisionKind.CrashDelayed => call.Changes && !Program.Settings.HoldsWriters,
        DecisionKind.Hold => call.Kind == CallKind.Put && call.Key.Value == ObjectNames.Manifest && Program.Settings.HoldsWriters,
        DecisionKind.Fail or DecisionKind.Break => true,
        _ => false,
    };

    // What becomes of the bytes.
    private void Happen(StorageCall call, Decision decision)
    {
        switch (decision.Kind)
        {
            case DecisionKind.Go or DecisionKind.LoseAnswer or DecisionKind.CrashAfter:
                if (!call.HasHappened) call.Apply();
                break;
            case DecisionKind.Tear or DecisionKind.CrashTorn:
                call.Apply(decision.Argument % call.Size);
                break;
            case DecisionKind.Delay or DecisionKind.CrashDelayed:
                _delayed.Add(call);
                break;
            case DecisionKind.Break when call.Kind == CallKind.Append && call.Size > 0 && decision.Argument % 3 > 0:
                call.Apply(decision.Argument % 3 == 1 ? decision.Argument % call.Size : call.Size);
                break;
        }
    }

    private static string Describe(Decision decision, StorageCall call) => decision.Kind switch
    {
        DecisionKind.Go => call.Result,
        DecisionKind.LoseAnswer or DecisionKind.CrashAfter => $"{call.Result}; {decision.Kind}",
        DecisionKind.Tear or DecisionKind.CrashTorn => $"{decision.Kind} after {decision.Argument % call.Size} bytes",
        DecisionKind.Fail => $"fails: {decision.Fault}",
        _ => decision.Kind.ToString(),
    };

    private bool TryLand(Decision decision)
    {
        if (_delayed.Count == 0) return false;
        var index = decision.Argument % _delayed.Count;
        var call = _delayed[index];
        _delayed.RemoveAt(index);
        call.Apply();
        foreach (var process in Processes) process.MayBeLate = true;
        if (IsTracing) Trace($"late: {call.Storage.Process.Name}'s {call}: {call.Result}");
        return true;
    }

    private void Advance(TimeSpan time)
    {
        _time.Now += time;
        Disk.Now = _time.Now;
        if (IsTracing) Trace($"it is {_time.Now:HH:mm:ss}");
    }

    private void Crash(SimProcess process, string where)
    {
        if (IsTracing) Trace($"{process.Name} dies {where}");
        process.Die();
        if (Program.Prelude is not null) process.GiveUp(); // others open the store at the end
    }

    private void LosePower(Decision decision)
    {
        PowerLosses++;
        Trace("power loss");
        var random = new SimRandom((ulong)decision.Argument);
        foreach (var process in Processes)
        {
            if (process.Storage is { Pending: [{ HasHappened: false } call, ..] } && random.Chance(400)) call.Apply(call.Kind == CallKind.Append && call.Size > 0 && random.Chance(500) ? random.Next(call.Size) : int.MaxValue);
            process.Die();
        }

        _delayed.Clear();
        var cut = new List<SimObject>();
        Disk.LosePower(ref random, cut.Add);
        if (IsTracing) foreach (var stored in cut) Trace($"{stored.Key} is left with {stored.Length} bytes");
        Auditor.PowerLost(cut);
        foreach (var process in Processes)
        {
            process.Feed.StartOver(); // it may have been given what is lost now
            process.LastClock = 0;
        }
    }

    // Between two decisions a process has ended its step, or waits for the simulator: anything else is another thread's work.
    private void Settle(SimProcess process)
    {
        if (HeldPool.IsHeld) HeldPool.RunWhatIsQueued();
        foreach (var run in process.UnderWay)
            if (run.Task.IsCompleted) End(run, process);
        if (process.UnderWay is not [var left, ..] || process.Waits || process.Clock!.Next is not null) return;
        throw new InvariantViolation(
            HeldPool.IsHeld ? Invariant.L2Ends : Invariant.L3Deterministic,
            $"{left} has neither ended nor waits for the storage or a timer: {(HeldPool.IsHeld ? "nothing will wake it" : "it went on to another thread")}");
    }

    private void End(StepRun run, SimProcess process)
    {
        run.Failure = run.Task.Exception?.InnerException;
        run.End = run.Failure switch
        {
            null => StepEnd.Done,
            OpsLogException { Error: OpsLogError.OutcomeUnknown } => StepEnd.Unknown,
            _ => StepEnd.Rejected,
        };
        if (IsTracing) Trace($"{process.Name} {(run.Failure is null ? $"ends {run.Step}{(run.Result is null ? "" : $": {run.Result}")}" : $"fails {run.Step}: {run.Failure.GetType().Name} {(run.Failure as OpsLogException)?.Error}: {run.Failure.Message}")}");
        if (run.Step.IsClosing && run.Failure is null && process is { UnderWay.Count: 1, Waits: true })
            throw new InvariantViolation(Invariant.L2Ends, $"{run} has ended, but its opening still waits for {process.Storage!.Pending[0]}");
        process.EndStep(run);
        if (run.Failure is null) Checker.Done(run);
        else if (run.Failure is OpsLogException failure) Checker.Failed(run, failure);
        else if (run.Failure is ObjectDisposedException && run.WasClosedOver) Checker.Refused(run);
        else throw new InvariantViolation(Invariant.L1Fails, $"{run} failed with something else than an OpsLogException: {run.Failure}");
    }
}
