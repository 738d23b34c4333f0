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
        await CopyObjectsAsync(from, to);
        var failure = await Assert.ThrowsAsync<OpsLogException>(async () => await OpsStore<Item>.OpenAsync(to));
        Assert.Equal(OpsLogError.Damaged, failure.Error);
        Assert.Contains("opslog copy", failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("agent")]
    public async Task A_store_copied_object_by_object_to_a_storage_that_appends_is_refused_by_all_and_left_as_it_is(string? agent)
    {
        var (from, to) = (new MemoryStorage(append: false), new MemoryStorage());
        await using (var store = await OpsStore<Item>.OpenAsync(from, new OpsStoreOptions { AgentId = agent })) await store.SetAsync("a", new Item(1));
        await CopyObjectsAsync(from, to);
        var before = await to.ListAsync(StorageKey.Root, null, default).CountAsync();

        await RefusedAsync(async () => await OpsStore<Item>.OpenAsync(to));
        await RefusedAsync(async () => await OpsStore<Item>.OpenAsync(to, new OpsStoreOptions { ReadOnly = true }));
        await RefusedAsync(async () => await OpsStore<Item>.OpenAsync(to, new OpsStoreOptions { AgentId = "b" }));
        await RefusedAsync(async () => await OpsStore<Item>.OpenAsync(to, new OpsStoreOptions { Recovery = Recovery.SkipCorrupt }));
        await RefusedAsync(async () => await OpsStore.CopyAsync(to, new MemoryStorage()));
        await RefusedAsync(async () => await OpsStore.RepairAsync(to, new MemoryStorage()));
        Assert.Equal(OpsLogError.Damaged, (await Assert.ThrowsAsync<OpsLogException>(async () => await OpsStore.RestoreAsync(to, new MemoryStorage()))).Error);
        var damage = Assert.Single((await OpsStore.VerifyAsync(to)).Damages);
        Assert.Equal("manifest.json", damage.File);
        Assert.Contains("opslog copy", damage.Detail, StringComparison.Ordinal);
        Assert.Equal(before, await to.ListAsync(StorageKey.Root, null, default).CountAsync());

        var copied = new MemoryStorage();
        await OpsStore.CopyAsync(from, copied);
        await using var opened = await OpsStore<Item>.OpenAsync(copied);
        Assert.Equal(1, opened["a"].Number);
    }

    private static async Task RefusedAsync(Func<Task> call)
    {
        var failure = await Assert.ThrowsAsync<OpsLogException>(call);
        Assert.Equal(OpsLogError.Damaged, failure.Error);
        Assert.Contains("opslog copy", failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("SkipCorrupt", failure.Message, StringComparison.Ordinal);
    }

    private static async Task CopyObjectsAsync(MemoryStorage from, MemoryStorage to)
    {
        await foreach (var entry in from.ListAsync(StorageKey.Root, null, default))
        {
            var found = await from.ReadAsync(entry.Key, ByteRange.All, default);
            await to.PutAsync(entry.Key, found!.Content, PutCondition.IfAbsent, default);
        }
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
