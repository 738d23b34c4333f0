using System.CommandLine;

namespace OpsLog.Cli.Verbs;

/// <summary><c>undo</c>: takes the newest change back.</summary>
internal sealed class UndoVerb(CliStreams streams)
    : WritingVerb("undo", "Takes the newest change or whole batch back, by appending its inverse. Exit 1 if there is none.", streams)
{
    protected override async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        await using var opened = await OpenAsync(arguments, create: false, cancellationToken).ConfigureAwait(false);
        var done = await opened.Store.UndoAsync(cancellationToken).ConfigureAwait(false);
        using var results = new Results(Streams, Json(arguments));
        if (results.Json) results.Object(w => w.WriteBoolean("undone", done));
        else results.Columns((done ? "undone" : "nothing to undo", done ? "green" : "grey"));
        return done ? ExitCode.Done : ExitCode.NothingToDo;
    }
}
