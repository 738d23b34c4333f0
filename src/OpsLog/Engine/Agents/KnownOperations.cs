using OpsLog.Format;
using OpsLog.Storage;

namespace OpsLog.Engine.Agents;

/// <summary>An operation on a record, as undo needs it.</summary>
/// <param name="Rank">What orders it: its stamp; of a delete that archived, the stamp that it moved.</param>
/// <param name="Archives">It ranks just above <paramref name="Rank"/>.</param>
/// <param name="Stamp">Its own stamp.</param>
/// <param name="Data">The value it set; null for a delete.</param>
/// <param name="Previous">The value that showed before it.</param>
/// <param name="Mark">Whether it takes another back.</param>
/// <param name="Of">Which.</param>
/// <param name="Schema">The version that its documents were written in.</param>
internal sealed record KnownOperation(Stamp Rank, bool Archives, Stamp Stamp, byte[]? Data, byte[]? Previous, UndoMark Mark, Stamp Of, int Schema)
{
    public int CompareTo(KnownOperation other)
    {
        var order = Rank.CompareTo(other.Rank);
        return order != 0 ? order : Archives.CompareTo(other.Archives);
    }
}

/// <summary>All operations on some records that are retained, by everybody; and who would show without some of them.</summary>
internal sealed class KnownOperations
{
    private readonly Dictionary<string, List<KnownOperation>> _records = new(StringComparer.Ordinal);
    private readonly NewestMarks _marks = new();

    /// <summary>Reads them from the logs.</summary>
    public static async ValueTask<KnownOperations> ReadAsync(IOpsStorage storage, IReadOnlyList<FeedLog> logs, IReadOnlyCollection<string> ids, Migration migration)
    {
        var known = new KnownOperations();
        foreach (var id in ids) known._records[id] = [];
        foreach (var log in logs)
        {
            if (log.Length == 0) continue;
            var scanner = new LogScanner(log.ToRead, Recovery.SkipCorrupt) { EndsWithSeal = log.IsAgentsOfOurs };
            var sink = new Sink(known, log, migration);
            var found = await LogReader.ReadAsync(storage, log.Key, 0, log.Length, part => scanner.Scan(part, sink), CancellationToken.None).ConfigureAwait(false);
            FeedReader.CheckLength(log, found);
        }

        return known;
    }

    /// <summary>Whether an operation, of an archiving delete the one that it moved, is among those on a record.</summary>
    public bool Knows(string id, Stamp stamp) => _records[id].Exists(o => o.Rank == stamp || o.Stamp == stamp);

    /// <summary>
    /// The operation on a record that wins among those neither undone nor marks. Before all of them comes what showed before the oldest that is retained.
    /// </summary>
    /// <param name="id">The record.</param>
    /// <param name="without">Operations taken for undone.</param>
    /// <param name="with">Operations taken for standing.</param>
    public KnownOperation? Winner(string id, IReadOnlySet<Stamp> without, IReadOnlySet<Stamp> with)
    {
        KnownOperation? winner = null, oldest = null;
        foreach (var operation in _records[id])
        {
            if (operation.Mark != UndoMark.None) continue;
            if (oldest is null || operation.CompareTo(oldest) < 0) oldest = operation;
            if (without.Contains(operation.Stamp) || (_marks.IsUndone(operation.Stamp) && !with.Contains(operation.Stamp))) continue;
            if (winner is null || operation.CompareTo(winner) > 0) winner = operation;
        }

        if (winner is not null || oldest?.Previous is not { } before) return winner;
        return new KnownOperation(default, false, default, before, null, UndoMark.None, default, oldest.Schema);
    }

    private sealed class Sink(KnownOperations known, FeedLog log, Migration migration) : IOperationSink
    {
        public void Operation(in OperationLine line, long offset, long clock, long next)
        {
            if (line.Mark != UndoMark.None) known._marks.Add(line.MarkOf(), clock, line.Mark);
            if (!known._records.TryGetValue(line.Id(), out var operations)) return;
            var stamp = new Stamp(clock, log.Source.Agent, log.Source.Log);
            var moved = line.Moved();
            var data = line.Kind == OperationKind.Set ? migration.Apply(line.Data, log.Schema).ToArray() : null;
            var previous = UndoLog.Previous(line);
            if (previous is not null) previous = migration.Apply(previous, log.Schema).ToArray();
            operations.Add(new KnownOperation(moved ?? stamp, moved is not null, stamp, data, previous, line.Mark, line.Mark == UndoMark.None ? default : line.MarkOf(), log.Schema));
        }
    }
}
