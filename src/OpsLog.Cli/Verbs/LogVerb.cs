using System.CommandLine;
using System.Text.Json;

namespace OpsLog.Cli.Verbs;

/// <summary><c>log</c>: the operations that are retained, oldest first.</summary>
internal sealed class LogVerb : OpeningVerb
{
    private readonly Option<string?> _id = new("--id") { Description = "Only this record's operations.", HelpName = "ID" };

    private readonly Option<string?> _since = new("--since")
    {
        Description = "Only operations behind this position, as --json prints it.",
        HelpName = "POSITION",
    };

    public LogVerb(CliStreams streams)
        : base("log", "Prints operations: time, kind, id, agent, clock, undo mark.", streams)
    {
        Add(_id);
        Add(_since);
    }

    protected override async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        var id = arguments.GetValue(_id);
        var since = FeedPositions.Parse(arguments.GetValue(_since));
        await using var opened = await OpenReadOnlyAsync(arguments, cancellationToken).ConfigureAwait(false);
        using var results = new Results(Streams, Json(arguments));
        var printed = 0L;
        await foreach (var operation in Operations(opened.Store, id, since, cancellationToken).ConfigureAwait(false))
        {
            if (id is not null && !string.Equals(operation.Id, id, StringComparison.Ordinal)) continue;
            OperationLines.Write(results, operation);
            printed++;
        }

        // A record without history (nothing retained behind the checkpoint) is there all the same; an id that never was is not found.
        return printed > 0 || id is null || opened.Store.ContainsKey(id) ? ExitCode.Done : ExitCode.NothingToDo;
    }

    private static IAsyncEnumerable<Operation<JsonElement>> Operations(
        OpsStore<JsonElement> store, string? id, FeedPosition since, CancellationToken cancellationToken) =>
        id is not null && since == FeedPosition.Start
            ? store.HistoryAsync(id, cancellationToken)
            : store.OperationsAsync(since, cancellationToken);
}
