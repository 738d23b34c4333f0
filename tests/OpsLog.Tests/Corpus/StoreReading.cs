using System.Text.Json;
using Xunit;

namespace OpsLog.Tests.Corpus;

/// <summary>What a store shows, as JSON trees.</summary>
internal static class StoreReading
{
    public static Dictionary<string, object?> StateOf(OpsStore<JsonElement> store)
    {
        var state = new Dictionary<string, object?>(StringComparer.Ordinal);
        foreach (var id in store.Keys)
        {
            Assert.True(store.TryGetJson(id, out var json), $"{JsonTree.Quote(id)} is enumerated but not found.");
            state.Add(id, JsonTree.Parse(json.Span));
        }

        Assert.Equal(state.Count, store.Count);
        return state;
    }

    public static async Task<Dictionary<string, object?>> ArchivesOf(OpsStore<JsonElement> store)
    {
        var archives = new Dictionary<string, object?>(StringComparer.Ordinal);
        foreach (var period in store.Archives)
        {
            var records = await store.LoadArchiveAsync(period);
            archives.Add(period, records.ToDictionary(r => r.Key, r => JsonTree.Parse(r.Value.GetRawText()), StringComparer.Ordinal));
        }

        return archives;
    }

    public static JsonElement Element(string json)
    {
        using var document = JsonDocument.Parse(json);
        return document.RootElement.Clone();
    }
}
