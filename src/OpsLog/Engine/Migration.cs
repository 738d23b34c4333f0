using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using OpsLog.Format;

namespace OpsLog.Engine;

/// <summary>Brings documents from the schema version they were written in to the store's.</summary>
/// <param name="target">The version documents are brought to.</param>
/// <param name="migrate">The application's function; null: documents are taken as they are.</param>
/// <param name="isNamed">The program named that version itself. One that did not knows nothing of older documents: without a function it may read them, but not write them again.</param>
internal sealed class Migration(int target, Func<JsonNode?, int, JsonNode?>? migrate, bool isNamed)
{
    private static readonly JsonSerializerOptions s_json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, MaxDepth = DocumentLimits.ReadDepth };

    /// <summary>For reading documents as they are.</summary>
    public static Migration None { get; } = new(int.MaxValue, null, isNamed: false);

    /// <summary>The version documents are brought to.</summary>
    public int Target => target;

    public bool Applies(int schema) => migrate is not null && schema < target;

    /// <param name="document">The document as it is stored.</param>
    /// <param name="schema">The version that it was written in.</param>
    /// <param name="id">Its record's id as WTF-8, to be named if it fails; empty: not known here.</param>
    /// <exception cref="OpsLogException">
    /// The application's function failed, or gave back what is no document (<see cref="OpsLogError.MigrationFailed"/>); nothing was changed.
    /// </exception>
    public ReadOnlySpan<byte> Apply(ReadOnlySpan<byte> document, int schema, ReadOnlySpan<byte> id = default)
    {
        if (!Applies(schema)) return document;
        try
        {
            var result = migrate!(Parse(document), schema);
            if (result is not JsonObject) throw new InvalidDataException($"Migrate returned {result?.GetValueKind().ToString() ?? "null"}, not a JSON object.");
            return Encoding.UTF8.GetBytes(result.ToJsonString(s_json)); // what JSON cannot hold fails here
        }
        catch (Exception e)
        {
            throw new OpsLogException(OpsLogError.MigrationFailed, $"Migrating {Which(id)} from schema version {schema} to {target} failed: {e.Message} Nothing was changed.", e);
        }
    }

    /// <summary>Checks that what was written in a version may be written again as a document of the store's version.</summary>
    /// <param name="schema">The version that it was written in.</param>
    /// <param name="what">What would be done, for the message.</param>
    /// <exception cref="OpsLogException">It would pass for a newer document, which nothing migrates any more (<see cref="OpsLogError.MigrationFailed"/>).</exception>
    public void RequireFor(int schema, string what)
    {
        if (isNamed || migrate is not null || schema >= target) return;
        throw new OpsLogException(
            OpsLogError.MigrationFailed,
            $"{what} needs documents of schema version {schema}, the store is of {target}, and this program does not migrate them. Nothing was changed; do it with the program that has the migration.");
    }

    private static JsonNode? Parse(ReadOnlySpan<byte> document)
    {
        var reader = new Utf8JsonReader(document, new JsonReaderOptions { MaxDepth = DocumentLimits.ReadDepth });
        try
        {
            return Node(JsonElement.ParseValue(ref reader));
        }
        catch (InvalidOperationException)
        {
            // A member's name is half of a surrogate pair, which harms only if the function keeps it.
            return JsonNode.Parse(document, documentOptions: new JsonDocumentOptions { MaxDepth = DocumentLimits.ReadDepth });
        }
    }

    // JsonNode.Parse takes a member that is there twice, and fails when the function looks at it.
    private static JsonNode? Node(JsonElement element)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                var members = new JsonObject();
                foreach (var member in element.EnumerateObject()) members[member.Name] = Node(member.Value);
                return members;
            case JsonValueKind.Array:
                var items = new JsonArray();
                foreach (var item in element.EnumerateArray()) items.Add(Node(item));
                return items;
            default:
                return JsonValue.Create(element);
        }
    }

    private static string Which(ReadOnlySpan<byte> id) => id.IsEmpty ? "a document (let Migrate log what it is given, to find it)" : $"the document '{JsonText.ToString(id)}'";
}
