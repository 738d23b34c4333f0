using System.CommandLine;

namespace OpsLog.Cli.Verbs;

/// <summary><c>redo</c>: brings the change back that was undone last.</summary>
internal sealed class RedoVerb(CliStreams streams)
    : WritingVerb("redo", "Brings back what the last undo took away. Exit 1 if there is nothing.", streams)
{
    protected override async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        await using var opened = await OpenAsync(arguments, create: false, cancellationToken).ConfigureAwait(false);
        var done = await opened.Store.RedoAsync(cancellationToken).ConfigureAwait(false);
        using var results = new Results(Streams, Json(arguments));
        if (results.Json) results.Object(w => w.WriteBoolean("redone", done));
        else results.Columns((done ? "redone" : "nothing to redo", done ? "green" : "grey"));
        return done ? ExitCode.Done : ExitCode.NothingToDo;
    }
}
