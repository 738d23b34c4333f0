using OpsLog.Engine;
using OpsLog.Storage;

namespace OpsLog;

public sealed partial class OpsStore<T>
{
    /// <summary>The archive periods there are, in ordinal order.</summary>
    public IReadOnlyList<string> Archives => _engine.Archives;

    /// <summary>
    /// Makes a checkpoint now: a new snapshot of the state and a new log behind it. Reads and writes go on beside it. Also collects what
    /// nothing refers to any more.
    /// </summary>
    /// <param name="cancellationToken">Cancels the checkpoint; the store stays as it was.</param>
    /// <exception cref="OpsLogException">
    /// The storage failed (<see cref="OpsLogError.StorageFailed"/>), or others made checkpoints or changed the manifest again and again (<see cref="OpsLogError.Conflict"/>,
    /// <see cref="OpsLogError.Locked"/>); the store goes on with the snapshot it had. So it does if the snapshot would be larger than its layout can be
    /// (<see cref="OpsLogError.InvalidDocument"/>). The store is read-only (<see cref="OpsLogError.ReadOnly"/>), or is so from then on: another writer has taken over
    /// (<see cref="OpsLogError.Fenced"/>), or it is not known whether the manifest was changed (<see cref="OpsLogError.OutcomeUnknown"/>).
    /// </exception>
    /// <exception cref="ObjectDisposedException">The store is closed.</exception>
    public ValueTask CompactAsync(CancellationToken cancellationToken = default) => _engine.CompactAsync(cancellationToken);

    /// <summary>Moves the records that a predicate holds for into an archive period; they are no longer in the store then.</summary>
    /// <param name="predicate">Gets a fresh copy of each document; changing it changes nothing.</param>
    /// <param name="period">The archive's name, such as <c>2026-Q4</c>; the current quarter (UTC) if <see langword="null"/>. An existing one is added to: a record archived twice keeps its later value.</param>
    /// <param name="cancellationToken">Cancels the archive run; a record is then in the store or in both, never in neither.</param>
    /// <returns>How many records were moved. A record that was written meanwhile stays in the store.</returns>
    /// <exception cref="ArgumentException">The period is empty or too long, or differs from another only in case; an id is null.</exception>
    /// <exception cref="OpsLogException">
    /// The records are too many to be moved at once, or the stored bytes are no <typeparamref name="T"/> (<see cref="OpsLogError.InvalidDocument"/>); the period's archive is
    /// damaged (<see cref="OpsLogError.Damaged"/>) or too new (<see cref="OpsLogError.TooNew"/>); its documents cannot be migrated, or are of an older schema version and this
    /// program does not migrate them (<see cref="OpsLogError.MigrationFailed"/>); or as for <see cref="SetAsync"/>. Every record is in the store, the archive, or both.
    /// </exception>
    /// <exception cref="ObjectDisposedException">The store is closed.</exception>
    public ValueTask<int> ArchiveAsync(Func<T, bool> predicate, string? period = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(predicate);
        return ArchiveAsync((_, document) => predicate(document), period, cancellationToken);
    }

    /// <param name="predicate">Gets each id and a fresh copy of its document.</param>
    /// <param name="period">As there.</param>
    /// <param name="cancellationToken">As there.</param>
    /// <inheritdoc cref="ArchiveAsync(Func{T, bool}, string?, CancellationToken)"/>
    public async ValueTask<int> ArchiveAsync(Func<string, T, bool> predicate, string? period = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(predicate);
        var view = _engine.View();
        var ids = new List<string>();
        foreach (var entry in view.Records)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var id = entry.Handle.IdText();
            if (predicate(id, _documents.Decode(id, StoreState.Read(view.Extents, entry.Location).Document)!)) ids.Add(id);
        }

        return await _engine.Telemetry.MeasureAsync(StoreCall.Archive, () => _engine.ArchiveAsync(view, ids, period, cancellationToken)).ConfigureAwait(false);
    }

    /// <summary>Moves records into an archive period by their ids; those that are not there are passed over.</summary>
    /// <param name="ids">The ids.</param>
    /// <param name="period">As there.</param>
    /// <param name="cancellationToken">As there.</param>
    /// <inheritdoc cref="ArchiveAsync(Func{T, bool}, string?, CancellationToken)"/>
    public ValueTask<int> ArchiveAsync(IEnumerable<string> ids, string? period = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(ids);
        var distinct = ids.Distinct(StringComparer.Ordinal).ToList();
        if (distinct.Contains(null!)) throw new ArgumentException("An id is null.", nameof(ids));
        return _engine.Telemetry.MeasureAsync(StoreCall.Archive, () => _engine.ArchiveAsync(_engine.View(), distinct, period, cancellationToken));
    }

    /// <summary>Reads an archive period, migrated to the store's schema version. The records do not come back into the store.</summary>
    /// <param name="period">The archive's name, exactly.</param>
    /// <param name="cancellationToken">Cancels reading.</param>
    /// <exception cref="OpsLogException">
    /// There is no such archive (<see cref="OpsLogError.NotFound"/>), it is damaged (<see cref="OpsLogError.Damaged"/>) or too new (<see cref="OpsLogError.TooNew"/>), a document
    /// cannot be migrated (<see cref="OpsLogError.MigrationFailed"/>) or is no <typeparamref name="T"/> (<see cref="OpsLogError.InvalidDocument"/>), or the storage failed
    /// (<see cref="OpsLogError.StorageFailed"/>).
    /// </exception>
    public async ValueTask<IReadOnlyDictionary<string, T>> LoadArchiveAsync(string period, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(period);
        var records = await _engine.Telemetry.MeasureAsync(StoreCall.LoadArchive, () => _engine.LoadArchiveAsync(period, cancellationToken)).ConfigureAwait(false);
        var documents = new Dictionary<string, T>(records.Count, StringComparer.Ordinal);
        foreach (var (id, json) in records) documents[id] = _documents.Decode(id, json)!;
        return documents;
    }

    /// <summary>Copies the store as it is at one moment to an empty storage, while writers go on. Restore it with <see cref="OpsStore.RestoreAsync"/>.</summary>
    /// <param name="target">An empty storage.</param>
    /// <param name="progress">Told how far it has got, in bytes.</param>
    /// <param name="cancellationToken">Cancels the backup; what was copied is no store.</param>
    /// <exception cref="OpsLogException">The target is not empty, or a storage failed.</exception>
    public ValueTask BackupAsync(IOpsStorage target, IProgress<StoreProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(target);
        return _engine.Telemetry.MeasureAsync(StoreCall.Backup, () => _engine.BackupAsync(target, progress, cancellationToken));
    }
}
