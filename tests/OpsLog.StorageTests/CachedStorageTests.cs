// Goal: a cache saves fetching and never changes what is read. Method: what the storage behind it is asked for is counted; the cache is damaged, cut, deleted, left behind and made to fail.
using OpsLog.Storage;
using OpsLog.Testing;
using Xunit;

namespace OpsLog.StorageTests;

public sealed class CachedStorageTests
{
    private const int Large = 3_000_000;

    private static readonly StorageKey s_snapshot = new("snapshots/snap.jsonl");

    private readonly MemoryStorage _cache = new();
    private readonly MemoryStorage _stored = new(append: false);

    [Fact]
    public async Task A_large_object_is_fetched_once_also_over_reopenings()
    {
        await PutAsync(s_snapshot, Bytes(1));
        await AssertReadsAsync(Open(out var counted), 1);
        Assert.Equal(2, counted.CountOf(StorageCalls.Read)); // a look, and all of it
        for (var i = 0; i < 3; i++)
        {
            await AssertReadsAsync(Open(out counted), 1);
            Assert.Equal(1, counted.CountOf(StorageCalls.Read)); // a look
        }

        var part = await Open(out counted).ReadAsync(s_snapshot, new ByteRange(1_000_000, 500_000), CancellationToken.None);
        Assert.True((await part!.ReadToEndAsync(CancellationToken.None)).Span.SequenceEqual(Bytes(1).AsSpan(1_000_000, 500_000)));
        Assert.Equal(Large, part.Length);
    }

