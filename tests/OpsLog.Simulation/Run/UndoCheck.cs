using System.Text;
using OpsLog.Simulation.Model;
using OpsLog.Simulation.Programs;

namespace OpsLog.Simulation.Run;

/// <summary>
/// What an agent's undo or redo must have done (docs/multi-writer.md): taken back its newest unit that stands, and let show what shows without it. Looked at where
/// it is certain what the agent knew: nobody else, and no other call of its own, changed anything meanwhile, all history is retained, nothing was made to fail.
/// </summary>
internal static class UndoCheck
{
    public static void Require(StepRun run, Simulator simulator)
    {
        var auditor = simulator.Auditor;
        if (run.IsOverlapped || run.Process.Role != Role.Agent || run.Process.WasHit || simulator.Program.Settings.Retention < 2 || simulator.PowerLosses > 0) return;
        if (auditor.Changes - run.ChangesBefore != run.Changes) return;
        var known = auditor.History.Operations.GetRange(0, run.OperationsBefore);
        var units = OwnUnits(run, auditor, known);
        var isUndo = run.Step.Kind == StepKind.Undo;
        var target = isUndo ? ToUndo(units, known) : ToRedo(units, known);
        if (run.Result is not bool done || done != target is not null)
            throw new InvariantViolation(Invariant.V13Undo, $"{run} returned {run.Result}, but there is {(target is null ? "nothing" : target[0].ToString())} to {(isUndo ? "take back" : "bring back")}");
        if (target is null) return;
        var marked = run.Lines.Select(l => isUndo ? l.Undoes : l.Redoes).OfType<SimStamp>().ToHashSet();
        if (run.Lines.Count != target.Count || !target.TrueForAll(o => marked.Contains(o.Stamp)))
            throw new InvariantViolation(Invariant.V13Undo, $"{run} has marked {string.Join(", ", run.Lines)}, not {string.Join(", ", target)}");
        foreach (var id in target.Select(o => o.Id).Distinct())
        {
            var (with, without) = (Winner(id, known, [], target), Winner(id, known, target, []));
            var winner = isUndo ? without : with;
            var shown = run.Process.Store!.TryGet(id, out _, out var json) ? Encoding.UTF8.GetString(json.Span) : "nothing";
            var wanted = winner is { IsSet: true } ? Encoding.UTF8.GetString(winner.Data.Span) : "nothing";
            if (shown != wanted)
                throw new InvariantViolation(Invariant.V13Undo, $"after {run}, which {(isUndo ? "takes back" : "brings back")} {string.Join(", ", target)}, {id} shows {shown}; {wanted} would show ({winner})");
        }
    }

    // This process's, and those of ended logs of its agent id; the newest last, by the stamp of the last operation.
    private static List<List<LoggedOperation>> OwnUnits(StepRun run, Auditor auditor, List<LoggedOperation> known)
    {
        var agent = run.Process.Plan.AgentId;
        var own = known.Where(o => o.Stamp.Agent == agent && auditor.Logs.TryGetValue(o.Stamp.Log, out var log) && (log.Owner == run.Opening || !log.IsRegistered || log.SealedAt is not null));
        var units = new List<List<LoggedOperation>>();
        foreach (var operation in own.OrderBy(o => o.Stamp.Log, StringComparer.Ordinal).ThenBy(o => o.Stamp))
        {
            if (operation.BatchIndex == 0) units.Add([]);
            units[^1].Add(operation);
        }

        units.Sort((a, b) => a[^1].Stamp.CompareTo(b[^1].Stamp)); // two processes that share an id write at the same time
        return units;
    }

    private static List<LoggedOperation>? ToUndo(List<List<LoggedOperation>> units, List<LoggedOperation> known) =>
        units.FindLast(u => !IsMark(u[0]) && !IsUndone(u[0].Stamp, known));

    // Only while nothing of its own was written behind the undo.
    private static List<LoggedOperation>? ToRedo(List<List<LoggedOperation>> units, List<LoggedOperation> known)
    {
        for (var i = units.Count - 1; i >= 0 && IsMark(units[i][0]); i--)
        {
            if (units[i][0].Undoes is not { } of || !IsUndone(of, known)) continue;
            return [.. units[i].Select(mark => known.Find(o => o.Stamp == mark.Undoes)).OfType<LoggedOperation>()];
        }

        return null;
    }

    private static LoggedOperation? Winner(string id, List<LoggedOperation> known, List<LoggedOperation> without, List<LoggedOperation> with)
    {
        LoggedOperation? winner = null;
        foreach (var operation in known)
        {
            if (operation.Id != id || IsMark(operation) || without.Contains(operation)) continue;
            if (IsUndone(operation.Stamp, known) && !with.Contains(operation)) continue;
            if (winner is null || operation.Rank > winner.Rank) winner = operation;
        }

        return winner;
    }

    private static bool IsMark(LoggedOperation operation) => operation.Undoes is not null || operation.Redoes is not null;

    private static bool IsUndone(SimStamp stamp, List<LoggedOperation> known)
    {
        LoggedOperation? newest = null;
        foreach (var operation in known)
            if ((operation.Undoes == stamp || operation.Redoes == stamp) && (newest is null || operation.Stamp.Clock > newest.Stamp.Clock)) newest = operation;
        return newest?.Undoes is not null;
    }
}
