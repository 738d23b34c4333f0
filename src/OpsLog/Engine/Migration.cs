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

    /// <exception cref="OpsLogException">The application's function failed (<see cref="OpsLogError.MigrationFailed"/>); nothing was changed.</exception>
    public ReadOnlySpan<byte> Apply(ReadOnlySpan<byte> document, int schema)
    {
        if (!Applies(schema)) return document;
        JsonNode? result;
        try
        {
            var node = JsonNode.Parse(document, documentOptions: new JsonDocumentOptions { MaxDepth = DocumentLimits.ReadDepth });
            result = migrate!(node, schema);
        }
        catch (Exception e)
        {
            throw new OpsLogException(OpsLogError.MigrationFailed, $"Migrating a document from schema version {schema} to {target} failed: {e.Message} Nothing was changed.", e);
        }

        return System.Text.Encoding.UTF8.GetBytes(result?.ToJsonString(s_json) ?? "null");
    }
}
