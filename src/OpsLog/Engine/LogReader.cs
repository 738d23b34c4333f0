using OpsLog.Format;
using OpsLog.Storage;

namespace OpsLog.Engine;

/// <summary>How far a log was read.</summary>
/// <param name="Length">Its length in bytes, over all pieces.</param>
/// <param name="Pieces">How many numbered pieces it has; 0 for a log that is appended to.</param>
internal readonly record struct LogExtent(long Length, long Pieces);

/// <summary>Reads a log in either form: one object that grows, or an empty one followed by numbered pieces.</summary>
internal static class LogReader
{
    /// <summary>A log is read into memory: in windows that are still in the processor's caches when their lines are looked at.</summary>
    public const long DefaultWindow = HugePages.Largest;

    private const int AtOnce = 16;

    /// <summary>How many bytes the first objects of a numbered log hold.</summary>
    public static async ValueTask<long> PieceBytesAsync(IOpsStorage storage, StorageKey log, long pieces, CancellationToken ct)
    {
        long bytes = 0;
        for (var first = 1L; first <= pieces; first += AtOnce)
        {
            var looks = new List<Task<(long Length, StorageVersion Version)?>>();
            for (var piece = first; piece <= pieces && piece < first + AtOnce; piece++) looks.Add(ObjectReader.StatAsync(storage, StoreKeys.Piece(log, piece), ct).AsTask());
            foreach (var stat in await Task.WhenAll(looks).ConfigureAwait(false)) bytes += stat?.Length ?? 0;
        }

        return bytes;
    }

    /// <summary>Reads from an offset to the end, or to <paramref name="limit"/>.</summary>
    /// <returns>How far it reaches; null if the log is absent.</returns>
    /// <remarks>
    /// Of a numbered log the pieces in <paramref name="skip"/> are not looked at, and others are read a few at a time. With <paramref name="oneWindow"/> it ends
    /// behind the first window that something was taken of; of a numbered log, behind the piece with which a window is full.
    /// </remarks>
    public static async ValueTask<LogExtent?> ReadAsync(
        IOpsStorage storage, StorageKey log, long from, long? limit, Func<ObjectPart, int> take, CancellationToken ct,
        long window = DefaultWindow, bool oneWindow = false, LogExtent skip = default)
    {
        if ((storage.Capabilities & StorageCapabilities.Append) != 0)
        {
            var length = await ObjectReader.ReadAsync(storage, log, from, limit, 0, take, window, ct, oneWindow).ConfigureAwait(false);
            return length is { } bytes ? new LogExtent(bytes, 0) : null;
        }

        if (skip.Pieces == 0)
        {
            if (await ObjectReader.StatAsync(storage, log, ct).ConfigureAwait(false) is not { } root) return null;
            if (root.Length > 0) // its lines would be passed over
                throw LogScanner.Refused(new Damage(DamageKind.CorruptObject, log.Value, 0, 0, root.Length, "the log is one object, as storages that append write it, but this one has numbered objects: copy the store with 'opslog copy', not object by object"));
        }

        var (start, pieces, isMissing) = (skip.Length, skip.Pieces, false);
        var enough = oneWindow ? Math.Max(from, start) + window : long.MaxValue;
        var reader = new PieceReader(storage, log, pieces, window, ct);
        await using (reader.ConfigureAwait(false))
        {
            for (; (limit is null || start < limit) && start < enough; pieces++)
            {
                if (await reader.NextAsync().ConfigureAwait(false) is not { } piece)
                {
                    isMissing = true;
                    break;
                }

                if (start + piece.Length > from) // a limit may lie within a piece
                    await ObjectReader.ReadAsync(storage, StoreKeys.Piece(log, pieces + 1), piece, Math.Max(start, from), limit - start, start, take, window, ct).ConfigureAwait(false);
                else await piece.DisposeAsync().ConfigureAwait(false);
                start += piece.Length;
            }

            if (start < enough) await reader.PassRestAsync().ConfigureAwait(false);
        }

        // Where a piece is missing the whole log may be gone.
        if (isMissing && limit is not null && skip.Pieces > 0 && await ObjectReader.StatAsync(storage, log, ct).ConfigureAwait(false) is null) return null;
        return new LogExtent(start, pieces);
    }
}
