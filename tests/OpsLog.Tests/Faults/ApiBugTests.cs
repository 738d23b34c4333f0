using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using OpsLog.Storage;
using OpsLog.Testing;
using OpsLog.Tests.Corpus;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.Faults;

/// <summary>Goal: none of the package's bugs in its interface and data model (numbers of docs/faults.md). Method: the scenario of each, on our store.</summary>
public sealed class ApiBugTests
{
    private sealed class Item
    {
        public int N { get; set; }

        public List<int> Parts { get; init; } = [];
    }

    [Fact]
    public async Task Bug64_changing_an_object_changes_nothing_stored()
    {
        var disk = new MemoryStorage();
        await using (var store = await OpsStore<Item>.OpenAsync(disk, Lab.Options()))
        {
            var given = new Item { N = 1, Parts = { 1 } };
            await store.SetAsync("a", given);
            given.N = 90;
            Assert.Equal(1, store["a"].N);

            store["a"].N = 99;
            store["a"].Parts.Add(99);
            await foreach (var operation in store.HistoryAsync("a")) operation.Value!.N = 98;
            Assert.Equal("""{"n":1,"parts":[1]}""", Json(store, "a"));
            await foreach (var operation in store.HistoryAsync("a")) Assert.Equal(1, operation.Value!.N);

            await store.UpdateAsync("a", item =>
            {
                Assert.Equal([1], item.Parts);
                item.N++;
                return item;
            });
            Assert.Equal("""{"n":2,"parts":[1]}""", Json(store, "a"));

            store["a"].N = 97;
            Assert.Equal(0, await store.ArchiveAsync(item => item.N == 97, "2026"));
            store["a"].N = 96;
            await store.CompactAsync();
            Assert.True(await store.UndoAsync());
            Assert.Equal("""{"n":1,"parts":[1]}""", Json(store, "a"));
        }

        await using var reopened = await OpsStore<Item>.OpenAsync(disk, Lab.Options());
        Assert.Equal(1, reopened["a"].N);
    }

    [Fact]
    public async Task Bug65_an_asynchronous_batch_is_awaited_whole_and_its_failure_writes_nothing()
    {
        await using var store = await Lab.OpenAsync(new MemoryStorage());
        OpsBatch<JsonElement>? kept = null;
        await store.BatchAsync(async batch =>
        {
            kept = batch;
            batch.Set("a", Lab.Doc(1));
            await Task.Yield();
            batch.Set("b", Lab.Doc(2));
        });
        Assert.Equal([2, 2], (await Lab.OperationsAsync(store)).Select(o => o.BatchSize));
        Assert.Throws<InvalidOperationException>(() => kept!.Set("c", Lab.Doc(3)));
        Assert.Throws<InvalidOperationException>(() => kept!.Delete("a"));

        await Assert.ThrowsAsync<InvalidTimeZoneException>(async () => await store.BatchAsync(async batch =>
        {
            batch.Set("d", Lab.Doc(4));
            await Task.Yield();
            throw new InvalidTimeZoneException();
        }));
        Assert.Throws<InvalidOperationException>(() => kept!.Set("c", Lab.Doc(3)));
        Assert.Equal("a = {\"n\":1}\nb = {\"n\":2}", Runs.Text(store));
    }

    [Fact]
    public async Task Bug66_a_set_during_a_batchs_append_is_shown_and_acknowledged_once_it_is_in_the_log()
    {
        var disk = new MemoryStorage();
        var gate = new Gate();
        var hooked = new HookedStorage(disk);
        await using (var store = await Lab.OpenAsync(hooked))
        {
            hooked.Before = (call, _) => call == StorageCalls.Append ? gate.PassAsync() : Task.CompletedTask;
            var batch = store.BatchAsync(b => b.Set("a", Lab.Doc(1))).AsTask();
            await gate.Arrived;
            var set = store.SetAsync("b", Lab.Doc(2)).AsTask();
            Assert.False(set.IsCompleted);
            Assert.Empty(store);
            gate.Open();
            await batch;
            await set;
            Assert.Equal(2, store.Count);
        }

        Assert.Equal("a = {\"n\":1}\nb = {\"n\":2}", await Lab.StateAsync(disk));
    }

