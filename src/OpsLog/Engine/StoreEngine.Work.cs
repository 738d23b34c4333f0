using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using OpsLog.Engine.Agents;
using OpsLog.Format;
using OpsLog.Storage;

namespace OpsLog.Engine;

internal sealed partial class StoreEngine
{
    private readonly Lazy<Archiver> _archiver;
    private readonly Lazy<HistoryKeeper> _followedHistory;

    public StoreStatistics Statistics
    {
        get
        {
            var manifest = CurrentManifest;
            return new StoreStatistics
            {
                Records = State.Records.Count,
                OperationsSinceCheckpoint = _agents?.Operations ?? _writer?.LogOperations ?? _follower!.Followed.Operations,
                LogBytes = _agents?.LogBytes ?? _writer?.Acknowledged ?? _follower!.Followed.Position,
                SnapshotBytes = _checkpointer?.SnapshotBytes ?? manifest.Snapshot.Length,
                HistoryBytes = manifest.History?.Bytes ?? 0,
                GarbageBytes = manifest.Garbage.Sum(g => g.Bytes),
                ArchivedRecords = manifest.Package.Stats.ArchivedRecords,
                Archives = Archives,
                Clock = State.Clock,
                ManifestRevision = manifest.Revision,
                SchemaVersion = SchemaVersion,
                Created = IsoTime.TryRead(manifest.Package.Stats.Created, out var created) ? created : null,
                LastCheckpoint = IsoTime.TryRead(manifest.Package.Stats.LastCheckpoint, out var last) ? last : null,
                Checkpoints = _checkpointer?.Checkpoints ?? _agents?.Compactor?.Checkpoints ?? 0,
                Appends = Appends,
                Operations = _writer?.Operations ?? 0,
                Snapshot = manifest.Snapshot.Name,
                Log = _writer?.Target.Key.Value ?? manifest.Package.ActiveOps,
                Tombstones = _agents is null ? 0 : State.Records.Tombstones,
                TombstoneFloor = _agents is null ? 0 : manifest.Snapshot.Floor,
                TombstonesHeldBy = _agents?.TombstonesHeldBy,
                ManifestConflicts = _register.Conflicts,
                Fenced = _writer?.Fencings ?? 0,
                Failure = _writer?.Failure?.Message,
                CheckpointFailure = _checkpointer?.Failure ?? _agents?.Compactor?.Failure,
            };
        }
    }

    public ValueTask<bool> UndoAsync(CancellationToken ct) =>
        _agents is null ? TakeBackAsync(() => _undo!.NextUndoAsync(), ct) : TakeBackAmongManyAsync(UndoMark.Undo, ct);

    public ValueTask<bool> RedoAsync(CancellationToken ct) =>
        _agents is null ? TakeBackAsync(() => _undo!.NextRedoAsync(), ct) : TakeBackAmongManyAsync(UndoMark.Redo, ct);

    public async ValueTask CompactAsync(CancellationToken ct)
    {
        RequireWriter();
        try
        {
            if (_agents is not null) await _agents.Compactor!.RunAsync(ct).ConfigureAwait(false);
            else await _checkpointer!.RunAsync(ct).ConfigureAwait(false);
        }
        catch (StorageException e)
        {
            throw new OpsLogException(OpsLogError.StorageFailed, $"The checkpoint failed; the store goes on with the snapshot it has. {e.Message}", e);
        }
    }

    public async ValueTask<int> ArchiveAsync(StoreView view, IReadOnlyList<string> ids, string? period, CancellationToken ct)
    {
        RequireWriter();
        _writer!.ThrowIfFailed();
        period ??= Archiver.DefaultPeriod(_settings.Time);
        Archiver.CheckPeriod(period);
        List<BatchItem> deletes;
        try
        {
            deletes = await _archiver.Value.MoveAsync(view, ids, period, ct).ConfigureAwait(false);
        }
        catch (StorageException e)
        {
            throw new OpsLogException(OpsLogError.StorageFailed, $"The archive could not be written; every record is still in the store. {e.Message}", e);
        }

        if (deletes.Count == 0) return 0;
        var request = new BatchRequest(deletes) { OnlyIfUnmoved = true };
        await Submit(request, ct).ConfigureAwait(false);
        return request.Written;
    }

