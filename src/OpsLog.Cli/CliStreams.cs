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

    /// <summary>Whether <see cref="Output"/> is a terminal: colours and tables are for people only.</summary>
    public bool OutputIsTerminal { get; init; }

    /// <summary>Whether <see cref="Error"/> is a terminal: progress is shown only there.</summary>
    public bool ErrorIsTerminal { get; init; }

    /// <summary>The streams of this process.</summary>
    public static CliStreams OfProcess()
    {
        // Console.Error would encode by the terminal's settings; ids and paths are UTF-8 everywhere in OpsLog.
        var error = new StreamWriter(Console.OpenStandardError(), new UTF8Encoding(false), 1024) { AutoFlush = true };
        return new CliStreams(Console.OpenStandardInput(), Console.OpenStandardOutput(), error)
        {
            OutputIsTerminal = !Console.IsOutputRedirected,
            ErrorIsTerminal = !Console.IsErrorRedirected,
        };
    }
}
