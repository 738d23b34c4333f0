using OpsLog.Format;
using OpsLog.Storage;

namespace OpsLog.Engine;

/// <summary>
/// Reads a whole store and lists everything in it that is not what was written. Writes nothing, takes no lock, and works beside a living
/// writer: if the manifest changed while damage was being found, what was missing may have been collected, and it looks again.
/// </summary>
internal sealed partial class Verifier
{
    private const int MostTries = 10;
    private const long Window = 4 << 20;

    private readonly IOpsStorage _storage;
    private readonly EngineSettings _settings;
    private readonly ProgressMeter _progress;
    private readonly bool _refusesDoubtful;
    private readonly List<Damage> _damages = [];
    private readonly List<Damage> _notes = [];
    private readonly StoreState _state;
    private StateBuilder _builder = null!;
    private int _snapshotSchema;
    private bool _isPartial;
    private bool _mustRefuseDoubtful;
    private long _objects;
    private long _bytes;
    private long _operations;

    private Verifier(IOpsStorage storage, EngineSettings settings, ProgressMeter progress, bool refusesDoubtful)
    {
        (_storage, _settings, _progress, _refusesDoubtful) = (storage, settings, progress, refusesDoubtful);
        _state = new StoreState(settings.Nonces.NextSeed());
    }

    public static async ValueTask<VerifyReport> RunAsync(IOpsStorage storage, IProgress<StoreProgress>? progress, CancellationToken ct)
    {
        var settings = new EngineSettings(new OpsStoreOptions { ReadOnly = true, Recovery = Recovery.SkipCorrupt });
        for (var tries = 0; tries < MostTries; tries++)
        {
            var register = new ManifestRegister(storage);
            ManifestReadResult? manifest;
            try
            {
                manifest = await register.ReadAsync(ct).ConfigureAwait(false);
                if (manifest is null) await StoreListing.RefuseLeftoversAsync(storage, ct).ConfigureAwait(false);
            }
            catch (OpsLogException e) when (e.Damage is { } damage)
            {
                return new VerifyReport([damage], [], 1, damage.Length, 0, 0); // what else there is, nothing leads to
            }

            if (manifest is null) throw StoreListing.NoStore();
            var revision = manifest.Verdict == ManifestVerdict.Peer ? await StoreListing.HighestRevisionAsync(storage, ct).ConfigureAwait(false) : 0;
            var plan = StorePlan.Of(manifest, revision, settings.Nonces);
            register.Adopt(plan.Base);
            var report = await RunAsync(storage, settings, plan, EchoDamage(manifest), new ProgressMeter(progress), ct).ConfigureAwait(false);
            if (report.IsSound || await register.IsCurrentAsync(ct).ConfigureAwait(false)) return report;
        }

        throw new OpsLogException(OpsLogError.Conflict, $"The store changed {MostTries} times while it was being verified. Try again.");
    }

    private static async ValueTask<VerifyReport> RunAsync(IOpsStorage storage, EngineSettings settings, StorePlan plan, Damage? echo, ProgressMeter progress, CancellationToken ct)
    {
        var verifier = new Verifier(storage, settings, progress, refusesDoubtful: false);
        await verifier.ReadAsync(plan, ct).ConfigureAwait(false);
        if (verifier._mustRefuseDoubtful)
        {
            // In a damaged log a doubtful line cannot be told from damage (docs/format.md, Doubtful lines): opening reads again as well.
            verifier = new Verifier(storage, settings, progress, refusesDoubtful: true);
            await verifier.ReadAsync(plan, ct).ConfigureAwait(false);
        }

        if (echo is not null) verifier._damages.Insert(0, echo);
        return new VerifyReport(verifier._damages, verifier._notes, verifier._objects, verifier._bytes, verifier._state.Records.Count, verifier._operations);
    }

    /// <summary>What is wrong with the package's members of a manifest of ours; null if nothing is, or the package may have written them.</summary>
    internal static Damage? EchoDamage(ManifestReadResult manifest) =>
        manifest.Unexplained is { Count: > 0 } members
            ? new Damage(DamageKind.CorruptObject, StoreKeys.Manifest.Value, 0, 0, 0, $"{string.Join(", ", members)}: not what opslog.echo has, and the package drops opslog when it writes that")
            : null;

    private async ValueTask ReadAsync(StorePlan plan, CancellationToken ct)
    {
        var manifest = await ObjectReader.StatAsync(_storage, StoreKeys.Manifest, ct).ConfigureAwait(false);
        Count(manifest?.Length ?? 0);
        await SnapshotAsync(plan, ct).ConfigureAwait(false);
        foreach (var log in plan.Logs) await LogAsync(plan, log, ct).ConfigureAwait(false);
        await HistoryAsync(plan.Base, ct).ConfigureAwait(false);
        await ArchivesAsync(plan.Base.Archives, ct).ConfigureAwait(false);
    }