    [Fact]
    public async Task What_was_replaced_or_deleted_is_never_served_from_the_cache()
    {
        await PutAsync(s_snapshot, Bytes(1));
        var storage = Open(out _);
        await AssertReadsAsync(storage, 1);
        await PutAsync(s_snapshot, Bytes(2));
        await AssertReadsAsync(storage, 2);
        await AssertReadsAsync(Open(out _), 2);
        await _stored.DeleteAsync(s_snapshot, CancellationToken.None);
        Assert.Null(await storage.ReadAsync(s_snapshot, ByteRange.All, CancellationToken.None));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1_500_000)]
    [InlineData(Large - 1)]
    [InlineData(Large + 1)]
    [InlineData(Large + 17)]
    [InlineData(Large + 30)]
    public async Task A_damaged_copy_is_fetched_anew(int place)
    {
        await PutAsync(s_snapshot, Bytes(1));
        await AssertReadsAsync(Open(out _), 1);
        await ChangeCopyAsync(bytes =>
        {
            bytes[place] ^= 1;
            return bytes;
        });
        await AssertReadsAsync(Open(out var counted), 1);
        Assert.Equal(2, counted.CountOf(StorageCalls.Read));
        await AssertReadsAsync(Open(out counted), 1);
        Assert.Equal(1, counted.CountOf(StorageCalls.Read));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(100)]
    [InlineData(Large)]
    [InlineData(Large + 55)]
    public async Task A_copy_that_was_cut_is_fetched_anew(int length)
    {
        await PutAsync(s_snapshot, Bytes(1));
        await AssertReadsAsync(Open(out _), 1);
        await ChangeCopyAsync(bytes => bytes[..length]);
        await AssertReadsAsync(Open(out _), 1);
    }

    [Fact]
    public async Task A_copy_of_another_object_is_none()
    {
        var other = new StorageKey("snapshots/other.jsonl");
        await PutAsync(s_snapshot, Bytes(1));
        await AssertReadsAsync(Open(out _), 1);
        var copy = await OnlyCopyAsync();
        await PutAsync(other, Bytes(2));
        var storage = Open(out _);
        await using (var found = await storage.ReadAsync(other, ByteRange.All, CancellationToken.None)) Assert.Equal(Large, found!.Length);
        await foreach (var entry in _cache.ListAsync(StorageKey.Root, null, CancellationToken.None))
            await _cache.PutAsync(entry.Key, new MemoryStream(copy), PutCondition.Always, CancellationToken.None);
        await using var again = await Open(out _).ReadAsync(other, ByteRange.All, CancellationToken.None);
        Assert.True((await again!.ReadToEndAsync(CancellationToken.None)).Span.SequenceEqual(Bytes(2)));
    }

    [Fact]
    public async Task A_cache_that_fails_is_done_without()
    {
        await PutAsync(s_snapshot, Bytes(1));
        foreach (var calls in (StorageCalls[])[StorageCalls.Put, StorageCalls.Read, StorageCalls.List, StorageCalls.Delete, StorageCalls.All])
        {
            var failing = new FaultyStorage(new MemoryStorage());
            failing.Inject(new InjectedFault { Calls = calls, Count = int.MaxValue, Fault = StorageFault.Full });
            var storage = new CachedStorage(_stored, failing);
            await AssertReadsAsync(storage, 1);
            await AssertReadsAsync(storage, 1);
        }
    }

    [Fact]
    public async Task What_fails_behind_the_cache_is_told()
    {
        await PutAsync(s_snapshot, Bytes(1));
        var storage = Open(out var counted);
        counted.Inject(InjectedFault.AtCall(2, StorageCalls.Read, fault: StorageFault.Denied));
        var failure = await Assert.ThrowsAsync<StorageException>(async () => await storage.ReadAsync(s_snapshot, ByteRange.All, CancellationToken.None));
        Assert.Equal(StorageFault.Denied, failure.Fault);
    }

    [Fact]
    public async Task The_oldest_copies_go_when_there_is_no_room()
    {
        var storage = new CachedStorage(_stored, _cache, maxBytes: (2 * Large) + 1000);
        for (var i = 0; i < 5; i++)
        {
            var key = new StorageKey($"snapshots/{i}");
            await PutAsync(key, Bytes(i));
            await using var found = await storage.ReadAsync(key, ByteRange.All, CancellationToken.None);
            Assert.Equal(Large, found!.Length);
            Assert.InRange(await _cache.ListAsync(StorageKey.Root, null, CancellationToken.None).Select(e => e.Length).SumAsync(), Large, (2 * Large) + 1000);
        }

        var tight = new MemoryStorage();
        await AssertReadsAsync(new CachedStorage(_stored, tight, maxBytes: 1000), 0, new StorageKey("snapshots/0"));
        Assert.Empty(await tight.ListAsync(StorageKey.Root, null, CancellationToken.None).ToListAsync());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_copy_that_breaks_off_while_it_is_read_is_gone_on_with_from_the_storage(bool isReplaced)
    {
        using var folder = new TemporaryFolder();
        await PutAsync(s_snapshot, Bytes(1));
        await using var storage = new CachedStorage(_stored, new FileStorage(folder.Path));
        await AssertReadsAsync(storage, 1);
        await using var found = (await storage.ReadAsync(s_snapshot, new ByteRange(1000, null), CancellationToken.None))!;
        var read = new byte[Large - 1000];
        await found.Content.ReadExactlyAsync(read.AsMemory(0, 500_000));
        using (var copy = File.OpenHandle(Assert.Single(Directory.GetFiles(folder.Path)), FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite)) RandomAccess.SetLength(copy, 700_000);
        if (isReplaced) await PutAsync(s_snapshot, Bytes(2));
        var reading = found.Content.ReadExactlyAsync(read.AsMemory(500_000)).AsTask();
        if (isReplaced) Assert.Equal(StorageFault.Unavailable, (await Assert.ThrowsAsync<StorageException>(() => reading)).Fault);
        else await reading;
        Assert.Equal(!isReplaced, read.AsSpan().SequenceEqual(Bytes(1).AsSpan(1000)));
    }

    [Fact]
    public async Task What_others_keep_in_the_folder_is_neither_counted_nor_deleted()
    {
        string[] theirs = ["photos/2019.jpg", "notes.txt", "0123456789abcdef", "0123456789ABCDEF0123456789ABCDEF", "a/0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdef0"];
        foreach (var name in theirs) await _cache.PutAsync(new StorageKey(name), new MemoryStream(Bytes(9)), PutCondition.Always, CancellationToken.None);
        var storage = new CachedStorage(_stored, _cache, maxBytes: Large + 1000);
        for (var i = 0; i < 3; i++)
        {
            var key = new StorageKey($"snapshots/{i}");
            await PutAsync(key, Bytes(i));
            await AssertReadsAsync(storage, i, key);
        }

        var there = await _cache.ListAsync(StorageKey.Root, null, CancellationToken.None).Select(e => e.Key.Value).ToListAsync();
        Assert.Equal(theirs.Length + 1, there.Count); // the newest copy
        Assert.Empty(theirs.Except(there));
    }

    [Fact]
    public async Task A_store_is_opened_again_without_fetching_its_snapshot()
    {
        using var folder = new TemporaryFolder();
        var stored = new FaultyStorage(new MemoryStorage());
        var options = new OpsStoreOptions { CacheFolder = folder.Path };
        await using (var store = await OpsStore<Dictionary<string, string>>.OpenAsync(stored, options))
        {
            for (var i = 0; i < 50; i++) await store.SetAsync($"i{i}", new() { ["text"] = new('x', 10_000) });
            await store.CompactAsync();
        }

        for (var run = 0; run < 3; run++)
        {
            await using var store = await OpsStore<Dictionary<string, string>>.OpenAsync(stored, options);
            Assert.Equal(50, store.Count);
            Assert.Equal(10_000, store["i7"]["text"].Length);
        }

        var kept = await new FileStorage(folder.Path).ListAsync(StorageKey.Root, null, CancellationToken.None).ToListAsync();
        Assert.True(Assert.Single(kept).Length > 500_000);
    }

    private static byte[] Bytes(int seed)
    {
        var bytes = new byte[Large];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    private static async Task AssertReadsAsync(CachedStorage storage, int seed, StorageKey? key = null)
    {
        await using var found = await storage.ReadAsync(key ?? s_snapshot, ByteRange.All, CancellationToken.None);
        Assert.Equal(Large, found!.Length);
        Assert.True((await found.ReadToEndAsync(CancellationToken.None)).Span.SequenceEqual(Bytes(seed)));
    }

    private CachedStorage Open(out FaultyStorage counted) => new(counted = new FaultyStorage(_stored), _cache);

    private async Task PutAsync(StorageKey key, byte[] bytes) => await _stored.PutAsync(key, new MemoryStream(bytes), PutCondition.Always, CancellationToken.None);

    private async Task<byte[]> OnlyCopyAsync()
    {
        var entry = Assert.Single(await _cache.ListAsync(StorageKey.Root, null, CancellationToken.None).ToListAsync());
        await using var found = await _cache.ReadAsync(entry.Key, ByteRange.All, CancellationToken.None);
        return (await found!.ReadToEndAsync(CancellationToken.None)).ToArray();
    }

    private async Task ChangeCopyAsync(Func<byte[], byte[]> change)
    {
        var bytes = change(await OnlyCopyAsync());
        var entry = await _cache.ListAsync(StorageKey.Root, null, CancellationToken.None).FirstAsync();
        await _cache.PutAsync(entry.Key, new MemoryStream(bytes), PutCondition.Always, CancellationToken.None);
    }
}
