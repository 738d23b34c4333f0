using System.Buffers;
using OpsLog.Format;
using OpsLog.Storage;

namespace OpsLog.Engine;

/// <summary>
/// Writes what was salvaged as a new store: archives, snapshot, a log, and the manifest last. The log is empty, unless documents are of two
/// schema versions: a snapshot has one, so that the newer ones go to the log, and opening migrates each from its own.
/// </summary>
internal sealed class RepairerOutput(IOpsStorage source, IOpsStorage target, EngineSettings settings, ProgressMeter progress)
{
    private const int PieceBytes = 4 << 20;

    private readonly List<ArchiveEntry> _archives = [];
    private readonly ArrayBufferWriter<byte> _lines = new();
    private long _revision;

    /// <summary>Archives that cannot be read.</summary>
    public List<Damage> Losses { get; } = [];

    /// <summary>Records that neither snapshot nor log can take.</summary>
    public List<Damage> LeftOut { get; } = [];

    public List<string> Assumptions { get; } = [];

    /// <summary>How many records were written.</summary>
    public long Records { get; private set; }

    public static OpsLogException Taken(StorageKey key) => new(OpsLogError.Conflict, $"Somebody else is writing to the target: '{key}' is there already. Choose an empty one.");

    /// <summary>Copies the archives that are whole, as they are.</summary>
    public async ValueTask CopyArchivesAsync(IReadOnlyList<ArchiveEntry> archives, CancellationToken ct)
    {
        progress.Begin("archives", 0);
        foreach (var entry in archives)
        {
            var kept = new List<ArchiveObject>();
            var period = entry.Period;
            foreach (var part in entry.Objects)
            {
                if (await ReadAsync(entry.Period, part, ct).ConfigureAwait(false) is not { } bytes) continue;
                period = Archiver.PeriodOf(bytes) ?? period;
                kept.Add(await CopyAsync(part, bytes, ct).ConfigureAwait(false));
            }

            if (kept.Count > 0) _archives.Add(new ArchiveEntry(period, kept));
        }

        progress.End();
    }

    /// <summary>Writes the state as a store of its own.</summary>
    public async ValueTask WriteAsync(Salvage salvage, SnapshotFormat format, string? created, CancellationToken ct)
    {
        progress.Begin("writing", 0);
        var state = salvage.State;
        var (schema, newest, newer) = Divide(salvage);
        var now = IsoTime.ToText(settings.Time.GetUtcNow());
        var nonce = settings.Nonces.Next();
        var snapshot = StoreKeys.Snapshot(_revision, nonce, format == SnapshotFormat.Json);
        var log = StoreKeys.Log("", _revision, nonce);
        using var stream = new SnapshotStream(StoreView.Of(state), schema, format, now);
        using var metered = new MeteredStream(stream, progress);
        await PutAsync(snapshot, metered, ct).ConfigureAwait(false);
        await PutAsync(log, Stream.Null, ct).ConfigureAwait(false);
        await WriteLogAsync(new LogTarget(target, log, 0, 0), state, newer, now, ct).ConfigureAwait(false);
        Records = stream.Count + newer.Count;
        var manifest = new Manifest
        {
            Package = new PackageMembers
            {
                Version = schema,
                CurrentSnapshot = snapshot.Value,
                ActiveOps = log.Value,
                ArchiveSegments = [.. _archives.SelectMany(a => a.Objects).Select(o => o.Name)],
                Stats = new PackageStats(stream.Count, _archives.SelectMany(a => a.Objects).Sum(o => o.Records), 0, created ?? now, now),
            },
            Revision = _revision + 1,
            Incarnation = settings.Nonces.NextIncarnation(),
            Numbered = (target.Capabilities & StorageCapabilities.Append) == 0,
            Snapshot = new SnapshotEntry(snapshot.Value, stream.BytesRead, stream.Checksum, stream.Count, state.Clock, state.Clock),
            Logs = [new LogEntry(log.Value, "", state.Clock, newest, 0, state.Clock, false)],
            Archives = [.. Archiver.ByPeriod(_archives).OrderBy(a => a.Period, StringComparer.Ordinal)],
        };
        await PutAsync(StoreKeys.Manifest, new MemoryStream(ManifestCodec.Write(manifest)), ct).ConfigureAwait(false);
        progress.End();
    }

