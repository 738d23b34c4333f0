using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using OpsLog.Engine;
using OpsLog.Storage;
using OpsLog.Testing;
using OpsLog.Tests.Corpus;
using OpsLog.Tests.Faults;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.Engine;

/// <summary>
/// Goal: a store whose documents stay on disk shows what one shows that holds them in memory. Method: the same random operations on both, with a cache so small that
/// every block is read again and again, over checkpoints, reopenings and refreshes; and the places where bytes change hands.
/// </summary>
public sealed class DiskDocumentsTests
{
    [Theory]
    [InlineData(1, 0)]
    [InlineData(2, 0)]
    [InlineData(3, 64 << 10)]
    [InlineData(4, 64 << 10)]
    public async Task Random_operations_show_the_same_as_in_memory(int seed, int cache)
    {
        using var folder = new TempFolder();
        var disk = await OpenAsync(folder["disk"], cache);
        var memory = await Lab.OpenAsync(new MemoryStorage());
        var random = new Random(seed);
        var follower = await OpenAsync(folder["disk"], cache, o => o.ReadOnly = true);
        for (var step = 0; step < 400; step++)
        {
            var (kind, id) = (random.Next(100), string.Create(CultureInfo.InvariantCulture, $"id-{random.Next(60)}"));
            var document = Document(random);
            switch (kind)
            {
                case < 60:
                    await disk.SetAsync(id, document);
                    await memory.SetAsync(id, document);
                    break;
                case < 75:
                    Assert.Equal(await memory.DeleteAsync(id), await disk.DeleteAsync(id));
                    break;
                case < 85:
                    Assert.Equal(await memory.UndoAsync(), await disk.UndoAsync());
                    break;
                case < 92:
                    Assert.Equal(await memory.RedoAsync(), await disk.RedoAsync());
                    break;
                case < 96:
                    await disk.CompactAsync();
                    await memory.CompactAsync();
                    break;
                case < 98:
                    await disk.DisposeAsync();
                    disk = await OpenAsync(folder["disk"], cache);
                    break;
                default:
                    await follower.RefreshAsync();
                    Assert.Equal(Runs.Text(memory), Runs.Text(follower));
                    break;
            }

            Assert.Equal(memory.TryGetJson(id, out var expected), disk.TryGetJson(id, out var found));
            Assert.True(expected.Span.SequenceEqual(found.Span));
        }

        Assert.Equal(Runs.Text(memory), Runs.Text(disk));
        Assert.Equal(await ReadAsync(memory), await ReadAsync(disk));
        await follower.DisposeAsync();
        await disk.DisposeAsync();
        await memory.DisposeAsync();
    }

    [Fact]
    public async Task Agents_that_leave_documents_on_disk_agree()
    {
        using var folder = new TempFolder();
        await using var a = await OpenAsync(folder["disk"], 0, o => o.AgentId = "a");
        await using var b = await OpenAsync(folder["disk"], 0, o => o.AgentId = "b");
        var random = new Random(5);
        for (var round = 0; round < 20; round++)
        {
            for (var i = 0; i < 20; i++) await (i % 2 == 0 ? a : b).SetAsync(string.Create(CultureInfo.InvariantCulture, $"id-{random.Next(30)}"), Document(random));
            await a.RefreshAsync();
            if (round % 5 == 4) await (round % 2 == 0 ? a : b).CompactAsync();
            await b.RefreshAsync();
            await a.RefreshAsync();
            Assert.Equal(Runs.Text(a), Runs.Text(b));
        }

        Assert.Equal(Runs.Text(a), await Lab.StateAsync(new FileStorage(folder["disk"])));
    }

