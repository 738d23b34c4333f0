using System.Text.Json;
using OpsLog.Storage;
using OpsLog.Testing;
using OpsLog.Tests.Faults;
using Xunit;

namespace OpsLog.Tests.Engine;

/// <summary>
/// Goal: a consumer that kept the place of any operation goes on behind it, unless something behind it is gone. Method: resume from every one, batches included, and
/// behind checkpoints that keep no history.
/// </summary>
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
        var all = await Lab.OperationsAsync(store);
        Assert.Equal(5, all.Count);
        for (var i = 0; i < all.Count; i++)
            Assert.Equal(all.Skip(i + 1).Select(o => o.Id), (await Lab.OperationsAsync(store, all[i].Position)).Select(o => o.Id));
    }

    [Theory]
    [InlineData(true, 1)]
    [InlineData(false, 1)]
    [InlineData(true, 3)]
    [InlineData(false, 3)]
    public async Task A_place_at_the_end_of_a_log_that_was_not_kept_is_good_and_one_before_it_is_lost(bool append, int checkpoints)
    {
        var disk = new MemoryStorage(append);
        await using var writer = await Lab.OpenAsync(disk, NoHistory());
        await using var reader = await Lab.OpenAsync(disk, Lab.ReadOnly());
        await writer.SetAsync("a", Lab.Doc(1));
        await writer.SetAsync("b", Lab.Doc(2));
        var places = (await Lab.OperationsAsync(writer)).ConvertAll(o => FeedPosition.Parse(o.Position.ToString()));
        for (var i = 0; i < checkpoints; i++) await writer.CompactAsync();
        await writer.SetAsync("c", Lab.Doc(3));
        foreach (var store in new[] { writer, reader })
        {
            await store.RefreshAsync();
            Assert.Equal("c", Assert.Single(await Lab.OperationsAsync(store, places[1])).Id);
            await Lab.RefusedAsync(OpsLogError.PositionLost, async Task () => await Lab.OperationsAsync(store, places[0]));
        }

        var next = (await Lab.OperationsAsync(writer))[^1].Position;
        await writer.CompactAsync();
        foreach (var store in new[] { writer, reader })
        {
            await store.RefreshAsync();
            Assert.Empty(await Lab.OperationsAsync(store, next));
            await Lab.RefusedAsync(OpsLogError.PositionLost, async Task () => await Lab.OperationsAsync(store, places[1]));
        }
    }

    /// <summary>What is written beside a checkpoint lies in the log that ends and again in the next one.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_place_in_what_a_checkpoint_carried_over_is_good_when_the_log_was_not_kept(bool append)
    {
        var gate = new Gate();
        var hooked = new HookedStorage(new MemoryStorage(append)) { Before = (call, key) => call == StorageCalls.Put && key.Value.StartsWith("snapshots/", StringComparison.Ordinal) ? gate.PassAsync() : Task.CompletedTask };
        gate.Open(); // not at the first snapshot, an empty store's
        await using var store = await Lab.OpenAsync(hooked, NoHistory());
        gate = new Gate();
        for (var n = 0; n < 2; n++) await store.SetAsync($"{n}", Lab.Doc(n));
        var checkpoint = store.CompactAsync().AsTask();
        await gate.Arrived;
        for (var n = 2; n < 5; n++) await store.SetAsync($"{n}", Lab.Doc(n));
        var places = (await Lab.OperationsAsync(store)).ConvertAll(o => o.Position);
        gate.Open();
        await checkpoint;
        await store.SetAsync("5", Lab.Doc(5));
        await Lab.RefusedAsync(OpsLogError.PositionLost, async Task () => await Lab.OperationsAsync(store, places[0]));
        for (var n = 1; n < 5; n++) Assert.Equal(Enumerable.Range(n + 1, 5 - n), (await Lab.OperationsAsync(store, places[n])).Select(o => Lab.N(o.Value)));
    }

    /// <summary>Of the log that the agent folded the manifest counts objects, on a storage without append: a place is not taken to lie behind its end.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_place_in_a_log_that_an_agent_folded_and_did_not_keep_is_lost(bool append)
    {
        var disk = new MemoryStorage(append);
        var places = new List<FeedPosition>();
        await using (var single = await Lab.OpenAsync(disk, NoHistory()))
        {
            for (var n = 0; n < 3; n++) await single.SetAsync($"{n}", Lab.Doc(n));
            places.AddRange((await Lab.OperationsAsync(single)).Select(o => o.Position));
        }

        await using (var agent = await Lab.OpenAsync(disk, Lab.Options(o => (o.AgentId, o.HistoryRetention) = ("A", HistoryRetention.None)))) await agent.CompactAsync();
        await using var again = await Lab.OpenAsync(disk, NoHistory());
        await again.SetAsync("3", Lab.Doc(3));
        foreach (var place in places.SkipLast(1)) await Lab.RefusedAsync(OpsLogError.PositionLost, async Task () => await Lab.OperationsAsync(again, place));
        if (append) Assert.Equal("3", Assert.Single(await Lab.OperationsAsync(again, places[^1])).Id);
        else await Lab.RefusedAsync(OpsLogError.PositionLost, async Task () => await Lab.OperationsAsync(again, places[^1])); // nothing tells that it is the end
    }

    private static OpsStoreOptions NoHistory() => Lab.Options(o => o.HistoryRetention = HistoryRetention.None);
}
