using System.CommandLine;
using System.Text;

namespace OpsLog.Cli.Verbs;

/// <summary><c>ls</c>: the records, or those whose documents have given values.</summary>
internal sealed class LsVerb : OpeningVerb
{
    private const int ShownCharacters = 100;
    private readonly Option<string[]> _where = WhereFilter.CreateOption();
    private readonly Option<int?> _limit = NumberOption.Create("--limit", "At most this many records.", 0);
    private readonly Option<bool> _long = new("--long", "-l") { Description = "Print the documents too." };

    public LsVerb(CliStreams streams)
        : base("ls", "Lists ids, one a line, ordered; with --json lines {\"id\":…,\"data\":…}.", streams)
    {
        Add(_where);
        Add(_limit);
        Add(_long);
    }

    protected override async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        var filters = WhereFilter.Parse(arguments.GetValue(_where));
        var limit = arguments.GetValue(_limit) ?? int.MaxValue;
        var withDocuments = arguments.GetValue(_long);
        await using var opened = await OpenReadOnlyAsync(arguments, cancellationToken).ConfigureAwait(false);
        using var results = new Results(Streams, Json(arguments));
        var ids = opened.Store.Keys.ToArray();
        Array.Sort(ids, StringComparer.Ordinal);
        var listed = 0;
        foreach (var id in ids)
        {
            if (listed >= limit) break;
            cancellationToken.ThrowIfCancellationRequested();
            if (!opened.Store.TryGetJson(id, out var json) || !WhereFilter.MatchAll(filters, json.Span)) continue;
            Write(results, id, json.Span, withDocuments);
            listed++;
        }

        return ExitCode.Done;
    }

    private static void Write(Results results, string id, ReadOnlySpan<byte> json, bool withDocument)
    {
        if (results.Json) results.Record(id, json);
        else if (!withDocument) results.Columns((JsonText.Printable(id), "bold"));
        else results.Columns((JsonText.Printable(id), "bold"), (Shown(results, json), "grey"));
    }

    /// <summary>Scripts get the whole document; people as much as a line holds.</summary>
    private static string Shown(Results results, ReadOnlySpan<byte> json)
    {
        var text = Encoding.UTF8.GetString(json);
        return results.Pretty && text.Length > ShownCharacters ? text[..ShownCharacters] + "…" : text;
    }
}
