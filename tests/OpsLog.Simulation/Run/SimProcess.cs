using System.Text.Json;
using OpsLog.Simulation.Disk;
using OpsLog.Simulation.Model;
using OpsLog.Simulation.Programs;

namespace OpsLog.Simulation.Run;

/// <summary>A simulated process: runs the steps of its plan one after the other, on one opening of the store after the other.</summary>
internal sealed class SimProcess(int index, ProcessPlan plan, SimProgram program, SimTime time)
{
    private const int MostBeside = 2;
    private static readonly Step s_close = new(StepKind.Close, -1, []);
    private int _openings;
    private int _failedOpenings;
    private Role? _becomes; // once it is closed
    private readonly Dictionary<string, ulong> _met = new(StringComparer.Ordinal);
    private ulong _failures;
    private ulong _answers;
    private long _newest; // version of the manifest that it has read or written
    private ulong _base; // of random names

    public int Index { get; } = index;

    public string Name { get; } = $"P{index}";

    public ProcessPlan Plan => plan;

    public Role Role { get; private set; } = plan.Role;

    /// <summary>What it sees of the disk; null while it has no opening.</summary>
    public SimStorage? Storage { get; private set; }

    public SimClock? Clock { get; private set; }

    public OpsStore<JsonElement>? Store { get; private set; }

    /// <summary>The step that it waits for before it goes on with the next; see <see cref="UnderWay"/>.</summary>
    public StepRun? Running { get; private set; }

    /// <summary>All steps that have begun and not ended: what it waits for, and what runs beside. Replaced, never changed.</summary>
    public IReadOnlyList<StepRun> UnderWay { get; private set; } = [];

    /// <summary>The steps it has begun.</summary>
    public List<StepRun> Runs { get; } = [];

    public int NextStep { get; private set; }

    /// <summary>What it has seen of each record, in this opening: it must never show less.</summary>
    public Dictionary<string, LoggedOperation> Seen { get; } = new(StringComparer.Ordinal);

    /// <summary>The largest clock that it has written.</summary>
    public long LastClock { get; set; }

    /// <summary>A call of this opening was made to fail.</summary>
    public bool WasHit { get; set; }

    /// <summary>A call of somebody's earlier opening happened since this one began: perhaps behind what it had read.</summary>
    public bool MayBeLate { get; set; }

    /// <summary>The store must be opened again before it takes writes.</summary>
    public bool MustReopen { get; set; }

    /// <summary>What this process has read from its feed so far.</summary>
    public FeedReading Feed { get; set; } = new();

    /// <summary>The storage calls that its step has been answered.</summary>
    public int CallsOfStep { get; private set; }

    /// <summary>It has died for good.</summary>
    public bool HasGivenUp { get; private set; }

    /// <summary>A storage call of it waits for its turn.</summary>
    public bool Waits => Storage is { Pending.Count: > 0 };

    public bool HasWork => UnderWay.Count > 0 || NextStep < plan.Steps.Count;

    /// <summary>Goes on without waiting for a storage call or a timer.</summary>
    public bool CanBegin => Running is null && NextStep < plan.Steps.Count && (UnderWay.Count == 0 || (Store is not null && UnderWay.Count <= MostBeside));

