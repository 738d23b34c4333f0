using System.Runtime.CompilerServices;
using OpsLog.Format;
using OpsLog.Storage;

namespace OpsLog.Engine.Agents;

/// <summary>An operation of the feed, and the place behind it.</summary>
internal sealed record AgentOperation(RawOperation Raw, AgentCursor Next);

/// <summary>
/// The retained operations of all logs, those folded long ago first: each once, in order within a log, by stamp between logs, batches whole. Reads the storage, each log as far
/// as this opening has merged it.
/// </summary>
internal sealed class AgentFeed(IOpsStorage storage, EngineSettings settings, Merger merger)
{
    private readonly HistoryKeeper _history = new(storage, settings);
    private readonly bool _numbered = (storage.Capabilities & StorageCapabilities.Append) == 0;

    /// <summary>The place behind everything that was merged.</summary>
    public AgentCursor End
    {
        get
        {
            lock (merger.State.Gate)
            {
                var manifest = merger.Entered;
                return new AgentCursor(manifest.Incarnation, manifest.Revision, merger.Logs.ToDictionary(l => l.Entry.Name, EndOf, StringComparer.Ordinal));
            }
        }
    }

    /// <summary>The logs that operations can be read from, and the manifest that goes with them.</summary>
    /// <exception cref="OpsLogException">The history index is damaged, and recovery is strict.</exception>
    public async ValueTask<(Manifest Manifest, List<FeedLog> Logs)> LogsAsync(CancellationToken ct)
    {
        while (true)
        {
            Manifest manifest;
            IReadOnlyList<PeerLog> peers;
            lock (merger.State.Gate)
            {
                manifest = merger.Entered;
                peers = merger.Logs;
            }

            if (await _history.FindAsync(manifest, () => IsNewestAsync(manifest, ct), ct).ConfigureAwait(false) is not { } history) continue;
            var logs = history.Logs.Select(StoreEngine.Retired).ToList();
            foreach (var peer in peers) await MeasureAsync(peer, ct).ConfigureAwait(false);

            var known = logs.Select(l => l.Key).ToHashSet();
            lock (merger.State.Gate)
            {
                // A single writer's log ended before agents came: it follows those of history, and may begin with what the last of them was read beyond its end.
                foreach (var peer in peers.OrderBy(p => p.Entry.Agent.Length > 0))
                    if (known.Add(peer.Key)) logs.Add(new FeedLog(peer.Key, peer.Source, peer.Entry.Start, peer.Entry.Schema, EndOf(peer)) { EveryLineHasAClock = peer.Entry.Agent.Length > 0, EndClock = peer.Clock });
            }

            return (manifest, logs);
        }
    }

    /// <param name="since">Where to begin.</param>
    /// <param name="id">Only this record's operations; null for all.</param>
    /// <param name="ct">Stops reading.</param>
    /// <exception cref="OpsLogException">What lies behind the position is no longer retained (<see cref="OpsLogError.PositionLost"/>).</exception>
    public async IAsyncEnumerable<AgentOperation> ReadAsync(FeedPosition since, string? id, [EnumeratorCancellation] CancellationToken ct)
    {
        var (manifest, logs) = await LogsAsync(ct).ConfigureAwait(false);
        var places = new FeedStarts(manifest, logs, name => EndOfRetired(manifest, name));
        var cursor = since.FeedCursor is { } ofSingle ? places.Translate(ofSingle) : since.AgentCursor;
        var starts = cursor is null ? new long[logs.Count] : places.Of(cursor);
        var registered = manifest.Logs.Select(l => l.Name).ToHashSet(StringComparer.Ordinal);
        var offsets = new Dictionary<string, long>(StringComparer.Ordinal);
        var next = new PriorityQueue<LogFeed, Stamp>();
        var opened = new List<LogFeed>();
        try
        {
            foreach (var (log, offset) in logs.Zip(starts))
            {
                var name = log.Key.Value;
                if (registered.Contains(name) || !log.IsClosed || offset < log.Length) offsets[name] = offset;
                if (offset >= log.Length) continue;
                var feed = new LogFeed(log, storage, settings.Recovery, manifest, offset, id, ct);
                opened.Add(feed);
                if (await feed.MoveNextAsync().ConfigureAwait(false)) next.Enqueue(feed, feed.Stamp);
                else if (IsDone(log)) offsets.Remove(name);
            }

            while (next.TryDequeue(out var feed, out _))
            {
                bool goesOn, isWhole;
                do
                {
                    var raw = feed.Current;
                    isWhole = feed.EndsUnit;
                    offsets[raw.Log.Key.Value] = raw.Next.Offset;
                    if (raw.Log.IsClosed && raw.Next.Offset >= raw.Log.Length && !registered.Contains(raw.Log.Key.Value)) offsets.Remove(raw.Log.Key.Value);
                    yield return new AgentOperation(raw, new AgentCursor(manifest.Incarnation, manifest.Revision, new Dictionary<string, long>(offsets, StringComparer.Ordinal)));
                    goesOn = await feed.MoveNextAsync().ConfigureAwait(false);
                }
                while (goesOn && !isWhole);
                if (goesOn) next.Enqueue(feed, feed.Stamp);
                else if (IsDone(feed.Log)) offsets.Remove(feed.Log.Key.Value);
            }
        }
        finally
        {
            foreach (var feed in opened) await feed.DisposeAsync().ConfigureAwait(false);
        }

        // Nothing more comes from it, even if empty or void lines lie at its end.
        bool IsDone(FeedLog log) => id is null && log.IsClosed && !registered.Contains(log.Key.Value);
    }

