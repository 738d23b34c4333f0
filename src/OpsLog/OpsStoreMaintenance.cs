using OpsLog.Engine;
using OpsLog.Storage;

namespace OpsLog;

/// <summary>Work on a store as a whole, without a document type: verify, repair, restore. A backup is taken with <see cref="OpsStore{T}.BackupAsync"/>.</summary>
/// <remarks>Safe for concurrent use. The storages stay the caller's: none is disposed here.</remarks>
public static class OpsStore
{
    /// <summary>
    /// Reads every byte of every object that the store's manifest leads to (snapshot, logs, logs kept for history, archives) and checks
    /// everything that can be checked. Never writes and takes no lock; a writer may go on meanwhile.
    /// </summary>
    /// <param name="storage">The store, of OpsLog or of the npm package.</param>
    /// <param name="progress">Told how far it has got, in bytes, stage by stage; <see langword="null"/>: nobody is.</param>
    /// <param name="cancellationToken">Stops reading.</param>
    /// <returns>All damage there is, not just the first.</returns>
    /// <exception cref="OpsLogException">There is no store (<see cref="OpsLogError.NotFound"/>), it was written by a newer program
    /// (<see cref="OpsLogError.TooNew"/>), writers kept changing it (<see cref="OpsLogError.Conflict"/>), or the storage cannot be read
    /// (<see cref="OpsLogError.StorageFailed"/>). Damage is no exception but part of the report.</exception>
    /// <remarks>Takes about the memory that opening the store takes, without the documents.</remarks>
    public static ValueTask<VerifyReport> VerifyAsync(IOpsStorage storage, IProgress<StoreProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(storage);
        return Told("verified", () => Verifier.RunAsync(storage, progress, cancellationToken));
    }

    /// <summary>
    /// Salvages what can be read of a damaged store into a new one: the newest snapshot that is sound (or what is left of the damaged one),
    /// every operation whose line is whole, and the archives. Works without a manifest too. Damaged objects are copied byte for byte to
    /// <c>quarantine/</c> in the target.
    /// </summary>
    /// <param name="source">The damaged store. It is only read. Nobody should be writing to it.</param>
    /// <param name="target">An empty storage. Its manifest is written last: a repair that failed leaves no store there.</param>
    /// <param name="progress">Told how far it has got, in bytes, stage by stage; <see langword="null"/>: nobody is.</param>
    /// <param name="cancellationToken">Cancels the repair.</param>
    /// <returns>What is lost, where, and what was assumed. The new store is sound; its schema version is the old one's, its incarnation is new.</returns>
    /// <exception cref="OpsLogException">There is no store (<see cref="OpsLogError.NotFound"/>), the target is not empty
    /// (<see cref="OpsLogError.Conflict"/>), the store was written by a newer program (<see cref="OpsLogError.TooNew"/>), or a storage failed
    /// (<see cref="OpsLogError.StorageFailed"/>).</exception>
    public static ValueTask<RepairReport> RepairAsync(IOpsStorage source, IOpsStorage target, IProgress<StoreProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(target);
        return Told("repaired", () => Repairer.RunAsync(source, target, progress, cancellationToken));
    }

    /// <summary>Makes a store of a backup: verifies it, then copies it under a new incarnation, so that feed positions of the lost store are refused.</summary>
    /// <param name="backup">What <see cref="OpsStore{T}.BackupAsync"/> wrote, or a copy of a store's files. It is only read.</param>
    /// <param name="target">An empty storage. Its manifest is written last: a restore that failed leaves no store there.</param>
    /// <param name="progress">Told how far it has got, in bytes, stage by stage; <see langword="null"/>: nobody is.</param>
    /// <param name="cancellationToken">Cancels the restore.</param>
    /// <exception cref="OpsLogException">There is no backup (<see cref="OpsLogError.NotFound"/>), it is damaged
    /// (<see cref="OpsLogError.Damaged"/>; nothing is written then), the target is not empty (<see cref="OpsLogError.Conflict"/>), or a
    /// storage failed (<see cref="OpsLogError.StorageFailed"/>).</exception>
    /// <exception cref="ArgumentException">The backup is the npm package's, and one of the storages can append and the other cannot.</exception>
    public static async ValueTask RestoreAsync(IOpsStorage backup, IOpsStorage target, IProgress<StoreProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(backup);
        ArgumentNullException.ThrowIfNull(target);
        await Told("restored", async () =>
        {
            await BackupCopy.RestoreAsync(backup, target, progress, cancellationToken).ConfigureAwait(false);
            return true;
        }).ConfigureAwait(false);
    }