    /// <summary>Begins the next thing it has to do: its step, or the opening or closing that the step needs.</summary>
    public StepRun Begin(Simulator simulator)
    {
        var step = plan.Steps[NextStep];
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
        var run = new StepRun(step, this, Storage?.Opening ?? -1) { IsOverlapped = UnderWay.Count > 0 };
        foreach (var other in UnderWay) (other.IsOverlapped, other.WasClosedOver) = (true, step.IsClosing);
        if (!step.IsBeside) Running = run;
        UnderWay = [.. UnderWay, run];
        Runs.Add(run);
        simulator.Checker.Begins(run);
        run.Task = ExecuteAsync(run);
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
        if (run.Step.IsClosing) Store = null;
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
    public void GiveUp() => (NextStep, HasGivenUp) = (plan.Steps.Count, true);

    /// <summary>It is told the end of a storage call.</summary>
    public void Observe(StorageCall call, bool failed)
    {
        if (program.Prelude is null) return;
        CallsOfStep++;
        Draws = 0;
        if (call.Key.Value == ObjectNames.Manifest && !failed) ObserveManifest(call);
        var found = failed || call.IsStaleLook ? ulong.MaxValue : call.Found();
        _answers = Hashing.Add(Hashing.Add(_answers, call.Intent()), found);
        if (failed) _failures = Hashing.Add(_failures, call.Intent());
        else if (call is { Kind: not CallKind.List, IsConflict: false, IsStaleLook: false }) _met[call.Key.Value] = found;
    }

    private void ObserveManifest(StorageCall call)
    {
        var version = Storage!.Version(ObjectNames.Manifest) ?? 0;
        if (call.IsLook) call.IsStaleLook = version > _newest;
        else if (call.IsConflict) _base = Hashing.Mix(_base);
        else (_newest, _base) = (version, (ulong)version);
    }

    /// <summary>
    /// Where it stands, as one number: how far it has read or written each object, and within a step how far it had when that began, and each answer since. With equal numbers
    /// it goes on alike on equal disks, for between steps its state is a function of what was read, not of the order; and as much is asked of it.
    /// </summary>
    public ulong Fingerprint()
    {
        if (HasGivenUp) return FingerprintOfDead(Acknowledged);
        var flags = (Running is null ? 0 : 1) + (Store is null ? 0 : 2) + (MustReopen ? 4 : 0) + (WasHit ? 8 : 0) + ((int)Role * 16);
        var hash = Hashing.Add(Hashing.Add(Hashing.Add(Hashing.Add(Hashing.Add(_answers, _failures), _base), (ulong)NextStep), (ulong)_openings), (ulong)flags);
        hash = Hashing.Add(hash, Met());
        if (Storage is not null) foreach (var call in Storage.Pending) hash = Hashing.Add(hash, call.Intent());
        return Hashing.Add(hash, Sum(Seen) + (Running is { } run ? Hashing.Mix(Sum(run.Before)) + (ulong)run.LostRaces : 0));
    }

    /// <summary>Of the dead only what is asked of them at the end: which of their steps were acknowledged.</summary>
    public ulong FingerprintOfDead(int acknowledged) => Hashing.Add((ulong)Index, (ulong)acknowledged);

    /// <summary>How many of its steps were.</summary>
    public int Acknowledged => Runs.Count(r => r.End == StepEnd.Done);

    /// <summary>How far it has read or written each object, as one number.</summary>
    private ulong Met()
    {
        ulong met = 0;
        foreach (var (key, found) in _met) met += Hashing.Of(key, found);
        return Hashing.Add(met, (ulong)Index);
    }

    /// <summary>Random numbers drawn since the last storage call.</summary>
    private ulong Draws { get; set; }

    /// <summary>
    /// The next random number of a process of the exhaustive search. It follows from who draws, and from the version of the manifest on which the name that is made of it will be
    /// based: no process registers or reserves two names on one manifest, and ways that lead to the same place must lead to the same names.
    /// </summary>
    public ulong Draw() => Hashing.Add(Hashing.Add(_base, (ulong)Index), Draws++);

    private static ulong Sum(Dictionary<string, LoggedOperation> operations)
    {
        ulong sum = 0;
        foreach (var operation in operations.Values) sum += Hashing.Of(operation.Stamp.Log, Hashing.Of(operation.Id, (ulong)operation.Stamp.Clock));
        return sum;
    }

    private void NewOpening(Simulator simulator)
    {
        _openings++;
        Clock = new SimClock(time, TimeSpan.FromSeconds(plan.SkewSeconds));
        Storage = new SimStorage(simulator.Disk, this, simulator.NextOpening());
        (WasHit, MayBeLate, MustReopen, _failures, _newest, _base) = (false, false, false, 0, 0, 0);
        _met.Clear();
        Seen.Clear();
    }

    private void Leave()
    {
        Store = null;
        (MustReopen, _becomes) = (false, null);
        Drop();
    }

    private void Drop()
    {
        Storage?.Die();
        (Storage, Clock) = (null, null);
        Seen.Clear();
    }

    private OpsStoreOptions Options()
    {
        var settings = program.Settings;
        var seed = Hashing.Add(Hashing.Add(program.Seed, (ulong)Index), (ulong)_openings);
        return new OpsStoreOptions
        {
            AgentId = Role == Role.Agent ? plan.AgentId : null,
            ReadOnly = Role == Role.Reader,
            Durability = settings.Durability,
            HistoryRetention = settings.HistoryRetention,
            TimeProvider = Clock!,
            Random = program.Prelude is null ? new Random((int)seed) : new PlaceRandom(this),
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

    private async Task ExecuteAsync(StepRun run)
    {
        var step = run.Step;
        switch (step.Kind)
        {
            case StepKind.Open:
                Store = await OpsStore<JsonElement>.OpenAsync(Storage!, Options()).ConfigureAwait(false);
                break;
            case StepKind.Set:
                run.Result = await Store!.SetAsync(step.Parts[0].Id, step.Element(0)).ConfigureAwait(false);
                break;
            case StepKind.Delete:
                run.Result = await Store!.DeleteAsync(step.Parts[0].Id).ConfigureAwait(false);
                break;
            case StepKind.Batch:
                await Store!.BatchAsync(batch => Add(batch, step)).ConfigureAwait(false);
                break;
            case StepKind.Undo:
                run.Result = await Store!.UndoAsync().ConfigureAwait(false);
                break;
            case StepKind.Redo:
                run.Result = await Store!.RedoAsync().ConfigureAwait(false);
                break;
            case StepKind.Refresh:
                run.Result = await Store!.RefreshAsync().ConfigureAwait(false);
                break;
            case StepKind.Compact:
                await Store!.CompactAsync().ConfigureAwait(false);
                break;
            case StepKind.Archive:
                run.Result = await Store!.ArchiveAsync(step.Parts.Select(p => p.Id), step.Period).ConfigureAwait(false);
                break;
            case StepKind.LoadArchive:
                run.Result = Store!.Archives is [var period, ..] ? await Store.LoadArchiveAsync(period).ConfigureAwait(false) : null;
                break;
            case StepKind.Feed:
                var store = Store!;
                if (Role != Role.Single) await store.RefreshAsync().ConfigureAwait(false);
                var read = new List<Operation<JsonElement>>();
                run.Result = read;
                var most = program.Settings.StopsFeeds && step.Number >= 0 ? step.Number % 4 : 0; // 0: all there is
                await foreach (var operation in store.OperationsAsync(Feed.Position).ConfigureAwait(false))
                {
                    read.Add(operation);
                    run.StoppedFeed = read.Count == most;
                    if (run.StoppedFeed) break;
                }

                break;
            default:
                if (Store is not null) await Store.DisposeAsync().ConfigureAwait(false);
                break;
        }
    }

    private static void Add(OpsBatch<JsonElement> batch, Step step)
    {
        for (var i = 0; i < step.Parts.Count; i++)
        {
            if (step.Parts[i].Deletes) batch.Delete(step.Parts[i].Id);
            else batch.Set(step.Parts[i].Id, step.Element(i));
        }
    }
}

/// <summary>The random numbers of a process of the exhaustive search.</summary>
internal sealed class PlaceRandom(SimProcess process) : Random(0)
{
    public override void NextBytes(byte[] buffer)
    {
        var random = new SimRandom(process.Draw());
        for (var i = 0; i < buffer.Length; i++) buffer[i] = (byte)random.NextBits();
    }
}

/// <summary>How far a consumer has read a feed, and what it got. It outlives crashes of its process.</summary>
internal sealed class FeedReading
{
    public FeedPosition Position { get; set; }

    public HashSet<SimStamp> Stamps { get; } = [];

    /// <summary>The largest clock that came from each log.</summary>
    public Dictionary<string, long> Clocks { get; } = new(StringComparer.Ordinal);

    public void StartOver()
    {
        Position = default;
        Stamps.Clear();
        Clocks.Clear();
    }
}