    // Of a numbered log the manifest counts objects, a position bytes.
    private long? EndOfRetired(Manifest manifest, string log)
    {
        var retired = manifest.Retired.FirstOrDefault(r => string.Equals(r.Name, log, StringComparison.Ordinal));
        return retired is not null && (!_numbered || retired.Length == 0) ? retired.Length : merger.LeftAt(log);
    }

    // Of a log that this process writes: as far as it is in the storage; buffered lines are behind.
    private static long EndOf(PeerLog log) => log.IsLost ? 0 : log.Target is { } target ? Math.Min(log.Standing, target.Length) : log.Standing + log.Skipped;

    private async ValueTask<bool> IsNewestAsync(Manifest manifest, CancellationToken ct)
    {
        await merger.RefreshAsync(ct).ConfigureAwait(false);
        return merger.Entered.Revision == manifest.Revision;
    }

    // Where the first objects of a numbered log were never read, their bytes count all the same.
    private async ValueTask MeasureAsync(PeerLog log, CancellationToken ct)
    {
        if (!log.IsPartlyRead || log.Skipped > 0 || log.IsLost) return;
        log.Skipped = await LogReader.PieceBytesAsync(storage, log.Key, log.SkippedPieces, ct).ConfigureAwait(false);
    }

    // One log's operations, with the next one read ahead.
    private sealed class LogFeed : IAsyncDisposable
    {
        private readonly IAsyncEnumerator<RawOperation> _operations;
        public LogFeed(FeedLog log, IOpsStorage storage, Recovery recovery, Manifest manifest, long offset, string? id, CancellationToken ct)
        {
            Log = log;
            var since = offset == 0 ? null : new FeedCursor(manifest.Incarnation, log.Key.Value, offset);
            _operations = new FeedReader(storage, recovery).ReadAsync([log], manifest, since, id, ct).GetAsyncEnumerator(ct);
        }

        public FeedLog Log { get; }

        public RawOperation Current => _operations.Current;

        public Stamp Stamp { get; private set; }

        /// <summary>The current operation is no part of a batch, or its last.</summary>
        public bool EndsUnit { get; private set; }

        public async ValueTask<bool> MoveNextAsync()
        {
            if (!await _operations.MoveNextAsync().ConfigureAwait(false)) return false;
            OperationCodec.TryRead(Current.Line, UndoLog.NoOffset, Current.IsFirst, out var line, out _);
            Stamp = new Stamp(Current.Clock, Log.Source.Agent, Log.Source.Log);
            EndsUnit = line.BatchIndex >= line.BatchSize - 1;
            return true;
        }

        public ValueTask DisposeAsync() => _operations.DisposeAsync();
    }
}
