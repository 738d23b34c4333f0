using OpsLog.Format;
using OpsLog.Storage;

namespace OpsLog.Engine;

/// <summary>One attempt to read what there is of a store into a state: everything that is whole, with a list of everything that is not.</summary>
internal sealed class Salvage
{
    private readonly IOpsStorage _storage;
    private readonly ProgressMeter _progress;
    private readonly bool _refusesDoubtful;
    private readonly Dictionary<int, StateBuilder> _builders = []; // by schema version: each brings other programs' records into an extent of its own
    private readonly Dictionary<Extent, int> _logs = [];
    private bool _merges = true;

    public Salvage(IOpsStorage storage, EngineSettings settings, ProgressMeter progress, bool refusesDoubtful)
    {
        (_storage, _progress, _refusesDoubtful) = (storage, progress, refusesDoubtful);
        State = new StoreState(settings.Nonces.NextSeed());
    }

    public StoreState State { get; }

    /// <summary>The clock of the records of a snapshot of the package.</summary>
    public long PackageClock { get; init; }

    public List<Damage> Losses { get; } = [];

    public List<Damage> Notes { get; } = [];

    public List<string> Assumptions { get; } = [];

    /// <summary>The snapshot it starts from; empty: none.</summary>
    public string Snapshot { get; private set; } = "";

    /// <summary>The schema version of the snapshot's documents.</summary>
    public int Schema { get; set; } = 1;

    /// <summary>The clock that the snapshot covers; 0 if it does not say.</summary>
    public long Floor { get; private set; }

    /// <summary>When the snapshot says that it was written.</summary>
    public string Timestamp { get; private set; } = "";

    /// <summary>How many records of the snapshot were read.</summary>
    public long SnapshotRecords => _builders.Values.Sum(b => b.SnapshotRecords);

    /// <summary>A log is damaged and has lines that cannot be told from damage then: everything has to be read again.</summary>
    public bool MustRefuseDoubtful { get; private set; }

    /// <summary>The schema version that a record's document is of: that of the log, or else of the snapshot, that it comes from.</summary>
    public int SchemaOf(RecordLocation location)
    {
        var extent = State.Extents.Current[location.Extent]!;
        if (_logs.TryGetValue(extent, out var schema)) return schema;
        foreach (var (of, builder) in _builders)
            if (builder.WritesTo(extent)) return of;
        return Schema;
    }

    /// <summary>Reads a snapshot, or what is left of it. What is wrong is among the losses.</summary>
    /// <returns>Whether it is sound.</returns>
    public async ValueTask<bool> TrySnapshotAsync(string name, SnapshotEntry? entry, int schema, bool merges, CancellationToken ct)
    {
        _progress.Begin("snapshot", entry?.Length ?? 0);
        Snapshot = name;
        (Schema, _merges) = (schema, merges);
        // A snapshot of ours in lines can be read line by line whatever became of its header, the manifest's word or not.
        var isOurs = entry is not null || (StorageKey.IsValid(name) && StoreKeys.IsOurs(new StorageKey(name)));
        var assumed = isOurs ? Verifier.AssumedHeader(name, entry?.Count, schema) : null;
        if (!isOurs) State.Clock = Math.Max(State.Clock, PackageClock);
        var loader = new SnapshotLoader(_storage, State, Recovery.SkipCorrupt) { AssumedHeader = assumed };
        try
        {
            await loader.LoadAsync(name, null, header =>
            {
                (Schema, Floor, Timestamp) = (header.SchemaVersion, header.Floor, header.Timestamp);
                return BuilderOf(Schema);
            }, ct).ConfigureAwait(false);
            Losses.AddRange(loader.Skipped);
            if (entry is not null && Losses.Count == 0) await CheckAsync(entry, ct).ConfigureAwait(false);
        }
        catch (OpsLogException e) when (e.Damage is { } damage)
        {
            Losses.Add(damage);
        }

        _progress.End();
        return Losses.Count == 0;
    }

