using OpsLog.Format;
using OpsLog.Storage;

namespace OpsLog.Engine.Agents;

/// <summary>Where a position lies in the logs that are retained, whoever writes to the store by now: agents, or a single writer again.</summary>
/// <param name="manifest">The manifest that goes with the logs.</param>
/// <param name="logs">Those kept for history, oldest first, then the registered ones.</param>
/// <param name="endOf">Where a log ended that is not among them; null: not known (any more).</param>
internal sealed class FeedStarts(Manifest manifest, IReadOnlyList<FeedLog> logs, Func<string, long?> endOf)
{
    private readonly HashSet<string> _there = logs.Select(l => l.Key.Value).ToHashSet(StringComparer.Ordinal);

    /// <summary>The position before everything that is retained.</summary>
    public AgentCursor Beginning => new(manifest.Incarnation, manifest.Revision, logs.ToDictionary(l => l.Key.Value, _ => 0L, StringComparer.Ordinal));

    /// <summary>Where reading begins in each log.</summary>
    /// <exception cref="OpsLogException">What lies behind the position is no longer retained (<see cref="OpsLogError.PositionLost"/>).</exception>
    public long[] Of(AgentCursor since)
    {
        RequireRetained(since);
        var starts = new long[logs.Count];
        var (newest, beyond) = NewestOfSingles(since);
        for (var i = 0; i < starts.Length; i++)
        {
            var (log, revision) = (logs[i], StoreKeys.RevisionOf(logs[i].Key));
            if (since.Offsets.TryGetValue(log.Key.Value, out starts[i])) continue;
            if (newest is null || log.Source.Agent.Length > 0 || revision <= newest)
            {
                starts[i] = revision < since.Revision ? log.Length : 0;
                continue;
            }

            // A single writer has one log after the other: what follows one that is listed came later, whatever revision its name was based on. A checkpoint carries
            // what lies behind the snapshot over to the start of the next log, byte for byte as long.
            starts[i] = beyond;
            beyond = log.IsClosed ? Math.Max(0, beyond - log.Length) : 0;
        }

        return starts;
    }

    /// <summary>A position that a single writer's store gave, before agents came: its logs were read one after the other.</summary>
    public AgentCursor Translate(FeedCursor cursor)
    {
        var offsets = new Dictionary<string, long>(StringComparer.Ordinal);
        if (!_there.Contains(cursor.Log))
        {
            offsets[cursor.Log] = cursor.Offset;
            return new AgentCursor(cursor.Incarnation, StoreKeys.RevisionOf(StorageKey.IsValid(cursor.Log) ? new StorageKey(cursor.Log) : default) + 1, offsets);
        }

        var (at, offset) = FeedReader.Locate(logs, manifest, cursor);
        for (var i = 0; i < logs.Count; i++) offsets[logs[i].Key.Value] = i == at ? offset : WasReadBefore(i, at) ? logs[i].Length : 0;
        return new AgentCursor(cursor.Incarnation, manifest.Revision, offsets);
    }

    /// <summary>
    /// Whether a log is a single writer's that lies, in the order of history, behind one of an agent that came later: that one was folded first. A position in the one
    /// does not tell of the other then.
    /// </summary>
    public bool LiesBehindNewer(int log) => Enumerable.Range(0, log).Any(earlier => CameLater(earlier, log));

    private bool WasReadBefore(int log, int other) => log < other && logs[log].IsClosed && !CameLater(log, other);

    private bool CameLater(int agents, int singles) =>
        logs[agents].Source.Agent.Length > 0 && logs[singles].Source.Agent.Length == 0 && StoreKeys.RevisionOf(logs[agents].Key) > StoreKeys.RevisionOf(logs[singles].Key);

    // The newest log of a single writer that is listed, by its revision, and how far it was read beyond its end.
    private (long? Revision, long Beyond) NewestOfSingles(AgentCursor since)
    {
        var ends = logs.Where(l => l.Source.Agent.Length == 0).Select(l => (Name: l.Key.Value, End: l.IsClosed ? l.Length : long.MaxValue))
            .Concat(manifest.Retired.Where(r => r.Agent.Length == 0 && !_there.Contains(r.Name)).Select(r => (r.Name, End: endOf(r.Name) ?? long.MaxValue)));
        (long? Revision, long Beyond) newest = default;
        foreach (var (name, end) in ends)
        {
            var revision = StoreKeys.RevisionOf(new StorageKey(name));
            if (since.Offsets.TryGetValue(name, out var offset) && (newest.Revision is not { } other || revision > other)) newest = (revision, Math.Max(0, offset - end));
        }

        return newest;
    }

    private void RequireRetained(AgentCursor since)
    {
        if (!string.Equals(since.Incarnation, manifest.Incarnation, StringComparison.Ordinal))
            throw new OpsLogException(OpsLogError.PositionLost, "The position is of another incarnation of the store (it was restored from a backup). Start over from the state.");
        var empty = Enumerable.Range(0, manifest.Retired.Count).Where(i => HistorySearch.HoldsNothing(manifest, i)).Select(i => manifest.Retired[i].Name).ToHashSet(StringComparer.Ordinal);
        var remembersAll = manifest.Retired.Count < Compactor.MostRetired;
        var retired = manifest.Retired.Select(r => r.Name).ToHashSet(StringComparer.Ordinal);
        foreach (var (name, offset) in since.Offsets)
        {
            // What was registered and never retired was withdrawn before its first operation (a takeover that failed).
            if (_there.Contains(name) || empty.Contains(name) || (remembersAll && !retired.Contains(name))) continue;
            if (endOf(name) is not { } end || end > offset) throw Lost(name);
        }

        var isComplete = remembersAll || logs.Any(l => l.IsClosed && StoreKeys.RevisionOf(l.Key) < since.Revision);
        foreach (var name in retired)
        {
            var isNew = StoreKeys.RevisionOf(new StorageKey(name)) >= since.Revision;
            isComplete |= !isNew;
            if (isNew && !empty.Contains(name) && !_there.Contains(name) && !since.Offsets.ContainsKey(name)) throw Lost(name);
        }

        if (!isComplete) throw Lost("some log");
    }

    private static OpsLogException Lost(string log) => new(
        OpsLogError.PositionLost, $"What lies behind the position in '{log}' is no longer retained. Read the state and start from there.");
}
