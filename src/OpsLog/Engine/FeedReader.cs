using System.Runtime.CompilerServices;
using OpsLog.Format;
using OpsLog.Storage;

namespace OpsLog.Engine;

/// <summary>A log as part of the feed.</summary>
/// <param name="Key">The object.</param>
/// <param name="Source">The part of its operations' stamps that is the same for all.</param>
/// <param name="StartClock">The clock before its first line.</param>
/// <param name="Schema">The schema version of its documents.</param>
/// <param name="Length">Where it ends for the feed.</param>
internal sealed record FeedLog(StorageKey Key, StampSource Source, long StartClock, int Schema, long Length)
{
    /// <summary>How its lines are read. The clocks in lines of the package count from where its log starts, as on opening.</summary>
    public LogSource ToRead => new(Key.Value, StartClock, Source.Agent, IsTimeless) { ClockOffset = StoreKeys.IsOurs(Key) ? 0 : StartClock };

    /// <summary>No operation in it has a larger clock.</summary>
    public long EndClock { get; init; } = long.MaxValue;

    /// <summary>Every line carries its clock: reading may begin in the middle.</summary>
    public bool EveryLineHasAClock { get; init; }

    /// <summary>Lines without a clock have clock 0.</summary>
    public bool IsTimeless { get; init; }

    /// <summary>See <see cref="StoreKeys.IsAgentsOfOurs"/>.</summary>
    public bool IsAgentsOfOurs => StoreKeys.IsAgentsOfOurs(Key, Source.Agent);

    /// <summary>It ended for good.</summary>
    public bool IsClosed { get; init; }

    /// <summary>The log is damaged: doubtful lines are not taken.</summary>
    public bool RefuseDoubtful { get; init; }
}

/// <summary>An operation as it was read from a log, not yet of any document type.</summary>
internal sealed record RawOperation(byte[] Line, long Clock, FeedLog Log, FeedCursor Next, bool IsFirst)
{
    /// <summary>The place behind it for the consumer.</summary>
    public FeedPosition Position { get; init; } = new(Next);
}

/// <summary>
/// The operations that are retained, oldest first: the logs kept for history, then the current one. Reads the storage, not memory, so it
/// costs no memory however long history is; a log's lines end where its log ends for the feed, so none comes twice.
/// </summary>
internal sealed class FeedReader(IOpsStorage storage, Recovery recovery)
{
    private const long Window = 4 << 20;

    /// <param name="logs">The logs, oldest first.</param>
    /// <param name="manifest">The manifest that goes with them.</param>
    /// <param name="since">Where to begin; null for the start.</param>
    /// <param name="id">Only this record's operations; null for all.</param>
    /// <param name="ct">Stops reading.</param>
    public IAsyncEnumerable<RawOperation> ReadAsync(IReadOnlyList<FeedLog> logs, Manifest manifest, FeedCursor? since, string? id, CancellationToken ct) =>
        ReadAsync(logs, manifest.Incarnation, () => StartsOf(logs, manifest, since), id, ct);

    /// <summary>The same, with a place to begin at for each log, looked for when the first operation is asked for.</summary>
    public async IAsyncEnumerable<RawOperation> ReadAsync(
        IReadOnlyList<FeedLog> logs, string incarnation, Func<long[]> findStarts, string? id, [EnumeratorCancellation] CancellationToken ct)
    {
        var starts = findStarts();
        for (var i = 0; i < logs.Count; i++)
        {
            var offset = starts[i];
            if (offset >= logs[i].Length) continue;
            var log = logs[i];
            var scanner = new LogScanner(log.ToRead, recovery == Recovery.Strict ? Recovery.TolerateTornTail : recovery) { RefuseDoubtful = log.RefuseDoubtful, IsClosed = log.IsClosed, EndsWithSeal = log.IsAgentsOfOurs, BeginsBehindALine = log.EveryLineHasAClock && offset > 0 };
            var found = new Collector(log, incarnation, id, offset);
            // Where lines carry no clock it is derived from the lines before, from the first on.
            var position = log.EveryLineHasAClock ? offset : 0;
            var skip = default(LogExtent);
            while (position < log.Length)
            {
                found.Operations.Clear();
                long next = position;
                LogExtent? extent;
                try
                {
                    extent = await LogReader.ReadAsync(storage, log.Key, position, log.Length, part =>
                    {
                        var taken = scanner.Scan(part, found);
                        next = part.Start + taken;
                        return taken;
                    }, ct, Window, oneWindow: true, skip).ConfigureAwait(false);
                    if (extent is { } whole && whole.Length == next) skip = whole; // so far it need not be looked at again
                }
                catch (StorageException e)
                {
                    throw new OpsLogException(OpsLogError.StorageFailed, $"The log '{log.Key}' cannot be read: {e.Message}", e);
                }

                foreach (var operation in found.Operations)
                {
                    ct.ThrowIfCancellationRequested();
                    yield return operation;
                }

                if (next <= position || extent is null)
                {
                    CheckLength(log, extent);
                    break;
                }

                position = next;
            }
        }
    }

