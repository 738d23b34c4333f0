using System.Buffers;
using System.CommandLine;
using System.Text;
using System.Text.Json;

namespace OpsLog.Cli.Verbs;

/// <summary><c>set</c>: writes one record.</summary>
internal sealed class SetVerb : WritingVerb
{
    private readonly Argument<string> _id = new("ID") { Description = "The record's id." };

    private readonly Argument<string> _document = new("JSON")
    {
        Description = "The document, a JSON object; - or nothing reads it from standard input.",
        DefaultValueFactory = _ => "-",
    };

    public SetVerb(CliStreams streams)
        : base("set", "Sets a record. Makes the store if there is none.", streams)
    {
        Add(_id);
        Add(_document);
    }

    protected override async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        var id = arguments.GetRequiredValue(_id);
        var text = arguments.GetRequiredValue(_document);
        var bytes = text == "-" ? await ReadInputAsync(cancellationToken).ConfigureAwait(false) : Encoding.UTF8.GetBytes(text);
        // Before the store is opened: a mistake must not make one.
        var document = ParseDocument(bytes);
        if (id.Length == 0 || JsonText.HasLoneSurrogate(id)) throw new UsageException("ID is empty or no valid text.");

        await using var opened = await OpenAsync(arguments, create: true, cancellationToken).ConfigureAwait(false);
        var revision = await opened.Store.SetAsync(id, document, cancellationToken: cancellationToken).ConfigureAwait(false);
        using var results = new Results(Streams, Json(arguments));
        if (results.Json) WriteJson(results, id, revision);
        else results.Columns(("set", "green"), (JsonText.Printable(id), "bold"));
        return ExitCode.Done;
    }

    private static void WriteJson(Results results, string id, Revision revision)
    {
        results.Bytes.Write("{\"id\":"u8);
        JsonText.WriteString(results.Bytes, id);
        results.Bytes.Write(",\"revision\":"u8);
        JsonText.WriteString(results.Bytes, revision.ToString());
        results.Bytes.Write("}\n"u8);
    }

    private static JsonElement ParseDocument(byte[] bytes)
    {
        try
        {
            var document = JsonElement.Parse(bytes, new JsonDocumentOptions { MaxDepth = OpenedStore.MaxDepth });
            return document.ValueKind == JsonValueKind.Object ? document : throw new UsageException("the document is not a JSON object.");
        }
        catch (JsonException exception)
        {
            throw new UsageException($"the document is not JSON: {JsonText.Fault(exception)}", exception);
        }
    }

    private async Task<byte[]> ReadInputAsync(CancellationToken cancellationToken)
    {
        using var bytes = new MemoryStream();
        // Reading a terminal or pipe cannot be cancelled: the wait can.
        await Streams.Input.CopyToAsync(bytes, cancellationToken).WaitAsync(cancellationToken).ConfigureAwait(false);
        return bytes.ToArray();
    }
}
