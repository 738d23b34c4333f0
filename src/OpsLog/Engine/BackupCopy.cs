using OpsLog.Format;
using OpsLog.Storage;

namespace OpsLog.Engine;

/// <summary>What a copy of a store consists of: all of it belongs together.</summary>
/// <param name="Read">The manifest.</param>
/// <param name="Raw">Its bytes as they are stored.</param>
/// <param name="Plan">What it leads to.</param>
/// <param name="Logs">Each log that the state needs, and how far it is taken.</param>
internal sealed record BackupContents(ManifestReadResult Read, byte[] Raw, StorePlan Plan, IReadOnlyList<(StorageKey Key, LogExtent Extent)> Logs);

/// <summary>
/// Copies a store, object by object, the manifest last: until that is there, the target holds no store. The log's end is fixed before the
/// manifest is read, so that a record an archive run moved away is in an archive that the manifest lists.
/// </summary>
internal static class BackupCopy
{
    private const int MostTries = 10;

    /// <exception cref="OpsLogException">Something is there (<see cref="OpsLogError.Conflict"/>).</exception>
    public static async ValueTask RequireEmptyAsync(IOpsStorage target, CancellationToken ct)
    {
        await foreach (var entry in target.ListAsync(StorageKey.Root, null, ct).ConfigureAwait(false))
            throw new OpsLogException(OpsLogError.Conflict, $"The target is not empty: it holds '{entry.Key}'. Choose an empty one.");
    }

    /// <summary>Verifies a backup and makes a store of it, under a new incarnation.</summary>
    public static async ValueTask RestoreAsync(IOpsStorage backup, IOpsStorage target, IProgress<StoreProgress>? progress, CancellationToken ct)
    {
        await RequireEmptyAsync(target, ct).ConfigureAwait(false);
        var report = await Verifier.RunAsync(backup, progress, ct).ConfigureAwait(false);
        if (!report.IsSound)
        {
            throw new OpsLogException(OpsLogError.Damaged, $"The backup is damaged in {report.Damages.Count} places, first at {report.Damages[0]}. Restore another one, or repair it into a new store.")
            {
                Damage = report.Damages[0],
            };
        }

        var incarnation = new NonceSource(null).NextIncarnation();
        await CopyStoredAsync(backup, target, m => m with { Incarnation = incarnation }, new ProgressMeter(progress), ct).ConfigureAwait(false);
    }

    /// <summary>Moves a store to another storage, under a new incarnation, and reads back what it wrote. What an earlier attempt left there is made use of.</summary>
    public static async ValueTask<VerifyReport> MoveAsync(IOpsStorage source, IOpsStorage target, IProgress<StoreProgress>? progress, CancellationToken ct)
    {
        var incarnation = new NonceSource(null).NextIncarnation();
        var leftovers = await LeftoversAsync(target, ct).ConfigureAwait(false);
        var (writer, manifest) = await CopyObjectsAsync(source, target, m => m with { Incarnation = incarnation }, new ProgressMeter(progress), leftovers, ct).ConfigureAwait(false);
        var copy = new WithManifest(target, manifest); // broken off while it is read back, it must be no store yet
        await using (copy.ConfigureAwait(false))
        {
            var report = await Verifier.RunAsync(copy, progress, ct).ConfigureAwait(false);
            if (!report.IsSound) throw Spoiled(report);
            await writer.WriteManifestAsync(manifest, ct).ConfigureAwait(false);
            return report;
        }
    }

    private static OpsLogException Spoiled(VerifyReport report) =>
        new(OpsLogError.Damaged, $"The copy is damaged in {report.Damages.Count} places, first at {report.Damages[0]}, and was given up. Verify the source; if it is sound, look at the target's storage.")
        {
            Damage = report.Damages[0],
        };

    // What is there without a manifest; whether it belongs to this copy shows when it is known what does.
    private static async ValueTask<HashSet<StorageKey>> LeftoversAsync(IOpsStorage target, CancellationToken ct)
    {
        var found = new HashSet<StorageKey>();
        await foreach (var entry in target.ListAsync(StorageKey.Root, null, ct).ConfigureAwait(false))
        {
            if (entry.Key == StoreKeys.Manifest) throw new OpsLogException(OpsLogError.Conflict, "The target holds a store. Choose an empty one.");
            found.Add(entry.Key);
        }

        return found;
    }

