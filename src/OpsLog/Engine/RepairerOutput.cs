using OpsLog.Format;
using OpsLog.Storage;

namespace OpsLog.Engine;

/// <summary>Writes what was salvaged as a new store: archives, snapshot, an empty log, and the manifest last.</summary>
internal sealed class RepairerOutput(IOpsStorage source, IOpsStorage target, EngineSettings settings, ProgressMeter progress)
{
    private readonly List<ArchiveEntry> _archives = [];
    private long _revision;

    /// <summary>Archives that cannot be read.</summary>
    public List<Damage> Losses { get; } = [];

    public static OpsLogException Taken(StorageKey key) => new(OpsLogError.Conflict, $"Somebody else is writing to the target: '{key}' is there already. Choose an empty one.");

    /// <summary>Copies the archives that are whole, as they are.</summary>
    public async ValueTask CopyArchivesAsync(IReadOnlyList<ArchiveEntry> archives, CancellationToken ct)
    {
        progress.Begin("archives", 0);
        foreach (var entry in archives)
        {
            var kept = new List<ArchiveObject>();
            foreach (var part in entry.Objects)
                if (await CopyAsync(entry.Period, part, ct).ConfigureAwait(false) is { } copied)
                    kept.Add(copied);
            if (kept.Count > 0) _archives.Add(new ArchiveEntry(entry.Period, kept));
        }

        progress.End();
    }

    /// <summary>Writes the state as a store of its own.</summary>
    public async ValueTask WriteAsync(StoreState state, int schema, SnapshotFormat format, string? created, CancellationToken ct)
    {
        progress.Begin("writing", 0);
        var now = IsoTime.ToText(settings.Time.GetUtcNow());
        var nonce = settings.Nonces.Next();
        var snapshot = StoreKeys.Snapshot(_revision, nonce, format == SnapshotFormat.Json);
        var log = StoreKeys.Log("", _revision, nonce);
        using var stream = new SnapshotStream(StoreView.Of(state), schema, format, now);
        using var metered = new MeteredStream(stream, progress);
        await PutAsync(snapshot, metered, ct).ConfigureAwait(false);
        await PutAsync(log, Stream.Null, ct).ConfigureAwait(false);
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
            Logs = [new LogEntry(log.Value, "", state.Clock, schema, 0, state.Clock, false)],
            Archives = [.. _archives.OrderBy(a => a.Period, StringComparer.Ordinal)],
        };
        await PutAsync(StoreKeys.Manifest, new MemoryStream(ManifestCodec.Write(manifest)), ct).ConfigureAwait(false);
        progress.End();
    }

    private async ValueTask<ArchiveObject?> CopyAsync(string period, ArchiveObject part, CancellationToken ct)
    {
        if (!StorageKey.IsValid(part.Name))
        {
            Losses.Add(new Damage(DamageKind.CorruptObject, part.Name, 0, 0, 0, "the manifest lists an archive that is no object name"));
            return null;
        }

        var key = new StorageKey(part.Name);
        if (await ObjectReader.ReadAllAsync(source, key, ct).ConfigureAwait(false) is not { } found)
        {
            Losses.Add(new Damage(DamageKind.Missing, part.Name, 0, 0, 0, "the manifest lists this archive, but it is not there"));
            return null;
        }

        if (Verifier.ArchiveFault(period, part, found.Bytes) is { Length: > 0 } fault)
        {
            Losses.Add(new Damage(DamageKind.CorruptObject, part.Name, 0, 0, found.Bytes.Length, fault));
            return null;
        }

        await PutAsync(key, new MemoryStream(found.Bytes), ct).ConfigureAwait(false);
        progress.Add(found.Bytes.Length);
        _revision = Math.Max(_revision, StoreKeys.RevisionOf(key) + 1);
        return new ArchiveObject(part.Name, RecordsOf(found.Bytes));
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