    /// <summary>
    /// Moves a store to another storage of any kind: copies it, consistently and beside a living writer if need be, under a new incarnation (feed positions of the old one are
    /// refused), and reads back what was written. What an earlier, interrupted attempt left in the target is kept where it is what belongs there.
    /// </summary>
    /// <param name="source">The store. It is only read. What is written to it once the copy has begun may not be in the copy.</param>
    /// <param name="target">An empty storage, or what an interrupted copy of the same store left. Its manifest is written last: a copy that failed leaves no store there.</param>
    /// <param name="progress">Told how far it has got, in bytes, stage by stage; <see langword="null"/>: nobody is.</param>
    /// <param name="cancellationToken">Cancels the copy; it can be taken up again.</param>
    /// <returns>What reading back the copy found: it is sound.</returns>
    /// <exception cref="OpsLogException">There is no store (<see cref="OpsLogError.NotFound"/>), it or the copy is damaged
    /// (<see cref="OpsLogError.Damaged"/>; there is no store in the target then), the target holds something else or the store kept changing
    /// (<see cref="OpsLogError.Conflict"/>), or a storage failed (<see cref="OpsLogError.StorageFailed"/>).</exception>
    /// <exception cref="ArgumentException">The store is the npm package's, and one of the storages can append and the other cannot.</exception>
    public static ValueTask<VerifyReport> CopyAsync(IOpsStorage source, IOpsStorage target, IProgress<StoreProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(target);
        return Told("copied", () => BackupCopy.MoveAsync(source, target, progress, cancellationToken));
    }

    private static async ValueTask<TResult> Told<TResult>(string done, Func<ValueTask<TResult>> work)
    {
        try
        {
            return await work().ConfigureAwait(false);
        }
        catch (StorageException e)
        {
            throw new OpsLogException(OpsLogError.StorageFailed, $"The store cannot be {done}: {e.Message}", e);
        }
    }
}

/// <summary>What <see cref="OpsStore.VerifyAsync"/> found. Immutable.</summary>
/// <param name="Damages">Every place where the bytes are not what was written.</param>
/// <param name="Notes">What was never finished and never acknowledged (torn tails, void lines): nothing is lost.</param>
/// <param name="Objects">How many objects were read.</param>
/// <param name="Bytes">How many bytes they have.</param>
/// <param name="Records">How many records the store holds, without those in archives.</param>
/// <param name="Operations">How many operations its logs hold, those kept for history included.</param>
public sealed record VerifyReport(IReadOnlyList<Damage> Damages, IReadOnlyList<Damage> Notes, long Objects, long Bytes, long Records, long Operations)
{
    /// <summary>Whether nothing is damaged.</summary>
    public bool IsSound => Damages.Count == 0;
}

/// <summary>What <see cref="OpsStore.RepairAsync"/> saved and lost. Immutable.</summary>
/// <param name="Losses">Everything that could not be read, or not be vouched for, and may be a lost change; with file, line and offset in the source.</param>
/// <param name="Records">How many records the new store holds, without those in archives.</param>
/// <param name="Quarantined">The copies of damaged objects, by their names in the target.</param>
public sealed record RepairReport(IReadOnlyList<Damage> Losses, long Records, IReadOnlyList<string> Quarantined)
{
    /// <summary>What was never finished and never acknowledged: dropped, nothing is lost.</summary>
    public IReadOnlyList<Damage> Notes { get; init; } = [];

    /// <summary>What had to be assumed because nothing that could be read said it, in words.</summary>
    public IReadOnlyList<string> Assumptions { get; init; } = [];
}
