// Goal: large immutable objects come as memory, stay readable as long as somebody holds them, and nothing else is mapped.
using OpsLog.Storage;
using Xunit;

namespace OpsLog.StorageTests;

public sealed class MappedReadTests : IDisposable
{
    private const int Length = 1_000_000;
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static async Task<StoredObject> StoreAndRead(FileStorage storage, string key, char content = 'a', ByteRange range = default)
    {
        await storage.Put(key, new string(content, Length));
        return (await storage.ReadAsync(new StorageKey(key), range, default))!;
    }

    [Fact]
    public async Task Mapped_memory_survives_replacement_deletion_and_the_storage()
    {
        if (OperatingSystem.IsWindows()) return; // a mapped file can't be deleted there
        var storage = new FileStorage(_folder.Path);
        await using var found = await StoreAndRead(storage, "snapshots/x");
        var memory = Assert.NotNull(found.Memory);
        await storage.Put("snapshots/x", new string('b', Length));
        await storage.Delete("snapshots/x");
        await storage.DisposeAsync();
        Assert.Equal(Length, memory.Length);
        Assert.False(memory.Span.ContainsAnyExcept((byte)'a'));
    }

    [Fact]
    public async Task A_range_is_mapped_at_any_offset()
    {
        await using var storage = new FileStorage(_folder.Path);
        await storage.Put("archive/x", string.Concat(Enumerable.Range(0, Length / 10).Select(i => $"{i:d9} ")));
        await using var found = await storage.ReadAsync(new StorageKey("archive/x"), new ByteRange(123_450, 500_000), default);
        var memory = Assert.NotNull(found!.Memory);
        Assert.Equal(500_000, memory.Length);
        Assert.Equal("000012345 "u8, memory.Span[..10]);
        using var pin = memory[10..].Pin();
        Assert.Equal("000012346 "u8, memory.Span[10..20]);
    }

    [Fact]
    public async Task Memory_of_a_disposed_object_is_refused()
    {
        await using var storage = new FileStorage(_folder.Path);
        var found = await StoreAndRead(storage, "snapshots/x");
        var memory = found.Memory!.Value;
        await found.DisposeAsync();
        await found.DisposeAsync();
        Assert.Throws<ObjectDisposedException>(() => memory.Span[0]);
    }

    [Fact]
    public async Task Objects_that_may_grow_are_streamed_and_so_is_everything_if_mapping_is_off()
    {
        await using var storage = new FileStorage(_folder.Path);
        await using var log = await StoreAndRead(storage, "ops/x.jsonl");
        Assert.Null(log.Memory);
        await using var plain = new FileStorage(_folder.Path, new FileStorageOptions { MapReads = false });
        await using var snapshot = await StoreAndRead(plain, "snapshots/x");
        Assert.Null(snapshot.Memory);
        Assert.Equal(Length, (await snapshot.ReadToEndAsync(default)).Length);
    }

    [Fact]
    public async Task F13_A_file_that_is_cut_while_it_is_streamed_is_a_failure_and_not_an_end()
    {
        await using var storage = new FileStorage(_folder.Path);
        await using var found = await StoreAndRead(storage, "ops/x.jsonl");
        await using (var file = new FileStream(_folder.File("ops/x.jsonl"), FileMode.Open)) file.SetLength(10);
        var failure = await Assert.ThrowsAsync<StorageException>(async () => await found.ReadToEndAsync(default));
        Assert.Equal(StorageFault.Broken, failure.Fault);
    }
}
