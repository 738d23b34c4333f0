using OpsLog.Format;
using OpsLog.Storage;

namespace OpsLog.Engine.Agents;

/// <summary>How far a snapshot to be made covers a log.</summary>
/// <param name="Entry">The log as it is registered.</param>
/// <param name="Position">The covered position: bytes, or objects.</param>
/// <param name="Clock">The largest clock up to there.</param>
/// <param name="Retires">It has ended there.</param>
/// <param name="Length">Its length in bytes, as far as it was read; 0 if it is lost, or without an operation.</param>
/// <param name="Pieces">Its objects, if it is numbered.</param>
/// <param name="Operations">Operations read that no snapshot covered; 0 if it is lost, 1 at least if it was cut.</param>
/// <param name="LastTime">The time of the last one.</param>
/// <param name="IsPartlyRead">Of a numbered log the first objects were never read: <paramref name="Length"/> is not known.</param>
/// <param name="HasSkipped">Damage in it was skipped.</param>
internal sealed record CoveredLog(LogEntry Entry, long Position, long Clock, bool Retires, long Length, long Pieces, long Operations, string LastTime, bool IsPartlyRead, bool HasSkipped);

/// <summary>The names of the objects a checkpoint writes, reserved in the manifest so that no collector takes them for leftovers.</summary>
internal sealed record ReservedNames(StorageKey Snapshot, StorageKey? History, StorageKey? IdleLog, string Time)
{
    public IEnumerable<string> All => new[] { Snapshot, History, IdleLog }.Where(k => k is not null).Select(k => k!.Value.Value);
}

/// <summary>
/// What a checkpoint is going to write: one view, how far it covers each log, and the floor below which deleted records are forgotten. Fixed when it is taken; whether
/// it may still be committed is judged by the manifest at that moment.
/// </summary>
internal sealed record CompactionPlan(Manifest Base, StoreView View, IReadOnlyList<CoveredLog> Logs, long Floor, int Schema, bool Numbered)
{
    /// <summary>Null: not all is known here that the snapshot holds; a refresh is needed first.</summary>
    public static CompactionPlan? Take(Merger merger, int schema, bool numbered)
    {
        lock (merger.State.Gate)
        {
            if (merger.IsBehind) return null;
            var view = StoreView.Of(merger.State);
            // A single writer's log ended before agents came: in history it comes first, so that a position in it lies in front of all of theirs.
            var logs = merger.Logs.OrderBy(l => l.Entry.Agent.Length > 0).Select(l => Cover(l, numbered)).ToList();
            // What a log that goes on may still bring has a larger clock than what was read of it.
            var floor = logs.Where(l => !l.Retires).Select(l => l.Clock).DefaultIfEmpty(view.Clock).Min();
            return new CompactionPlan(merger.CaughtUpWith, view, logs, floor, schema, numbered);
        }
    }

    private static CoveredLog Cover(PeerLog log, bool numbered)
    {
        // Of a log that a power loss has cut, or that is gone, as far as the snapshot before covered it: whoever has read less must see that.
        var position = log.HasEnded && log.IsEmpty ? 0 : Math.Max(log.Position(numbered), log.Entry.Covered);
        var length = log.IsLost || log.IsEmpty ? 0 : numbered ? log.Read.Length : log.Standing;
        var clock = Math.Max(log.Clock, log.Entry.Clock); // no clock of that is used again
        var operations = log.IsLost ? 0 : position > log.Position(numbered) ? Math.Max(1, log.Operations) : log.Operations; // what was cut had one at least: history has no hole there
        return new CoveredLog(log.Entry, position, clock, log.HasEnded, length, log.Read.Pieces, operations, log.LastTime, log.IsPartlyRead && !log.IsLost, log.HasSkipped);
    }

    /// <summary>Nobody has made a snapshot since, no log has left, and no single writer has come.</summary>
    public bool StillHolds(Manifest manifest) =>
        manifest.Exclusive is null && string.Equals(manifest.Snapshot.Name, Base.Snapshot.Name, StringComparison.Ordinal) &&
        Logs.All(l => manifest.Logs.Any(m => string.Equals(m.Name, l.Entry.Name, StringComparison.Ordinal)));

    /// <summary>
    /// It still holds, the snapshot's name is still reserved (else it may have been collected), and every log registered since starts at or above the floor.
    /// </summary>
    public bool MayCommit(Manifest manifest, ReservedNames names) =>
        StillHolds(manifest) && manifest.Reserved.Contains(names.Snapshot.Value, StringComparer.Ordinal) &&
        manifest.Logs.All(m => m.Start >= Floor || Logs.Any(l => string.Equals(l.Entry.Name, m.Name, StringComparison.Ordinal)));

    /// <summary>Names based on a revision.</summary>
    public ReservedNames Names(long revision, EngineSettings settings)
    {
        var nonce = settings.Nonces.Next();
        var retires = Logs.Any(l => l.Retires);
        var idles = Logs.Any(l => l.Retires && string.Equals(l.Entry.Name, Base.Package.ActiveOps, StringComparison.Ordinal));
        return new ReservedNames(
            StoreKeys.Snapshot(revision, nonce, settings.SnapshotFormat == SnapshotFormat.Json),
            retires ? StoreKeys.History(revision, nonce) : null,
            idles ? StoreKeys.Log("", revision, nonce) : null, // the package needs some log that is there
            IsoTime.ToText(settings.Time.GetUtcNow()));
    }

    /// <summary>The manifest with the snapshot in it.</summary>
    public Manifest Commit(Manifest manifest, ReservedNames names, SnapshotEntry snapshot, HistoryReference? history, IReadOnlyList<GarbageEntry> garbage)
    {
        var covered = Logs.ToDictionary(l => l.Entry.Name, StringComparer.Ordinal);
        var logs = new List<LogEntry>();
        foreach (var log in manifest.Logs)
        {
            if (!covered.TryGetValue(log.Name, out var known)) logs.Add(log);
            else if (!known.Retires) logs.Add(log with { Covered = known.Position, Clock = known.Clock });
        }

        var retired = Logs.Where(l => l.Retires).Select(l => new RetiredLog(l.Entry.Name, l.Entry.Agent, l.Position, l.Entry.Schema, l.Clock));
        var package = manifest.Package with
        {
            Version = Schema,
            CurrentSnapshot = snapshot.Name,
            ActiveOps = names.IdleLog?.Value ?? manifest.Package.ActiveOps,
            Stats = manifest.Package.Stats with { ActiveRecords = snapshot.Count, OpsCount = 0, LastCheckpoint = names.Time },
        };
        return manifest with
        {
            Package = OwnLogs.NamingAgents(package, logs),
            Numbered = Numbered,
            Snapshot = snapshot,
            Logs = logs,
            Retired = [.. manifest.Retired.Concat(retired).TakeLast(Compactor.MostRetired)],
            Reserved = [], // whoever reserved them made them for the snapshot that this one replaces
            History = history,
            Garbage = garbage,
        };
    }
}