    /// <summary>Copies a store that others may be writing to: what a checkpoint takes away meanwhile makes it start again.</summary>
    /// <param name="source">The store.</param>
    /// <param name="target">Where it goes.</param>
    /// <param name="change">What becomes of the manifest.</param>
    /// <param name="progress">Told how far it has got.</param>
    /// <param name="ct">Cancels the copy.</param>
    public static async ValueTask CopyStoredAsync(IOpsStorage source, IOpsStorage target, Func<Manifest, Manifest> change, ProgressMeter progress, CancellationToken ct)
    {
        await RequireEmptyAsync(target, ct).ConfigureAwait(false);
        var (writer, manifest) = await CopyObjectsAsync(source, target, change, progress, [], ct).ConfigureAwait(false);
        await writer.WriteManifestAsync(manifest, ct).ConfigureAwait(false);
    }

    // All but the manifest, whose bytes are returned with who is to write them.
    private static async ValueTask<(BackupWriter Writer, byte[] Manifest)> CopyObjectsAsync(
        IOpsStorage source, IOpsStorage target, Func<Manifest, Manifest> change, ProgressMeter progress, HashSet<StorageKey> leftovers, CancellationToken ct)
    {
        var nonces = new NonceSource(null);
        for (var tries = 0; tries < MostTries; tries++)
        {
            var register = new ManifestRegister(source);
            var read = await register.ReadAsync(ct).ConfigureAwait(false) ?? throw StoreListing.NoStore();
            register.Adopt(StorePlan.Of(read, 0, nonces).Base);
            var writer = new BackupWriter(source, target, progress, leftovers);
            try
            {
                if (await FixAsync(source, read, nonces, ct).ConfigureAwait(false) is not { } contents) continue;
                return (writer, await writer.WriteAsync(contents, change, ct).ConfigureAwait(false));
            }
            catch (OpsLogException e) when (e.Error == OpsLogError.Damaged)
            {
                if (await register.IsCurrentAsync(ct).ConfigureAwait(false)) throw;
                await writer.UndoAsync(ct).ConfigureAwait(false);
            }
        }

        throw new OpsLogException(OpsLogError.Conflict, $"The store changed {MostTries} times while it was being copied. Try again.");
    }

    // Null if another snapshot or log took over meanwhile.
    private static async ValueTask<BackupContents?> FixAsync(IOpsStorage source, ManifestReadResult read, NonceSource nonces, CancellationToken ct)
    {
        var plan = StorePlan.Of(read, 0, nonces);
        var logs = new List<(StorageKey, LogExtent)>();
        foreach (var log in plan.Logs)
            if (await EndOfAsync(source, plan, log, ct).ConfigureAwait(false) is { } end) logs.Add(end);
        var register = new ManifestRegister(source);
        if (await register.ReadAsync(ct).ConfigureAwait(false) is not { } now || now.Verdict != read.Verdict) return null;
        var planned = StorePlan.Of(now, 0, nonces);
        var isSame = string.Equals(plan.Snapshot, planned.Snapshot, StringComparison.Ordinal) && plan.Logs.Select(l => l.Entry.Name).SequenceEqual(planned.Logs.Select(l => l.Entry.Name), StringComparer.Ordinal);
        return isSame ? new BackupContents(now, now.Bytes, planned, logs) : null;
    }

    // An unfinished end is left out: it was never acknowledged, and a living writer may be about to finish it. Null: an agent's log that was never created.
    private static async ValueTask<(StorageKey Key, LogExtent Extent)?> EndOfAsync(IOpsStorage source, StorePlan plan, PlannedLog log, CancellationToken ct)
    {
        if (!StorageKey.IsValid(log.Entry.Name))
            throw LogScanner.Refused(new Damage(DamageKind.CorruptObject, log.Entry.Name, 0, 0, 0, "the manifest names a log that is no object name"));
        var key = new StorageKey(log.Entry.Name);
        var scanner = new LogScanner(new LogSource(key.Value, log.Entry.Start, log.Entry.Agent, log.IsTimeless), Recovery.TolerateTornTail) { EndsWithSeal = log.MayEndInSeal };
        if (await LogReader.ReadAsync(source, key, 0, null, part => scanner.Scan(part, NoOperations.Instance), ct).ConfigureAwait(false) is not { } read)
        {
            if (plan.MayLack(log)) return null;
            throw LogScanner.Refused(new Damage(DamageKind.Missing, key.Value, 0, 0, 0, "the manifest names this log, but it is not there"));
        }

        return (key, read.Pieces > 0 ? read : read with { Length = scanner.Position });
    }
}
