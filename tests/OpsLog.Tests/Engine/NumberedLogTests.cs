using OpsLog.Storage;
using OpsLog.Testing;
using Xunit;

namespace OpsLog.Tests.Engine;

/// <summary>
/// Goal: logs of numbered objects are read whole, and others are not taken for them. Method: a storage in memory without append, given what one with append wrote.
/// </summary>
public sealed class NumberedLogTests
{
    [Fact]
    public async Task A_store_copied_object_by_object_from_a_storage_that_appends_is_refused_and_not_half_read()
    {
        var (from, to) = (new MemoryStorage(), new MemoryStorage(append: false));
        await using (var store = await OpsStore<Item>.OpenAsync(from)) await store.SetAsync("a", new Item(1));
        await foreach (var entry in from.ListAsync(StorageKey.Root, null, default))
        {
            var found = await from.ReadAsync(entry.Key, ByteRange.All, default);
            await to.PutAsync(entry.Key, found!.Content, PutCondition.IfAbsent, default);
        }

        var failure = await Assert.ThrowsAsync<OpsLogException>(async () => await OpsStore<Item>.OpenAsync(to));
        Assert.Equal(OpsLogError.Damaged, failure.Error);
        Assert.Contains("opslog copy", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_feed_over_many_pieces_reads_each_of_them_once()
    {
        var storage = new FaultyStorage(new MemoryStorage(append: false));
        await using var store = await OpsStore<Item>.OpenAsync(storage, new OpsStoreOptions { Checkpoint = { Automatic = false } });
        for (var i = 0; i < 500; i++) await store.SetAsync($"id{i % 7}", new Item(i));
        var before = storage.CountOf(StorageCalls.Read);
        Assert.Equal(Enumerable.Range(0, 500), (await store.OperationsAsync().ToListAsync()).Select(o => o.Value!.Number));
        Assert.InRange(storage.CountOf(StorageCalls.Read) - before, 500, 600);
    }

    private sealed record Item(int Number);
}