    // What is not of the oldest version leaves the state, and goes to the log if it is of the newest.
    private (int Oldest, int Newest, List<(byte[] Id, RecordLocation Location)> Newer) Divide(Salvage salvage)
    {
        var counts = new SortedDictionary<int, long>();
        foreach (var record in salvage.State.Records)
        {
            var schema = salvage.SchemaOf(record.Location);
            counts[schema] = counts.GetValueOrDefault(schema) + 1;
        }

        var newer = new List<(byte[] Id, RecordLocation Location)>();
        if (counts.Count == 0) return (salvage.Schema, salvage.Schema, newer);
        var (oldest, newest) = (counts.Keys.First(), counts.Keys.Last());
        if (oldest == newest) return (oldest, newest, newer);
        var moved = new List<byte[]>();
        foreach (var record in salvage.State.Records)
        {
            var schema = salvage.SchemaOf(record.Location);
            if (schema == oldest) continue;
            moved.Add(record.Handle.Id.ToArray());
            if (schema == newest) newer.Add((moved[^1], record.Location));
        }

        foreach (var id in moved) salvage.State.Records.Remove(id);
        foreach (var (schema, count) in counts.Skip(1).SkipLast(1))
            LeftOut.Add(new Damage(DamageKind.Missing, salvage.Snapshot, 0, 0, 0, $"{count} records of schema version {schema} are left out: the new store can only hold those of {oldest} and {newest}"));
        Assumptions.Add($"Documents of schema version {oldest} were written to the snapshot, those of {newest} to the log. Open the store with the program that migrates them before any other writes to it.");
        return (oldest, newest, newer);
    }

    private async ValueTask WriteLogAsync(LogTarget log, StoreState state, List<(byte[] Id, RecordLocation Location)> records, string now, CancellationToken ct)
    {
        if (records.Count == 0) return;
        var clock = state.Clock;
        foreach (var (id, location) in records)
        {
            Add(state, id, location, ++clock, now, log.IsNumbered ? 0 : log.Length);
            if (_lines.WrittenCount >= PieceBytes || clock == state.Clock + records.Count)
            {
                ct.ThrowIfCancellationRequested();
                if (!(await log.AppendAsync(_lines.WrittenMemory, Flush.Synced).ConfigureAwait(false)).IsStored) throw Taken(log.Key);
                progress.Add(_lines.WrittenCount);
                _lines.ResetWrittenCount();
            }
        }

        await log.ReleaseAsync().ConfigureAwait(false);
    }

    private void Add(StoreState state, byte[] id, RecordLocation location, long clock, string now, long start)
    {
        var draft = new OperationDraft
        {
            Timestamp24 = System.Text.Encoding.ASCII.GetBytes(now),
            Kind = OperationKind.Set,
            IdWtf8 = id,
            Prev = "null"u8,
            Data = StoreState.ReadChecked(state.Extents.Current, location).Document,
            Clock = clock,
        };
        _lines.Advance(OperationCodec.Write(_lines.GetSpan((int)OperationCodec.MaxLength(draft)), draft, start + _lines.WrittenCount, out _));
    }

    // Null, and a loss, if it is not whole.
    private async ValueTask<byte[]?> ReadAsync(string period, ArchiveObject part, CancellationToken ct)
    {
        if (!StorageKey.IsValid(part.Name))
        {
            Losses.Add(new Damage(DamageKind.CorruptObject, part.Name, 0, 0, 0, "the manifest lists an archive that is no object name"));
            return null;
        }

        if (await ObjectReader.ReadAllAsync(source, new StorageKey(part.Name), ct).ConfigureAwait(false) is not { } found)
        {
            Losses.Add(new Damage(DamageKind.Missing, part.Name, 0, 0, 0, "the manifest lists this archive, but it is not there"));
            return null;
        }

        if (Verifier.ArchiveFault(period, part, found.Bytes) is { Length: > 0 } fault)
        {
            Losses.Add(new Damage(DamageKind.CorruptObject, part.Name, 0, 0, found.Bytes.Length, fault));
            return null;
        }

        return found.Bytes;
    }

    private async ValueTask<ArchiveObject> CopyAsync(ArchiveObject part, byte[] bytes, CancellationToken ct)
    {
        var key = new StorageKey(part.Name);
        await PutAsync(key, new MemoryStream(bytes), ct).ConfigureAwait(false);
        progress.Add(bytes.Length);
        _revision = Math.Max(_revision, StoreKeys.RevisionOf(key) + 1);
        return part with { Records = RecordsOf(bytes) };
    }

    private static long RecordsOf(byte[] archive)
    {
        long records = 0;
        if (!ArchiveReader.TryOpen(archive, out var reader, out _)) return 0;
        while (reader.Read(out _, out _)) records++;
        return records;
    }

    private async ValueTask PutAsync(StorageKey key, Stream content, CancellationToken ct)
    {
        var result = await target.PutAsync(key, content, PutCondition.IfAbsent, ct).ConfigureAwait(false);
        if (!result.IsStored) throw Taken(key);
    }
}
