using System.Text;
using System.Text.Json;
using OpsLog.Simulation.Model;
using OpsLog.Simulation.Programs;

namespace OpsLog.Simulation.Run;

/// <summary>Looks at what the processes are told and show, and holds it against the history of stored operations.</summary>
internal sealed class Checker(Simulator simulator)
{
    private OperationHistory History => simulator.Auditor.History;

    /// <summary>How often a step was refused because of others: a conflict, a lock, a fence.</summary>
    public int Refusals { get; private set; }

    public Checker Copy(Simulator copied) => new(copied) { Refusals = Refusals };

    public void Begins(StepRun run)
    {
        (run.OperationsBefore, run.ChangesBefore, run.ClockBefore) = (History.Operations.Count, simulator.Auditor.Changes, run.Process.LastClock);
        foreach (var seen in run.Process.Seen.Values)
            if (run.SeenBefore is null || seen.Stamp.Clock > run.SeenBefore.Stamp.Clock) run.SeenBefore = seen;
        if (run.IsOverlapped) run.Unanswered = [.. run.Process.UnderWay.SelectMany(r => r.Lines)];
        if (!TakesInEverything(run)) return;
        run.Before = new Dictionary<string, LoggedOperation>(History.Winners, StringComparer.Ordinal);
        foreach (var own in run.Unanswered)
        {
            var answered = History.Operations.Where(o => o.Id == own.Id && !o.IsLost && !o.IsNoop && !run.Unanswered.Contains(o)).MaxBy(o => o.Rank);
            if (answered is null) run.Before.Remove(own.Id);
            else run.Before[own.Id] = answered;
        }
    }

    public void Done(StepRun run)
    {
        var process = run.Process;
        RequireShape(run, acknowledged: true);
        RequireClocks(run);
        foreach (var line in run.Lines)
        {
            if (simulator.Program.Settings.Durability == Durability.Disk && !line.IsLost && !simulator.Auditor.IsDurable(line))
                throw new InvariantViolation(Invariant.V1Durable, $"{run} was acknowledged, but {line} is not on stable storage");
            Saw(process, line);
        }

        if (run.Step.Kind == StepKind.Feed) TakeFeed(run, complete: !run.StoppedFeed);
        if (process.Store is null) return;
        foreach (var (id, operation) in run.Before) Saw(process, id, operation);
        Show(process, run);
        if (run.Step.Kind is StepKind.Undo or StepKind.Redo) UndoCheck.Require(run, simulator);
    }

    public void Failed(StepRun run, OpsLogException failure)
    {
        RequireShape(run, acknowledged: false);
        RequireClocks(run);
        if (!IsExpected(run, failure.Error)) throw new InvariantViolation(Invariant.L1Fails, $"{run} failed without a reason: {failure.Error}: {failure.Message}", $"{run.Step.Kind} {failure.Error}");
        if (run.Step.Kind == StepKind.Feed)
        {
            TakeFeed(run, complete: false);
            if (failure.Error == OpsLogError.PositionLost) run.Process.Feed.StartOver();
        }

        if (run.Process.Store is not null) Show(run.Process, run);
    }

    /// <summary>A call that found its opening closed.</summary>
    public static void Refused(StepRun run) => RequireShape(run, acknowledged: false);

    /// <summary>What it shows is the whole truth.</summary>
    public void RequireExact(SimProcess process, string when)
    {
        foreach (var (id, operation) in History.Winners) Saw(process, id, operation);
        Show(process, when);
        var live = History.Winners.Values.Count(o => o.IsSet);
        if (process.Store!.Count != live) throw new InvariantViolation(Invariant.I2Agree, $"{when}: {process.Name} shows {process.Store.Count} records, there are {live}");
    }

    /// <summary>At the end: every step has written all of what it acknowledged, and no more than it may have, exactly once.</summary>
    public void RequireOutcomes()
    {
        foreach (var process in simulator.Processes)
            foreach (var run in process.Runs)
                RequireShape(run, run.End == StepEnd.Done);
    }

    private static bool TakesInEverything(StepRun run) => run.Step.Kind switch
    {
        StepKind.Open => true,
        StepKind.Refresh or StepKind.Feed => run.Process.Role != Role.Single, // who thinks to be the only writer has nothing to take in
        StepKind.Compact or StepKind.Undo => run.Process.Role == Role.Agent,
        _ => false,
    };

