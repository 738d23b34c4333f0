using System.Runtime.ExceptionServices;
using OpsLog.Simulation.Disk;
using OpsLog.Simulation.Model;
using OpsLog.Simulation.Programs;
using OpsLog.Storage;

namespace OpsLog.Simulation.Run;

/// <summary>
/// Does what the engine did at the same place in another run of the same program. Where it comes to a place that nobody was at before, an engine is given all that this
/// process was given until then, and goes on beside it from there.
/// </summary>
/// <remarks>
/// It relies on what the search relies on anyway, when it takes states for equal: that an engine goes on alike from places of equal <see cref="SimProcess.Standing"/>. Wherever an
/// engine runs through a place that is known, that is checked.
/// </remarks>
internal sealed class RecordedEngine(SimProcess process, EngineRecords records) : IEngine
{
    private Event? _newest;
    private Shadow? _shadow;
    private EngineMove? _move; // the last one of the step that runs
    private RecordedCall[] _waiting = []; // its calls that were not answered yet, and those of the moves before; replaced, never changed
    private int _fired; // timers, since the last storage call

    public IOpenStore? Store { get; private set; }

    /// <summary>One at the same place, of a copy of the process: in the middle of a step <see cref="RunAsync"/> goes on from there.</summary>
    public RecordedEngine Copy(SimProcess copied) => new(copied, records) { _newest = _newest, _move = _move, _waiting = _waiting, _fired = _fired, Store = Store };

    public void Leave() => (Store, _move, _waiting) = (null, null, []);

    public async Task RunAsync(StepRun run)
    {
        var answers = new Queue<Task<object?>>();
        foreach (var call in _waiting) answers.Enqueue(call.MakeAsync(process.Storage!)); // of a copy: they wait once more
        if (_move is null) await TellAsync(run, run.Step, answers).ConfigureAwait(false);
        while (answers.Count > 0 || _move!.End is null)
        {
            if (answers.TryDequeue(out var first)) // the one that happens next
            {
                var answer = await first.ConfigureAwait(false);
                (_waiting, _fired) = (_waiting[1..], 0);
                await TellAsync(run, answer, answers).ConfigureAwait(false);
            }
            else
            {
                await Task.Delay(_move!.Due!.Value, process.Clock!).ConfigureAwait(false);
                _fired++;
                await TellAsync(run, Event.Fired, answers).ConfigureAwait(false);
            }
        }

        var end = _move!.End!;
        (_move, _fired) = (null, 0);
        run.Result = end.Result;
        if (end.Failure is not null) ExceptionDispatchInfo.Throw(end.Failure);
        if (!run.Step.IsClosing) Store = end.Store;
    }

    // Makes the move that the engine makes when it is told that.
    private async Task TellAsync(StepRun run, object? told, Queue<Task<object?>> answers)
    {
        var storage = process.Storage;
        _move = Next(run, told);
        foreach (var key in _move.Releases) await storage!.ReleaseAsync(key, default).ConfigureAwait(false);
        foreach (var call in _move.Calls) answers.Enqueue(call.MakeAsync(storage!));
        if (_move.Calls.Count > 0) _waiting = [.. _waiting, .. _move.Calls];
    }

    private EngineMove Next(StepRun run, object? told)
    {
        _newest = new Event(_newest, told, process.Names);
        var standing = Hashing.Add(process.Standing(run), (ulong)_fired);
        if (_shadow is null && records.Find(standing) is { } known) return known;
        if (_shadow is null)
        {
            _shadow = new Shadow(process);
            foreach (var earlier in Event.UpTo(_newest.Before)) _shadow.Tell(earlier);
        }

        return records.Add(standing, _shadow.Tell(_newest));
    }

    /// <summary>Something that a process was told, and what its random names follow from then.</summary>
    /// <param name="Before">What it was told before.</param>
    /// <param name="Told">The step that it begins, the answer to a storage call, or that a timer fired.</param>
    /// <param name="Names">See <see cref="PlaceRandom.Base"/>.</param>
    private sealed record Event(Event? Before, object? Told, ulong Names)
    {
        public static object Fired { get; } = new();

        /// <summary>All of them, the oldest first.</summary>
        public static Stack<Event> UpTo(Event? newest)
        {
            var all = new Stack<Event>();
            for (; newest is not null; newest = newest.Before) all.Push(newest);
            return all;
        }
    }

    /// <summary>The engine, without the simulation around it.</summary>
    private sealed class Shadow
    {
        private readonly SimProcess _process;
        private readonly Engine _engine;
        private readonly PlaceRandom _names;
        private readonly SimTime _time = new() { StandsStill = true };
        private RecordingStorage? _storage;
        private SimClock? _clock;
        private Task _task = Task.CompletedTask;
        private StepRun? _run;

        public Shadow(SimProcess process)
        {
            (_process, _names) = (process, new PlaceRandom(process.Index));
            _engine = new Engine(process, () => new Place(_storage!, _clock!, _names));
        }

        /// <summary>Tells it something; it runs on to its next move.</summary>
        public EngineMove Tell(Event next)
        {
            _names.Base = next.Names;
            if (next.Told is Step step) Begin(step);
            else if (ReferenceEquals(next.Told, Event.Fired)) _clock!.Fire();
            else _storage!.Answer(next.Told);
            return Move();
        }

        private void Begin(Step step)
        {
            if (step.Kind == StepKind.Open)
            {
                _storage = new RecordingStorage(_process.Storage!.Capabilities);
                _clock = new SimClock(_time, TimeSpan.FromSeconds(_process.Plan.SkewSeconds));
            }

            _run = new StepRun(step, _process, -1);
            _task = _engine.RunAsync(_run);
        }

        private EngineMove Move()
        {
            var (released, calls) = _storage?.Take() ?? ([], []);
            if (_storage is { Waits: true } && !_task.IsCompleted) return new EngineMove(released, calls, null, null);
            if (_task.IsCompleted)
            {
                if (_storage is { Waits: true }) throw new InvariantViolation(Invariant.L2Ends, $"{_run} has ended, but a storage call of it still waits");
                if (_run!.Step.IsClosing) _engine.Leave();
                return new EngineMove(released, calls, null, new StepOutcome(_run.Result, _task.Exception?.InnerException, _engine.Store is { } store ? new StoreImage(store) : null));
            }

            if (_clock?.Next is { } timer) return new EngineMove(released, calls, timer.Due - _time.Now, null);
            throw new InvariantViolation(Invariant.L3Deterministic, $"{_run} has neither ended nor waits for the storage or a timer: it went on to another thread");
        }
    }
}
