using OpsLog.Engine.Agents;
using OpsLog.Format;
using OpsLog.Storage;

namespace OpsLog.Engine;

/// <summary>What opening gives the engine.</summary>
internal sealed record OpenedStore(ManifestRegister Register, StoreState State, RecoveryReport Report, Migration Migration, int SchemaVersion)
{
    /// <summary>The log to go on in; null for a read-only opening.</summary>
    public LogTarget? Target { get; init; }

    public LogBuffer? Buffer { get; init; }

    public Extent? LogExtent { get; init; }

    public long LogOperations { get; init; }

    public long LogLength { get; init; }

    /// <summary>The lines of the log are all ours: every one carries its clock.</summary>
    public bool LogIsOurs { get; init; }

    public LogEnd LogEnd { get; init; }

    /// <summary>How far the log was taken: in front of an unfinished end.</summary>
    public long LogTaken { get; init; }

    public long LogClock { get; init; }

    /// <summary>An empty line at the log's end may be the seal of an agent that is about to take the store over.</summary>
    public bool LogMayBeSealed { get; init; }

    public IReadOnlyList<PlannedLog> Logs { get; init; } = [];

    public long SnapshotBytes { get; init; }

    /// <summary>Other programs' logs, agents' logs, another schema version, or skipped damage: a checkpoint brings all of it into one snapshot and a new log.</summary>
    public bool NeedsAdoption { get; init; }

    /// <summary>The logs kept for history.</summary>
    public IReadOnlyList<HistoryLog> History { get; init; } = [];

    /// <summary>The logs of a store of many writers, for an agent or a read-only opening; null: it has a single writer.</summary>
    public IReadOnlyList<PeerLog>? Peers { get; init; }

    /// <summary>Where agents' logs, which a single writer has ended, end.</summary>
    public IReadOnlyDictionary<string, long> FinalLengths { get; init; } = new Dictionary<string, long>();

    /// <summary>The manifest is ours, and nobody else wrote since.</summary>
    public bool IsOurs { get; init; }

    /// <summary>The log is not there; its damage was skipped.</summary>
    public bool LogIsMissing { get; init; }

    /// <summary>Damage of the snapshot or of a log was skipped: what the logs say no longer leads to the state, and history begins behind them.</summary>
    public bool HasSkipped { get; init; }

    /// <summary>The logs that were read, for history.</summary>
    public IReadOnlyList<HistoryLog> Read { get; init; } = [];
}

/// <summary>Opens a store: finds or makes the manifest, claims the log, reads the snapshot and the logs behind it.</summary>
internal sealed class StoreOpener(IOpsStorage storage, EngineSettings settings)
{
    private const int MostTries = 20;
    private static readonly TimeSpan s_lockPause = TimeSpan.FromMilliseconds(25);

    public async ValueTask<OpenedStore> OpenAsync(long started, CancellationToken ct)
    {
        var register = new ManifestRegister(storage, settings);
        for (var tries = 0; tries < MostTries; tries++)
        {
            var read = await register.ReadAsync(ct).ConfigureAwait(false);
            if (read is null)
            {
                try
                {
                    await StoreListing.RefuseLeftoversAsync(storage, ct).ConfigureAwait(false);
                }
                catch (OpsLogException e) when (e.Error == OpsLogError.Damaged)
                {
                    if (await register.ReadAsync(ct).ConfigureAwait(false) is null) throw;
                    continue; // somebody was making the store at this moment
                }

                if (!settings.CreateIfMissing) throw StoreListing.NoStore();
                await StoreCreator.TryCreateAsync(storage, register, settings, ct).ConfigureAwait(false);
                continue; // whoever won the race: there is a manifest now
            }

            var plan = StorePlan.Of(read, read.Verdict == ManifestVerdict.Peer ? await StoreListing.HighestRevisionAsync(storage, ct).ConfigureAwait(false) : 0, settings.Nonces);
            if (!plan.IsOurs) plan = await NamePeriodsAsync(plan, ct).ConfigureAwait(false);
            if (!plan.SnapshotIsVouched && !settings.ReadOnly) plan = plan.Above(await Archiver.NewestClockAsync(storage, plan.Base.Archives, ct).ConfigureAwait(false));
            register.Adopt(plan.Base);
            if (settings.AgentId is not null && !plan.IsShared)
            {
                try
                {
                    await new StoreConverter(storage, settings).ToManyAsync(register, plan, ct).ConfigureAwait(false);
                }
                catch (OpsLogException e) when (e.Error == OpsLogError.Locked && tries < MostTries - 1)
                {
                    await Task.Delay(s_lockPause, settings.Time, ct).ConfigureAwait(false); // perhaps another agent, doing the same
                }

                continue;
            }

            if (plan.EndsAgents && !settings.ReadOnly && !await new StoreConverter(storage, settings).EndAgentsAsync(register, ct).ConfigureAwait(false)) continue;
            if (plan.IsMany)
            {
                if (await OpenManyAsync(register, plan, started, ct).ConfigureAwait(false) is { } many) return many;
                continue;
            }

            var claimed = settings.ReadOnly ? null : await ClaimAsync(plan, ct).ConfigureAwait(false);
            try
            {
                // Nobody else appends from here on; but what was claimed may no longer be what the manifest names.
                if (claimed is not null && !await register.IsCurrentAsync(ct).ConfigureAwait(false)) continue;
                if (await LoadAsync(register, plan, started, ct).ConfigureAwait(false) is not { } opened) continue;
                // A log without an operation may be one that was folded and deleted, and made again by an agent that went by the same old manifest.
                if (claimed is null && opened.LogOperations == 0 && !await register.IsCurrentAsync(ct).ConfigureAwait(false)) continue;
                claimed = null;
                return opened;
            }
            catch (OpsLogException e) when (e.Error == OpsLogError.Damaged)
            {
                // Unless a checkpoint came in between: then what the manifest named is gone for a good reason.
                if (await register.IsCurrentAsync(ct).ConfigureAwait(false)) throw;
            }
            finally
            {
                if (claimed is not null) await claimed.ReleaseAsync().ConfigureAwait(false);
            }
        }

        throw new OpsLogException(OpsLogError.Conflict, $"The store's manifest changed {MostTries} times while it was being opened. Try again.");
    }