    private static void Saw(SimProcess process, LoggedOperation operation) => Saw(process, operation.Id, operation);

    private static void Saw(SimProcess process, string id, LoggedOperation operation)
    {
        if (operation.IsNoop || operation.IsLost) return;
        if (!process.Seen.TryGetValue(id, out var known) || known.IsLost || operation.Rank > known.Rank) process.Seen[id] = operation;
    }

    // When: a step that has ended, or a text; put into words only if something is wrong.
    // Each record that is shown is an operation's, byte for byte, and none that was seen to decide is lost again.
    private void Show(SimProcess process, object when)
    {
        var store = process.Store!;
        foreach (var id in store.Keys)
        {
            if (!store.TryGet(id, out var revision, out var json))
                throw new InvariantViolation(Invariant.I2Agree, $"{After(when)}: {process.Name} lists {id}, but does not find it");
            var stamp = new SimStamp(revision.Clock, revision.Agent, revision.Log);
            var shown = History.Find(stamp);
            if (shown is null || shown.Id != id || !shown.IsSet || !shown.Data.Span.SequenceEqual(json.Span))
                throw new InvariantViolation(Invariant.I5Whole, $"{After(when)}: {process.Name} shows {id} = {Encoding.UTF8.GetString(json.Span)} with stamp {stamp}, which is {shown?.ToString() ?? "no operation that counts"}");
            if (process.Seen.TryGetValue(id, out var seen) && seen.Rank > shown.Rank)
                throw new InvariantViolation(seen.IsSet ? Invariant.I1Kept : Invariant.I3Deleted, $"{After(when)}: {process.Name} shows {shown}, but must have seen {seen}");
            process.Seen[id] = shown;
        }

        foreach (var (id, seen) in process.Seen)
        {
            if (!seen.IsSet || store.TryGet(id, out _, out _) || IsDeletedSince(seen)) continue;
            throw new InvariantViolation(Invariant.I1Kept, $"{After(when)}: {process.Name} does not show {id}, but must have seen {seen}, and nothing has deleted it since");
        }
    }

    private static string After(object when) => when is StepRun run ? $"after {run}{(run.Failure is null ? "" : " failed")}" : $"{when}";

    private bool IsDeletedSince(LoggedOperation seen) => History.Operations.Exists(o => !o.IsSet && !o.IsNoop && o.Id == seen.Id && o.Rank > seen.Rank);

    private static void RequireClocks(StepRun run)
    {
        var process = run.Process;
        foreach (var line in run.Lines)
        {
            if (line.Stamp.Clock <= run.ClockBefore && !line.IsLost)
                throw new InvariantViolation(Invariant.I4Clocks, $"{run} has written {line}, but {process.Name} had reached clock {run.ClockBefore} before");
            if (run.SeenBefore is { } seen && seen.Stamp.Clock >= line.Stamp.Clock) throw new InvariantViolation(Invariant.V8Saw, $"{run} has written {line}, although it had seen {seen}");
            process.LastClock = Math.Max(process.LastClock, line.Stamp.Clock);
        }
    }

    private static void RequireShape(StepRun run, bool acknowledged)
    {
        var lines = run.Lines;
        if (!acknowledged && lines.Count == 0) return;
        if (run.End == StepEnd.Rejected && lines.Exists(l => !l.IsNoop))
            throw new InvariantViolation(Invariant.V2Rejected, $"{run} said that nothing was written ({run.Failure?.Message}), but there is {lines[0]}");
        var step = run.Step;
        var right = step.Kind switch
        {
            StepKind.Set => lines is [{ IsSet: true } only] && only.Id == step.Parts[0].Id && Is(only, step, 0) && (!acknowledged || Stamp(run.Result) == only.Stamp),
            StepKind.Delete => acknowledged && run.Result is false ? lines.Count == 0 : lines is [{ IsSet: false } only] && only.Id == step.Parts[0].Id,
            StepKind.Batch => IsBatch(lines, step),
            StepKind.Undo => lines.TrueForAll(l => l.Undoes is not null) && (!acknowledged || run.Result is not true || lines.Count > 0),
            StepKind.Redo => lines.TrueForAll(l => l.Redoes is not null) && (!acknowledged || run.Result is not true || lines.Count > 0),
            StepKind.Archive => lines.TrueForAll(l => l.Moved is not null && l.Segment == step.Period) && (!acknowledged || run.Result is int count && count == lines.Count),
            _ => lines.Count == 0,
        };
        if (!right)
            throw new InvariantViolation(acknowledged ? Invariant.I1Kept : Invariant.I5Whole, $"{run} ended as {run.End}{(run.Result is null ? "" : $" ({run.Result})")}; it has written: {(lines.Count == 0 ? "nothing" : string.Join(", ", lines))}");
    }

