using OpsLog.Engine.Agents;
using OpsLog.Format;
using OpsLog.Storage;

namespace OpsLog.Engine;

/// <summary>
/// The log in the storage, as its one writer sees it: an object that is appended to, or, where the storage cannot append, one numbered
/// object per flush. Either way the condition of the write is the fence.
/// </summary>
internal sealed class LogTarget(IOpsStorage storage, StorageKey key, long length, long pieces)
{
    /// <summary>No log: of an agent that has nothing to write.</summary>
    public static LogTarget None { get; } = new(null!, default, 0, 0);

    public StorageKey Key { get; } = key;

    /// <summary>The log's length in bytes, over all pieces: the condition of the next append.</summary>
    public long Length { get; private set; } = length;

    /// <summary>How many numbered pieces there are.</summary>
    public long Pieces { get; private set; } = pieces;

    /// <summary>The object takes only few more appends: another log has to be begun.</summary>
    public bool IsNearlyFull { get; private set; }

    public bool IsNumbered { get; } = storage is null || (storage.Capabilities & StorageCapabilities.Append) == 0;

    /// <summary>Whether an append that got no answer may still happen, once it was not found: where the storage is a server. In a folder a call is over when it has returned.</summary>
    public bool MayTakeLateAppends => (storage.Capabilities & StorageCapabilities.HoldsWriters) == 0;

    /// <summary>Appends; the log is <paramref name="bytes"/> longer when it returns <see cref="PutOutcome.Stored"/>, else as it was.</summary>
    public ValueTask<PutResult> AppendAsync(ReadOnlyMemory<byte> bytes, Flush flush)
    {
        ValueTask<PutResult> append;
        try
        {
            append = IsNumbered
                ? storage.PutAsync(StoreKeys.Piece(Key, Pieces + 1), new ReadOnlyMemoryStream(bytes), PutCondition.IfAbsent, CancellationToken.None)
                : storage.AppendAsync(Key, bytes, Length, flush, CancellationToken.None);
        }
        catch (Exception e)
        {
            append = ValueTask.FromException<PutResult>(e); // a storage that is disposed, or faulty, need not wait to say so
        }

        return append.IsCompletedSuccessfully ? new(Appended(append.Result, bytes.Length)) : AppendedAsync(append, bytes.Length);
    }

    private async ValueTask<PutResult> AppendedAsync(ValueTask<PutResult> append, int bytes) => Appended(await append.ConfigureAwait(false), bytes);

    private PutResult Appended(PutResult result, int bytes)
    {
        if (result.IsStored) Advance(bytes);
        IsNearlyFull |= result.IsNearlyFull;
        return result;
    }

    /// <summary>Brings onto stable storage what the log holds, beside its writer. False: not done, for the writer appended just then.</summary>
    public async ValueTask<bool> TrySyncAsync() =>
        !IsNumbered && (await storage.AppendAsync(Key, ReadOnlyMemory<byte>.Empty, Length, Flush.Synced, CancellationToken.None).ConfigureAwait(false)).IsStored;

    /// <summary>Takes the log for this process: nobody else appends to it from here on.</summary>
    public async ValueTask<PutResult> ClaimAsync(CancellationToken ct)
    {
        if (IsNumbered) return new PutResult(PutOutcome.Stored);
        var claim = await storage.AppendAsync(Key, ReadOnlyMemory<byte>.Empty, Length, Flush.Written, ct).ConfigureAwait(false);
        if (claim.IsStored) LivingLogs.On(storage)?.Add(Key);
        return claim;
    }

    /// <summary>
    /// After an append that failed: how many of its bytes are in the log. They are added to <see cref="Length"/>.
    /// </summary>
    /// <exception cref="OpsLogException">What lies there is not what was sent: another writer's (<see cref="OpsLogError.Fenced"/>).</exception>
    public async ValueTask<int> ReadBackAsync(ReadOnlyMemory<byte> sent)
    {
        var target = IsNumbered ? StoreKeys.Piece(Key, Pieces + 1) : Key;
        var from = IsNumbered ? 0 : Length;
        var found = await storage.ReadAsync(target, new ByteRange(from, sent.Length + 1L), CancellationToken.None).ConfigureAwait(false);
        if (found is null)
        {
            if (IsNumbered) return 0;
            throw new OpsLogException(OpsLogError.Fenced, $"The log '{Key}' is gone. Reopen the store.");
        }

        await using (found.ConfigureAwait(false))
        {
            var bytes = await found.ReadToEndAsync(CancellationToken.None).ConfigureAwait(false);
            if (!IsNumbered && bytes.Length > sent.Length && bytes.Span.StartsWith(sent.Span))
            {
                Advance(sent.Length); // it is all there; that another writer went on behind it shows at the next append
                return sent.Length;
            }

            if (bytes.Length > sent.Length || !sent.Span.StartsWith(bytes.Span) || (IsNumbered && bytes.Length != sent.Length))
                throw new OpsLogException(OpsLogError.Fenced, $"Another writer has written to '{Key}' behind offset {Length}. Reopen the store.");
            Advance(bytes.Length);
            return bytes.Length;
        }
    }

    /// <summary>Gives up what this process holds of it.</summary>
    public ValueTask ReleaseAsync()
    {
        if (storage is null) return ValueTask.CompletedTask;
        LivingLogs.On(storage)?.Remove(Key);
        return storage.ReleaseAsync(Key, CancellationToken.None);
    }

    /// <summary>After a read-back: the log was found to end there.</summary>
    public void EndAt(long length, long pieces) => (Length, Pieces) = (length, pieces);

    private void Advance(int bytes)
    {
        if (bytes == 0) return;
        Length += bytes;
        if (IsNumbered) Pieces++;
    }
}
