using System.CommandLine;
using System.Text.Json;

namespace OpsLog.Cli.Verbs;

/// <summary><c>archive</c>: moves records out of the live state into an archive segment.</summary>
internal sealed class ArchiveVerb : WritingVerb
{
    private readonly Option<string[]> _ids = new("--id") { Description = "A record to move. May be given several times.", HelpName = "ID" };
    private readonly Option<string[]> _where = WhereFilter.CreateOption();
    private readonly Option<string?> _segment = new("--segment")
    {
        Description = "The segment to move them to. Default: the store's choice, by the date.",
        HelpName = "SEGMENT",
    };


    public ArchiveVerb(CliStreams streams)
        : base("archive", "Moves records to an archive segment. Exit 1 if there is none to move.", streams)
    {
        Add(_ids);
        Add(_where);
        Add(_segment);
    }

    protected override async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        var ids = arguments.GetValue(_ids) ?? [];
        var filters = WhereFilter.Parse(arguments.GetValue(_where));
        if (ids.Length == 0 == (filters.Count == 0)) throw new UsageException("archive needs either --id or --where.");

        await using var opened = await OpenAsync(arguments, create: false, cancellationToken).ConfigureAwait(false);
        IReadOnlyList<string> chosen = filters.Count == 0 ? ids : Select(opened.Store, filters);
        var moved = await opened.Store.ArchiveAsync(chosen, arguments.GetValue(_segment), cancellationToken).ConfigureAwait(false);
        using var results = new Results(Streams, Json(arguments));
        if (results.Json) results.Object(w => w.WriteNumber("archived", moved));
        else results.Columns(($"archived {moved} records", moved > 0 ? "green" : "grey"));
        return moved > 0 ? ExitCode.Done : ExitCode.NothingToDo;
    }

    private static List<string> Select(OpsStore<JsonElement> store, IReadOnlyList<WhereFilter> filters)
    {
        var chosen = new List<string>();
        foreach (var id in store.Keys)
            if (store.TryGetJson(id, out var json) && WhereFilter.MatchAll(filters, json.Span)) chosen.Add(id);
        return chosen;
    }
}
