using System.Buffers;
using OpsLog.Format;
using OpsLog.Storage;

namespace OpsLog.Engine;

/// <summary>
/// The way from one log to the next: the new log begins with the lines behind the snapshot, copied while the writer goes on, the last of
/// them while it waits. Every copied line is as long as it was, so that a place in the old log is the same place, less the snapshot's position, in the new.
/// </summary>
internal sealed class LogRoll(IOpsStorage storage, EngineSettings settings, StoreState state, Writer writer, long position)
{
    private const int SmallEnough = 64 << 10;
    private const int MostRounds = 8;
    private const int MostTries = 16;
    private const int Slice = 64;

    private readonly LogTarget _old = writer.Target;
    private readonly LogBuffer _oldBuffer = writer.Buffer;
    private Extent _extent = new("", [StampSource.SingleWriter]);
    private LogTarget _new = null!;
    private LogBuffer _buffer = null!;
    private readonly long _from = position;
    private long _copied = position;
    private bool _switched;
    private bool _isSynced;

    public StorageKey Key { get; private set; }

    /// <summary>There is no old log to end; its damage was skipped.</summary>
    public bool OldIsMissing { get; init; }

    /// <summary>The old log is on stable storage up to the snapshot's position; what lies behind is copied. Kept for history, it must be there after a power loss.</summary>
    public bool OldIsSynced { get; init; }

    private bool NeedsSync => settings.Durability == Durability.Os && !OldIsMissing && !OldIsSynced && !_isSynced;

    /// <summary>Makes the new log and copies all but the last few lines.</summary>
    public async ValueTask PrepareAsync(long revision, CancellationToken ct)
    {
        Key = await FreeName.FindAsync(storage, settings.Nonces, nonce => StoreKeys.Log("", revision, nonce), ct).ConfigureAwait(false);
        var made = await storage.PutAsync(Key, Stream.Null, PutCondition.IfAbsent, ct).ConfigureAwait(false);
        if (!made.IsStored) throw new OpsLogException(OpsLogError.Conflict, $"The log name '{Key}' is taken. Try again.");
        _new = new LogTarget(storage, Key, 0, 0);
        var claim = await _new.ClaimAsync(ct).ConfigureAwait(false);
        if (!claim.IsStored) throw new OpsLogException(OpsLogError.Locked, $"The new log '{Key}' cannot be claimed: {claim.Detail}");
        lock (state.Gate) _extent = state.Extents.Add(state.LogExtent(Key.Value, StampSource.SingleWriter));
        _buffer = new LogBuffer(_extent, 0, settings.Limits);
        for (var round = 0; round < MostRounds && writer.Acknowledged - _copied > SmallEnough; round++)
            await CopySyncedAsync().ConfigureAwait(false);
        if (NeedsSync) _isSynced = await writer.TrySyncAsync(MostTries).ConfigureAwait(false); // here nobody waits for it
    }

    /// <summary>Copies what is acknowledged onto stable storage, while the writer goes on. With flushes held: what anybody was promised to be there already is there.</summary>
    public ValueTask CopySyncedAsync() => CopyAsync(writer.Acknowledged, Flush.Synced);

