using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using OpsLog.Format;

namespace OpsLog.Engine;

/// <summary>Brings documents from the schema version they were written in to the store's.</summary>
internal sealed class Migration(int target, Func<JsonNode?, int, JsonNode?>? migrate)
{
    private static readonly JsonSerializerOptions s_json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, MaxDepth = DocumentLimits.ReadDepth };

    /// <summary>For reading documents as they are.</summary>
    public static Migration None { get; } = new(int.MaxValue, null);

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
            var node = JsonNode.Parse(document, documentOptions: new JsonDocumentOptions { MaxDepth = DocumentLimits.ReadDepth });
            var result = migrate!(node, schema);
            if (result is not JsonObject) throw new InvalidDataException($"Migrate returned {result?.GetValueKind().ToString() ?? "null"}, not a JSON object.");
            return Encoding.UTF8.GetBytes(result.ToJsonString(s_json)); // what JSON cannot hold fails here
        }
        catch (Exception e)
        {
            throw new OpsLogException(OpsLogError.MigrationFailed, $"Migrating {Which(id)} from schema version {schema} to {target} failed: {e.Message} Nothing was changed.", e);
        }
    }

    private static string Which(ReadOnlySpan<byte> id) => id.IsEmpty ? "a document (let Migrate log what it is given, to find it)" : $"the document '{JsonText.ToString(id)}'";
}
