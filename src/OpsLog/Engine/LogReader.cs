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
    public const long DefaultWindow = 8 << 20;

    /// <summary>How many bytes the first objects of a numbered log hold.</summary>
    public static async ValueTask<long> PieceBytesAsync(IOpsStorage storage, StorageKey log, long pieces, CancellationToken ct)
    {
        long bytes = 0;
        for (var piece = 1L; piece <= pieces; piece++)
            bytes += (await ObjectReader.StatAsync(storage, StoreKeys.Piece(log, piece), ct).ConfigureAwait(false))?.Length ?? 0;
        return bytes;
    }

    /// <summary>Reads from an offset to the end, or to <paramref name="limit"/>.</summary>
    /// <returns>How far it reaches; null if the log is absent.</returns>
    /// <remarks>Of a numbered log the pieces in <paramref name="skip"/> are not looked at.</remarks>
    public static async ValueTask<LogExtent?> ReadAsync(
        IOpsStorage storage, StorageKey log, long from, long? limit, Func<ObjectPart, int> take, CancellationToken ct,
        long window = DefaultWindow, bool oneWindow = false, LogExtent skip = default)
    {
        if ((storage.Capabilities & StorageCapabilities.Append) != 0)
        {
            var length = await ObjectReader.ReadAsync(storage, log, from, limit, 0, take, window, ct, oneWindow).ConfigureAwait(false);
            return length is { } bytes ? new LogExtent(bytes, 0) : null;
        }

        if (skip.Pieces == 0 && await ObjectReader.StatAsync(storage, log, ct).ConfigureAwait(false) is null) return null;
        var (start, pieces) = (skip.Length, skip.Pieces);
        for (; limit is null || start < limit; pieces++)
        {
            var piece = StoreKeys.Piece(log, pieces + 1);
            if (await ObjectReader.StatAsync(storage, piece, ct).ConfigureAwait(false) is not { } stat) break;
            if (start + stat.Length > from) // a limit may lie within a piece
                await ObjectReader.ReadAsync(storage, piece, Math.Max(start, from), limit - start, start, take, window, ct, oneWindow).ConfigureAwait(false);
            start += stat.Length;
            if (oneWindow && start > from) break;
        }

        return new LogExtent(start, pieces);
    }
}
