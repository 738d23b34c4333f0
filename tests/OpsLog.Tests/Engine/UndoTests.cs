using System.Text.Json;
using OpsLog.Storage;
using Xunit;

namespace OpsLog.Tests.Engine;

/// <summary>Goal: undo takes every unit back once, wherever checkpoints fall. Method: undo all, with a checkpoint at every place in between.</summary>
public sealed class UndoTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_checkpoint_between_two_undos_makes_none_happen_twice(bool append)
    {
        for (var place = 0; place <= 5; place++)
        {
            await using var store = await OpsStore<JsonElement>.OpenAsync(new MemoryStorage(append));
            for (var i = 0; i < 5; i++) await store.SetAsync($"k{i % 2}", Corpus.StoreReading.Element($$"""{"n":{{i}}}"""));
            string[] states = ["k0=4 k1=3", "k0=2 k1=3", "k0=2 k1=1", "k0=0 k1=1", "k0=0", ""];
            for (var undone = 0; undone <= 5; undone++)
            {
                Assert.Equal(states[undone], string.Join(' ', store.OrderBy(r => r.Key, StringComparer.Ordinal).Select(r => $"{r.Key}={r.Value.GetProperty("n")}")));
                if (undone == place) await store.CompactAsync();
                Assert.Equal(undone < 5, await store.UndoAsync());
            }

            for (var redone = 0; redone < 5; redone++) Assert.True(await store.RedoAsync());
            Assert.False(await store.RedoAsync());
            Assert.Equal(2, store.Count);
        }
    }

    [Fact]
    public async Task A_batch_is_redone_once_and_then_what_was_undone_before_it()
    {
        await using var store = await OpsStore<JsonElement>.OpenAsync(new MemoryStorage());
        await store.BatchAsync(batch =>
        {
            batch.Set("a", Corpus.StoreReading.Element("{}"));
            batch.Set("b", Corpus.StoreReading.Element("{}"));
        });
        await store.SetAsync("c", Corpus.StoreReading.Element("{}"));
        Assert.True(await store.UndoAsync());
        Assert.True(await store.UndoAsync());
        Assert.Empty(store);
        Assert.True(await store.RedoAsync());
        Assert.Equal(["a", "b"], store.Keys.Order(StringComparer.Ordinal));
        Assert.True(await store.RedoAsync());
        Assert.Equal(["a", "b", "c"], store.Keys.Order(StringComparer.Ordinal));
        Assert.False(await store.RedoAsync());
    }
}
