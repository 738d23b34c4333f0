// Goal: a store can be moved between any two storages and back without a byte of it changing. Method: every ordered pair, with what agents, batches, undo, archives and
// checkpoints leave; documents, history and archives compared byte by byte.
using System.Text;
using System.Text.Json;
using OpsLog.Storage;
using Xunit;

namespace OpsLog.RemoteTests.Stores;

public sealed class CopyTests
{
    public static TheoryData<string> Kinds => [.. RemotePlace.All];

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_store_goes_from_here_to_every_other_storage_and_back_byte_for_byte(string kind)
    {
        await using var place = await RemotePlace.CreateAsync(kind);
        await using var source = place.Connect();
        await WriteAsync(source);
        var expected = await ExportAsync(source);
        Assert.Contains("archived", expected, StringComparison.Ordinal);
        foreach (var other in RemotePlace.All)
        {
            if (other == kind) continue;
            await using var there = await RemotePlace.CreateAsync(other);
            await using var back = await RemotePlace.CreateAsync(kind);
            await using var target = there.Connect();
            await using var returned = back.Connect();
            await OpsStore.CopyAsync(source, target);
            Assert.Equal(expected, await ExportAsync(target));
            await OpsStore.CopyAsync(target, returned);
            Assert.Equal(expected, await ExportAsync(returned));
            Assert.True((await OpsStore.VerifyAsync(returned)).IsSound);
        }

        Assert.Equal(expected, await ExportAsync(source));
    }

    private static async Task WriteAsync(IOpsStorage storage)
    {
        await using (var a = await OpenAsync(storage, o => o.AgentId = "a"))
        {
            for (var i = 0; i < 20; i++) await a.SetAsync($"r{i}", Document($"{{\"n\":{i},\"big\":1e400,\"text\":\"ä\\u2028{new string('x', i * 50)}\"}}"));
            await a.BatchAsync(b =>
            {
                b.Set("both/../ü", Document("{\"b\":true}"));
                b.Delete("r3");
            });
            await a.CompactAsync();
            await a.DeleteAsync("r4");
            await a.SetAsync("r5", Document("{}"));
            await a.UndoAsync();
            await a.ArchiveAsync(["r6", "r7"], "archived");
        }

        await using var b = await OpenAsync(storage, o => o.AgentId = "b");
        await b.SetAsync("r1", Document("{\"by\":\"b\"}"));
    }

    // Documents as they are stored, in ordinal order; then every operation that history has; then the archives.
    private static async Task<string> ExportAsync(IOpsStorage storage)
    {
        await using var store = await OpenAsync(storage, o => o.ReadOnly = true);
        var text = new StringBuilder();
        foreach (var id in store.Keys.Order(StringComparer.Ordinal)) text.AppendLine($"{id} {(store.TryGetJson(id, out var json) ? Encoding.UTF8.GetString(json.Span) : "?")} {Revision(store, id)}");
        await foreach (var operation in store.OperationsAsync()) text.AppendLine($"{operation.Kind} {operation.Id} {operation.Revision}");
        foreach (var period in store.Archives)
            foreach (var (id, document) in (await store.LoadArchiveAsync(period)).OrderBy(e => e.Key, StringComparer.Ordinal)) text.AppendLine($"{period} {id} {document.GetRawText()}");
        return text.ToString();
    }

    private static string Revision(OpsStore<JsonElement> store, string id) => store.TryGet(id, out _, out var revision) ? revision.ToString() : "?";

    private static JsonElement Document(string json) => JsonElement.Parse(json);

    private static ValueTask<OpsStore<JsonElement>> OpenAsync(IOpsStorage storage, Action<OpsStoreOptions> change)
    {
        var options = new OpsStoreOptions { HistoryRetention = HistoryRetention.Forever };
        change(options);
        return OpsStore<JsonElement>.OpenAsync(storage, options);
    }
}