    /// <summary>Reads what is whole in a log.</summary>
    /// <param name="log">The log.</param>
    /// <param name="floor">Operations with a clock up to this one are left out: the state has them.</param>
    /// <param name="mayLack">That it is not there is no loss.</param>
    /// <param name="ct">Cancels reading.</param>
    /// <returns>The largest clock read.</returns>
    public async ValueTask<long> LogAsync(PlannedLog log, long floor, bool mayLack, CancellationToken ct)
    {
        var name = log.Entry.Name;
        if (!StorageKey.IsValid(name))
        {
            Losses.Add(new Damage(DamageKind.CorruptObject, name, 0, 0, 0, "the manifest names a log that is no object name"));
            return log.Entry.Start;
        }

        if (log.ComesBehindOurs) log = log with { Entry = log.Entry with { Start = Math.Max(log.Entry.Start, State.Clock) } };
        var key = new StorageKey(name);
        _progress.Begin("log", (await ObjectReader.StatAsync(_storage, key, ct).ConfigureAwait(false))?.Length ?? 0);
        var extent = State.Extents.Add(new Extent(name, [log.Source]));
        _logs.Add(extent, log.Entry.Schema);
        var builder = BuilderOf(log.Entry.Schema);
        builder.EnterLog(extent, log.Source, log.Entry.Schema);
        var scanner = new LogScanner(new LogSource(name, log.Entry.Start, log.Entry.Agent, log.IsTimeless) { ClockOffset = log.ClockOffset }, Recovery.SkipCorrupt)
        {
            TakesGluedLines = true,
            RefuseDoubtful = _refusesDoubtful,
            EndsWithSeal = log.MayEndInSeal,
            IsClosed = (_storage.Capabilities & StorageCapabilities.Append) == 0 && !log.MayEndInSeal, // a piece of a numbered log is written whole
        };
        var sink = new AboveFloor(builder, floor);
        var read = await LogReader.ReadAsync(_storage, key, 0, null, part =>
        {
            if (part.Memory.Length > 0) extent.Add(part.Start, part.Memory, part.Owner);
            var taken = scanner.Scan(part, sink);
            _progress.Add(taken);
            return taken;
        }, ct).ConfigureAwait(false);
        if (read is null && !mayLack) Losses.Add(new Damage(DamageKind.Missing, name, 0, 0, 0, "the log is not there"));
        Losses.AddRange(scanner.Skipped);
        Notes.AddRange(scanner.Notes);
        MustRefuseDoubtful |= !_refusesDoubtful && scanner.Skipped.Count > 0 && scanner.SawDoubtful;
        _progress.End();
        return scanner.Clock;
    }

    private StateBuilder BuilderOf(int schema)
    {
        if (!_builders.TryGetValue(schema, out var builder)) _builders.Add(schema, builder = new StateBuilder(State, Migration.None, _merges));
        return builder;
    }

    private async ValueTask CheckAsync(SnapshotEntry entry, CancellationToken ct)
    {
        var checksum = Crc32C.Start();
        long length = 0;
        await ObjectReader.ReadAsync(_storage, new StorageKey(entry.Name), 0, null, 0, part =>
        {
            checksum.Append(part.Memory.Span);
            length += part.Memory.Length;
            return part.Memory.Length;
        }, ObjectReader.DefaultWindow, ct).ConfigureAwait(false);
        if (length != entry.Length || checksum.Value != entry.Checksum)
            Losses.Add(new Damage(DamageKind.CorruptObject, entry.Name, 0, 0, length, "the snapshot is not the one the manifest vouches for: its length or checksum differs"));
    }

    private sealed class AboveFloor(StateBuilder builder, long floor) : IOperationSink
    {
        public void Operation(in OperationLine line, long offset, long clock, long next)
        {
            if (clock > floor) builder.Operation(line, offset, clock, next);
        }
    }
}
