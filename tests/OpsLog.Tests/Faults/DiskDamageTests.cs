using System.Globalization;
using System.Text;
using System.Text.Json;
using OpsLog.Engine;
using OpsLog.Format;
using OpsLog.Storage;
using OpsLog.Testing;
using OpsLog.Tests.Corpus;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.Faults;

/// <summary>
/// Goal: what the disk made of a line since it was written or checked is never shown, nor written anew with a checksum that holds (V7). Method: documents that stay on disk, a digit
/// of one changed under an open store, and every way its bytes can take.
/// </summary>
public sealed class DiskDamageTests
{
    private const int Records = 2000; // of 800 KB: what has 256 KB is read from the disk, but for the last slab of the log

    [Fact]
    public async Task F6_F17_a_log_line_on_disk_that_was_damaged_is_neither_shown_nor_written_anew()
    {
        using var folder = new TempFolder();
        var store = await FilledAsync(folder["disk"]);
        var log = await Lab.LogAsync(new FileStorage(folder["disk"]));
        Damage(folder["disk"], log, "id-10");
        await AssertRefusedAsync(store, log.Value);
        await AssertDamagedAsync(folder["disk"], store, log.Value);
    }

    [Fact]
    public async Task F8_F17_a_snapshot_line_on_disk_that_was_damaged_is_neither_shown_nor_written_anew()
    {
        using var folder = new TempFolder();
        var store = await FilledAsync(folder["disk"]);
        await store.CompactAsync();
        var snapshot = await Lab.SnapshotAsync(new FileStorage(folder["disk"]));
        Damage(folder["disk"], snapshot, "id-10");
        await AssertRefusedAsync(store, snapshot.Value);
        await AssertDamagedAsync(folder["disk"], store, snapshot.Value);
    }

    [Fact]
    public async Task F6_an_undo_that_reaches_a_damaged_line_on_disk_is_refused_and_takes_back_nothing_else()
    {
        using var folder = new TempFolder();
        var store = await FilledAsync(folder["disk"]);
        var log = await Lab.LogAsync(new FileStorage(folder["disk"]));
        Damage(folder["disk"], log, "id-1000");
        for (var undone = Records; undone > 1001; undone--) Assert.True(await store.UndoAsync());
        Assert.Equal(1001, store.Count);
        Assert.Equal(log.Value, (await Lab.RefusedAsync(OpsLogError.Damaged, async Task () => await store.UndoAsync())).Damage!.File);
        Assert.Equal(1001, store.Count);
        await store.DisposeAsync();
    }

    [Fact]
    public async Task F6_a_checkpoint_that_would_copy_a_damaged_line_of_the_log_fails()
    {
        using var folder = new TempFolder();
        var storage = new HookedStorage(new FileStorage(folder["disk"], new FileStorageOptions { MapReads = false }));
        var store = await Lab.OpenAsync(storage, Options());
        await store.SetAsync("before", Document(0));
        var gate = new Gate();
        storage.Before = (call, key) => call == StorageCalls.Put && key.Value.StartsWith("snapshots/", StringComparison.Ordinal) ? gate.PassAsync() : Task.CompletedTask;
        var checkpoint = store.CompactAsync().AsTask();
        await gate.Arrived;
        for (var i = 0; i < Records; i++) await store.SetAsync(Id(i), Document(i));
        var log = await Lab.LogAsync(storage);
        Damage(folder["disk"], log, "id-10");
        gate.Open();
        Assert.Equal(log.Value, (await Lab.RefusedAsync(OpsLogError.Damaged, () => checkpoint)).Damage!.File);
        Assert.Equal(log, await Lab.LogAsync(storage));
        await AssertDamagedAsync(folder["disk"], store, log.Value);
    }

    [Fact]
    public async Task F8_a_line_of_a_mapped_snapshot_is_checked_before_it_is_the_previous_value_of_another()
    {
        var disk = new MemoryStorage();
        await using (var store = await Lab.OpenAsync(disk))
        {
            await store.SetAsync("id-10", Document(10));
            await store.CompactAsync();
        }

        var mapped = new List<byte[]>();
        var storage = new HookedStorage(disk)
        {
            Reading = found =>
            {
                mapped.Add(found.Memory!.Value.ToArray());
                return new StoredObject(mapped[^1], found.Length, found.Version);
            },
        };
        await using var reopened = await Lab.OpenAsync(storage);
        foreach (var bytes in mapped.Where(bytes => Encoding.UTF8.GetString(bytes).Contains("\"id-10\"", StringComparison.Ordinal))) ChangeDigit(bytes, "id-10");
        await Lab.RefusedAsync(OpsLogError.Damaged, async Task () => await reopened.SetAsync("id-10", Document(11)));
        await Lab.RefusedAsync(OpsLogError.Damaged, async Task () => await reopened.DeleteAsync("id-10"));
        await Lab.RefusedAsync(OpsLogError.Damaged, async Task () => await reopened.ArchiveAsync(["id-10"], "2026"));
        Assert.DoesNotContain("\"prev\"", Encoding.UTF8.GetString(await Lab.ReadAsync(disk, await Lab.LogAsync(disk))), StringComparison.Ordinal);
    }

