using System.Text;

namespace OpsLog.Cli;

/// <summary>Where a run reads and writes, and whether people look at it. Tests pass their own.</summary>
internal sealed class CliStreams(Stream input, Stream output, TextWriter error)
{
    /// <summary>Standard input, as bytes.</summary>
    public Stream Input { get; } = input;

    /// <summary>Standard output, as bytes: results and nothing else.</summary>
    public Stream Output { get; } = output;

    /// <summary>Standard error: errors, notes, summaries, progress.</summary>
    public TextWriter Error { get; } = error;

    /// <summary>The terminal behind <see cref="Output"/>, if there is one: colours and tables are for people only.</summary>
    public TextWriter? OutputTerminal { get; init; }

    /// <summary>The terminal behind <see cref="Error"/>, if there is one: progress is shown only there.</summary>
    public TextWriter? ErrorTerminal { get; init; }

    /// <summary>Whether standard output is known to have no reader any more. Who waits for long without printing asks.</summary>
    public bool IsReaderGone => Output is UnixOutput && UnixOutput.IsReaderGone;

    /// <summary>The streams of this process.</summary>
    public static CliStreams OfProcess()
    {
        // Console.Error would encode by the terminal's settings; ids and paths are UTF-8 everywhere in OpsLog.
        var error = TextWriter.Synchronized(new StreamWriter(StandardFiles.Error(), new UTF8Encoding(false), 1024) { AutoFlush = true });
        if (!Console.IsOutputRedirected || !Console.IsErrorRedirected) Console.OutputEncoding = new UTF8Encoding(false);
        return new CliStreams(StandardFiles.Input(), StandardFiles.Output(), error)
        {
            OutputTerminal = Console.IsOutputRedirected ? null : Console.Out,
            ErrorTerminal = Console.IsErrorRedirected ? null : Console.Error,
        };
    }
}