    // Null: the manifest has changed meanwhile.
    private async ValueTask<OpenedStore?> OpenManyAsync(ManifestRegister register, StorePlan plan, long started, CancellationToken ct)
    {
        var isShared = settings.ReadOnly || settings.AgentId is not null;
        var exclusive = isShared ? null : await new StoreConverter(storage, settings).ToExclusiveAsync(register, ct).ConfigureAwait(false);
        try
        {
            if (exclusive is not null) plan = StorePlan.OfTakeover(register.Current, exclusive.Key.Value);
            var load = new StoreLoad(storage, settings, plan);
            await load.RunAsync(ct).ConfigureAwait(false);
            // A log that is not there, or ends early, may have been folded and deleted while it was being read.
            var mayVanish = load.MissesLogs || (storage.Capabilities & StorageCapabilities.Append) == 0;
            if (mayVanish && !await register.IsCurrentAsync(ct).ConfigureAwait(false)) return null;
            var skipped = load.Skipped.ToList();
            // An agent reads it when it makes a checkpoint, no sooner.
            if ((settings.AgentId is null ? await ReadHistoryAsync(register, skipped, ct).ConfigureAwait(false) : []) is not { } history) return null;
            var opened = new OpenedStore(register, load.State, ReportOf(load, skipped, started), load.Migration, load.SchemaVersion)
            {
                Logs = load.Logs,
                LogIsOurs = load.ForeignOperations == 0,
                SnapshotBytes = load.SnapshotBytes,
                Read = load.History,
                History = history,
                HasSkipped = load.Skipped.Count > 0,
                IsOurs = true,
                Peers = isShared ? load.Peers : null,
            };
            if (exclusive is null) return opened;
            var log = load.Peers.First(p => p.Key == exclusive.Key);
            opened = opened with { Target = exclusive, Buffer = new LogBuffer(log.Extent, 0, settings.Limits), LogExtent = log.Extent, LogClock = log.Clock, LogIsOurs = true, FinalLengths = FinalLengths(load.Peers.Where(p => p != log), exclusive.IsNumbered), NeedsAdoption = load.Peers.Count > 1 || load.NeedsMigration };
            exclusive = null;
            return opened;
        }
        catch (OpsLogException e) when (e.Error == OpsLogError.Damaged)
        {
            // Unless a checkpoint came in between: then what the manifest named is gone for a good reason.
            if (await register.IsCurrentAsync(ct).ConfigureAwait(false)) throw;
            return null;
        }
        finally
        {
            if (exclusive is not null) await exclusive.ReleaseAsync().ConfigureAwait(false);
        }
    }

    private static Dictionary<string, long> FinalLengths(IEnumerable<PeerLog> ended, bool numbered) =>
        ended.ToDictionary(p => p.Entry.Name, p => p.IsEmpty ? 0 : Math.Max(p.Position(numbered), p.Entry.Covered), StringComparer.Ordinal);

    private RecoveryReport ReportOf(StoreLoad load, IReadOnlyList<Damage> skipped, long started) => new()
    {
        Notes = load.Notes,
        Skipped = skipped,
        SnapshotRecords = load.SnapshotRecords,
        ReplayedOperations = load.Operations,
        StoredSchemaVersion = load.StoredSchema,
        Duration = settings.Time.GetElapsedTime(started),
    };

