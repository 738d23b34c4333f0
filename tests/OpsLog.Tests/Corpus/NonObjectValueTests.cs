using System.Text.Json;
using OpsLog.Storage;
using OpsLog.Tests.Faults;
using Xunit;

namespace OpsLog.Tests.Corpus;

/// <summary>
/// Goal: values of the package that are no objects are replaced, deleted, taken back and verified like others. Method: its store of such values, changed here; then what
/// history, undo and a verification say.
/// </summary>
public sealed class NonObjectValueTests
{
    [Fact]
    public async Task Values_that_are_no_objects_are_replaced_and_taken_back()
    {
        using var folder = new TempFolder();
        CorpusStore.Get("non-object-values__0.8.1").CopyTo(folder["store"]);
        await using (var store = await OpsStore<JsonElement>.OpenAsync(folder["store"]))
        {
            Assert.Equal(("6", "null", "[1,3]", "\"text\""), (Text(store, "num"), Text(store, "nul"), Text(store, "arr"), Text(store, "str")));
            await store.SetAsync("num", Lab.Doc(1));
            await store.SetAsync("nul", Lab.Doc(2));
            Assert.True(await store.DeleteAsync("arr"));
            await AssertSoundAsync(folder["store"], store);
            Assert.True(await store.UndoAsync());
            Assert.Equal("[1,3]", Text(store, "arr"));
            Assert.True(await store.UndoAsync());
            Assert.False(store.ContainsKey("nul")); // before a set, null is as good as nothing: docs/format.md
            Assert.True(await store.UndoAsync());
            Assert.Equal("6", Text(store, "num"));
            Assert.True(await store.DeleteAsync("str"));
            Assert.Equal((6, 1), ((await LastAsync(store, "num")).Value.GetInt32(), Lab.N((await LastAsync(store, "num")).Previous)));
            Assert.Equal("text", (await LastAsync(store, "str")).Previous.GetString());
            await AssertSoundAsync(folder["store"], store);
        }

        await using var reopened = await OpsStore<JsonElement>.OpenAsync(folder["store"], new OpsStoreOptions { Recovery = Recovery.Strict });
        Assert.Equal(["arr", "last", "num", "obj"], reopened.Keys.Order(StringComparer.Ordinal));
        Assert.Equal(("6", "[1,3]"), (Text(reopened, "num"), Text(reopened, "arr")));
    }

    [Fact]
    public async Task A_null_that_is_deleted_comes_back()
    {
        using var folder = new TempFolder();
        CorpusStore.Get("non-object-values__0.8.1").CopyTo(folder["store"]);
        await using var store = await OpsStore<JsonElement>.OpenAsync(folder["store"]);
        Assert.True(await store.DeleteAsync("nul"));
        await AssertSoundAsync(folder["store"], store);
        Assert.True(await store.UndoAsync());
        Assert.Equal("null", Text(store, "nul"));
        await AssertSoundAsync(folder["store"], store);
    }

    private static string Text(OpsStore<JsonElement> store, string id) => store.TryGetJson(id, out var json) ? System.Text.Encoding.UTF8.GetString(json.Span) : "";

    private static async Task<Operation<JsonElement>> LastAsync(OpsStore<JsonElement> store, string id)
    {
        Operation<JsonElement>? last = null;
        await foreach (var operation in store.HistoryAsync(id)) last = operation;
        return last!;
    }

    private static async Task AssertSoundAsync(string path, OpsStore<JsonElement> store)
    {
        await store.FlushAsync();
        await using var storage = new FileStorage(path);
        var report = await OpsStore.VerifyAsync(storage);
        Assert.True(report.IsSound, string.Join('\n', report.Damages));
    }
}
