using System.Text.Json.Serialization.Metadata;
using OpsLog.Engine;
using OpsLog.Storage;

namespace OpsLog;

/// <summary>
/// An embedded, event-sourced document store: <c>string id -> T</c>, every change one operation in an append-only log. Open one with
/// <see cref="OpenAsync(string, OpsStoreOptions?, CancellationToken)"/>, dispose it when done.
/// </summary>
/// <typeparam name="T">The document type: anything that System.Text.Json writes as a JSON object; <see cref="System.Text.Json.JsonElement"/> for raw JSON.</typeparam>
/// <remarks>
/// <para>All members are safe for concurrent use. Reads are synchronous, take no lock and never wait for writes. Writes that are running at
/// the same time share appends and syncs.</para>
/// <para>Whatever writes, or reads logs, throws an <see cref="ObjectDisposedException"/> once the store is disposed.</para>
/// <para>The stored bytes are the truth: a document handed out is made from them once and then shared, so treat it as read-only; changing it
/// changes nothing stored, and disposing it (a <see cref="System.Text.Json.JsonDocument"/>) takes it from everybody else. A write is visible once the log holds it at the chosen <see cref="Durability"/>, never before.</para>
/// </remarks>
public sealed partial class OpsStore<T> : IReadOnlyDictionary<string, T>, IAsyncDisposable
{
    private readonly StoreEngine _engine;
    private readonly DocumentCodec<T> _documents;

    private OpsStore(StoreEngine engine, DocumentCodec<T> documents) => (_engine, _documents) = (engine, documents);

    /// <summary>The schema version the store is written in: <see cref="OpsStoreOptions.SchemaVersion"/>, or the store's own.</summary>
    public int SchemaVersion => _engine.SchemaVersion;

    /// <summary>What opening found: unfinished bytes that were dropped, damage that was skipped. Its notes also have what was met since.</summary>
    public RecoveryReport RecoveryReport => _engine.RecoveryReport;

    /// <summary>The store in numbers, now.</summary>
    public StoreStatistics Statistics => _engine.Statistics;

