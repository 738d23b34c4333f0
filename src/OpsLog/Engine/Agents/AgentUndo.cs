using OpsLog.Format;
using OpsLog.Storage;

namespace OpsLog.Engine.Agents;

/// <summary>
/// Undo and redo of an agent: takes back its own newest unit, and lets show what would show without it, whatever others have written since. What is "its own": this
/// process's logs, and logs of its agent id that have ended. With the writer held exclusively, nothing unflushed.
/// </summary>
internal sealed class AgentUndo(IOpsStorage storage, EngineSettings settings, Merger merger, AgentFeed feed, Migration migration)
{
    private static readonly HashSet<Stamp> s_none = [];

    /// <summary>The lines that take back the newest own unit that stands; null if there is none as far as history is retained.</summary>
    public async ValueTask<List<BatchItem>?> NextUndoAsync()
    {
        var (logs, units, marks) = await BeginAsync().ConfigureAwait(false);
        while (await units.NextAsync().ConfigureAwait(false) is { } unit)
        {
            if (unit[0].Mark != UndoMark.None) Note(marks, unit);
            else if (!marks.IsUndone(unit[0].Stamp)) return await InverseAsync(logs, unit.ConvertAll(o => (o.Id, o.Stamp)), UndoMark.Undo).ConfigureAwait(false);
        }

        return null;
    }

    /// <summary>The lines that bring back what the newest own undo took that stands, if nothing of its own was written since; else null. Another process of the id may have taken the same back.</summary>
    public async ValueTask<List<BatchItem>?> NextRedoAsync()
    {
        var (logs, units, marks) = await BeginAsync().ConfigureAwait(false);
        while (await units.NextAsync().ConfigureAwait(false) is { } unit)
        {
            if (unit[0].Mark == UndoMark.None) return null;
            Note(marks, unit);
            if (unit[0].Mark == UndoMark.Undo && marks.IsUndone(unit[0].Of)) return await InverseAsync(logs, unit.ConvertAll(o => (o.Id, o.Of)), UndoMark.Redo).ConfigureAwait(false);
        }

        return null;
    }

    // Logs of its id that have not ended may be another process's: what they took back is taken back, what they wrote is not this one's to take back.
    private async ValueTask<(List<FeedLog> Logs, OwnUnits Own, NewestMarks Marks)> BeginAsync()
    {
        var (_, logs) = await feed.LogsAsync(CancellationToken.None).ConfigureAwait(false);
        var others = merger.Logs.Where(l => !l.IsOwn && !l.IsAbandoned && !l.IsSealed).Select(l => l.Key).ToHashSet();
        var ofId = logs.Where(l => string.Equals(l.Source.Agent, settings.AgentId, StringComparison.Ordinal)).ToLookup(l => others.Contains(l.Key));
        var marks = new NewestMarks();
        var living = new OwnUnits(storage, [.. ofId[true]]);
        while (await living.NextAsync().ConfigureAwait(false) is { } unit) Note(marks, unit);
        return (logs, new OwnUnits(storage, [.. ofId[false]]), marks);
    }

    private async ValueTask<List<BatchItem>> InverseAsync(List<FeedLog> logs, List<(string Id, Stamp Of)> unit, UndoMark mark)
    {
        var stamps = unit.Select(o => o.Of).ToHashSet();
        var known = await KnownOperations.ReadAsync(storage, logs, [.. unit.Select(o => o.Id).Distinct(StringComparer.Ordinal)], migration).ConfigureAwait(false);
        var items = new List<BatchItem>(unit.Count);
        var settled = new HashSet<string>(StringComparer.Ordinal);
        for (var i = unit.Count - 1; i >= 0; i--)
        {
            var (id, of) = unit[i];
            var wanted = mark == UndoMark.Undo ? known.Winner(id, stamps, s_none) : known.Winner(id, s_none, stamps);
            // A batch may have written a record several times: it shows what it shows after the first of its lines. What shows though no retained operation wrote it is newer than they are.
            var (value, stamp) = Shown(id);
            var isMark = !settled.Add(id) || IsSame(value, wanted?.Data) || (stamp is { } by && !known.Knows(id, by));
            if (!isMark) value = wanted?.Data;
            if (!isMark && value is not null) migration.RequireFor(wanted!.Schema, "This undo or redo");
            items.Add(new BatchItem(id, value, new BatchOrigin(mark, of) { MarkTo = wanted is null || wanted.Stamp == default ? null : wanted.Stamp, Noop = isMark, Seen = stamp }));
        }

        return items;
    }

