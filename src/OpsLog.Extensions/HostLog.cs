using Microsoft.Extensions.Logging;

namespace OpsLog.Extensions;

/// <summary>The messages of hosting: category <c>OpsLog.Hosting</c>, events from 100 on. The store's own are in the category <c>OpsLog</c>.</summary>
internal static partial class HostLog
{
    [LoggerMessage(EventId = 100, Level = LogLevel.Debug, Message = "The store '{Store}' is open")]
    public static partial void Opened(ILogger logger, string store);

    [LoggerMessage(EventId = 101, Level = LogLevel.Critical, Message = "The store '{Store}' cannot be opened; the host does not start")]
    public static partial void OpenFailed(ILogger logger, string store, Exception exception);

    [LoggerMessage(EventId = 102, Level = LogLevel.Information, Message = "The store '{Store}' is closed")]
    public static partial void Closed(ILogger logger, string store);

    [LoggerMessage(EventId = 103, Level = LogLevel.Error, Message = "The store '{Store}' could not be closed; buffered writes may be lost")]
    public static partial void CloseFailed(ILogger logger, string store, Exception exception);

    [LoggerMessage(EventId = 104, Level = LogLevel.Warning, Message = "The store '{Store}' is still closing although the time for stopping is over; a process that ends now keeps everything acknowledged, at level Buffered up to the last flush")]
    public static partial void ClosingTakesLong(ILogger logger, string store);
}