    [Theory]
    [InlineData("null")]
    [InlineData("1")]
    [InlineData("\"text\"")]
    [InlineData("[{}]")]
    [InlineData("true")]
    public async Task Bug67_what_could_not_be_read_back_is_refused_on_write(string json)
    {
        var disk = new MemoryStorage();
        await using var store = await Lab.OpenAsync(disk);
        var before = await Lab.BytesAsync(disk);
        await Lab.RefusedAsync(OpsLogError.InvalidDocument, async Task () => await store.SetAsync("a", StoreReading.Element(json)));
        await Lab.RefusedAsync(OpsLogError.InvalidDocument, async Task () => await store.BatchAsync(b =>
        {
            b.Set("b", Lab.Doc(1));
            b.Set("a", StoreReading.Element(json));
        }));
        Assert.Empty(store);
        Assert.Equal(before, await Lab.BytesAsync(disk));
    }

    [Fact]
    public async Task Bug67_NaN_and_a_lost_value_are_refused_and_never_become_null()
    {
        await using var numbers = await OpsStore<Dictionary<string, double>>.OpenAsync(new MemoryStorage(), Lab.Options());
        foreach (var number in new[] { double.NaN, double.PositiveInfinity, double.NegativeInfinity })
            await Lab.RefusedAsync(OpsLogError.InvalidDocument, async Task () => await numbers.SetAsync("a", new() { ["n"] = number }));
        await Lab.RefusedAsync(OpsLogError.InvalidDocument, async Task () => await numbers.SetAsync("a", null!));
        Assert.Empty(numbers);
        await using var elements = await Lab.OpenAsync(new MemoryStorage());
        await Lab.RefusedAsync(OpsLogError.InvalidDocument, async Task () => await elements.SetAsync("a", default));
    }

    [Fact]
    public async Task Bug67_ids_that_are_no_text_are_refused_on_write()
    {
        var disk = new MemoryStorage();
        await using var store = await Lab.OpenAsync(disk);
        var before = await Lab.BytesAsync(disk);
        foreach (var id in new[] { "", "\ud800", "a\udc00b", "\udc00\ud800" })
        {
            await Assert.ThrowsAsync<ArgumentException>(async () => await store.SetAsync(id, Lab.Doc(1)));
            await Assert.ThrowsAsync<ArgumentException>(async () => await store.DeleteAsync(id));
            await Assert.ThrowsAsync<ArgumentException>(async () => await store.BatchAsync(b => b.Set(id, Lab.Doc(1))));
        }

        await Assert.ThrowsAsync<ArgumentNullException>(async () => await store.SetAsync(null!, Lab.Doc(1)));
        Assert.Equal(before, await Lab.BytesAsync(disk));
    }

    [Theory]
    [InlineData("x/../../../y")]
    [InlineData("..")]
    [InlineData("../../outside")]
    [InlineData("/tmp/outside")]
    [InlineData("C:\\outside")]
    [InlineData(".lock")]
    public async Task Bug69_a_period_is_data_and_never_a_path(string period)
    {
        using var parent = new TempFolder();
        var root = parent["store"];
        await using (var store = await OpsStore<JsonElement>.OpenAsync(root, Lab.Options()))
        {
            await store.SetAsync("a", Lab.Doc(1));
            Assert.Equal(1, await store.ArchiveAsync(["a"], period));
            Assert.Equal([period], store.Archives);
        }

        Assert.Equal([root], Directory.GetFileSystemEntries(parent.Path));
        Assert.Single(Directory.GetFiles(Path.Combine(root, "archive")), f => Path.GetFileName(f).StartsWith("archive-", StringComparison.Ordinal));
        await using var reader = await OpsStore<JsonElement>.OpenAsync(root, Lab.ReadOnly());
        Assert.Equal(1, Lab.N((await reader.LoadArchiveAsync(period))["a"]));
    }

