using System.Globalization;
using OpsLog.Tests.Corpus;
using Xunit;

namespace OpsLog.Tests.Engine;

/// <summary>
/// Goal: a put allocates the bytes that the store keeps of it, and a small constant. Method: allocations of the caller's thread counted, of a store in a folder as its users have it; what
/// is allocated at once for many records (the log's pieces, the index's segments) is told apart by its size.
/// </summary>
public sealed class PutAllocationTests
{
    // What is measured is less than a MiB: no flush comes in between.
    private const int WarmUp = 20_000, Puts = 4_000, Piece = 16 << 10, IndexOfRecord = 2 * 32 * 4; // a slot, at least three eighths full, and its segment copied as it splits

    [Theory]
    [InlineData(Durability.Os, false)]
    [InlineData(Durability.Os, true)]
    [InlineData(Durability.Buffered, false)]
    [InlineData(Durability.Buffered, true)]
    public Task A_put_allocates_what_the_store_keeps_of_it(Durability durability, bool areNew) => AssertPutsAsync(durability, areNew, Note);

    [Fact]
    public Task A_put_of_json_allocates_what_the_store_keeps_of_it() =>
        AssertPutsAsync(Durability.Os, false, i => StoreReading.Element($$"""{"title":"Build the parser","number":{{i}}}"""));

    [Theory]
    [InlineData(Durability.Os, false)]
    [InlineData(Durability.Os, true)]
    [InlineData(Durability.Buffered, true)]
    public async Task A_batch_allocates_what_the_store_keeps_of_it_and_a_little_for_each_record(Durability durability, bool areNew)
    {
        const int Size = 100, OfRecord = 96; // where its document lies, until it is in its line
        using var folder = new TempFolder();
        await using var store = await OpenAsync<Written>(folder, durability);
        var notes = Notes(areNew ? WarmUp + Puts : Size, Note);
        var (besides, pieces) = (0L, 0L);
        for (var i = 0; i < WarmUp + Puts; i += Size)
        {
            if (i == WarmUp)
            {
                await store.CompactAsync();
                pieces = 0;
            }

            var first = i % notes.Length;
            var before = GC.GetAllocatedBytesForCurrentThread();
            var put = store.BatchAsync(batch =>
            {
                for (var j = first; j < first + Size; j++) batch.Set(notes[j].Id, notes[j].Note);
            });
            var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            Assert.True(put.IsCompletedSuccessfully || i < WarmUp);
            await put;
            if (i < WarmUp) continue;
            if (allocated >= Piece + (OfRecord * Size)) pieces += allocated;
            else besides += allocated;
        }

        Assert.InRange(besides, 0, OfRecord * Puts);
        Assert.InRange(pieces, store.Statistics.LogBytes, MostPieces(store, areNew) + (OfRecord * Puts));
    }

    private static async Task AssertPutsAsync<T>(Durability durability, bool areNew, Func<int, T> make)
    {
        const int Constant = 104; // of code that is not optimised: where coverage is counted, too
        using var folder = new TempFolder();
        await using var store = await OpenAsync<T>(folder, durability);
        var notes = Notes(areNew ? WarmUp + Puts : 100, make);
        var (besides, pieces) = (0L, 0L);
        for (var i = 0; i < WarmUp + Puts; i++)
        {
            if (i == WarmUp)
            {
                await store.CompactAsync(); // a log of its own for what is measured: too short for memory that another thread makes ahead
                pieces = 0;
            }

            var (id, note) = notes[i % notes.Length];
            var before = GC.GetAllocatedBytesForCurrentThread();
            var put = store.SetAsync(id, note);
            var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            Assert.True(put.IsCompletedSuccessfully || i < WarmUp);
            await put;
            if (allocated >= Piece) pieces += allocated;
            else if (i >= WarmUp) besides += allocated;
        }

        Assert.InRange(besides, 0, Constant * Puts);
        Assert.InRange(pieces, store.Statistics.LogBytes, MostPieces(store, areNew));
    }

    // Each piece of the log is twice as long as the one before.
    private static long MostPieces<T>(OpsStore<T> store, bool areNew) => (2 * store.Statistics.LogBytes) + Piece + (areNew ? IndexOfRecord * Puts : 0);

    private static Written Note(int number) => new("Build the parser", number);

    private static (string Id, T Note)[] Notes<T>(int count, Func<int, T> make) =>
        [.. Enumerable.Range(0, count).Select(i => (string.Create(CultureInfo.InvariantCulture, $"task-{i}"), make(i)))];

    private static ValueTask<OpsStore<T>> OpenAsync<T>(TempFolder folder, Durability durability) => OpsStore<T>.OpenAsync(
        folder.Path, new OpsStoreOptions { Durability = durability, FlushInterval = TimeSpan.FromHours(1), Checkpoint = new CheckpointOptions { Automatic = false } });

    private sealed record Written(string Title, int Number);
}
