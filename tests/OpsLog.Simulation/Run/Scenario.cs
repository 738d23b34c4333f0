using System.Text.Json;
using OpsLog.Simulation.Disk;
using OpsLog.Simulation.Model;
using OpsLog.Simulation.Programs;
using OpsLog.Simulation.Search;

namespace OpsLog.Simulation.Run;

/// <summary>
/// One history, told call by call: who does what, and before which storage call somebody is left standing while the others go on. Whatever a run of a seed checks is
/// checked here too.
/// </summary>
internal sealed class Scenario
{
    private readonly Simulator _simulator;
    private int _steps;

    /// <param name="form">What the storage can do: the name of a <see cref="StorageForm"/>.</param>
    /// <param name="seals">Whether a compaction ends the logs of the living too: nobody can tell who lives, and nobody is waited for. Else it waits for ten minutes.</param>
    /// <param name="keepsHistory">Whether logs are kept for history; else they are collected once they are folded.</param>
    /// <param name="gracePeriod">How long what is no longer named is kept.</param>
    public Scenario(string form, bool seals = false, bool keepsHistory = false, TimeSpan gracePeriod = default)
    {
        var storage = Enum.Parse<StorageForm>(form);
        var settings = new SimSettings
        {
            Append = storage != StorageForm.Numbered,
            HoldsWriters = storage == StorageForm.Locks,
            SilentAfter = seals ? TimeSpan.Zero : TimeSpan.FromMinutes(10),
            GracePeriod = gracePeriod,
            Retention = keepsHistory ? 2 : 0,
            HasFeeds = keepsHistory,
        };
        _simulator = new Simulator(new SimProgram(1, settings, []), new SimOptions());
    }

    /// <summary>An agent that has the store open.</summary>
    public Actor Agent(string id) => Join(id, Role.Agent).Open();

    /// <summary>A single writer that has the store open.</summary>
    public Actor Single() => Join("", Role.Single).Open();

    /// <summary>Somebody who does not have the store open yet.</summary>
    public Actor Join(string id, Role role) => new(this, _simulator.Join(new ProcessPlan(id, role, 0, [])));

    /// <summary>The manifest as it is stored.</summary>
    public ManifestModel Manifest => _simulator.Auditor.Manifest!;

    public bool Has(string key) => _simulator.Disk.Find(key) is not null;

    /// <summary>The operations on a record that have ever counted.</summary>
    public int OperationsOn(string id) => _simulator.Auditor.History.Operations.Count(o => o.Id == id);

    /// <summary>A call that went unanswered happens.</summary>
    public void Land() => _simulator.TryApply(new Decision(DecisionKind.Land));

    /// <summary>Everybody comes to rest; all, and whoever opens the store afterwards, must show the same.</summary>
    public void End() => Ending.Run(_simulator);

    /// <summary>Who takes part, and does one step after the other.</summary>
    internal sealed class Actor(Scenario scenario, SimProcess process)
    {
        private StepRun? _run;
        private bool _stands;

        private Simulator Simulator => scenario._simulator;

        /// <summary>The call that it stands before.</summary>
        private StorageCall? Call => process.Storage is { Pending: [var call, ..] } ? call : null;

        /// <summary>How many bytes it is about to write.</summary>
        public int Size => Call!.Size;

        public bool IsDone => _run!.End == StepEnd.Done;

        public StepEnd Ended => _run!.End;

        public long Clock => ((Revision)_run!.Result!).Clock;

        public long Tombstones => process.Store!.Tombstones;

        public Actor Open() => Do(Step.Opening);

        public Actor Close() => Do(StepKind.Close);

        public Actor Refresh() => Do(StepKind.Refresh);

        public Actor Compact() => Do(StepKind.Compact);

        public Actor Set(string id) => Do(StepKind.Set, id);

        public Actor Delete(string id) => Do(StepKind.Delete, id);

        public Actor Undo() => Do(StepKind.Undo);

        public Actor Archive(string id) => Do(StepKind.Archive, id);

        /// <summary>A step from its beginning to its end, which must be a good one.</summary>
        public Actor Do(StepKind kind, params string[] ids) => Begin(kind, ids).Finish();

