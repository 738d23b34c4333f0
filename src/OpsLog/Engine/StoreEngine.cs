using OpsLog.Engine.Agents;
using OpsLog.Format;
using OpsLog.Storage;

namespace OpsLog.Engine;

/// <summary>
/// An open store without its document type: joins the state, the writer, the manifest and the background work. <see cref="OpsStore{T}"/> is
/// its face.
/// </summary>
internal sealed partial class StoreEngine : IAsyncDisposable
{
    private const int MostTries = 5;
    private readonly IOpsStorage _storage;
    private readonly bool _ownsStorage;
    private readonly EngineSettings _settings;
    private readonly ManifestRegister _register;
    private readonly Writer? _writer;
    private readonly Checkpointer? _checkpointer;
    private readonly UndoLog? _undo;
    private readonly Follower? _follower;
    private volatile AgentSession? _agents; // of a read-only opening also once agents have come to the store
    private readonly ChangeSignal _changes;
    private readonly SpareRequests _spare = new();
    private readonly BackgroundFlush? _flush;
    private readonly RecoveryReport _report;
    private readonly TaskCompletionSource _closed = new();
    private readonly AsyncLocal<bool> _isClosing = new(); // seen by whatever the closing calls
    private StoreState _state;
    private int _disposed;

    private StoreEngine(IOpsStorage storage, bool ownsStorage, EngineSettings settings, OpenedStore opened)
    {
        (_storage, _ownsStorage, _settings) = (storage, ownsStorage, settings);
        (_register, _state, _report) = (opened.Register, opened.State, opened.Report);
        Migration = opened.Migration;
        SchemaVersion = opened.SchemaVersion;
        _changes = new ChangeSignal(storage, settings.Time);
        _archiver = new Lazy<Archiver>(() => new Archiver(storage, settings, _checkpointer, _register, Migration));
        _followedHistory = new Lazy<HistoryKeeper>(() => new HistoryKeeper(storage, settings));
        if (opened.Peers is not null)
        {
            _agents = new AgentSession(storage, settings, opened, OnCommitted);
            _writer = _agents.Writer;
            if (_writer is not null && settings.Durability == Durability.Buffered) _flush = new BackgroundFlush(_writer, settings);
            return;
        }

        if (opened.Target is null)
        {
            _follower = new Follower(storage, settings, opened, Replaced);
            return;
        }

        _writer = new Writer(opened.State, opened.Target, opened.Buffer!, settings, OnCommitted) { LogOperations = opened.LogOperations };
        _checkpointer = new Checkpointer(storage, settings, opened, _writer);
        _undo = new UndoLog(OpenUndoLogAsync, Migration);
        _writer.Switched = _undo.Forget;
        if (settings.Durability == Durability.Buffered) _flush = new BackgroundFlush(_writer, settings);
    }

    /// <summary>What is known of the records. Another object after a follower had to start over.</summary>
    public StoreState State => Volatile.Read(ref _state);

    /// <summary>What opening found, and what was met since: by refreshes, and where documents were to stay on disk.</summary>
    public RecoveryReport RecoveryReport =>
        (List<Damage>)[.. _agents?.Merger.Notes ?? [], .. State.Disk?.Notes.All ?? []] is { Count: > 0 } notes ? _report.With(notes) : _report;

    public StoreTelemetry Telemetry => _settings.Telemetry;

    public long AcknowledgedOperations => _writer?.Operations ?? 0;

    public long Appends => _writer?.Appends ?? 0;

    public long AppendedBytes => _writer?.AppendedBytes ?? 0;

    public Migration Migration { get; }

    public int SchemaVersion { get; }

    public IReadOnlyList<string> Archives => [.. CurrentManifest.Archives.Select(a => a.Period).Order(StringComparer.Ordinal)];

    private Manifest CurrentManifest => _agents?.Merger.Manifest ?? _follower?.Followed.Manifest ?? _register.Current;

