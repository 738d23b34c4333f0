using System.CommandLine;

namespace OpsLog.Cli.Verbs;

/// <summary><c>get</c>: one document, as it is stored.</summary>
internal sealed class GetVerb : OpeningVerb
{
    private readonly Argument<string> _id = new("ID") { Description = "The record's id." };

    public GetVerb(CliStreams streams)
        : base("get", "Prints a record's document as it is stored. Exit 1 if there is no such record.", streams) => Add(_id);

    protected override async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        var id = arguments.GetRequiredValue(_id);
        await using var opened = await OpenReadOnlyAsync(arguments, cancellationToken).ConfigureAwait(false);
        if (!opened.Store.TryGetJson(id, out var json))
            throw new OpsLogException(OpsLogError.NotFound, $"there is no record {JsonText.Printable(id)}.");
        using var results = new Results(Streams, Json(arguments));
        JsonText.WriteDocument(results.Bytes, json.Span);
        results.Bytes.EndLine();
        return ExitCode.Done;
    }
}
