namespace OpsLog.Cli;

/// <summary>Reads feed positions that come from a command line.</summary>
internal static class FeedPositions
{
    /// <summary>The position of a text; the start where there is none.</summary>
    /// <exception cref="UsageException">The text is no position.</exception>
    public static FeedPosition Parse(string? text)
    {
        try
        {
            return text is null ? FeedPosition.Start : FeedPosition.Parse(text);
        }
        catch (FormatException exception)
        {
            throw new UsageException(exception.Message, exception);
        }
    }
}