    public async ValueTask<IReadOnlyDictionary<string, byte[]>> LoadArchiveAsync(string period, CancellationToken ct)
    {
        var entry = CurrentManifest.Archives.FirstOrDefault(a => string.Equals(a.Period, period, StringComparison.Ordinal))
            ?? throw new OpsLogException(OpsLogError.NotFound, $"There is no archive '{period}'.");
        try
        {
            var records = await _archiver.Value.LoadAsync(entry, Migration, ct).ConfigureAwait(false);
            return records.ToDictionary(r => r.Key, r => r.Value.Document, StringComparer.Ordinal);
        }
        catch (StorageException e)
        {
            throw new OpsLogException(OpsLogError.StorageFailed, $"The archive '{period}' cannot be read: {e.Message}", e);
        }
    }

    /// <summary>The place behind everything that is stored now, and this writer's newest operation: what it has acknowledged up to there and not stored yet lies behind that place.</summary>
    public (FeedPosition Stored, Revision Newest) FeedEnd
    {
        get
        {
            var followed = _follower?.Followed; // before it is known that agents have not come
            if (_writer is null && _agents is not null) return (new FeedPosition(_agents.Feed.End), default);
            if (_writer is null) return (new FeedCursor(followed!.Manifest.Incarnation, followed.LogName, followed.Position).ToPosition(), default);
            lock (State.Gate)
            {
                var stored = _agents is not null ? new FeedPosition(_agents.Feed.End) : new FeedCursor(CurrentManifest.Incarnation, _writer.Target.Key.Value, _writer.Stored).ToPosition();
                return (stored, _writer.Newest);
            }
        }
    }

    public Task NextChange() => _changes.Next();

    public ValueTask WaitAsync(Task signal, CancellationToken ct) => _changes.WaitAsync(signal, ct);

    public async ValueTask<int> RefreshAsync(CancellationToken ct)
    {
        ThrowIfDisposed();
        if (_follower is null && _agents is null) return 0;
        try
        {
            if (_agents is null && await _follower!.RefreshAsync(ct).ConfigureAwait(false) is var (taken, isReplaced))
            {
                if (taken > 0 || isReplaced) _changes.Raise();
                Telemetry.TookIn(taken);
                return taken;
            }

            var merged = await _agents!.RefreshAsync(ct).ConfigureAwait(false);
            Telemetry.TookIn(merged);
            if (merged > 0) _changes.Raise();
            return merged;
        }
        catch (StorageException e)
        {
            throw new OpsLogException(OpsLogError.StorageFailed, $"The store cannot be refreshed: {e.Message}", e);
        }
    }

    // A follower had to start over; perhaps because the store has got many writers since.
    private void Replaced(OpenedStore opened)
    {
        var agents = opened.Peers is null ? null : new AgentSession(_storage, _settings, opened, OnCommitted);
        Volatile.Write(ref _state, opened.State);
        _agents = agents;
    }

    /// <summary>The retained operations behind a position.</summary>
    public async IAsyncEnumerable<RawOperation> ReadFeedAsync(FeedPosition since, string? id, [EnumeratorCancellation] CancellationToken ct)
    {
        ThrowIfDisposed();
        if (since != FeedPosition.Start && since.FeedCursor is null && since.AgentCursor is null) throw new ArgumentException("That is no feed position.", nameof(since));
        if (_writer is { HasUnflushed: true }) await _writer.FlushToReadAsync(ct).ConfigureAwait(false);
        while (true)
        {
            if (_agents is not null)
            {
                await foreach (var operation in ReadAgentFeedAsync(_agents, since, id, ct).ConfigureAwait(false)) yield return operation;
                yield break;
            }

            if (await FeedLogsAsync(ct).ConfigureAwait(false) is not var (manifest, logs)) continue; // it has got many writers
            ExceptionDispatchInfo? lost = null;
            var feed = ReadSingleFeed(manifest, logs, since, id, ct).GetAsyncEnumerator(ct);
            await using (feed.ConfigureAwait(false))
            {
                while (lost is null)
                {
                    try
                    {
                        if (!await feed.MoveNextAsync().ConfigureAwait(false)) yield break;
                    }
                    catch (OpsLogException e) when (e.Error is OpsLogError.PositionLost or OpsLogError.Damaged)
                    {
                        lost = ExceptionDispatchInfo.Capture(e);
                        break;
                    }

                    since = feed.Current.Position;
                    yield return feed.Current;
                }
            }

            // Unless a checkpoint came in between: then what was being read is gone, or has moved, for a good reason.
            var taken = await RefreshAsync(ct).ConfigureAwait(false);
            if (taken == 0 && CurrentManifest.Revision == manifest.Revision) lost!.Throw();
        }
    }

