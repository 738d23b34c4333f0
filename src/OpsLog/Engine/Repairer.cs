using OpsLog.Engine.Agents;
using OpsLog.Format;
using OpsLog.Storage;

namespace OpsLog.Engine;

/// <summary>
/// Salvages a damaged store into an empty storage. With a manifest and a sound snapshot it reads what opening reads, and takes every line
/// that is whole; otherwise <see cref="RepairerRebuild"/> finds the best base there is. The source is only read.
/// </summary>
internal sealed class Repairer
{
    private const string Quarantine = "quarantine/";

    private readonly IOpsStorage _source;
    private readonly IOpsStorage _target;
    private readonly EngineSettings _settings;
    private readonly ProgressMeter _progress;
    private readonly List<Damage> _losses = [];
    private readonly List<string> _assumptions = [];
    private readonly List<string> _quarantined = [];
    private long _packageClock;

    private Repairer(IOpsStorage source, IOpsStorage target, IProgress<StoreProgress>? progress)
    {
        (_source, _target, _progress) = (source, target, new ProgressMeter(progress));
        _settings = new EngineSettings(new OpsStoreOptions { ReadOnly = true, Recovery = Recovery.SkipCorrupt });
    }

    public static async ValueTask<RepairReport> RunAsync(IOpsStorage source, IOpsStorage target, IProgress<StoreProgress>? progress, CancellationToken ct)
    {
        await BackupCopy.RequireEmptyAsync(target, ct).ConfigureAwait(false);
        return await new Repairer(source, target, progress).RunAsync(ct).ConfigureAwait(false);
    }

    private async ValueTask<RepairReport> RunAsync(CancellationToken ct)
    {
        var plan = await PlanAsync(ct).ConfigureAwait(false);
        var archives = plan?.Base.Archives ?? await ListArchivesAsync(ct).ConfigureAwait(false);
        var archived = await Archiver.NewestClockAsync(_source, archives, ct).ConfigureAwait(false);
        if (plan is { SnapshotIsVouched: false }) plan = plan.Above(archived);
        _packageClock = plan?.Base.Snapshot.Clock ?? StorePlan.ClockAbove(archived);
        var salvage = await SalvageAsync(plan, refusesDoubtful: false, ct).ConfigureAwait(false);
        if (salvage.MustRefuseDoubtful) salvage = await SalvageAsync(plan, refusesDoubtful: true, ct).ConfigureAwait(false);
        // Clocks never go back: what was deleted or archived last shows in no record and no line that is read.
        salvage.State.Clock = new[] { salvage.State.Clock, salvage.Floor, archived, plan is null ? 0 : OwnLogs.ClockOf(plan.Base) }.Max();
        _losses.AddRange(salvage.Losses);
        _assumptions.AddRange(salvage.Assumptions);
        salvage.State.ForgetTombstones();

        var output = new RepairerOutput(_source, _target, _settings, _progress);
        await output.CopyArchivesAsync(archives, ct).ConfigureAwait(false);
        _losses.AddRange(output.Losses);
        if (plan?.Base.History is { } history) await DropHistoryAsync(plan.Base, history, ct).ConfigureAwait(false);
        await QuarantineAsync(ct).ConfigureAwait(false);
        var isJson = salvage.Snapshot.EndsWith(".json", StringComparison.Ordinal);
        await output.WriteAsync(salvage, isJson ? SnapshotFormat.Json : SnapshotFormat.JsonLines, plan?.Base.Package.Stats.Created, ct).ConfigureAwait(false);
        _losses.AddRange(output.LeftOut);
        _assumptions.AddRange(output.Assumptions);
        return new RepairReport(_losses, output.Records, _quarantined) { Notes = salvage.Notes, Assumptions = _assumptions };
    }

    // Null: there is no manifest that can be read, but there is data.
    private async ValueTask<StorePlan?> PlanAsync(CancellationToken ct)
    {
        var register = new ManifestRegister(_source);
        try
        {
            if (await register.ReadAsync(ct).ConfigureAwait(false) is { } read)
            {
                var revision = read.Verdict == ManifestVerdict.Peer ? await StoreListing.HighestRevisionAsync(_source, ct).ConfigureAwait(false) : 0;
                if (Verifier.EchoDamage(read) is { } damage)
                {
                    // The echo is vouched for by its checksum; what only the package can have added stays.
                    _losses.Add(damage with { Detail = $"{damage.Detail} (the echo was taken)" });
                    read = read with { Package = read.Manifest!.Package with { ActiveAgentOps = read.Package!.ActiveAgentOps } };
                }

                return StorePlan.Of(read, revision, _settings.Nonces);
            }

            await StoreListing.RefuseLeftoversAsync(_source, ct).ConfigureAwait(false);
        }
        catch (OpsLogException e) when (e.Damage is { Detail: not ManifestRegister.OtherForm } damage) // without the manifest the pieces would be passed over
        {
            _losses.Add(damage);
            return null;
        }

        throw StoreListing.NoStore();
    }

