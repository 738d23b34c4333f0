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
    private readonly List<Event> _events = [];
    private Shadow? _shadow;
    private int _fired; // timers, since the last storage call

    public IOpenStore? Store { get; private set; }

    public void Leave() => Store = null;

    public async Task RunAsync(StepRun run)
    {
        var storage = process.Storage;
        var waiting = new Queue<Task<object?>>();
        _fired = 0;
        for (var move = Next(run, run); ;)
        {
            foreach (var key in move.Releases) await storage!.ReleaseAsync(key, default).ConfigureAwait(false);
            foreach (var call in move.Calls) waiting.Enqueue(call.MakeAsync(storage!));
            if (waiting.TryDequeue(out var first)) // the one that happens next
            {
                var answer = await first.ConfigureAwait(false);
                _fired = 0;
                move = Next(run, answer);
            }
            else if (move.End is { } end)
            {
                run.Result = end.Result;
                if (end.Failure is not null) ExceptionDispatchInfo.Throw(end.Failure);
                if (!run.Step.IsClosing) Store = end.Store;
                return;
            }
            else
            {
                await Task.Delay(move.Due!.Value, process.Clock!).ConfigureAwait(false);
                _fired++;
                move = Next(run, Event.Fired);
            }
        }
    }

    // What the engine does when it is told that.
    private EngineMove Next(StepRun run, object? told)
    {
        _events.Add(new Event(told, process.Names));
        var standing = Hashing.Add(process.Standing(run), (ulong)_fired);
        if (_shadow is null && records.Find(standing) is { } known) return known;
        if (_shadow is null)
        {
            _shadow = new Shadow(process);
            foreach (var earlier in _events.SkipLast(1)) _shadow.Tell(earlier);
        }

        return records.Add(standing, _shadow.Tell(_events[^1]));
    }

    /// <summary>Something that a process was told, and what its random names follow from then.</summary>
    /// <param name="Told">The step that it begins, the answer to a storage call, or that a timer fired.</param>
    /// <param name="Names">See <see cref="PlaceRandom.Base"/>.</param>
    private readonly record struct Event(object? Told, ulong Names)
    {
        public static object Fired { get; } = new();
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
            if (next.Told is StepRun run) Begin(run);
            else if (ReferenceEquals(next.Told, Event.Fired)) _clock!.Fire();
            else _storage!.Answer(next.Told);
            return Move();
        }

        private void Begin(StepRun run)
        {
            if (run.Step.Kind == StepKind.Open)
            {
                _storage = new RecordingStorage(_process.Storage!.Capabilities);
                _clock = new SimClock(_time, TimeSpan.FromSeconds(_process.Plan.SkewSeconds));
            }

            _run = new StepRun(run.Step, _process, run.Opening);
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