    [Fact]
    public async Task Bug70_an_archive_is_loaded_by_its_exact_name()
    {
        await using var store = await Lab.OpenAsync(new MemoryStorage());
        foreach (var (id, period) in new[] { ("a", "2024-Q10"), ("b", "2024-Q1"), ("c", "024-Q1") })
        {
            await store.SetAsync(id, Lab.Doc(1));
            await store.ArchiveAsync([id], period);
        }

        Assert.Equal(["b"], (await store.LoadArchiveAsync("2024-Q1")).Keys);
        Assert.Equal(["a"], (await store.LoadArchiveAsync("2024-Q10")).Keys);
        foreach (var period in new[] { "2024-Q", "2024-q1", "Q1", "archive-2024-Q1", "2024-Q1.json" })
            await Lab.RefusedAsync(OpsLogError.NotFound, async Task () => await store.LoadArchiveAsync(period));
    }

    [Fact]
    public async Task Bug72_a_closed_store_is_done_and_the_next_one_begins_empty()
    {
        Assert.Empty(typeof(OpsStore<JsonElement>).GetConstructors());
        var store = await Lab.OpenAsync(new MemoryStorage());
        await store.SetAsync("a", Lab.Doc(1));
        await store.DisposeAsync();
        await store.DisposeAsync();
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await store.SetAsync("b", Lab.Doc(2)));
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await store.CompactAsync());
        await using var other = await Lab.OpenAsync(new MemoryStorage());
        Assert.Empty(other);
    }

    [Theory]
    [InlineData(SnapshotFormat.JsonLines)]
    [InlineData(SnapshotFormat.Json)]
    public async Task Bug73_ids_that_look_like_integers_keep_their_values_and_stamps(SnapshotFormat format)
    {
        var disk = new MemoryStorage();
        string[] ids = ["z", "10", "2", "a", "-1", "010", "4294967295", "1e3"];
        var revisions = new Dictionary<string, Revision>(StringComparer.Ordinal);
        var options = Lab.Options(o => o.SnapshotFormat = format);
        await using (var store = await Lab.OpenAsync(disk, options))
        {
            foreach (var id in ids) revisions[id] = await store.SetAsync(id, JsonSerializer.SerializeToElement(new Dictionary<string, int> { [id] = 1, ["7"] = 2, ["b"] = 3, ["3"] = 4 }));
            await store.CompactAsync();
        }

        await using (var store = await Lab.OpenAsync(disk, options))
        {
            foreach (var id in ids)
            {
                Assert.True(store.TryGet(id, out var document, out var revision));
                Assert.Equal((revisions[id], $"{{\"{id}\":1,\"7\":2,\"b\":3,\"3\":4}}"), (revision, document.GetRawText()));
            }

            await store.ArchiveAsync(ids, "2026");
            var archived = await store.LoadArchiveAsync("2026");
            foreach (var id in ids) Assert.Equal($"{{\"{id}\":1,\"7\":2,\"b\":3,\"3\":4}}", archived[id].GetRawText());
        }
    }

    [Fact]
    public async Task Bug75_the_value_before_an_operation_is_the_whole_document_though_the_line_holds_a_patch()
    {
        var disk = new MemoryStorage();
        await using var store = await Lab.OpenAsync(disk);
        var document = new JsonObject { ["n"] = 0, ["text"] = new string('x', 500), ["last"] = true };
        for (var i = 0; i < 3; i++)
        {
            document["n"] = i;
            await store.SetAsync("a", StoreReading.Element(document.ToJsonString()));
        }

        Assert.Contains("\"encoding\":\"delta\"", Encoding.UTF8.GetString(await Lab.ReadAsync(disk, await Lab.LogAsync(disk))), StringComparison.Ordinal);
        await store.CompactAsync();
        await store.DeleteAsync("a");
        var operations = new List<Operation<JsonElement>>();
        await foreach (var operation in store.HistoryAsync("a")) operations.Add(operation);
        Assert.Equal([false, true, true, true], operations.Select(o => o.HasPrevious));
        for (var i = 1; i < 4; i++)
        {
            document["n"] = i - 1;
            Assert.Equal(document.ToJsonString(), operations[i].Previous.GetRawText());
        }
    }

    private static string Json<T>(OpsStore<T> store, string id)
    {
        Assert.True(store.TryGetJson(id, out var json));
        return Encoding.UTF8.GetString(json.Span);
    }
}
