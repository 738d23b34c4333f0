using System.CommandLine;

namespace OpsLog.Cli.Verbs;

/// <summary><c>archives</c>: the archive segments there are.</summary>
internal sealed class ArchivesVerb(CliStreams streams)
    : OpeningVerb("archives", "Lists the archive segments; 'export --archive SEGMENT' shows one.", streams)
{
    protected override async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        await using var opened = await OpenReadOnlyAsync(arguments, cancellationToken).ConfigureAwait(false);
        using var results = new Results(Streams, Json(arguments));
        foreach (var segment in opened.Store.Archives)
        {
            if (results.Json) results.Object(w => w.WriteString("segment", segment));
            else results.Columns((JsonText.Printable(segment), "bold"));
        }

        return ExitCode.Done;
    }
}
