using System.Text.Json.Nodes;
using OpsLog.Storage;
using OpsLog.Tests.Maintenance;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.Engine;

/// <summary>Goal: what Migrate returns is no document until it was looked at (F32). Method: functions that return what is none; nothing may be written, and the record is named.</summary>
public sealed class MigrationResultTests
{
    public static TheoryData<string, string> Results => new()
    {
        { "null", "null" },
        { "an array", "Array" },
        { "a scalar", "Number" },
        { "a number that JSON has not", "" },
        { "half of a surrogate pair", "" },
    };

    [Theory]
    [MemberData(nameof(Results))]
    public async Task F32_what_is_no_document_is_refused_with_the_record_and_changes_nothing(string result, string told)
    {
        var rig = new StorageRig(append: true);
        await using (var store = await Runs.OpenAsync(rig))
        {
            await store.SetAsync("in the snapshot", SampleStore.Json("""{"n":1}"""));
            await store.CompactAsync();
            await store.SetAsync("at fault", SampleStore.Json("""{"n":2,"half":"\ud800"}"""));
        }

        var before = await SampleStore.ObjectsAsync(rig);
        var failure = await Assert.ThrowsAsync<OpsLogException>(async () => await Runs.OpenAsync(rig, Runs.Options(change: o =>
        {
            o.SchemaVersion = 2;
            o.Migrate = (node, _) => (int)node!["n"]! == 1 ? node : Bad(node, result);
        })));
        Assert.Equal(OpsLogError.MigrationFailed, failure.Error);
        Assert.Contains("'at fault'", failure.Message, StringComparison.Ordinal);
        Assert.Contains(told, failure.Message, StringComparison.Ordinal);
        await SampleStore.AssertSameObjectsAsync(before, rig);
    }

    private static JsonNode? Bad(JsonNode document, string result)
    {
        if (result == "half of a surrogate pair")
        {
            document["more"] = 1; // what is touched is written anew, with all that it holds
            return document;
        }

        return result switch
        {
            "null" => null,
            "an array" => new JsonArray(1),
            "a scalar" => JsonValue.Create(1),
            _ => new JsonObject { ["n"] = double.NaN },
        };
    }
}
