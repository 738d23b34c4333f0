using System.Runtime.CompilerServices;
using OpsLog.Engine.Agents;
using OpsLog.Format;
using OpsLog.Storage;

namespace OpsLog.Engine;

/// <summary>A log as it was read on opening.</summary>
internal sealed record LoadedLog(StorageKey Key, Extent Extent, long Length, long Pieces, long Operations, LogEnd End, long Position, long Clock)
{
    /// <summary>Behind its last operation there is more: empty lines, of which the last may be an agent's seal, or what was never finished.</summary>
    public bool GoesOnBehindOperations { get; init; }
}

/// <summary>One reading of a store into a state, by a plan.</summary>
internal sealed class StoreLoad(IOpsStorage storage, EngineSettings settings, StorePlan plan)
{
    private readonly List<Damage> _notes = [];
    private readonly List<Damage> _skipped = [];
    private readonly List<HistoryLog> _history = [];
    private readonly List<PlannedLog> _logs = [];
    private StateBuilder _builder = null!;
    private bool _refuseDoubtful;

    public StoreState State { get; private set; } = null!;

    public Migration Migration { get; private set; } = Migration.None;

    public IReadOnlyList<Damage> Notes => _notes;

    public IReadOnlyList<Damage> Skipped => _skipped;

    public IReadOnlyList<HistoryLog> History => _history;

    /// <summary>The logs that were read, and how far.</summary>
    public IReadOnlyList<PlannedLog> Logs => _logs;

    /// <summary>The logs of a store of many writers; of one that the package wrote to since, those that our manifest registers.</summary>
    public List<PeerLog> Peers { get; } = [];

    /// <summary>A registered log was not there: it was never created, or the manifest is no longer the newest.</summary>
    public bool MissesLogs { get; private set; }

    public int StoredSchema { get; private set; }

    /// <summary>Documents of an older version than the program's lie in the snapshot or in a log. Without a version to bring them to, that is how it stays.</summary>
    public bool NeedsMigration { get; private set; }

    public int SchemaVersion { get; private set; }

    public long SnapshotRecords { get; private set; }

    public long SnapshotBytes { get; private set; }

    public long Operations { get; private set; }

    public long ForeignOperations => _builder.ForeignOperations;

    /// <summary>The log that was read last; the only one of a store of ours with one writer.</summary>
    public LoadedLog? LastLog { get; private set; }

    public async ValueTask RunAsync(CancellationToken ct)
    {
        while (!await TryRunAsync(ct).ConfigureAwait(false))
        {
            // In a damaged log a doubtful line cannot be told from damage: read again, taking none of them (docs/format.md, Doubtful lines).
            _refuseDoubtful = true;
        }
    }

    private async ValueTask<bool> TryRunAsync(CancellationToken ct)
    {
        _notes.Clear();
        _skipped.Clear();
        _history.Clear();
        _logs.Clear();
        Peers.Clear();
        LastLog = null;
        Operations = 0;
        State = new StoreState(settings.Nonces.NextSeed())
        {
            Clock = Agents.OwnLogs.ClockOf(plan.Base), // a log may start above all that it and the snapshot hold
            KeepsTombstones = plan.IsMany && (settings.ReadOnly || settings.AgentId is not null),
            Disk = settings.DocumentCacheBytes is { } cache ? new DiskDocuments(storage, cache, new DamageNotes(settings)) : null,
        };
        var loader = new SnapshotLoader(storage, State, settings.Recovery) { ReusesMemory = true };
        var snapshot = await loader.LoadAsync(plan.Snapshot, plan.SnapshotIsVouched ? plan.Base.Snapshot : null, header =>
        {
            ChooseSchema(header.SchemaVersion);
            return _builder = new StateBuilder(State, Migration, plan.Merges) { Gathers = true };
        }, ct).ConfigureAwait(false);
        _skipped.AddRange(loader.Skipped);
        SnapshotRecords = _builder.SnapshotRecords;
        SnapshotBytes = snapshot.Bytes;
        foreach (var log in plan.Logs)
            if (!await LoadLogAsync(log, ct).ConfigureAwait(false)) return false;
        if (!State.KeepsTombstones) State.ForgetTombstones(); // all logs have ended: nothing older can come in any more
        return true;
    }