        /// <summary>A step up to its first storage call.</summary>
        public Actor Begin(StepKind kind, params string[] ids) =>
            Begin(new Step(kind, ++scenario._steps, [.. ids.Select(id => new Part(id, kind == StepKind.Delete))], 0, kind == StepKind.Archive ? Period : ""));

        public Actor BeginToOpen() => Begin(Step.Opening);

        /// <summary>Goes on until it is about to do that.</summary>
        public Actor StopBefore(CallKind kind, string prefix = "") => StopBefore(call => call.Kind == kind && call.Key.Value.StartsWith(prefix, StringComparison.Ordinal));

        /// <summary>Goes on until it is about to swap the manifest.</summary>
        public Actor StopBeforeSwap() => StopBefore(CallKind.Put, ObjectNames.Manifest);

        /// <summary>Goes on until it is about to write a line to its log.</summary>
        public Actor StopBeforeLine() =>
            StopBefore(call => call.Size > 1 && (call.Kind == CallKind.Append || (call.Kind == CallKind.Put && ObjectNames.KindOf(call.Key.Value) == ObjectKind.Piece)));

        /// <summary>Goes on until it is about to write to its log, be it a seal.</summary>
        public Actor StopBeforeAnyLine() =>
            StopBefore(call => call.Size > 0 && (call.Kind == CallKind.Append || (call.Kind == CallKind.Put && ObjectNames.KindOf(call.Key.Value) == ObjectKind.Piece)));

        /// <summary>Its next storage call happens; or its next timer fires.</summary>
        /// <returns>False: its step has ended.</returns>
        public bool Next()
        {
            if (process.Running is null) return false;
            Simulator.Advance(process);
            return true;
        }

        /// <summary>So many of its storage calls happen, if it makes as many.</summary>
        public Actor Advance(int calls)
        {
            while (calls-- > 0 && Next())
            {
                // One after the other.
            }

            return this;
        }

        /// <summary>Goes on to the end of its step, whatever that is.</summary>
        public Actor GoOn() => Advance(int.MaxValue);

        /// <summary>Goes on to the end of its step, which must be a good one.</summary>
        public Actor Finish()
        {
            GoOn();
            return IsDone ? this : throw new InvariantViolation(Invariant.L1Fails, $"{_run} ended as {_run!.End}: {_run.Failure}");
        }

        /// <summary>Something else becomes of the call that it stands before.</summary>
        public Actor But(DecisionKind kind, int argument = 0) => Simulator.TryApply(new Decision(kind, process.Index, argument)) ? this
            : throw new InvariantViolation(Invariant.L4Harness, $"{process.Name} stands before {Call}: {kind} makes no sense");

        public Actor Die() => But(DecisionKind.Crash);

        /// <summary>The number of the step whose document a record shows; null: it is not there.</summary>
        public int? Shows(string id) => process.Store!.TryGet(id, out _, out var json) ? JsonDocument.Parse(json).RootElement.GetProperty("n").GetInt32() : null;

        /// <summary>The number of its step.</summary>
        public int Number => _run!.Step.Number;

        /// <summary>The number of the step whose document the archive has of a record; null: it is not there.</summary>
        public int? Archived(string id)
        {
            Do(StepKind.LoadArchive);
            return ((IReadOnlyDictionary<string, System.Text.Json.JsonElement>)_run!.Result!).TryGetValue(id, out var document) ? document.GetProperty("n").GetInt32() : null;
        }

        private Actor Do(Step step) => Begin(step).Finish();

        private Actor Begin(Step step)
        {
            Simulator.Start(process, step);
            (_run, _stands) = (process.Runs[^1], false);
            return this;
        }

        private Actor StopBefore(Func<StorageCall, bool> matches)
        {
            if (_stands && Call is { } call && matches(call)) Next(); // the next one like it
            _stands = true;
            while (process.Running is not null)
            {
                if (Call is { } next && matches(next)) return this;
                Simulator.Advance(process);
            }

            throw new InvariantViolation(Invariant.L4Harness, $"{_run} ended as {_run!.End} without making such a call ({_run.Failure})");
        }
    }

    private const string Period = "2026-Q4";
}