    /// <exception cref="OpsLogException">A log that ended there once is shorter now, or gone. For a good reason, if the manifest is another by now.</exception>
    public static void CheckLength(FeedLog log, LogExtent? found)
    {
        if (found is null) throw LogScanner.Refused(new Damage(DamageKind.Missing, log.Key.Value, 0, 0, 0, $"the {(log.IsClosed ? "history index lists" : "manifest names")} this log, but it is not there"));
        if (found.Value.Length >= log.Length) return;
        throw LogScanner.Refused(new Damage(
            DamageKind.CorruptObject, log.Key.Value, 0, found.Value.Length, log.Length - found.Value.Length, $"the log has {found.Value.Length} bytes, {log.Length} were written"));
    }

    private static long[] StartsOf(IReadOnlyList<FeedLog> logs, Manifest manifest, FeedCursor? since)
    {
        var (first, offset) = Locate(logs, manifest, since);
        return [.. logs.Select((log, i) => i < first ? log.Length : i == first ? offset : 0)];
    }

    /// <summary>The log that a position lies in, and where.</summary>
    public static (int Log, long Offset) Locate(IReadOnlyList<FeedLog> logs, Manifest manifest, FeedCursor? since)
    {
        if (since is null) return (0, 0);
        if (!string.Equals(since.Incarnation, manifest.Incarnation, StringComparison.Ordinal))
            throw new OpsLogException(OpsLogError.PositionLost, "The position is of another incarnation of the store (it was restored from a backup). Start over from the state.");
        var at = PastRetired(logs, manifest, since);
        for (var i = 0; i < logs.Count; i++)
        {
            if (!string.Equals(logs[i].Key.Value, at.Log, StringComparison.Ordinal)) continue;
            var offset = at.Offset;
            // A checkpoint carries what lies behind the snapshot over to the start of the next log, byte for byte as long.
            for (; i < logs.Count - 1 && offset > logs[i].Length; i++) offset -= logs[i].Length;
            if (offset > logs[i].Length) break; // the store was put back to an earlier state
            return (i, offset);
        }

        throw new OpsLogException(OpsLogError.PositionLost, $"What lies behind the position ('{since.Log}@{since.Offset}') is not there: no longer retained, or the store was put back to an earlier state. Read the state and start from there.");
    }

    // A log that was not kept and was read to its end: the position is one in the log that followed it, as far behind its start as it was behind that end.
    private static FeedCursor PastRetired(IReadOnlyList<FeedLog> logs, Manifest manifest, FeedCursor at)
    {
        if (IsKept()) return at;
        var retired = manifest.Retired;
        var names = retired.Select(r => r.Name).Append(manifest.Logs is [var current] ? current.Name : "").ToList();
        for (var i = names.IndexOf(at.Log); i >= 0 && i < retired.Count && !IsKept(); i++)
        {
            if (HistorySearch.BytesOf(manifest, i) is not { } end || (at.Offset < end && !HistorySearch.HoldsNothing(manifest, i))) break;
            at = at with { Log = names[i + 1], Offset = Math.Max(0, at.Offset - end) };
        }

        return at;

        bool IsKept() => logs.Any(l => string.Equals(l.Key.Value, at.Log, StringComparison.Ordinal));
    }

    private sealed class Collector(FeedLog log, string incarnation, string? id, long from) : IOperationSink
    {
        public List<RawOperation> Operations { get; } = [];

        public void Operation(in OperationLine line, long offset, long clock, long next)
        {
            if (offset < from) return;
            if (id is not null && !string.Equals(line.Id(), id, StringComparison.Ordinal)) return;
            Operations.Add(new RawOperation(line.Line.ToArray(), clock, log, new FeedCursor(incarnation, log.Key.Value, next), offset == 0));
        }
    }
}
