using OpsLog.Format;
using OpsLog.Storage;

namespace OpsLog.Engine.Agents;

/// <summary>
/// Ends logs for good: an empty last line, put there on the condition that the log is as long as it was read, or as the next object of a numbered log. Whoever
/// wrote to it then fails at its next append (docs/format.md, Seals). No lock with a time to live is ever the safety.
/// </summary>
internal sealed class LogSealer(IOpsStorage storage)
{
    private static readonly byte[] s_behindLine = "\n"u8.ToArray();
    private static readonly byte[] s_behindUnfinished = "#\n\n"u8.ToArray();
    private static readonly byte[] s_behindWholeLine = "\n\n"u8.ToArray();

    private readonly bool _numbered = (storage.Capabilities & StorageCapabilities.Append) == 0;

    /// <summary>Seals a log at the length it was read to.</summary>
    /// <returns>
    /// Stored: it has ended where it was read to. Held: its writer lives. Conflict: it has grown, or a seal lies there; it has to be read on, and only then tried again.
    /// </returns>
    public async ValueTask<PutOutcome> SealAsync(PeerLog log, CancellationToken ct)
    {
        if (!log.IsAbandoned && LivingLogs.On(storage)?.Has(log.Key) == true) return PutOutcome.Held;
        if (_numbered) return await SealNumberedAsync(log.Key, log.Read.Pieces, ct).ConfigureAwait(false);
        var found = await storage.ReadAsync(log.Key, new ByteRange(log.Read.Length), ct).ConfigureAwait(false);
        if (found is null)
        {
            if (log.Exists) return PutOutcome.Conflict; // folded and deleted since

            // Registered, but never created: who registered it may still be about to.
            var created = await storage.PutAsync(log.Key, new ReadOnlyMemoryStream(s_behindLine), PutCondition.IfAbsent, ct).ConfigureAwait(false);
            return created.Outcome;
        }

        await using (found.ConfigureAwait(false))
        {
            if (found.Length != log.Observed) return PutOutcome.Conflict;
            var rest = await found.ReadToEndAsync(ct).ConfigureAwait(false);
            var seal = LacksNewlineOfCovered(rest.Span, found.Length, log.Entry) ? s_behindWholeLine : SealBehind(rest.Span, log.Entry.Agent.Length == 0);
            return await AppendAsync(log.Key, seal, found.Length, ct).ConfigureAwait(false);
        }
    }

    /// <summary>Seals this process's own log behind an offset, after an append that failed.</summary>
    /// <param name="key">The log.</param>
    /// <param name="length">Where it ends.</param>
    /// <param name="pieces">How many objects it has, if it is numbered.</param>
    /// <param name="isWhole">Its last line is whole.</param>
    public async ValueTask<PutOutcome> SealOwnAsync(StorageKey key, long length, long pieces, bool isWhole) => _numbered
        ? await SealNumberedAsync(key, pieces, CancellationToken.None).ConfigureAwait(false)
        : await AppendAsync(key, isWhole ? s_behindLine : s_behindUnfinished, length, CancellationToken.None).ConfigureAwait(false);

    private async ValueTask<PutOutcome> AppendAsync(StorageKey key, byte[] seal, long length, CancellationToken ct)
    {
        var result = await storage.AppendAsync(key, seal, length, Flush.Synced, ct).ConfigureAwait(false);
        if (result.IsStored) await storage.ReleaseAsync(key, CancellationToken.None).ConfigureAwait(false);
        return result.Outcome;
    }

    private async ValueTask<PutOutcome> SealNumberedAsync(StorageKey key, long pieces, CancellationToken ct)
    {
        if (pieces == 0) await storage.PutAsync(key, Stream.Null, PutCondition.IfAbsent, ct).ConfigureAwait(false); // so that the log is there for readers
        var result = await storage.PutAsync(StoreKeys.Piece(key, pieces + 1), new ReadOnlyMemoryStream(s_behindLine), PutCondition.IfAbsent, ct).ConfigureAwait(false);
        return result.Outcome;
    }

    // A power loss has taken the very last byte of what a snapshot covers: it is put back, so that the log has a line's end where it is said to have one.
    private static bool LacksNewlineOfCovered(ReadOnlySpan<byte> rest, long length, LogEntry entry)
    {
        if (length != entry.Covered - 1) return false;
        var line = rest[(rest.LastIndexOf((byte)'\n') + 1)..];
        var offset = length - line.Length;
        return OperationCodec.TryRead(line, offset, offset == 0, out _, out _) == LineVerdict.Operation;
    }

    // What lies behind the last whole line or batch: empty lines, and what was never finished. A whole line of the package counts without its newline; an unfinished one of
    // ours must never come to count. In a single writer's log an empty line ends no batch, for it may not be known yet to be a seal: the batch is voided.
    private static byte[] SealBehind(ReadOnlySpan<byte> rest, bool isSingleWriters)
    {
        var open = rest.TrimStart(" \t\r\n"u8);
        if (open.IsEmpty ? rest.IsEmpty || rest[^1] == '\n' : open[^1] == '\n' && !isSingleWriters) return s_behindLine;
        var counts = isSingleWriters && !open.Contains((byte)'\n') && !JsonLines.HasChecksumTail(open) && OperationCodec.TryRead(open, UndoLog.NoOffset, false, out _, out _) == LineVerdict.Operation;
        return counts ? s_behindWholeLine : s_behindUnfinished;
    }
}