    private async ValueTask<bool> LoadLogAsync(PlannedLog log, CancellationToken ct)
    {
        if (!StorageKey.IsValid(log.Entry.Name))
            throw LogScanner.Refused(new Damage(DamageKind.CorruptObject, log.Entry.Name, 0, 0, 0, "the manifest names a log that is no object name"));
        if (log.ComesBehindOurs) log = log with { Entry = log.Entry with { Start = Math.Max(log.Entry.Start, State.Clock) } };
        var key = new StorageKey(log.Entry.Name);
        var extent = State.Extents.Add(State.LogExtent(key.Value, log.Source));
        _builder.EnterLog(extent, log.Source, log.Entry.Schema);
        var numbered = (storage.Capabilities & StorageCapabilities.Append) == 0;
        // What the snapshot covers need not be read again; and must not be, where it has forgotten deletes.
        var covered = log.Entry.Covered;
        if (!numbered && covered > 0 && await PeerLog.EndOfCutAsync(storage, log.Entry, covered, ct).ConfigureAwait(false) is { } cut) covered = cut;
        var skip = numbered ? new LogExtent(0, covered) : new LogExtent(covered, 0);
        var hasSeal = log.MayEndInSeal;
        var source = new LogSource(key.Value, covered > 0 ? log.Entry.Clock : log.Entry.Start, log.Entry.Agent, log.IsTimeless) { ClockOffset = log.ClockOffset };
        var scanner = new LogScanner(source, settings.Recovery)
        {
            RefuseDoubtful = _refuseDoubtful,
            EndsWithSeal = hasSeal,
            WaitsForMore = hasSeal, // its writer may be alive
            IsClosed = numbered && !hasSeal, // a piece of a numbered log is written whole
        };
        var times = new TimeRange(_builder);
        var length = await LogReader.ReadAsync(storage, key, skip.Length, null, part =>
        {
            if (part.Memory.Length > 0) extent.Add(part.Start, part.Memory, part.Owner);
            var taken = scanner.Scan(part, times);
            _builder.Flush();
            extent.Spill(part.Start + taken);
            return taken;
        }, ct, skip: numbered ? skip : default).ConfigureAwait(false);
        if (length is null && plan.MayLack(log))
        {
            MissesLogs = true;
            length = default(LogExtent);
        }

        if (length is null)
        {
            var missing = new Damage(DamageKind.Missing, key.Value, 0, 0, 0, "the manifest names this log, but it is not there");
            if (settings.Recovery != Recovery.SkipCorrupt) throw LogScanner.Refused(missing);
            _skipped.Add(missing);
            LastLog = null;
            return true;
        }

        if (scanner.Skipped.Count > 0 && scanner.SawDoubtful && !_refuseDoubtful) return false;
        _notes.AddRange(scanner.Notes);
        _skipped.AddRange(scanner.Skipped);
        Operations += scanner.Operations;
        if (plan.IsMany || hasSeal) Peers.Add(PeerOf(log.Entry, extent, skip, length.Value, scanner, times.Last, numbered));
        var loaded = new LoadedLog(key, extent, length.Value.Length, length.Value.Pieces, scanner.Operations, scanner.End, scanner.Position, scanner.Clock) { GoesOnBehindOperations = length.Value.Length > Math.Max(0, scanner.Standing) };
        if (log.Entry.Agent.Length == 0 || LastLog is null) LastLog = loaded; // the one that was claimed
        var end = plan.IsMany || hasSeal ? Peers[^1].Standing : scanner.Position;
        var operations = scanner.Operations + (covered > 0 ? 1 : 0); // at least
        if (numbered && covered > 0) end += await LogReader.PieceBytesAsync(storage, key, covered, ct).ConfigureAwait(false);
        _logs.Add(log with { Length = end, RefuseDoubtful = _refuseDoubtful });
        _history.Add(new HistoryLog(
            key.Value, log.Entry.Agent, end, log.Entry.Schema, log.Entry.Start, scanner.Clock, operations, times.First, times.Last, length.Value.Pieces));
        return true;
    }

    private PeerLog PeerOf(LogEntry entry, Extent extent, LogExtent skipped, LogExtent length, LogScanner scanner, string lastTime, bool numbered)
    {
        var position = Math.Max(skipped.Length, scanner.Position);
        return new PeerLog(entry, extent)
        {
            Read = !numbered ? new LogExtent(position, 0) : scanner.IsSealed ? new LogExtent(length.Length - 1, length.Pieces - 1) : length,
            Standing = Math.Max(skipped.Length, scanner.Standing),
            Observed = length.Length,
            Clock = scanner.Clock,
            Operations = scanner.Operations,
            LastTime = lastTime,
            MovedAt = settings.Time.GetTimestamp(),
            IsSealed = scanner.IsSealed,
            HasSkipped = scanner.Skipped.Count > 0,
            Exists = length != default,
            IsPartlyRead = numbered && skipped.Pieces > 0,
            SkippedPieces = skipped.Pieces,
        };
    }

    private void ChooseSchema(int snapshotSchema)
    {
        // A log that was registered for a takeover holds nothing yet: its version is the program's.
        var schemas = plan.Logs.Where(l => !plan.TakesOver || l.Entry.Sealed).Select(l => l.Entry.Schema).Append(snapshotSchema).ToList();
        StoredSchema = schemas.Max();
        SchemaVersion = settings.SchemaVersion ?? StoredSchema;
        NeedsMigration = settings.SchemaVersion is not null && schemas.Min() < SchemaVersion;
        if (StoredSchema > SchemaVersion)
        {
            throw new OpsLogException(
                OpsLogError.TooNew, $"The store has schema version {StoredSchema}, this program knows {SchemaVersion}. Open it with a program that knows {StoredSchema}.");
        }

        if (settings is { SchemaVersion: null, ReadOnly: false } && schemas.Min() < StoredSchema)
        {
            throw new OpsLogException(
                OpsLogError.MigrationFailed, $"The store holds documents of the schema versions {schemas.Min()} to {StoredSchema}: a checkpoint would pass them all off as {StoredSchema}. Open it with the program that migrates them, or read-only.");
        }

        Migration = new Migration(SchemaVersion, settings.Migrate, settings.SchemaVersion is not null);
    }

    // Notes when the first and the last operation were written, for the history index.
    private sealed class TimeRange(IOperationSink next) : IOperationSink
    {
        private byte[]? _first;
        private readonly byte[] _last = new byte[OperationCodec.TimestampLength];
        private int _lastLength;

        public string First => _first is null ? "" : System.Text.Encoding.ASCII.GetString(_first);

        public string Last => System.Text.Encoding.ASCII.GetString(_last.AsSpan(0, _lastLength));

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Operation(in OperationLine line, long offset, long clock, long nextOffset)
        {
            if (line.Timestamp.Length == _last.Length)
            {
                _first ??= line.Timestamp.ToArray();
                line.Timestamp.CopyTo(_last);
                _lastLength = _last.Length;
            }

            next.Operation(line, offset, clock, nextOffset);
        }
    }
}