    private async ValueTask<Salvage> SalvageAsync(StorePlan? plan, bool refusesDoubtful, CancellationToken ct)
    {
        var salvage = new Salvage(_source, _settings, _progress, refusesDoubtful) { PackageClock = _packageClock };
        if (plan is not null && await salvage.TrySnapshotAsync(plan.Snapshot, plan.SnapshotIsVouched ? plan.Base.Snapshot : null, plan.Base.Package.Version, plan.Merges, ct).ConfigureAwait(false))
        {
            // What a whole snapshot has forgotten must not come back from logs that it covers.
            var floor = salvage.Losses.Count == 0 ? plan.Base.Snapshot.Floor : -1;
            foreach (var log in plan.Logs) await salvage.LogAsync(log, plan.IsMany || log.MayEndInSeal ? floor : -1, plan.MayLack(log), ct).ConfigureAwait(false);
            return salvage;
        }

        return await new RepairerRebuild(_source, _settings, _progress, refusesDoubtful, _packageClock).RunAsync(plan, ct).ConfigureAwait(false);
    }

    // The new store begins a history of its own: its log has no line of the old one's.
    private async ValueTask DropHistoryAsync(Manifest manifest, HistoryReference reference, CancellationToken ct)
    {
        var found = await new HistoryKeeper(_source, _settings).FindAsync(manifest, ct).ConfigureAwait(false);
        if (found.Damage is { } damage) _losses.Add(damage);
        _losses.Add(new Damage(
            DamageKind.Missing, reference.Name, 0, 0, 0, $"history is not carried over: {found.Logs.Sum(l => l.Operations)} operations of {found.Logs.Count} logs kept for it stay in the source"));
    }

    private async ValueTask<IReadOnlyList<ArchiveEntry>> ListArchivesAsync(CancellationToken ct)
    {
        var found = new List<(string Period, ArchiveObject Object)>();
        await foreach (var entry in _source.ListAsync(StoreKeys.ArchiveFolder, null, ct).ConfigureAwait(false))
        {
            if (!StoreKeys.TryParse(entry.Key, out var name) || name.Kind is not (StoredKind.Archive or StoredKind.ArchiveSegment)) continue;
            if (await ObjectReader.ReadAllAsync(_source, entry.Key, ct).ConfigureAwait(false) is not { } bytes) continue;
            found.Add((Archiver.PeriodOf(bytes.Bytes) ?? name.Data, new ArchiveObject(entry.Key.Value, 0)));
        }

        if (found.Count > 0) _assumptions.Add("Without a manifest, every archive there is was taken to belong to the store.");
        return Archiver.ByPeriod(found.Select(f => new ArchiveEntry(f.Period, [f.Object])));
    }

    // Byte for byte, under names that are nobody's: whoever knows better may still find something in them.
    private async ValueTask QuarantineAsync(CancellationToken ct)
    {
        _progress.Begin("quarantine", 0);
        foreach (var file in _losses.Where(l => l.Kind != DamageKind.Missing && StorageKey.IsValid(l.File)).Select(l => l.File).Distinct(StringComparer.Ordinal))
        {
            var name = Quarantine + file.Replace('/', '~');
            var key = new StorageKey(name.Length <= StorageKey.MaxLength ? name : name[..StorageKey.MaxLength]);
            var found = await _source.ReadAsync(new StorageKey(file), ByteRange.All, ct).ConfigureAwait(false);
            if (found is null) continue;
            await using (found.ConfigureAwait(false))
            {
                using var content = new MeteredStream(found.Content, _progress);
                var result = await _target.PutAsync(key, content, PutCondition.IfAbsent, ct).ConfigureAwait(false);
                if (!result.IsStored) throw RepairerOutput.Taken(key);
            }

            _quarantined.Add(key.Value);
        }

        _progress.End();
    }
}
