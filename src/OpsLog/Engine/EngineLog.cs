using Microsoft.Extensions.Logging;

namespace OpsLog.Engine;

/// <summary>The engine's log messages.</summary>
internal static partial class EngineLog
{
    [LoggerMessage(EventId = 1, Level = LogLevel.Information, Message = "Opened {Store}: {Records} records, {Operations} operations replayed, {Notes} notes, {Skipped} damages skipped, in {Milliseconds} ms")]
    public static partial void Opened(ILogger logger, string? store, long records, long operations, int notes, int skipped, double milliseconds);

    [LoggerMessage(EventId = 2, Level = LogLevel.Information, Message = "Checkpoint of {Store}: {Records} records, {Bytes} bytes in {Snapshot}")]
    public static partial void Checkpoint(ILogger logger, string? store, long records, long bytes, string snapshot);

    [LoggerMessage(EventId = 3, Level = LogLevel.Error, Message = "A checkpoint failed; the store goes on with the snapshot it has")]
    public static partial void CheckpointFailed(ILogger logger, Exception exception);

    [LoggerMessage(EventId = 4, Level = LogLevel.Error, Message = "Buffered writes could not be flushed; the store is read-only from here on")]
    public static partial void FlushFailed(ILogger logger, Exception exception);

    [LoggerMessage(EventId = 5, Level = LogLevel.Error, Message = "The store could not sign off; everything acknowledged is kept")]
    public static partial void SignOffFailed(ILogger logger, Exception exception);

    [LoggerMessage(EventId = 6, Level = LogLevel.Warning, Message = "Superseded objects could not be deleted; they are tried again later")]
    public static partial void CollectFailed(ILogger logger, Exception exception);

    [LoggerMessage(EventId = 7, Level = LogLevel.Warning, Message = "Met while open: {Damage}")]
    public static partial void Noted(ILogger logger, Damage damage);

    [LoggerMessage(EventId = 8, Level = LogLevel.Warning, Message = "Found on opening: {Damage}")]
    public static partial void Found(ILogger logger, Damage damage);
}