    private IAsyncEnumerable<RawOperation> ReadSingleFeed(Manifest manifest, List<FeedLog> logs, FeedPosition since, string? id, CancellationToken ct)
    {
        var reader = new FeedReader(_storage, _settings.Recovery);
        var hadAgents = since.AgentCursor is not null || logs.Exists(l => l.Source.Agent.Length > 0);
        return hadAgents
            ? new FeedBehindAgents(reader, manifest, logs, since).ReadAsync(id, ct)
            : reader.ReadAsync(logs, manifest, since.FeedCursor, id, ct);
    }

    /// <summary>Closes the store, once: everybody who asks for it waits for the end, and is told of it.</summary>
    public ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0) _ = CloseAsync();
        else if (_isClosing.Value) return default; // a storage or a logger that the closing calls: it would wait for itself
        return new ValueTask(_closed.Task);
    }

    private async Task CloseAsync()
    {
        _isClosing.Value = true;
        try
        {
            await EndAsync().ConfigureAwait(false);
            _closed.SetResult();
        }
        catch (Exception e)
        {
            _closed.SetException(e);
        }
    }

    private async ValueTask EndAsync()
    {
        try
        {
            if (_agents is not null) await _agents.CloseAsync().ConfigureAwait(false);
            else if (_writer is not null) await CloseWriterAsync().ConfigureAwait(false);
        }
        finally
        {
            _changes.Raise(); // who watches looks once more, and ends
            await ReleaseAsync().ConfigureAwait(false);
            OpsLogInstruments.Closed(this);
        }
    }

    // History that a checkpoint of another process superseded while it was being read is looked up again from the newest manifest. Null: the store has got many writers.
    private async ValueTask<(Manifest Manifest, List<FeedLog> Logs)?> FeedLogsAsync(CancellationToken ct)
    {
        if (_writer is not null) return (_register.Current, WriterLogs());
        while (true)
        {
            var followed = _follower!.Followed;
            if (_agents is not null) return null;
            var found = await _followedHistory.Value.FindAsync(followed.Manifest, async () =>
            {
                await RefreshAsync(ct).ConfigureAwait(false);
                return CurrentManifest.Revision == followed.Manifest.Revision;
            }, ct).ConfigureAwait(false);
            if (found is not null) return (followed.Manifest, [.. found.Logs.Select(Retired), .. LogsOf(followed)]);
        }
    }

    public static FeedLog Retired(HistoryLog log) =>
        new(new StorageKey(log.Name), StampSource.Of(log.Agent, log.Name), log.StartClock, log.Schema, log.Length) { IsClosed = true, EndClock = log.EndClock };

    // Taken as one: a checkpoint changes the manifest, the history and the log one after the other.
    private List<FeedLog> WriterLogs()
    {
        while (true)
        {
            var manifest = _register.Current;
            StorageKey key;
            long length;
            lock (_state.Gate) (key, length) = (_writer!.Target.Key, _writer.Stored);
            var history = _checkpointer!.History; // behind the log: it is set before the writer goes on in the next one
            var log = manifest.Logs.FirstOrDefault(l => string.Equals(l.Name, key.Value, StringComparison.Ordinal));
            if (log is null || !ReferenceEquals(manifest, _register.Current)) continue;
            return [.. history.Select(Retired), new FeedLog(key, StampSource.SingleWriter, log.Start, log.Schema, length) { EveryLineHasAClock = _checkpointer.LogIsOurs }];
        }
    }

    private static IEnumerable<FeedLog> LogsOf(Followed followed) => followed.Logs.Select(planned =>
        new FeedLog(new StorageKey(planned.Entry.Name), planned.Source, planned.Entry.Start, planned.Entry.Schema, planned.Length)
        {
            EveryLineHasAClock = followed.IsOurs,
            IsTimeless = planned.IsTimeless,
            RefuseDoubtful = planned.RefuseDoubtful,
        });

    private async ValueTask<bool> TakeBackAsync(Func<ValueTask<TakenBack?>> next, CancellationToken ct)
    {
        var done = false;
        var request = new ExclusiveRequest(async () =>
        {
            while (!done && await next().ConfigureAwait(false) is { } taken)
            {
                var batch = new BatchRequest(taken.Items);
                await _writer!.CommitAsync([batch]).ConfigureAwait(false);
                batch.ThrowIfFailed();
                taken.Confirm?.Invoke();
                done = batch.Written > 0;
                if (taken.Confirm is null) break; // a redo starts anew each time: one that writes nothing would be offered for ever
            }
        });
        await Submit(request, ct).ConfigureAwait(false);
        return done;
    }

    // The logs an undo can walk back through: the current one, then those kept for history, newest first.
    private async ValueTask<UndoUnits?> OpenUndoLogAsync(int back)
    {
        if (back == 0)
        {
            var extent = _writer!.Buffer.Extent;
            if (_checkpointer!.LogIsOurs) return new UndoUnits.Backward(extent, _writer.Buffer.Position, SchemaVersion);
            return await CollectUnitsAsync(WriterLogs()[^1]).ConfigureAwait(false);
        }

        var history = _checkpointer!.History;
        if (back > history.Count) return null;
        var log = history[^back];
        if (log.Agent.Length > 0) return null; // another writer's operations: not this one's to undo
        return await CollectUnitsAsync(Retired(log)).ConfigureAwait(false);
    }

    private async ValueTask<UndoUnits> CollectUnitsAsync(FeedLog log)
    {
        var extent = new Extent(log.Key.Value, [log.Source]);
        var collector = new UndoUnits.Collector();
        var scanner = new LogScanner(new LogSource(log.Key.Value, log.StartClock, log.Source.Agent), Recovery.TolerateTornTail) { IsClosed = log.IsClosed };
        var found = await LogReader.ReadAsync(_storage, log.Key, 0, log.Length, part =>
        {
            if (part.Memory.Length > 0) extent.Add(part.Start, part.Memory, part.Owner);
            return scanner.Scan(part, collector);
        }, CancellationToken.None).ConfigureAwait(false);
        FeedReader.CheckLength(log, found);
        return new UndoUnits.Collected(extent, collector.Units, log.Schema);
    }

    private async ValueTask CloseWriterAsync()
    {
        // What was begun before closing is committed first; what comes later is refused.
        await _writer!.Queue.SubmitAsync(new ExclusiveRequest(_writer.Close), CancellationToken.None).ConfigureAwait(false);

        try
        {
            // Before a checkpoint, which may take long: whoever closes may not have the time. Waits for a flush that is under way, and throws if acknowledged writes were lost.
            if (_settings.Durability == Durability.Buffered) await _writer.FlushAsync(Flush.Written, CancellationToken.None).ConfigureAwait(false);
        }
        finally
        {
            await _checkpointer!.Background.ConfigureAwait(false);
        }

        try
        {
            await _checkpointer!.CloseAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (e is StorageException or OpsLogException)
        {
            EngineLog.SignOffFailed(_settings.Logger, _settings.Telemetry.LogName, e); // the log holds everything; the next opening finds it as after a crash
        }
    }

    private async ValueTask ReleaseAsync()
    {
        await GiveUpAsync().ConfigureAwait(false);
        if (_ownsStorage) await _storage.DisposeAsync().ConfigureAwait(false);
    }

    // The storage stays: another opening is tried on it, or its owner disposes it.
    private async ValueTask GiveUpAsync()
    {
        try
        {
            if (_writer is not null) await _writer.Target.ReleaseAsync().ConfigureAwait(false);
        }
        catch (StorageException e)
        {
            EngineLog.SignOffFailed(_settings.Logger, _settings.Telemetry.LogName, e);
        }
    }
}
