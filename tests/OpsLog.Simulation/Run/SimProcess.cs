using OpsLog.Simulation.Disk;
using OpsLog.Simulation.Model;
using OpsLog.Simulation.Programs;

namespace OpsLog.Simulation.Run;

/// <summary>A simulated process: runs the steps of its plan one after the other, on one opening of the store after the other.</summary>
internal sealed class SimProcess
{
    private const int MostBeside = 2;
    private static readonly Step s_close = new(StepKind.Close, -1, []);
    private readonly SimProgram _program;
    private SimTime _time;
    private IEngine _engine;
    private PlaceRandom _names;
    private int _openings;
    private int _failedOpenings;
    private Role? _becomes; // once it is closed
    private Dictionary<string, ulong> _met = new(StringComparer.Ordinal); // how far it has read or written each object; and the sum of it
    private ulong _sumOfMet;
    private ulong _failures;
    private ulong _answers;
    private long _newest; // version of the manifest that it has read or written

    public SimProcess(int index, ProcessPlan plan, SimProgram program, SimTime time, EngineRecords? records)
    {
        (Index, Plan, Role, _program, _time) = (index, plan, plan.Role, program, time);
        _names = new PlaceRandom(index);
        _engine = records is null ? new Engine(this, NewPlace) : new RecordedEngine(this, records);
    }

    public int Index { get; }

    public string Name => $"P{Index}";

    public ProcessPlan Plan { get; }

    public Role Role { get; private set; }

    /// <summary>What it sees of the disk; null while it has no opening.</summary>
    public SimStorage? Storage { get; private set; }

    public SimClock? Clock { get; private set; }

    /// <summary>What its opening shows; null while it has none.</summary>
    public IOpenStore? Store => _engine.Store;

    /// <summary>The step that it waits for before it goes on with the next; see <see cref="UnderWay"/>.</summary>
    public StepRun? Running { get; private set; }

    /// <summary>All steps that have begun and not ended: what it waits for, and what runs beside. Replaced, never changed.</summary>
    public IReadOnlyList<StepRun> UnderWay { get; private set; } = [];

    /// <summary>The steps it has begun.</summary>
    public List<StepRun> Runs { get; private set; } = [];

    public int NextStep { get; private set; }

    /// <summary>What it has seen of each record, in this opening: it must never show less.</summary>
    public Dictionary<string, LoggedOperation> Seen { get; private set; } = new(StringComparer.Ordinal);

    /// <summary>The largest clock that it has written.</summary>
    public long LastClock { get; set; }

    /// <summary>A call of this opening was made to fail.</summary>
    public bool WasHit { get; set; }

    /// <summary>A call of somebody's earlier opening happened since this one began: perhaps behind what it had read.</summary>
    public bool MayBeLate { get; set; }

    /// <summary>The store must be opened again before it takes writes.</summary>
    public bool MustReopen { get; set; }

    /// <summary>It stops in the middle of feeds.</summary>
    public bool StopsFeeds => _program.Settings.StopsFeeds;

    /// <summary>What this process has read from its feed so far.</summary>
    public FeedReading Feed { get; set; } = new();

    /// <summary>The storage calls that its step has been answered.</summary>
    public int CallsOfStep { get; private set; }

    /// <summary>It has died for good.</summary>
    public bool HasGivenUp { get; private set; }

    /// <summary>A storage call of it waits for its turn.</summary>
    public bool Waits => Storage is { Pending.Count: > 0 };

    public bool HasWork => UnderWay.Count > 0 || NextStep < Plan.Steps.Count;

    /// <summary>Goes on without waiting for a storage call or a timer.</summary>
    public bool CanBegin => Running is null && NextStep < Plan.Steps.Count && (UnderWay.Count == 0 || (Store is not null && UnderWay.Count <= MostBeside));

    /// <summary>A copy that goes on as this one, in the middle of its step too.</summary>
    /// <param name="disk">The copy of the disk.</param>
    /// <param name="time">The copy of the time.</param>
    public SimProcess Copy(SimDisk disk, SimTime time)
    {
        if (_engine is not RecordedEngine engine) throw new InvalidOperationException("What an engine is doing cannot be copied, only what is recorded of it.");
        var copy = (SimProcess)MemberwiseClone();
        (copy._time, copy._names, copy._met, copy._engine) = (time, _names.Copy(), new(_met, StringComparer.Ordinal), engine.Copy(copy));
        (copy.Seen, copy.Feed, copy.Runs) = (new(Seen, StringComparer.Ordinal), Feed.Copy(), Runs.ConvertAll(run => run.Copy(copy)));
        (copy.Storage, copy.Clock) = (Storage?.Copy(disk, copy), Clock is null ? null : copy.NewClock());
        if (Running is null) return copy;
        copy.Running = copy.Runs[^1];
        copy.UnderWay = [copy.Running];
        copy.Running.Task = copy._engine.RunAsync(copy.Running);
        return copy;
    }

