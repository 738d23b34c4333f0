namespace OpsLog.Cli;

/// <summary>The command line asks for something that does not exist or does not fit.</summary>
internal sealed class UsageException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>
/// A line of the input could not be applied. Without a cause it is malformed; with one, the store refused it or failed.
/// </summary>
internal sealed class InputLineException : Exception
{
    public InputLineException(long line, string fault)
        : base($"input line {line}: {fault}") => Line = line;

    public InputLineException(long line, Exception cause)
        : base($"input line {line}: {ErrorReport.MessageOf(cause)}", cause) => Line = line;

    /// <summary>The line's number, from 1.</summary>
    public long Line { get; }
}