    [Fact]
    public async Task A_view_keeps_showing_what_was_deleted_since()
    {
        using var folder = new TempFolder();
        await using var store = await OpenAsync(folder["disk"], 0, o =>
        {
            o.HistoryRetention = HistoryRetention.None;
            o.Checkpoint.GracePeriod = TimeSpan.Zero;
        });
        var random = new Random(6);
        for (var i = 0; i < 50; i++) await store.SetAsync(string.Create(CultureInfo.InvariantCulture, $"id-{i}"), Document(random));
        await store.CompactAsync();
        var names = await Lab.NamesAsync(new FileStorage(folder["disk"]), "snapshots/");
        var view = store.View();
        var expected = Runs.Text(store);
        for (var i = 0; i < 3; i++)
        {
            await store.SetAsync("id-0", Lab.Doc(i));
            await store.CompactAsync();
        }

        Assert.Empty((await Lab.NamesAsync(new FileStorage(folder["disk"]), "snapshots/")).Intersect(names));
        Assert.Equal(expected, string.Join('\n', view.OrderBy(r => r.Key, StringComparer.Ordinal).Select(r => $"{r.Key} = {r.Value.GetRawText()}")));
    }

    [Fact]
    public async Task A_document_is_made_for_each_read_and_not_kept()
    {
        using var folder = new TempFolder();
        var options = new OpsStoreOptions { Documents = DocumentPlacement.OnDisk };
        await using var store = await OpsStore<Note>.OpenAsync(folder["disk"], options);
        await store.SetAsync("a", new Note("text"));
        Assert.Equal(new Note("text"), store["a"]);
        Assert.NotSame(store["a"], store["a"]);
    }

    [Fact]
    public async Task A_file_that_ends_before_a_document_fails_the_read_and_nothing_else()
    {
        using var folder = new TempFolder();
        await using var store = await OpenAsync(folder["disk"], 0);
        var random = new Random(7);
        while (store.Count < 3000) await store.SetAsync(string.Create(CultureInfo.InvariantCulture, $"id-{store.Count}"), Document(random, 400));
        await store.CompactAsync();
        var snapshot = Path.Combine(folder["disk"], await Lab.OnlyAsync(new FileStorage(folder["disk"]), "snapshots/") is { } key ? key.Value : "");
        var length = new FileInfo(snapshot).Length;
        Assert.True(length > 512 << 10, $"{length}");
        await using (var file = new FileStream(snapshot, FileMode.Open, FileAccess.Write)) file.SetLength(length / 2);
        var (shown, failed) = (0, 0);
        foreach (var id in store.Keys)
        {
            try
            {
                if (store.TryGetJson(id, out _)) shown++;
            }
            catch (OpsLogException e) when (e.Error == OpsLogError.StorageFailed)
            {
                failed++;
            }
        }

        Assert.Equal(3000, shown + failed);
        Assert.InRange(failed, 1000, 2000);
    }