    /// <summary>Begins the next thing it has to do: its step, or the opening or closing that the step needs.</summary>
    public StepRun Begin(Simulator simulator)
    {
        var step = Plan.Steps[NextStep];
        if (MustReopen && Store is not null) step = s_close;
        else if (Store is null && !step.IsClosing) step = Step.Opening;
        else NextStep++;
        return Begin(step, simulator);
    }

    /// <summary>Begins a step.</summary>
    public StepRun Begin(Step step, Simulator simulator)
    {
        if (step.Kind == StepKind.Open) NewOpening(simulator);
        CallsOfStep = 0;
        _answers = Met();
        _names.Restart();
        var run = new StepRun(step, this, Storage?.Opening ?? -1) { IsOverlapped = UnderWay.Count > 0 };
        foreach (var other in UnderWay) (other.IsOverlapped, other.WasClosedOver) = (true, step.IsClosing);
        if (!step.IsBeside) Running = run;
        UnderWay = [.. UnderWay, run];
        Runs.Add(run);
        simulator.Checker.Begins(run);
        run.Task = _engine.RunAsync(run);
        return run;
    }

    /// <summary>A step has ended; leaves the process as it is between steps.</summary>
    public void EndStep(StepRun run)
    {
        UnderWay = [.. UnderWay.Where(r => r != run)];
        if (Running == run) Running = null;
        _answers = 0;
        switch (run.Step.Kind)
        {
            case StepKind.Open when Store is null:
                Drop();
                // A step whose opening keeps failing is given up.
                if (++_failedOpenings >= 2) NextStep++;
                break;
            case StepKind.Open:
                _failedOpenings = 0;
                break;
            case StepKind.BecomeAgent or StepKind.BecomeSingle or StepKind.BecomeReader:
                _becomes = run.Step.Kind switch { StepKind.BecomeAgent => Role.Agent, StepKind.BecomeSingle => Role.Single, _ => Role.Reader };
                break;
        }

        // What still runs on an opening that is closed is answered to its end.
        if (run.Step.IsClosing) _engine.Leave();
        if (Store is not null || UnderWay.Count > 0) return;
        Role = _becomes ?? Role;
        Leave();
    }

    /// <summary>Dies: whatever it had in memory is gone.</summary>
    public void Die()
    {
        foreach (var run in UnderWay) run.End = StepEnd.Died;
        (Running, UnderWay) = (null, []);
        Leave();
    }

    /// <summary>It does nothing more.</summary>
    public void GiveUp() => (NextStep, HasGivenUp) = (Plan.Steps.Count, true);

    /// <summary>It is told the end of a storage call.</summary>
    public void Observe(StorageCall call, bool failed)
    {
        if (_program.Prelude is null) return;
        CallsOfStep++;
        var names = _names.Base;
        if (call.Key.Value == ObjectNames.Manifest && !failed) names = ObserveManifest(call);
        _names.Base = names;
        var found = failed || call.IsStaleLook ? ulong.MaxValue : call.Found();
        _answers = Hashing.Add(Hashing.Add(_answers, call.Intent()), found);
        if (failed) _failures = Hashing.Add(_failures, call.Intent());
        else if (call is { Kind: not CallKind.List, IsConflict: true } && ObjectNames.KindOf(call.Key.Value) is ObjectKind.Log or ObjectKind.Piece)
            Meet(call.Key.Value, Hashing.Add(found, call.Intent())); // what it could not write it remembers
        else if (call is { Kind: not CallKind.List, IsConflict: false, IsStaleLook: false }) Meet(call.Key.Value, found);
    }

    private void Meet(string key, ulong found)
    {
        var met = Hashing.Of(key, found);
        _sumOfMet += met - _met.GetValueOrDefault(key);
        _met[key] = met;
    }

    // What random names follow from then.
    private ulong ObserveManifest(StorageCall call)
    {
        var version = Storage!.Version(ObjectNames.Manifest) ?? 0;
        if (call.IsLook) call.IsStaleLook = version > _newest;
        else if (call.IsConflict) return Hashing.Mix(_names.Base);
        else return (ulong)(_newest = version);
        return _names.Base;
    }