    /// <summary>Opens a store, and makes it if the settings say so.</summary>
    public static async ValueTask<StoreEngine> OpenAsync(IOpsStorage storage, bool ownsStorage, EngineSettings settings, CancellationToken ct)
    {
        for (var tries = 1; ; tries++)
        {
            try
            {
                return Announced(await TryOpenAsync(storage, ownsStorage, settings, ct).ConfigureAwait(false));
            }
            catch (OpsLogException e) when (e.Error is OpsLogError.Fenced or OpsLogError.Conflict && tries < MostTries)
            {
                // Another opening was first to swap the manifest; what it made of the store has to be read.
            }
            catch (StorageException e)
            {
                throw new OpsLogException(OpsLogError.StorageFailed, $"The store cannot be opened{(settings.ReadOnly ? "" : " for writing")}: {e.Message}", e);
            }
        }
    }

    private static StoreEngine Announced(StoreEngine engine)
    {
        OpsLogInstruments.Opened(engine);
        var (logger, report) = (engine._settings.Logger, engine.RecoveryReport);
        EngineLog.Opened(logger, engine.Telemetry.LogName, engine.State.Records.Count, report.ReplayedOperations, report.Notes.Count, report.Skipped.Count, report.Duration.TotalMilliseconds);
        foreach (var damage in report.Notes.Concat(report.Skipped)) EngineLog.Found(logger, engine.Telemetry.LogName, damage);
        return engine;
    }