    [Fact]
    public async Task An_object_that_cannot_be_read_again_is_held_in_memory_and_the_report_says_so()
    {
        using var folder = new TempFolder();
        await using (var store = await OpenAsync(folder["disk"], 0))
        {
            for (var i = 0; i < 20; i++) await store.SetAsync(string.Create(CultureInfo.InvariantCulture, $"id-{i}"), Lab.Doc(i));
            await store.CompactAsync();
        }

        // The last read of the snapshot is the one that is to keep it open: of two openings, the second fails there.
        var (reads, last) = (0, int.MaxValue);
        var storage = new HookedStorage(new FileStorage(folder["disk"]))
        {
            Before = (call, key) => call == StorageCalls.Read && key.Value.StartsWith("snapshots/", StringComparison.Ordinal) && ++reads == last
                ? throw new StorageException(StorageFault.Broken, "no luck")
                : Task.CompletedTask,
        };
        var options = Lab.ReadOnly(o => (o.Documents, o.DocumentCacheBytes) = (DocumentPlacement.OnDisk, 0));
        await (await OpsStore<JsonElement>.OpenAsync(storage, options)).DisposeAsync();
        (last, reads) = (reads, 0);
        await using var reopened = await OpsStore<JsonElement>.OpenAsync(storage, options);
        Assert.Equal(20, reopened.Keys.Count(id => reopened.TryGetJson(id, out _)));
        var note = Assert.Single(reopened.RecoveryReport.Notes);
        Assert.Equal(DamageKind.Unreadable, note.Kind);
        Assert.StartsWith("snapshots/", note.File, StringComparison.Ordinal);
        Assert.Contains("no luck", note.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Opening_reads_a_large_snapshot_through_one_buffer()
    {
        using var folder = new TempFolder();
        var expected = await FillAsync(new FileStorage(folder["disk"]));
        var (storage, buffers) = Watched(folder["disk"]);
        await using var store = await OpsStore<JsonElement>.OpenAsync(storage, Lab.ReadOnly(o => (o.Documents, o.DocumentCacheBytes) = (DocumentPlacement.OnDisk, 0)));
        buffers.RemoveAll(b => b.Length < DiskDocuments.LoadWindow); // a look at the header
        Assert.InRange(buffers.Count, 7, 9);
        Assert.Single(buffers.Distinct());
        Assert.Equal(expected, Runs.Text(store));
        Assert.Empty(store.RecoveryReport.Notes);
    }

    [Fact]
    public async Task A_snapshot_that_is_merged_into_what_others_read_never_overwrites_memory()
    {
        using var folder = new TempFolder();
        var (storage, buffers) = Watched(folder["disk"]);
        await using var reader = await OpsStore<JsonElement>.OpenAsync(storage, Lab.Options(o => (o.AgentId, o.Documents, o.DocumentCacheBytes) = ("a", DocumentPlacement.OnDisk, 0)));
        await using (var writer = await OpenAsync(folder["disk"], 0, o => (o.AgentId, o.Durability) = ("b", Durability.Buffered)))
        {
            var random = new Random(8);
            for (var i = 0; i < Large; i++) await writer.SetAsync(string.Create(CultureInfo.InvariantCulture, $"id-{i}"), Document(random, 1_200));
        }

        await using var other = await OpenAsync(folder["disk"], 0, o => (o.AgentId, o.Checkpoint.GracePeriod, o.HistoryRetention) = ("c", TimeSpan.Zero, HistoryRetention.None));
        await other.CompactAsync();
        await other.CompactAsync(); // what the first retired is gone
        buffers.Clear();
        await reader.RefreshAsync();
        buffers.RemoveAll(b => b.Length < DiskDocuments.LoadWindow);
        Assert.InRange(buffers.Count, 7, 9);
        Assert.Equal(buffers.Count, buffers.Distinct().Count());
        Assert.Equal(Runs.Text(other), Runs.Text(reader));
    }

    [Fact]
    public async Task A_large_snapshot_that_comes_as_a_stream_is_held_in_memory()
    {
        var memory = new MemoryStorage();
        await FillAsync(memory);
        var storage = new HookedStorage(memory) { Reading = found => new StoredObject(new MemoryStream(found.Memory!.Value.ToArray()), found.Length, found.Version) };
        await using var store = await OpsStore<JsonElement>.OpenAsync(storage, Lab.ReadOnly(o => o.Documents = DocumentPlacement.OnDisk));
        await using var plain = await OpsStore<JsonElement>.OpenAsync(memory, Lab.ReadOnly());
        Assert.Equal(Runs.Text(plain), Runs.Text(store));
        Assert.Equal(Large, store.Count);
    }

    [Fact]
    public async Task A_checkpoint_does_not_read_back_all_of_its_snapshot()
    {
        using var folder = new TempFolder();
        var expected = await FillAsync(new FileStorage(folder["disk"]));
        var reads = new List<string>();
        var storage = new HookedStorage(new FileStorage(folder["disk"], new FileStorageOptions { MapReads = false }));
        await using var store = await OpsStore<JsonElement>.OpenAsync(storage, Lab.Options(o => (o.Documents, o.DocumentCacheBytes) = (DocumentPlacement.OnDisk, 0)));
        await store.SetAsync("one more", Document(new Random(9), 1_200));
        storage.Before = (call, key) =>
        {
            if (call == StorageCalls.Read && key.Value.StartsWith("snapshots/", StringComparison.Ordinal)) reads.Add(key.Value);
            return Task.CompletedTask;
        };
        await store.CompactAsync();
        Assert.Equal(3, reads.Count); // whether the name is free, a beginning, and to keep it open
        await store.DeleteAsync("one more");
        Assert.Equal(expected, Runs.Text(store));
        Assert.Empty(store.RecoveryReport.Notes);
    }

    [Fact]
    public async Task A_superseded_object_is_closed_though_blocks_of_it_were_cached()
    {
        const int count = 1000; // 400 KB
        using var folder = new TempFolder();
        var (name, open) = ("", new List<(string Name, WeakReference Object)>());
        var storage = new HookedStorage(new FileStorage(folder["disk"], new FileStorageOptions { MapReads = false }));
        storage.Before = (_, key) =>
        {
            name = key.Value;
            return Task.CompletedTask;
        };
        storage.Reading = found =>
        {
            if (found.Memory is null) open.Add((name, new WeakReference(found)));
            return found;
        };
        await using var store = await OpsStore<JsonElement>.OpenAsync(storage, Lab.Options(o => (o.Durability, o.Documents, o.DocumentCacheBytes, o.HistoryRetention) = (Durability.Os, DocumentPlacement.OnDisk, 64 << 10, HistoryRetention.None)));
        var random = new Random(10);
        for (var i = 0; i < count; i++) await store.SetAsync(string.Create(CultureInfo.InvariantCulture, $"id-{i}"), Document(random, 300));
        for (var round = 0; round < 3; round++)
        {
            Assert.Equal(count, store.Keys.Count(id => store.TryGetJson(id, out _)));
            await store.SetAsync("id-0", Lab.Doc(round));
            await store.CompactAsync();
        }

        await Task.Yield(); // the checkpoint's own methods are below on the stack
        for (var i = 0; i < 3; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        var there = await Lab.NamesAsync(new FileStorage(folder["disk"]));
        Assert.InRange(open.Select(o => o.Name).Except(there).Count(), 2, 10);
        Assert.DoesNotContain(open, o => o.Object.IsAlive && !there.Contains(o.Name));
        Assert.Equal(count, store.Count);
    }

    private const int Large = 6000; // records, of 7 MB

    private static async Task<string> FillAsync(IOpsStorage storage)
    {
        await using var store = await Lab.OpenAsync(storage, Lab.Options(o => o.Durability = Durability.Buffered));
        var random = new Random(8);
        for (var i = 0; i < Large; i++) await store.SetAsync(string.Create(CultureInfo.InvariantCulture, $"id-{i}"), Document(random, 1_200));
        await store.CompactAsync();
        return Runs.Text(store);
    }

    // A folder that notes the arrays into which parts of its objects are read.
    private static (HookedStorage Storage, List<byte[]> Buffers) Watched(string folder)
    {
        var buffers = new List<byte[]>();
        return (new HookedStorage(new FileStorage(folder, new FileStorageOptions { MapReads = false }))
        {
            Reading = found => found.Memory is null && found.Content.Length < found.Length ? new StoredObject(new BufferNotingStream(found.Content, buffers), found.Length, found.Version) : found,
        }, buffers);
    }

    private static ValueTask<OpsStore<JsonElement>> OpenAsync(string folder, int cache, Action<OpsStoreOptions>? change = null) =>
        OpsStore<JsonElement>.OpenAsync(folder, Lab.Options(o =>
        {
            (o.Durability, o.Documents, o.DocumentCacheBytes) = (Durability.Os, DocumentPlacement.OnDisk, cache);
            change?.Invoke(o);
        }));

    // Some longer than a block, some longer than many.
    private static JsonElement Document(Random random, int? length = null)
    {
        length ??= random.Next(20) switch { 0 => 100_000, < 4 => random.Next(7_000, 18_000), _ => random.Next(300) };
        return StoreReading.Element(string.Create(CultureInfo.InvariantCulture, $"{{\"n\":{random.Next()},\"text\":\"{new string('x', length.Value)}\"}}"));
    }

    private static async Task<List<string>> ReadAsync(OpsStore<JsonElement> store) =>
        [.. (await Lab.OperationsAsync(store)).Select(o => $"{o.Kind} {o.Id} {o.Value}")];

    private sealed record Note(string Text);

    /// <summary>Notes which arrays are read into.</summary>
    private sealed class BufferNotingStream(Stream inner, List<byte[]> buffers) : MemoryStream
    {
        public override long Length => inner.Length;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (MemoryMarshal.TryGetArray<byte>(buffer, out var array)) buffers.Add(array.Array!);
            return inner.ReadAsync(buffer, cancellationToken);
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing) inner.Dispose();
            base.Dispose(disposing);
        }
    }
}
