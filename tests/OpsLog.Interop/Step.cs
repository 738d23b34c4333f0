using System.Text.Json;
using OpsLog.Tests.Corpus;

namespace OpsLog.Interop;

/// <summary>One step of a random program, to be run by either side.</summary>
internal sealed record Step(string Op)
{
    public string Id { get; init; } = "";

    /// <summary>The document, as JSON text.</summary>
    public string Data { get; init; } = "null";

    public IReadOnlyList<Step> Ops { get; init; } = [];

    public IReadOnlyList<string> Ids { get; init; } = [];

    public string Segment { get; init; } = "";

    /// <summary>The step as the peer's driver reads it, and as a failure prints it.</summary>
    public override string ToString() => Op switch
    {
        "set" => $"{{\"op\":\"set\",\"id\":{JsonTree.Quote(Id)},\"data\":{Data}}}",
        "delete" => $"{{\"op\":\"delete\",\"id\":{JsonTree.Quote(Id)}}}",
        "batch" => $"{{\"op\":\"batch\",\"ops\":[{string.Join(',', Ops)}]}}",
        "archive" => $"{{\"op\":\"archive\",\"ids\":[{string.Join(',', Ids.Select(JsonTree.Quote))}],\"segment\":{JsonTree.Quote(Segment)}}}",
        _ => $"{{\"op\":\"{Op}\"}}",
    };

    public async Task ApplyAsync(OpsStore<JsonElement> store)
    {
        switch (Op)
        {
            case "set":
                await store.SetAsync(Id, StoreReading.Element(Data));
                break;
            case "delete":
                await store.DeleteAsync(Id);
                break;
            case "batch":
                await store.BatchAsync(batch =>
                {
                    foreach (var op in Ops)
                    {
                        if (op.Op == "set") batch.Set(op.Id, StoreReading.Element(op.Data));
                        else batch.Delete(op.Id);
                    }
                });
                break;
            case "undo":
                await store.UndoAsync();
                break;
            case "redo":
                await store.RedoAsync();
                break;
            case "compact":
                await store.CompactAsync();
                break;
            default:
                await store.ArchiveAsync(Ids, Segment);
                break;
        }
    }
}
