using Microsoft.Extensions.Logging;

namespace OpsLog.Engine;

/// <summary>The engine's log messages.</summary>
internal static partial class EngineLog
{
    [LoggerMessage(EventId = 1, Level = LogLevel.Information, Message = "Opened {Store}: {Records} records, {Operations} operations replayed, {Notes} notes, {Skipped} damages skipped, in {Milliseconds} ms")]
    public static partial void Opened(ILogger logger, string store, long records, long operations, int notes, int skipped, double milliseconds);

    [LoggerMessage(EventId = 2, Level = LogLevel.Information, Message = "Checkpoint of {Store}: {Records} records, {Bytes} bytes in {Snapshot}")]
    public static partial void Checkpoint(ILogger logger, string store, long records, long bytes, string snapshot);

    [LoggerMessage(EventId = 3, Level = LogLevel.Error, Message = "A checkpoint of {Store} failed; it goes on with the snapshot it has")]
    public static partial void CheckpointFailed(ILogger logger, string store, Exception exception);

    [LoggerMessage(EventId = 4, Level = LogLevel.Error, Message = "Buffered writes of {Store} could not be flushed; it is read-only from here on")]
    public static partial void FlushFailed(ILogger logger, string store, Exception exception);

    [LoggerMessage(EventId = 5, Level = LogLevel.Error, Message = "{Store} could not sign off; everything acknowledged is kept")]
    public static partial void SignOffFailed(ILogger logger, string store, Exception exception);

    [LoggerMessage(EventId = 6, Level = LogLevel.Warning, Message = "Superseded objects of {Store} could not be deleted; they are tried again later")]
    public static partial void CollectFailed(ILogger logger, string store, Exception exception);

    [LoggerMessage(EventId = 7, Level = LogLevel.Warning, Message = "Met while {Store} was open: {Damage}")]
    public static partial void Noted(ILogger logger, string store, Damage damage);

    [LoggerMessage(EventId = 8, Level = LogLevel.Warning, Message = "Found on opening {Store}: {Damage}")]
    public static partial void Found(ILogger logger, string store, Damage damage);
}