    private (byte[]? Value, Stamp? By) Shown(string id)
    {
        lock (merger.State.Gate)
        {
            if (!merger.State.Records.TryGet(id, out var location, out _, out _)) return default;
            var record = merger.State.Read(location);
            return (location.IsTombstone ? null : record.Document.ToArray(), record.Stamp);
        }
    }

    private static void Note(NewestMarks marks, List<OwnOperation> unit)
    {
        foreach (var operation in unit)
            if (operation.Mark != UndoMark.None) marks.Add(operation.Of, operation.Stamp.Clock, operation.Mark);
    }

    private static bool IsSame(byte[]? a, byte[]? b) => a is null ? b is null : b is not null && a.AsSpan().SequenceEqual(b);
}

/// <summary>An operation of an agent's own, as it walks back through them.</summary>
internal sealed record OwnOperation(string Id, Stamp Stamp, UndoMark Mark, Stamp Of);

/// <summary>
/// An agent's own units (operations and whole batches), from the newest to the oldest by the stamp of their last operation: two processes that share an id write at the
/// same time. A log is read when nothing newer can be in another.
/// </summary>
internal sealed class OwnUnits
{
    private readonly IOpsStorage _storage;
    private readonly PriorityQueue<Source, (long Clock, string Log)> _next = new(Comparer<(long Clock, string Log)>.Create(NewestFirst));

    public OwnUnits(IOpsStorage storage, IEnumerable<FeedLog> logs)
    {
        _storage = storage;
        foreach (var log in logs)
            if (log.Length > 0) _next.Enqueue(new Source(log, null), (log.EndClock, log.Key.Value));
    }

    public async ValueTask<List<OwnOperation>?> NextAsync()
    {
        while (_next.TryDequeue(out var source, out _))
        {
            var (log, units) = source;
            if (units is null)
            {
                Enqueue(log, await ReadAsync(log).ConfigureAwait(false));
                continue;
            }

            var unit = units[^1];
            units.RemoveAt(units.Count - 1);
            Enqueue(log, units);
            return unit;
        }

        return null;
    }

    private static int NewestFirst((long Clock, string Log) a, (long Clock, string Log) b) =>
        a.Clock != b.Clock ? b.Clock.CompareTo(a.Clock) : string.CompareOrdinal(b.Log, a.Log);

    private void Enqueue(FeedLog log, List<List<OwnOperation>> units)
    {
        if (units.Count > 0) _next.Enqueue(new Source(log, units), (units[^1][^1].Stamp.Clock, log.Key.Value));
    }

    private async ValueTask<List<List<OwnOperation>>> ReadAsync(FeedLog log)
    {
        var scanner = new LogScanner(log.ToRead, Recovery.SkipCorrupt) { EndsWithSeal = log.IsAgentsOfOurs };
        var sink = new Sink(log.Source);
        var found = await LogReader.ReadAsync(_storage, log.Key, 0, log.Length, part => scanner.Scan(part, sink), CancellationToken.None).ConfigureAwait(false);
        FeedReader.CheckLength(log, found);
        return sink.Units;
    }

    // A log, and of one that was read the units that are left.
    private sealed record Source(FeedLog Log, List<List<OwnOperation>>? Units);

    private sealed class Sink(StampSource source) : IOperationSink
    {
        public List<List<OwnOperation>> Units { get; } = [];

        public void Operation(in OperationLine line, long offset, long clock, long next)
        {
            if (line.BatchIndex == 0) Units.Add([]);
            Units[^1].Add(new OwnOperation(line.Id(), new Stamp(clock, source.Agent, source.Log), line.Mark, line.Mark == UndoMark.None ? default : line.MarkOf()));
        }
    }
}