    [Fact]
    public void F8_a_line_of_a_mapped_snapshot_is_checked_before_it_is_written_with_another_number_for_its_log()
    {
        var state = new StoreState(1);
        var (log, snapshot) = (new byte[200], new byte[200]);
        var first = state.Extents.Add(new Extent("ops/a", [new StampSource("a", "ops/a")]));
        var second = state.Extents.Add(new Extent("snapshots/s", [StampSource.SingleWriter, new StampSource("b", "ops/b")]) { HoldsRecords = true });
        Add(state, first, log, "one", owner: null);
        Add(state, second, snapshot, "two", owner: new object());
        using var whole = new SnapshotStream(StoreView.Of(state), 1, SnapshotFormat.JsonLines, "2026-01-01T00:00:00.000Z");
        whole.CopyTo(Stream.Null);
        ChangeDigit(snapshot, "two");
        using var damaged = new SnapshotStream(StoreView.Of(state), 1, SnapshotFormat.JsonLines, "2026-01-01T00:00:00.000Z");
        Assert.Equal("snapshots/s", Assert.Throws<OpsLogException>(() => damaged.CopyTo(Stream.Null)).Damage!.File);
    }

    private static void Add(StoreState state, Extent extent, byte[] bytes, string id, object? owner)
    {
        var length = SnapshotCodec.WriteRecord(bytes, Encoding.UTF8.GetBytes(id), "{\"n\":1}"u8, 1, extent.Sources.Length - 1, out var start);
        extent.Add(0, bytes.AsMemory(0, length), owner);
        state.Records.Set(Encoding.UTF8.GetBytes(id), RecordLocation.Create(extent.Index, start, length - 1 - start, false));
    }

    // Whatever would take the record's bytes is refused by file; all else goes on.
    private static async Task AssertRefusedAsync(OpsStore<JsonElement> store, string file)
    {
        var calls = new Dictionary<string, Func<Task>>
        {
            ["get"] = () => Task.FromResult(store["id-10"]),
            ["get JSON"] = () => Task.FromResult(store.TryGetJson("id-10", out _)),
            ["set"] = async () => await store.SetAsync("id-10", Document(1)),
            ["delete"] = async () => await store.DeleteAsync("id-10"),
            ["update"] = async () => await store.UpdateAsync("id-10", document => document),
            ["archive"] = async () => await store.ArchiveAsync(["id-10"], "2026"),
            ["compact"] = async () => await store.CompactAsync(),
        };
        foreach (var (name, call) in calls)
        {
            var refusal = await Record.ExceptionAsync(call) as OpsLogException;
            Assert.True(refusal is { Error: OpsLogError.Damaged } && refusal.Damage!.File == file, $"{name}: {refusal}");
        }

        Assert.Equal(11, Lab.N(store["id-11"]));
        await store.SetAsync("id-11", Document(12));
        Assert.Equal(12, Lab.N(store["id-11"]));
    }

    // Nothing covers it up: opening finds what verify finds.
    private static async Task AssertDamagedAsync(string folder, OpsStore<JsonElement> store, string file)
    {
        await Runs.AbandonAsync(store);
        Assert.Contains((await OpsStore.VerifyAsync(new FileStorage(folder))).Damages, damage => damage.File == file);
        Assert.Equal(file, (await Lab.OpeningRefusedAsync(OpsLogError.Damaged, new FileStorage(folder))).Damage!.File);
    }

    private static async Task<OpsStore<JsonElement>> FilledAsync(string folder)
    {
        var store = await OpsStore<JsonElement>.OpenAsync(folder, Options());
        for (var i = 0; i < Records; i++) await store.SetAsync(Id(i), Document(i));
        return store;
    }

    private static OpsStoreOptions Options() => Lab.Options(o => (o.Durability, o.Documents, o.DocumentCacheBytes) = (Durability.Os, DocumentPlacement.OnDisk, 0));

    private static string Id(int number) => string.Create(CultureInfo.InvariantCulture, $"id-{number}");

    private static JsonElement Document(int n) => StoreReading.Element(string.Create(CultureInfo.InvariantCulture, $"{{\"n\":{n},\"text\":\"{new string('x', 300)}\"}}"));

    private static void Damage(string folder, StorageKey key, string id)
    {
        using var file = new FileStream(Path.Combine(folder, key.Value), FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        var bytes = new byte[file.Length];
        file.ReadExactly(bytes);
        file.Position = ChangeDigit(bytes, id);
        file.WriteByte(bytes[file.Position]);
    }

    // The first digit of the document of a record.
    private static int ChangeDigit(byte[] bytes, string id)
    {
        var line = bytes.AsSpan().IndexOf(Encoding.UTF8.GetBytes($"\"id\":\"{id}\""));
        var digit = line + bytes.AsSpan(line).IndexOf("\"data\":{\"n\":"u8) + "\"data\":{\"n\":".Length;
        bytes[digit] ^= 1;
        return digit;
    }
}