    private async ValueTask SnapshotAsync(StorePlan plan, CancellationToken ct)
    {
        var entry = plan.SnapshotIsVouched ? plan.Base.Snapshot : null;
        _progress.Begin("snapshot", entry?.Length ?? 0);
        var loader = new SnapshotLoader(_storage, _state, Recovery.SkipCorrupt) { AssumedHeader = entry is null ? null : AssumedHeader(entry.Name, entry.Count, plan.Base.Package.Version), Window = Window };
        var found = _damages.Count;
        _snapshotSchema = plan.Base.Package.Version;
        try
        {
            var sum = await SumAsync(plan.Snapshot, ct).ConfigureAwait(false);
            var header = default(SnapshotHeader);
            await loader.LoadAsync(plan.Snapshot, null, read =>
            {
                header = read;
                _snapshotSchema = read.SchemaVersion;
                return _builder = new StateBuilder(_state, Migration.None, plan.Merges);
            }, ct).ConfigureAwait(false);
            var badRecords = loader.Skipped.Count(d => d.Line > 1);
            foreach (var damage in loader.Skipped)
                if (damage.Line > 0 || _builder.SnapshotRecords + badRecords != header!.Count) _damages.Add(damage);
            if (entry is not null) CheckEntry(entry, sum, isKnown: _damages.Count > found);
        }
        catch (OpsLogException e) when (e.Damage is { } damage)
        {
            _damages.Add(damage);
        }

        _isPartial = _damages.Count > found;
        _builder ??= new StateBuilder(_state, Migration.None, plan.Merges);
        _progress.End();
    }

    /// <summary>What to go by if the first line of a snapshot in lines is damaged.</summary>
    internal static SnapshotHeader? AssumedHeader(string name, long? count, int schema) =>
        name.EndsWith(StoreKeys.LinesExtension, StringComparison.Ordinal)
            ? new SnapshotHeader { SchemaVersion = schema, Timestamp = "", Format = FormatVersion.Current, Count = count }
            : null;

    private void CheckEntry(SnapshotEntry entry, (long Length, uint Checksum) sum, bool isKnown)
    {
        if (sum.Length != entry.Length)
            Object(entry.Name, sum.Length, $"the snapshot has {sum.Length} bytes, {entry.Length} were written");
        else if (sum.Checksum != entry.Checksum && !isKnown)
            Object(entry.Name, sum.Length, $"the snapshot's checksum does not hold: the manifest says {JsonLines.Hex(entry.Checksum)}, the bytes give {JsonLines.Hex(sum.Checksum)}");
        else if (!isKnown && _state.Records.Count != entry.Count)
            Object(entry.Name, sum.Length, $"the snapshot has {_state.Records.Count} records, the manifest says {entry.Count}");
        else if (_state.Clock > entry.Clock)
            Object(entry.Name, sum.Length, $"the snapshot has a record with clock {_state.Clock}, the manifest says it covers {entry.Clock}");
    }

    private async ValueTask LogAsync(StorePlan plan, PlannedLog log, CancellationToken ct)
    {
        var name = log.Entry.Name;
        if (!StorageKey.IsValid(name))
        {
            Object(name, 0, "the manifest names a log that is no object name");
            return;
        }

        _progress.Begin("log", (await ObjectReader.StatAsync(_storage, new StorageKey(name), ct).ConfigureAwait(false))?.Length ?? 0);
        var source = new LogSource(name, log.Entry.Start, log.Entry.Agent, log.IsTimeless);
        var checksPrevious = !plan.Merges && log.Entry.Schema == _snapshotSchema; // a newer log names what was there when it had been migrated
        var read = await ScanAsync(source, log.Source, log.Entry.Schema, null, _state, _builder, checksPrevious, ct, hasSeal: log.MayEndInSeal).ConfigureAwait(false);
        if (read is null && plan.MayLack(log)) _notes.Add(new Damage(DamageKind.Missing, name, 0, 0, 0, "the log is registered, but was never created"));
        else if (read is not { } scan) Missing(name, "the manifest names this log, but it is not there");
        else if (!IsNumbered && scan.Length < log.Entry.Covered)
            _notes.Add(new Damage(DamageKind.CorruptObject, name, 0, 0, scan.Length, $"the log has {scan.Length} of the {log.Entry.Covered} bytes that the snapshot covers: nothing is missing")); // a power loss took the others
        _progress.End();
    }

    private bool IsNumbered => (_storage.Capabilities & StorageCapabilities.Append) == 0;

    private void Count(long bytes)
    {
        _objects++;
        _bytes += bytes;
    }

    private void Object(string name, long length, string detail) => _damages.Add(new Damage(DamageKind.CorruptObject, name, 0, 0, length, detail));

    private void Missing(string name, string detail) => _damages.Add(new Damage(DamageKind.Missing, name, 0, 0, 0, detail));
}
