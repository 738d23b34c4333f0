using System.CommandLine;
using System.Text.Json;

namespace OpsLog.Cli.Verbs;

/// <summary><c>undo</c> and <c>redo</c>: take the newest change back, and bring it back.</summary>
internal sealed class UndoVerbs : WritingVerb
{
    private readonly string _done;
    private readonly Func<OpsStore<JsonElement>, CancellationToken, ValueTask<bool>> _act;

    private UndoVerbs(string name, string description, string done, Func<OpsStore<JsonElement>, CancellationToken, ValueTask<bool>> act, CliStreams streams)
        : base(name, description, streams) => (_done, _act) = (done, act);

    public static UndoVerbs Undo(CliStreams streams) => new(
        "undo", "Takes the newest change or whole batch back, by appending its inverse. Exit 1 if there is none.", "undone", (store, ct) => store.UndoAsync(ct), streams);

    public static UndoVerbs Redo(CliStreams streams) => new(
        "redo", "Brings back what the last undo took away. Exit 1 if there is nothing.", "redone", (store, ct) => store.RedoAsync(ct), streams);

    protected override async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        await using var opened = await OpenAsync(arguments, create: false, cancellationToken).ConfigureAwait(false);
        var done = await _act(opened.Store, cancellationToken).ConfigureAwait(false);
        using var results = new Results(Streams, Json(arguments));
        if (results.Json) results.Object(w => w.WriteBoolean(_done, done));
        else results.Columns((done ? _done : $"nothing to {Name}", done ? "green" : "grey"));
        return done ? ExitCode.Done : ExitCode.NothingToDo;
    }
}