    /// <summary>Opens the store in a folder or another place, and makes it if there is none.</summary>
    /// <param name="location">The folder's path, or a URI whose scheme is registered (<see cref="StorageSchemes"/>): <c>file://</c> always is.</param>
    /// <param name="options">How to open it; <see langword="null"/> for the defaults.</param>
    /// <param name="cancellationToken">Cancels opening; the store is left as it was.</param>
    /// <exception cref="OpsLogException">
    /// The store is not there, and none was to be made (<see cref="OpsLogError.NotFound"/>); open elsewhere (<see cref="OpsLogError.Locked"/>), damaged
    /// (<see cref="OpsLogError.Damaged"/>) or too new (<see cref="OpsLogError.TooNew"/>); its documents could not be migrated (<see cref="OpsLogError.MigrationFailed"/>); others
    /// kept changing it (<see cref="OpsLogError.Conflict"/>, <see cref="OpsLogError.Fenced"/>); an id of the npm package's is too long (<see cref="OpsLogError.InvalidDocument"/>);
    /// or the storage failed (<see cref="OpsLogError.StorageFailed"/>, <see cref="OpsLogError.OutcomeUnknown"/>).
    /// </exception>
    /// <exception cref="ArgumentException">An option is out of range, or the location is of a kind that is not known.</exception>
    public static async ValueTask<OpsStore<T>> OpenAsync(string location, OpsStoreOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(location);
        options ??= new OpsStoreOptions();
        var (settings, documents) = Checked(options);
        var storage = StorageSchemes.Open(location, options.TimeProvider, options.Random, mapReads: options.Documents == DocumentPlacement.InMemory);
        return await OpenAsync(storage, ownsStorage: true, options, settings, documents, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Opens the store in a folder or another place with source-generated serialisation (NativeAOT, trimming).</summary>
    /// <param name="location">The folder's path, or a URI whose scheme is registered (<see cref="StorageSchemes"/>).</param>
    /// <param name="typeInfo">How documents are written and read.</param>
    /// <param name="options">How to open it; <see langword="null"/> for the defaults. Its <see cref="OpsStoreOptions.JsonTypeInfo"/> is set.</param>
    /// <param name="cancellationToken">Cancels opening; the store is left as it was.</param>
    /// <inheritdoc cref="OpenAsync(string, OpsStoreOptions?, CancellationToken)"/>
    public static ValueTask<OpsStore<T>> OpenAsync(string location, JsonTypeInfo<T> typeInfo, OpsStoreOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(typeInfo);
        options ??= new OpsStoreOptions();
        options.JsonTypeInfo = typeInfo;
        return OpenAsync(location, options, cancellationToken);
    }

    /// <summary>Opens the store in any storage. The storage stays the caller's: it is not disposed with the store.</summary>
    /// <param name="storage">Where the bytes are.</param>
    /// <param name="options">How to open it; <see langword="null"/> for the defaults.</param>
    /// <param name="cancellationToken">Cancels opening; the store is left as it was.</param>
    /// <inheritdoc cref="OpenAsync(string, OpsStoreOptions?, CancellationToken)"/>
    public static async ValueTask<OpsStore<T>> OpenAsync(IOpsStorage storage, OpsStoreOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(storage);
        options ??= new OpsStoreOptions();
        var (settings, documents) = Checked(options);
        return await OpenAsync(storage, ownsStorage: false, options, settings, documents, cancellationToken).ConfigureAwait(false);
    }

    // Before there is a storage that would have to be disposed.
    private static (EngineSettings Settings, DocumentCodec<T> Documents) Checked(OpsStoreOptions options) => (new EngineSettings(options), new DocumentCodec<T>(options));

    private static async ValueTask<OpsStore<T>> OpenAsync(IOpsStorage storage, bool ownsStorage, OpsStoreOptions options, EngineSettings settings, DocumentCodec<T> documents, CancellationToken ct)
    {
        try
        {
            if (options.CacheFolder is { } folder)
            {
                var cache = new FileStorage(folder, new FileStorageOptions { TimeProvider = options.TimeProvider, Random = options.Random });
                (storage, ownsStorage) = (new CachedStorage(storage, cache, options.CacheBytes, leaveOpen: !ownsStorage), true);
            }

            var engine = await settings.Telemetry.MeasureAsync(StoreCall.Open, () => StoreEngine.OpenAsync(storage, ownsStorage, settings, ct)).ConfigureAwait(false);
            return new OpsStore<T>(engine, documents);
        }
        catch when (ownsStorage)
        {
            await storage.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>
    /// Sets a record. Completes when the write is acknowledged at the store's <see cref="Durability"/>; from then on every read shows it.
    /// </summary>
    /// <param name="id">The id: any text without lone surrogates, not empty, at most 16 MB as UTF-8.</param>
    /// <param name="value">The document. It is written at once: later changes of the object are not stored.</param>
    /// <param name="expected">The revision the record must have; <see cref="Revision.None"/>: it must be absent; <see langword="null"/>: no matter.</param>
    /// <param name="cancellationToken">Cancels waiting for the turn. Once the write has begun it completes.</param>
    /// <returns>The record's new revision.</returns>
    /// <exception cref="ArgumentException">The id is not valid.</exception>
    /// <exception cref="OpsLogException">
    /// The document cannot be stored (<see cref="OpsLogError.InvalidDocument"/>); the revision is another, or the manifest that an agent's log has to be registered in was
    /// changed by others again and again (<see cref="OpsLogError.Conflict"/>) or is held by one (<see cref="OpsLogError.Locked"/>); another writer has taken over
    /// (<see cref="OpsLogError.Fenced"/>); the store is read-only (<see cref="OpsLogError.ReadOnly"/>); or the storage failed (<see cref="OpsLogError.StorageFailed"/>). Nothing was
    /// written unless the error is <see cref="OpsLogError.OutcomeUnknown"/>.
    /// </exception>
    /// <exception cref="ObjectDisposedException">The store is closed.</exception>
    public ValueTask<Revision> SetAsync(string id, T value, Revision? expected = null, CancellationToken cancellationToken = default)
    {
        Ids.Check(id);
        return _engine.SetAsync(Request(id, value, expected), cancellationToken);
    }

    /// <summary>Deletes a record.</summary>
    /// <param name="id">The id.</param>
    /// <param name="expected">The revision the record must have; <see langword="null"/>: no matter.</param>
    /// <param name="cancellationToken">Cancels waiting for the turn. Once the write has begun it completes.</param>
    /// <returns>False if there was no such record; nothing was written then.</returns>
    /// <exception cref="ArgumentException">The id is not valid.</exception>
    /// <exception cref="OpsLogException">As for <see cref="SetAsync"/>.</exception>
    /// <exception cref="ObjectDisposedException">The store is closed.</exception>
    public ValueTask<bool> DeleteAsync(string id, Revision? expected = null, CancellationToken cancellationToken = default)
    {
        Ids.Check(id);
        return _engine.DeleteAsync(id, expected, cancellationToken);
    }

    /// <summary>
    /// Reads a record, changes it and writes it back, atomically: if somebody else writes the record meanwhile, the function is called again
    /// with the new value. For nothing else: what fails otherwise is the caller's to try again.
    /// </summary>
    /// <param name="id">The id.</param>
    /// <param name="update">Makes the new value of the current one, a fresh copy of which it gets. May run more than once; runs outside all locks.</param>
    /// <param name="cancellationToken">Cancels waiting for the turn.</param>
    /// <returns>The value that was written.</returns>
    /// <exception cref="ArgumentException">The id is not valid.</exception>
    /// <exception cref="OpsLogException">
    /// There is no such record (<see cref="OpsLogError.NotFound"/>), the stored bytes are no <typeparamref name="T"/> (<see cref="OpsLogError.InvalidDocument"/>), or as for
    /// <see cref="SetAsync"/>, but never because of the revision.
    /// </exception>
    /// <exception cref="ObjectDisposedException">The store is closed.</exception>
    public async ValueTask<T> UpdateAsync(string id, Func<T, T> update, CancellationToken cancellationToken = default)
    {
        Ids.Check(id);
        ArgumentNullException.ThrowIfNull(update);
        while (true)
        {
            if (!_engine.TryReadDocument(id, out var json, out var revision))
                throw new OpsLogException(OpsLogError.NotFound, $"There is no record '{id}' to update.");
            var changed = update(_documents.Decode(id, json.Span)!);
            try
            {
                await _engine.SetAsync(Request(id, changed, revision), cancellationToken).ConfigureAwait(false);
                return changed;
            }
            catch (OpsLogException e) when (e.IsOfRevision)
            {
                cancellationToken.ThrowIfCancellationRequested();
            }
        }
    }

    /// <summary>Writes several changes as one unit: all of them or none, whatever happens, in one append; undone as one.</summary>
    /// <param name="build">Adds the operations. Nothing is written if it throws.</param>
    /// <param name="cancellationToken">Cancels waiting for the turn.</param>
    /// <exception cref="OpsLogException">
    /// As for <see cref="SetAsync"/>, or the batch is too large for one append (<see cref="OpsLogError.InvalidDocument"/>). Nothing of the batch was written, unless the error is
    /// <see cref="OpsLogError.OutcomeUnknown"/>: then all of it or nothing.
    /// </exception>
    /// <exception cref="ObjectDisposedException">The store is closed.</exception>
    public async ValueTask BatchAsync(Action<OpsBatch<T>> build, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(build);
        var items = _engine.NewBatch();
        var batch = NewBatch(items);
        try
        {
            build(batch);
        }
        finally
        {
            batch.Seal();
        }

        await _engine.BatchAsync(items, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Writes several changes as one unit, collected by an asynchronous function.</summary>
    /// <param name="build">Adds the operations. It is awaited before anything is written; nothing is written if it throws.</param>
    /// <param name="cancellationToken">Cancels waiting for the turn.</param>
    /// <exception cref="OpsLogException">
    /// As for <see cref="SetAsync"/>, or the batch is too large for one append (<see cref="OpsLogError.InvalidDocument"/>). Nothing of the batch was written, unless the error is
    /// <see cref="OpsLogError.OutcomeUnknown"/>: then all of it or nothing.
    /// </exception>
    /// <exception cref="ObjectDisposedException">The store is closed.</exception>
    public async ValueTask BatchAsync(Func<OpsBatch<T>, Task> build, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(build);
        var items = _engine.NewBatch();
        var batch = NewBatch(items);
        try
        {
            await build(batch).ConfigureAwait(false);
        }
        finally
        {
            batch.Seal();
        }

        await _engine.BatchAsync(items, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Makes everything acknowledged so far survive a power loss, whatever the store's <see cref="Durability"/>.</summary>
    /// <exception cref="OpsLogException">
    /// The flush failed. Where only the sync could not be asked for, or an agent's log that was given up not be sealed, the store goes on, and the flush can be tried again
    /// (<see cref="OpsLogError.StorageFailed"/>, <see cref="OpsLogError.Conflict"/>). Else it is not known what will be there after a power loss, and the store is read-only
    /// from then on (<see cref="OpsLogError.OutcomeUnknown"/>, <see cref="OpsLogError.Fenced"/>, <see cref="OpsLogError.ReadOnly"/>).
    /// </exception>
    /// <exception cref="ObjectDisposedException">The store is closed.</exception>
    public ValueTask FlushAsync(CancellationToken cancellationToken = default) => _engine.Telemetry.MeasureAsync(StoreCall.Flush, () => _engine.FlushAsync(cancellationToken));

    /// <summary>
    /// Flushes what is buffered, ends all background work, makes a checkpoint if one is due, and gives the store free. Everything acknowledged is kept, also when this fails; at
    /// <see cref="Durability.Buffered"/> then up to the last flush. A store is closed once: who asks for it again waits for the same end and is told the same, but a storage or a logger
    /// that the closing calls does not wait.
    /// </summary>
    /// <exception cref="OpsLogException">Buffered writes could not be flushed.</exception>
    public ValueTask DisposeAsync() => _engine.DisposeAsync();

    private SetRequest Request(string id, T value, Revision? expected)
    {
        var request = _engine.NewSet();
        request.Begin(id, expected);
        _documents.Encode(id, value, request.Document);
        return request;
    }

    private OpsBatch<T> NewBatch(BatchItems batch) => new(
        (id, value) =>
        {
            Ids.Check(id);
            var start = _documents.Encode(id, value, batch.Documents);
            batch.Items.Add(new BatchItem(id, batch.Documents.From(start)));
        },
        id =>
        {
            Ids.Check(id);
            batch.Items.Add(new BatchItem(id, default));
        });
}