    /// <summary>
    /// Copies the rest, as durably as the writer would have made it. From an exclusive request: nothing is written meanwhile.
    /// </summary>
    public async ValueTask CatchUpAsync()
    {
        writer.ThrowIfFailed();
        await CopyAsync(_oldBuffer.Position, settings.Durability == Durability.Disk ? Flush.Synced : Flush.Written).ConfigureAwait(false);
        if (NeedsSync) await writer.SyncHeldAsync().ConfigureAwait(false);
        if (OldIsMissing || _old.IsNumbered || (storage.Capabilities & StorageCapabilities.HoldsWriters) != 0) return;
        if (writer.HasUnflushed) await writer.FlushHeldAsync().ConfigureAwait(false);

        // Nothing keeps another writer from the old log: an empty line behind its end makes that writer's next append fail. (A numbered log
        // never has a second writer: who takes a store over seals the log first and starts one of its own.)
        var newline = "\n"u8.ToArray();
        try
        {
            var seal = await _old.AppendAsync(newline, Flush.Synced).ConfigureAwait(false);
            if (!seal.IsStored) throw writer.Poison(new OpsLogException(OpsLogError.Fenced, $"Another writer has written to '{_old.Key}'. Reopen the store."));
            writer.Skip(newline);
        }
        catch (StorageException e)
        {
            await AfterFailedSealAsync(newline, e).ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>The swap is in: the writer goes on in the new log.</summary>
    public void Switch(StoreView view)
    {
        _switched = true;
        writer.SwitchTo(_new, _buffer, writer.LogOperations - view.LogOperations);
    }

    /// <summary>Gives up a roll that did not get into the manifest. Its objects are the caller's to delete, or to leave to the collector: a lost answer must not delete what is in use.</summary>
    /// <returns>Whether it made a log.</returns>
    public async ValueTask<bool> AbandonAsync()
    {
        if (_switched || _new is null) return false;
        await _new.ReleaseAsync().ConfigureAwait(false);
        if (_extent.Index == 0) return true;
        lock (state.Gate) state.Extents.Remove(_extent);
        return true;
    }

    public ValueTask ReleaseOldAsync() => _old.ReleaseAsync();

    /// <summary>Lets the index point into the new snapshot and the new log, so that the bytes of the old ones can go. In slices: writers wait for none of it.</summary>
    public async ValueTask RepointAsync(StoreView view, SnapshotStream written, SnapshotEntry snapshot)
    {
        if (await written.LocateAsync(storage, state, snapshot).ConfigureAwait(false) is not { } moved) return;
        moved.Repoint(state);
        RepointTail();
        lock (state.Gate)
        {
            foreach (var extent in view.Extents)
                if (extent is not null) state.Extents.Remove(extent);
        }
    }

    // The roll is given up, and the writer goes on in the old log: it has to know whether the seal is there.
    private async ValueTask AfterFailedSealAsync(byte[] newline, StorageException failure)
    {
        try
        {
            if (failure.Fault != StorageFault.Broken && await _old.ReadBackAsync(newline).ConfigureAwait(false) == 0) return;
            throw failure; // a seal that is there may be an agent's, who takes the store over: all look alike, and behind another's nothing counts
        }
        catch (Exception e) when (e is StorageException or OpsLogException)
        {
            throw writer.Poison(new OpsLogException(OpsLogError.OutcomeUnknown, $"Ending the log '{_old.Key}' failed, and it is not known how far it got, or whether another has ended it: {failure.Message} Reopen the store.", failure));
        }
    }

    private void RepointTail()
    {
        var ids = new ArrayBufferWriter<byte>();
        var moves = new List<(int IdLength, long DataStart, int Hint)>(Slice);
        for (long at = 0; at < _copied - _from;)
        {
            ids.ResetWrittenCount();
            moves.Clear();
            while (moves.Count < Slice && at < _copied - _from)
            {
                var line = _extent.LineFrom(at);
                if (IsOperation(line, at + _from, out var operation) && operation.Kind == OperationKind.Set)
                {
                    var length = operation.CopyId(ids.GetSpan(operation.RawId.Length));
                    ids.Advance(length);
                    moves.Add((length, at + operation.DataStart, line.Length - operation.DataStart));
                }

                at += line.Length + 1;
            }

            lock (state.Gate) Repoint(ids.WrittenSpan, moves);
            state.GiveWay();
        }
    }

    private void Repoint(ReadOnlySpan<byte> ids, List<(int IdLength, long DataStart, int Hint)> moves)
    {
        foreach (var (length, dataStart, hint) in moves)
        {
            state.Records.Repoint(
                ids[..length],
                RecordLocation.Create(_oldBuffer.Extent.Index, dataStart + _from, hint, false),
                RecordLocation.Create(_extent.Index, dataStart, hint, false));
            ids = ids[length..];
        }
    }

    private async ValueTask CopyAsync(long to, Flush flush)
    {
        while (_copied < to)
        {
            CopySlice(to);
            var result = await _new.AppendAsync(_buffer.Group, _copied < to ? Flush.Written : flush).ConfigureAwait(false);
            if (!result.IsStored) throw new OpsLogException(OpsLogError.Fenced, $"Another writer has written to the new log '{Key}'. Reopen the store.");
            _buffer.Close();
        }
    }

    // What has gathered may be more than memory can hold in one. Nothing leads to the new log yet: that a crash leaves a part of it matters to nobody.
    private void CopySlice(long to)
    {
        var start = _copied;
        var pieceStart = _new.IsNumbered ? start - _from : 0;
        var isUnitEnd = true;
        while (_copied < to && (!isUnitEnd || _copied - start < settings.Limits.Group))
        {
            var line = _oldBuffer.Extent.LineFrom(_copied);
            var isOperation = IsOperation(line, _copied, out var operation);
            _buffer.WriteSealed(line, _copied - _from - pieceStart);
            _copied += line.Length + 1;
            // A batch lies in one piece of a numbered log.
            isUnitEnd = !isOperation || !_new.IsNumbered || _copied - start < settings.Limits.Group || operation.BatchIndex >= operation.BatchSize - 1;
        }
    }

    // Of a line that cannot be read the record would stay behind in the old log's memory, which goes: no checkpoint is made over it.
    private bool IsOperation(ReadOnlySpan<byte> line, long offset, out OperationLine operation)
    {
        var verdict = OperationCodec.TryRead(line, UndoLog.NoOffset, false, out operation, out var fault);
        if (verdict is LineVerdict.Corrupt or LineVerdict.Doubtful) throw LogScanner.Refused(new Damage(DamageKind.CorruptLine, _old.Key.Value, 0, offset, line.Length, fault));
        return verdict == LineVerdict.Operation;
    }
}
