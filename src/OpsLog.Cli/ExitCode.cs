using OpsLog.Storage;

namespace OpsLog.Cli;

/// <summary>What the process's exit code says. Scripts rely on it (docs/cli.md). Everything is mapped here, nowhere else.</summary>
internal static class ExitCode
{
    public const int Done = 0;
    public const int NothingToDo = 1;
    public const int Usage = 2;
    public const int Contended = 3;
    public const int Damaged = 4;
    public const int StorageFailed = 5;

    /// <summary>A fault of the tool itself (EX_SOFTWARE): nothing else gives it.</summary>
    public const int Bug = 70;

    /// <summary>Stopped by Ctrl-C: 128 + SIGINT, as shells count.</summary>
    public const int Cancelled = 130;

    /// <summary>Nobody reads standard output any more: 128 + SIGPIPE, as shells count.</summary>
    public const int ReaderGone = 141;

    /// <summary>The exit code for a failure.</summary>
    public static int Of(Exception exception) => exception switch
    {
        InputLineException { InnerException: { } cause } => Of(cause),
        ReaderGoneException => ReaderGone,
        UsageException or InputLineException => Usage,
        OpsLogException opsLog => Of(opsLog.Error),
        StorageException => StorageFailed,
        OperationCanceledException => Cancelled,
        ArgumentException => Usage,
        IOException or UnauthorizedAccessException => StorageFailed,
        _ => Bug,
    };

    private static int Of(OpsLogError error) => error switch
    {
        OpsLogError.NotFound or OpsLogError.PositionLost => NothingToDo,
        OpsLogError.InvalidDocument => Usage,
        OpsLogError.Conflict or OpsLogError.Locked or OpsLogError.Fenced => Contended,
        OpsLogError.Damaged => Damaged,
        // A store that is too new is whole and nobody's: this program cannot use it, like a medium that cannot be read.
        OpsLogError.TooNew or OpsLogError.ReadOnly or OpsLogError.StorageFailed or OpsLogError.OutcomeUnknown
            or OpsLogError.MigrationFailed => StorageFailed,
        _ => Bug,
    };
}