    /// <summary>
    /// Where it stands, as one number: how far it has read or written each object, and within a step how far it had when that began, and each answer since. With equal numbers
    /// it goes on alike on equal disks, for between steps its state is a function of what was read, not of the order; and as much is asked of it.
    /// </summary>
    public ulong Fingerprint()
    {
        if (HasGivenUp) return FingerprintOfDead(Acknowledged);
        var flags = (Running is null ? 0 : 1) + (Store is null ? 0 : 2) + (MustReopen ? 4 : 0) + (WasHit ? 8 : 0) + ((int)Role * 16);
        var hash = Hashing.Add(Hashing.Add(Hashing.Add(Hashing.Add(Hashing.Add(_answers, _failures), _names.Base), (ulong)NextStep), (ulong)_openings), (ulong)flags);
        hash = Hashing.Add(hash, Met());
        if (Storage is not null) foreach (var call in Storage.Pending) hash = Hashing.Add(hash, call.Intent());
        return Hashing.Add(hash, Sum(Seen) + (Running is { } run ? Hashing.Mix(Sum(run.Before)) + (ulong)run.LostRaces : 0));
    }

    /// <summary>What its random names follow from; see <see cref="PlaceRandom.Base"/>.</summary>
    public ulong Names => _names.Base;

    /// <summary>
    /// Where its engine stands within its step, as one number: with equal ones it does the same next. As <see cref="Fingerprint"/>, without what only the checks know.
    /// </summary>
    public ulong Standing(StepRun run)
    {
        var step = Hashing.Add(Hashing.Add((ulong)run.Step.Kind, (ulong)run.Step.Number), (ulong)((int)Role * 2) + (Store is null ? 0u : 1u));
        var hash = Hashing.Add(Hashing.Add(Hashing.Add(Hashing.Add(_answers, _failures), _names.Base), (ulong)_openings), step);
        return Hashing.Of(Plan.AgentId, Hashing.Add(hash, Met()));
    }

    /// <summary>Of the dead only what is asked of them at the end: which of their steps were acknowledged.</summary>
    public ulong FingerprintOfDead(int acknowledged) => Hashing.Add((ulong)Index, (ulong)acknowledged);

    /// <summary>How many of its steps were.</summary>
    public int Acknowledged => Runs.Count(r => r.End == StepEnd.Done);

    /// <summary>How far it has read or written each object, as one number.</summary>
    private ulong Met() => Hashing.Add(_sumOfMet, (ulong)Index);

    private static ulong Sum(Dictionary<string, LoggedOperation> operations)
    {
        ulong sum = 0;
        foreach (var operation in operations.Values) sum += Hashing.Of(operation.Stamp.Log, Hashing.Of(operation.Id, (ulong)operation.Stamp.Clock));
        return sum;
    }

    private void NewOpening(Simulator simulator)
    {
        _openings++;
        Clock = NewClock();
        Storage = new SimStorage(simulator.Disk, this, simulator.NextOpening());
        (WasHit, MayBeLate, MustReopen, _failures, _newest, _names.Base, _sumOfMet) = (false, false, false, 0, 0, 0, 0);
        _met.Clear();
        Seen.Clear();
    }

    private SimClock NewClock() => new(_time, TimeSpan.FromSeconds(Plan.SkewSeconds));

    private Place NewPlace()
    {
        var seed = Hashing.Add(Hashing.Add(_program.Seed, (ulong)Index), (ulong)_openings);
        return new Place(Storage!, Clock!, _program.Prelude is null ? new Random((int)seed) : _names);
    }

    private void Leave()
    {
        _engine.Leave();
        (MustReopen, _becomes) = (false, null);
        Drop();
    }

    private void Drop()
    {
        Storage?.Die();
        (Storage, Clock) = (null, null);
        Seen.Clear();
    }

    /// <summary>The options of an opening.</summary>
    public OpsStoreOptions Options(TimeProvider clock, Random random)
    {
        var settings = _program.Settings;
        return new OpsStoreOptions
        {
            AgentId = Role == Role.Agent ? Plan.AgentId : null,
            ReadOnly = Role == Role.Reader,
            Durability = settings.Durability,
            HistoryRetention = settings.HistoryRetention,
            TimeProvider = clock,
            Random = random,
            Checkpoint = new CheckpointOptions
            {
                Automatic = settings.AutomaticCheckpoints,
                Growth = 0.5,
                MinimumBytes = 0,
                MinimumOperations = 4,
                GracePeriod = settings.GracePeriod,
                SilentAfter = settings.SilentAfter,
            },
        };
    }
}

/// <summary>How far a consumer has read a feed, and what it got. It outlives crashes of its process.</summary>
internal sealed class FeedReading
{
    public FeedPosition Position { get; set; }

    public HashSet<SimStamp> Stamps { get; private init; } = [];

    /// <summary>The largest clock that came from each log.</summary>
    public Dictionary<string, long> Clocks { get; private init; } = new(StringComparer.Ordinal);

    public FeedReading Copy() => new() { Position = Position, Stamps = [.. Stamps], Clocks = new(Clocks, StringComparer.Ordinal) };

    public void StartOver()
    {
        Position = default;
        Stamps.Clear();
        Clocks.Clear();
    }
}
