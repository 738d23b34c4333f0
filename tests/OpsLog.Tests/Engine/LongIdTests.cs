using System.Text.Json;
using OpsLog.Storage;
using OpsLog.Tests.Faults;
using Xunit;

namespace OpsLog.Tests.Engine;

/// <summary>Goal: an id that no record can have is not there. Method: reads of every kind, of a store and of a view, with ids of more than 16 MiB.</summary>
public sealed class LongIdTests
{
    [Fact]
    public async Task An_id_that_is_longer_than_any_is_not_there()
    {
        await using var store = await Lab.OpenAsync(new MemoryStorage());
        await store.SetAsync("a", Lab.Doc(1));
        var view = store.View();
        foreach (var id in new[] { new string('x', (1 << 24) + 1), new string('é', 1 << 23) })
        {
            Assert.False(store.ContainsKey(id));
            Assert.False(store.TryGetValue(id, out _));
            Assert.False(store.TryGet(id, out _, out _));
            Assert.False(store.TryGetJson(id, out _));
            Assert.Throws<KeyNotFoundException>(() => store[id]);
            Assert.False(view.ContainsKey(id));
            Assert.False(view.TryGetValue(id, out _));
            Assert.False(view.TryGetJson(id, out _));
            Assert.Equal(0, await store.ArchiveAsync([id], "2026"));
            await foreach (var _ in store.HistoryAsync(id)) Assert.Fail("It has none.");
        }
    }
}
