using System.CommandLine;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace OpsLog.Cli.Verbs;

/// <summary><c>export</c>: the state, byte for byte and in ordinal id order, so that two equal states give two equal files.</summary>
internal sealed class ExportVerb : OpeningVerb
{
    private readonly Option<string?> _archive = new("--archive")
    {
        Description = "Export this archive segment instead of the live state.",
        HelpName = "SEGMENT",
    };

    public ExportVerb(CliStreams streams)
        : base("export", "Writes every record as a line {\"id\":…,\"data\":…}, ordered by id.", streams) => Add(_archive);

    protected override async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        await using var opened = await OpenReadOnlyAsync(arguments, cancellationToken).ConfigureAwait(false);
        using var results = new Results(Streams, json: true);
        if (arguments.GetValue(_archive) is { } segment)
            WriteArchive(results, await opened.Store.LoadArchiveAsync(segment, cancellationToken).ConfigureAwait(false), cancellationToken);
        else
            WriteState(results, opened.Store.View(), cancellationToken);
        return ExitCode.Done;
    }

    private static void WriteState(Results results, OpsView<JsonElement> view, CancellationToken cancellationToken)
    {
        foreach (var id in Ordered(view.Keys))
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (view.TryGetJson(id, out var json)) results.Record(id, json.Span);
        }
    }

    private static void WriteArchive(Results results, IReadOnlyDictionary<string, JsonElement> records, CancellationToken cancellationToken)
    {
        foreach (var id in Ordered(records.Keys))
        {
            cancellationToken.ThrowIfCancellationRequested();
            results.Record(id, JsonMarshal.GetRawUtf8Value(records[id]));
        }
    }

    private static string[] Ordered(IEnumerable<string> ids)
    {
        var ordered = ids.ToArray();
        Array.Sort(ordered, StringComparer.Ordinal);
        return ordered;
    }
}