    private static async ValueTask<StoreEngine> TryOpenAsync(IOpsStorage storage, bool ownsStorage, EngineSettings settings, CancellationToken ct)
    {
        var opened = await new StoreOpener(storage, settings).OpenAsync(settings.Time.GetTimestamp(), ct).ConfigureAwait(false);
        var engine = new StoreEngine(storage, ownsStorage, settings, opened);
        if (engine._checkpointer is null) return engine;
        try
        {
            // Another program's log stays as it is: a checkpoint leaves it behind.
            if (opened.IsOurs) await engine._checkpointer.MendAsync().ConfigureAwait(false);
            if (opened.NeedsAdoption) await engine._checkpointer.RunAsync(ct).ConfigureAwait(false);
            else await engine._checkpointer.TakeOverAsync(ct).ConfigureAwait(false);
            return engine;
        }
        catch
        {
            await engine.GiveUpAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>A request to write a document into, for <see cref="SetAsync"/>.</summary>
    public SetRequest NewSet() => _spare.Take();

    /// <summary>Commits what the request says; from here on the request belongs to the engine.</summary>
    public ValueTask<Revision> SetAsync(SetRequest request, CancellationToken ct) => Telemetry.IsMeasuringWrites ? MeasureSetAsync(request, ct) : SubmitSetAsync(request, ct);

    // As MeasureAsync does it, but without a closure for each write.
    private async ValueTask<Revision> MeasureSetAsync(SetRequest request, CancellationToken ct)
    {
        var measurement = Telemetry.StartWrite(StoreCall.Set);
        try
        {
            var submitted = SubmitSetAsync(request, ct);
            if (!submitted.IsCompleted) measurement = measurement.Waits();
            var revision = await submitted.ConfigureAwait(false);
            measurement.Succeeded();
            return revision;
        }
        catch (Exception e) when (measurement.Failed(e))
        {
            throw;
        }
    }

    private ValueTask<Revision> SubmitSetAsync(SetRequest request, CancellationToken ct)
    {
        var submitted = SubmitWrite(request, ct);
        return submitted.IsCompletedSuccessfully ? new(Done(request)) : EndSetAsync(submitted, request);
    }

    private async ValueTask<Revision> EndSetAsync(ValueTask submitted, SetRequest request)
    {
        await submitted.ConfigureAwait(false);
        return Done(request);
    }

    private Revision Done(SetRequest request)
    {
        var revision = request.Revision;
        if (request.IsReusable) _spare.Return(request);
        return revision;
    }

    public async ValueTask<bool> DeleteAsync(string id, Revision? expected, CancellationToken ct)
    {
        var request = new DeleteRequest(id, expected);
        var measurement = Telemetry.StartWrite(StoreCall.Delete);
        try
        {
            var submitted = SubmitWrite(request, ct);
            if (!submitted.IsCompleted) measurement = measurement.Waits();
            await submitted.ConfigureAwait(false);
            measurement.Succeeded();
            return request.Existed;
        }
        catch (Exception e) when (measurement.Failed(e))
        {
            throw;
        }
    }

    /// <summary>To collect a batch in, for <see cref="BatchAsync"/>.</summary>
    public BatchItems NewBatch() => _spare.TakeBatch();

    /// <summary>Commits a batch; from here on it belongs to the engine.</summary>
    public async ValueTask<int> BatchAsync(BatchItems batch, CancellationToken ct)
    {
        var request = new BatchRequest(batch.Items);
        var measurement = Telemetry.StartWrite(StoreCall.Batch, batch.Items.Count);
        try
        {
            var submitted = SubmitWrite(request, ct);
            if (!submitted.IsCompleted) measurement = measurement.Waits();
            await submitted.ConfigureAwait(false);
            measurement.Succeeded();
            _spare.Return(batch);
            return request.Written;
        }
        catch (Exception e) when (measurement.Failed(e))
        {
            throw;
        }
    }

    /// <summary>The stored bytes of a record, copied, and the revision they belong to.</summary>
    public bool TryReadDocument(string id, out ReadOnlyMemory<byte> json, out Revision revision)
    {
        for (var missed = default(RecordLocation); ;)
        {
            var state = State;
            (json, revision) = (default, default);
            if (!state.Records.TryGet(id, out var location, out _, out _) || location.IsTombstone) return false;
            var extent = state.ExtentOf(location, ref missed);
            if (extent is null || !state.Records.TryGet(id, out var again, out _, out _) || again != location) continue;
            var record = StoredRecord.Parse(extent, extent.LineFrom(location.Offset));
            (json, revision) = (record.Document.ToArray(), record.Revision);
            GC.KeepAlive(extent);
            return true;
        }
    }

    /// <summary>The state at one point in time; whole batches only.</summary>
    public StoreView View()
    {
        if (_writer is null) return StoreView.Of(State);
        return StoreView.Of(_state, _writer);
    }

    public async ValueTask FlushAsync(CancellationToken ct)
    {
        if (_writer is null) return;
        RequireWriter();
        await _writer.FlushAsync(Flush.Synced, ct).ConfigureAwait(false);
    }

    private ValueTask SubmitWrite(CommitRequest request, CancellationToken ct) =>
        _writer is { IsFull: true } ? SubmitBehindFlushAsync(_writer, request, ct) : Submit(request, ct);

    private async ValueTask SubmitBehindFlushAsync(Writer writer, CommitRequest request, CancellationToken ct)
    {
        await writer.AwaitRoomAsync(ct).ConfigureAwait(false);
        await Submit(request, ct).ConfigureAwait(false);
    }

    private ValueTask Submit(CommitRequest request, CancellationToken ct)
    {
        try
        {
            RequireWriter();
            _writer!.ThrowIfFailed();
        }
        catch (Exception e)
        {
            return ValueTask.FromException(e);
        }

        return _writer.Queue.SubmitAsync(request, ct);
    }

    private void OnCommitted()
    {
        _undo?.Forget();
        _changes.Raise();
        _flush?.Wake();
        _checkpointer?.RunIfDue();
        _agents?.Compactor!.RunIfDue();
    }

    private void ThrowIfDisposed() => ObjectDisposedException.ThrowIf(Volatile.Read(ref _disposed) != 0, typeof(OpsStore<>));

    private void RequireWriter()
    {
        ThrowIfDisposed();
        if (_writer is null) throw new OpsLogException(OpsLogError.ReadOnly, "The store was opened read-only. Open it without ReadOnly to write.");
    }
}