    private async ValueTask<LogTarget?> ClaimAsync(StorePlan plan, CancellationToken ct)
    {
        var name = plan.Logs.LastOrDefault(l => l.Entry.Agent.Length == 0)?.Entry.Name ?? plan.Logs[0].Entry.Name;
        if (!StorageKey.IsValid(name)) return null; // reading it will say what is wrong
        var key = new StorageKey(name);
        for (var tries = 0; tries < MostTries; tries++)
        {
            if (await ObjectReader.StatAsync(storage, key, ct).ConfigureAwait(false) is not { } stat) return null;
            var target = new LogTarget(storage, key, stat.Length, 0);
            var result = await target.ClaimAsync(ct).ConfigureAwait(false);
            if (result.IsStored) return target;
            if (result.Outcome == PutOutcome.Held)
                throw new OpsLogException(OpsLogError.Locked, $"The store is open for writing elsewhere{(result.Detail is { } who ? $": {who.TrimEnd('.')}" : "")}. Close it there, or open it read-only.");
        }

        throw new OpsLogException(OpsLogError.Locked, $"Another writer is writing to '{key}'. Close it there, or open the store read-only.");
    }

    /// <returns>Null if another writer wrote meanwhile: it has to be read again.</returns>
    private async ValueTask<OpenedStore?> LoadAsync(ManifestRegister register, StorePlan plan, long started, CancellationToken ct)
    {
        var load = new StoreLoad(storage, settings, plan);
        await load.RunAsync(ct).ConfigureAwait(false);
        if (load.MissesLogs && !await register.IsCurrentAsync(ct).ConfigureAwait(false)) return null;
        var skipped = load.Skipped.ToList();
        if (await ReadHistoryAsync(register, skipped, ct).ConfigureAwait(false) is not { } history) return null;
        var report = ReportOf(load, skipped, started);
        var log = load.LastLog;
        var opened = new OpenedStore(register, load.State, report, load.Migration, load.SchemaVersion)
        {
            LogExtent = log?.Extent,
            LogOperations = log?.Operations ?? 0,
            LogLength = log?.Length ?? 0,
            LogEnd = log?.End ?? LogEnd.Clean,
            LogTaken = log?.Position ?? 0,
            LogClock = log?.Clock ?? 0,
            LogMayBeSealed = log?.GoesOnBehindOperations == true,
            Logs = load.Logs,
            LogIsOurs = load.ForeignOperations == 0,
            SnapshotBytes = load.SnapshotBytes,
            Read = load.History,
            History = history,
            HasSkipped = load.Skipped.Count > 0,
            IsOurs = plan.IsOurs && log is not null,
            LogIsMissing = log is null,
            NeedsAdoption = !plan.IsOurs || plan.Merges || load.Skipped.Count > 0 || load.NeedsMigration || log is null,
        };
        if (settings.ReadOnly) return opened;
        opened = opened with { FinalLengths = FinalLengths(load.Peers, (storage.Capabilities & StorageCapabilities.Append) == 0) };
        var target = log is null
            ? new LogTarget(storage, new StorageKey(plan.Logs[0].Entry.Name), 0, 0)
            : new LogTarget(storage, log.Key, log.Length, log.Pieces);
        if (target.IsNumbered && plan.Base.Exclusive is not null)
        {
            // Its writer did not sign off and may only be paused. The piece it would write next is taken, for good: it can never acknowledge again.
            var seal = await target.AppendAsync("\n"u8.ToArray(), Flush.Synced).ConfigureAwait(false);
            if (!seal.IsStored) return null;
            opened = opened with { NeedsAdoption = true };
        }

        return opened with { Target = target, Buffer = new LogBuffer(log?.Extent ?? load.State.Extents.Add(new Extent("", [StampSource.SingleWriter])), log?.Length ?? 0, settings.Limits) };
    }

    // Nothing but history depends on its index: a damaged one closes nothing, and the next checkpoint writes it anew.
    // Null: the manifest has changed meanwhile.
    private async ValueTask<IReadOnlyList<HistoryLog>?> ReadHistoryAsync(ManifestRegister register, List<Damage> skipped, CancellationToken ct)
    {
        if (await new HistoryKeeper(storage, settings).FindAsync(register.Current, () => register.IsCurrentAsync(ct), ct).ConfigureAwait(false) is not { } found) return null;
        if (found.Damage is not { } damage) return found.Logs;
        skipped.Add(damage);
        // What was not found may still be there; no list names it any more, so nothing may be collected for being unnamed.
        if (!found.IsWhole) register.Adopt(register.Current with { Adopted = true });
        return found.Logs;
    }

    // The package keeps an archive that we named, but not the period the name was encoded from: the archive itself says it.
    private async ValueTask<StorePlan> NamePeriodsAsync(StorePlan plan, CancellationToken ct)
    {
        var archives = new List<ArchiveEntry>();
        foreach (var archive in plan.Base.Archives)
        {
            var period = archive.Period;
            if (period.AsSpan().ContainsAny('%', '~') && archive.Objects is [var only] && StorageKey.IsValid(only.Name) &&
                await ObjectReader.ReadAllAsync(storage, new StorageKey(only.Name), ct).ConfigureAwait(false) is { } found)
            {
                period = Archiver.PeriodOf(found.Bytes) ?? period;
            }

            archives.Add(archive with { Period = period });
        }

        return plan with { Base = plan.Base with { Archives = Archiver.ByPeriod(archives) } };
    }
}
