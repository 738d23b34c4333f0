using System.Text.Json;
using OpsLog.Storage;
using Xunit;

namespace OpsLog.Tests.Engine;

/// <summary>Goal: a consumer that kept the place of any operation goes on behind it. Method: resume from every one, batches included.</summary>
public sealed class FeedResumeTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_feed_goes_on_behind_any_operation_of_a_batch(bool append)
    {
        await using var store = await OpsStore<JsonElement>.OpenAsync(new MemoryStorage(append));
        await store.SetAsync("a", Corpus.StoreReading.Element("{}"));
        await store.BatchAsync(batch =>
        {
            foreach (var id in new[] { "b", "c", "d" }) batch.Set(id, Corpus.StoreReading.Element("{}"));
        });
        await store.SetAsync("e", Corpus.StoreReading.Element("{}"));
        var all = await Read(store, default);
        Assert.Equal(5, all.Count);
        for (var i = 0; i < all.Count; i++)
            Assert.Equal(all.Skip(i + 1).Select(o => o.Id), (await Read(store, all[i].Position)).Select(o => o.Id));
    }

    private static async Task<List<Operation<JsonElement>>> Read(OpsStore<JsonElement> store, FeedPosition since)
    {
        var operations = new List<Operation<JsonElement>>();
        await foreach (var operation in store.OperationsAsync(since)) operations.Add(operation);
        return operations;
    }
}
