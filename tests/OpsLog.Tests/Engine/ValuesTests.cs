using OpsLog.Storage;
using OpsLog.Tests.Faults;
using Xunit;

namespace OpsLog.Tests.Engine;

/// <summary>
/// Goal: going through the documents shows each record that is there throughout, once, whether its document has been made or not. Method:
/// documents made in part, records deleted and changed, also in the middle of a scan.
/// </summary>
public sealed class ValuesTests
{
    private const int Records = 3000;

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    [InlineData(1)]
    public async Task Documents_are_shown_whether_they_have_been_made_or_not(int madeEvery)
    {
        await using var store = await FilledAsync();
        for (var i = 0; madeEvery > 0 && i < Records; i += madeEvery) Assert.Equal(i, Lab.N(store[Id(i)]));
        for (var i = 0; i < Records; i += 3) await store.DeleteAsync(Id(i));
        for (var i = 1; i < Records; i += 3) await store.SetAsync(Id(i), Lab.Doc(i + Records));

        var expected = Enumerable.Range(0, Records).Where(i => i % 3 != 0).Select(i => i % 3 == 1 ? i + Records : i).Order().ToArray();
        var shown = new List<int>();
        foreach (var document in store.Values) shown.Add(Lab.N(document));
        Assert.Equal(expected, shown.Order());
        Assert.Equal(expected, store.Values.Select(Lab.N).Order());
        Assert.Equal(expected, store.Select(record => Lab.N(record.Value)).Order());
        Assert.Equal(expected, store.View().Values.Select(Lab.N).Order());
        Assert.Equal(expected.Length, store.Values.Count);
    }

    [Fact]
    public async Task A_scan_goes_on_over_records_that_come_and_go_meanwhile()
    {
        await using var store = await FilledAsync();
        var shown = new List<int>();
        foreach (var document in store.Values)
        {
            shown.Add(Lab.N(document));
            if (shown.Count % 10 != 0) continue;
            await store.DeleteAsync($"new-{shown.Count - 10}-0");
            for (var i = 0; i < 20; i++) await store.SetAsync($"new-{shown.Count}-{i}", Lab.Doc(Records + (shown.Count * 20) + i));
        }

        Assert.Equal(Enumerable.Range(0, Records), shown.Where(n => n < Records).Order());
        Assert.Equal(shown.Count, shown.Distinct().Count());
    }

    [Fact]
    public async Task An_empty_store_has_no_documents()
    {
        await using var store = await Lab.OpenAsync(new MemoryStorage(), Lab.Options());
        Assert.Empty(store.Values);
        await store.SetAsync("a", Lab.Doc(1));
        Assert.Single(store.Values);
        await store.DeleteAsync("a");
        Assert.Empty(store.Values);
    }

    private static async Task<OpsStore<System.Text.Json.JsonElement>> FilledAsync()
    {
        var store = await Lab.OpenAsync(new MemoryStorage(), Lab.Options());
        await store.BatchAsync(batch =>
        {
            for (var i = 0; i < Records; i++) batch.Set(Id(i), Lab.Doc(i));
        });
        return store;
    }

    private static string Id(int number) => number % 2 == 0 ? $"id-{number}" : $"an id that does not fit into a slot, {number}";
}