    private static SimStamp Stamp(object? result) => result is Revision revision ? new SimStamp(revision.Clock, revision.Agent, revision.Log) : default;

    private static bool Is(LoggedOperation line, Step step, int part) => line.Data.Span.SequenceEqual(Encoding.UTF8.GetBytes(step.Document(part)));

    // All sets in order; a delete only where there was something to delete.
    private static bool IsBatch(List<LoggedOperation> lines, Step step)
    {
        var next = 0;
        for (var part = 0; part < step.Parts.Count; part++)
        {
            var (id, deletes) = step.Parts[part];
            var found = next < lines.Count && lines[next].Id == id && lines[next].IsSet != deletes && (deletes || Is(lines[next], step, part));
            if (found) next++;
            else if (!deletes) return false;
        }

        return next == lines.Count && lines.TrueForAll(l => l.BatchSize == lines.Count);
    }

    private bool IsExpected(StepRun run, OpsLogError error)
    {
        var process = run.Process;
        var alone = simulator.Processes.Count == 1;
        var hit = run.WasHit || process.WasHit;
        switch (error)
        {
            case OpsLogError.StorageFailed or OpsLogError.OutcomeUnknown:
                if (process.Role == Role.Single) process.MustReopen = error == OpsLogError.OutcomeUnknown;
                return hit;
            case OpsLogError.ReadOnly:
                process.MustReopen = true;
                return hit || (process.Role == Role.Single && (!alone || process.MayBeLate)) || (process.Role == Role.Reader && run.Step.IsWrite);
            case OpsLogError.Fenced:
                process.MustReopen = true;
                Refusals++;
                return process.Role == Role.Single && (hit || !alone || process.MayBeLate);
            case OpsLogError.Locked or OpsLogError.Conflict:
                Refusals++;
                return !alone || hit || run.IsOverlapped; // an undo does not write over what came in meanwhile
            case OpsLogError.NotFound:
                return process.Role == Role.Reader || run.Step.Kind == StepKind.LoadArchive;
            case OpsLogError.PositionLost:
                return run.Step.Kind == StepKind.Feed && (simulator.Program.Settings.Retention < 2 || simulator.PowerLosses > 0);
            default:
                return false;
        }
    }

    private void TakeFeed(StepRun run, bool complete)
    {
        var feed = run.Process.Feed;
        var read = (List<Operation<JsonElement>>?)run.Result ?? [];
        foreach (var operation in read)
        {
            var stamp = new SimStamp(operation.Revision.Clock, operation.Revision.Agent, operation.Revision.Log);
            if (History.Find(stamp) is not { } logged || logged.Id != operation.Id || logged.IsSet != (operation.Kind == OperationKind.Set))
                throw new InvariantViolation(Invariant.V9Feed, $"{run} got {operation.Kind} {operation.Id} with stamp {stamp}, which is no operation that counts");
            if (!feed.Stamps.Add(stamp)) throw new InvariantViolation(Invariant.V9Feed, $"{run} got {logged} twice");
            if (feed.Clocks.TryGetValue(stamp.Log, out var clock) && clock >= stamp.Clock) throw new InvariantViolation(Invariant.V9Feed, $"{run} got {logged} behind clock {clock} of the same log");
            feed.Clocks[stamp.Log] = stamp.Clock;
            feed.Position = operation.Position;
        }

        if (!complete || simulator.Program.Settings.Retention < 2 || run.Process.Role == Role.Single) return;
        for (var i = 0; i < run.OperationsBefore && i < History.Operations.Count; i++)
            if (!feed.Stamps.Contains(History.Operations[i].Stamp) && !History.Operations[i].IsInSnapshotOnly && !run.Unanswered.Contains(History.Operations[i])) throw new InvariantViolation(Invariant.V9Feed, $"{run} did not get {History.Operations[i]}");
    }
}
