using System.Globalization;
using OpsLog.Storage;
using Xunit;

namespace OpsLog.Tests.Engine;

/// <summary>Goal: who reads documents that were made already leaves nothing to the collector. Method: allocations counted, of a store as its users have it.</summary>
public sealed class ReadAllocationTests
{
    private const int Records = 500, WarmUp = 400, Rounds = 20;

    [Fact]
    public async Task A_get_of_a_document_that_was_made_allocates_nothing()
    {
        await using var store = await OpenAsync();
        var ids = Enumerable.Range(0, Records).Select(Id).ToArray();
        Assert.Equal(0, Allocated(() =>
        {
            var sum = 0;
            foreach (var id in ids)
                if (store.TryGetValue(id, out var note)) sum += note.Number + store[id].Number;
            return sum;
        }));
    }

    [Fact]
    public async Task A_loop_over_documents_that_were_made_allocates_nothing()
    {
        await using var store = await OpenAsync();
        Assert.Equal(0, Allocated(() =>
        {
            var sum = 0;
            foreach (var note in store.Values) sum += 2 * note.Number;
            return sum;
        }));
    }

    // The first rounds make the documents and run code that is not optimised yet.
    private static long Allocated(Func<int> round)
    {
        for (var i = 0; i < WarmUp; i++) Assert.Equal(Records * (Records - 1), round());
        var before = GC.GetAllocatedBytesForCurrentThread();
        var sum = 0;
        for (var i = 0; i < Rounds; i++) sum += round();
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.Equal(Rounds * Records * (Records - 1), sum);
        return allocated;
    }

    private static string Id(int number) => string.Create(CultureInfo.InvariantCulture, $"note-{number}");

    private static async Task<OpsStore<Note>> OpenAsync()
    {
        var store = await OpsStore<Note>.OpenAsync(new MemoryStorage(), new OpsStoreOptions());
        for (var i = 0; i < Records; i++) await store.SetAsync(Id(i), new Note(i));
        return store;
    }

    private sealed record Note(int Number);
}
