using System.Text;
using System.Text.Json;
using OpsLog.Engine;
using OpsLog.Storage;
using OpsLog.Tests.Faults;
using Xunit;

namespace OpsLog.Tests.Engine;

/// <summary>
/// Goal: a location is never read in another extent than the one it was made for, though numbers are used again, and a location without an extent is an error and no endless search.
/// Method: a table that has gone round once, and an extent taken away.
/// </summary>
public sealed class ExtentNumberTests
{
    private const int Numbers = 1 << 14;

    [Fact]
    public void An_enumeration_that_outlives_a_number_shows_the_record_and_not_what_lay_there_before()
    {
        var state = new StoreState(1);
        var first = Put(state, 1);
        var extents = state.Extents.Current;
        state.Extents.Remove(first);
        for (var i = 0; i < Numbers - 2; i++) state.Extents.Remove(state.Extents.Add(new Extent("", [])));
        var second = Put(state, 2);
        Assert.Equal(first.Index, second.Index);
        foreach (var entry in state.Records.WithDocuments())
        {
            Assert.True(Documents.TryMaterialise(state, extents, entry, new DocumentCodec<JsonElement>(new OpsStoreOptions()), out var document));
            Assert.Equal(2, Lab.N(document));
        }
    }

    [Fact]
    public void An_enumeration_that_outlives_an_extent_shows_the_record_where_it_lies_now()
    {
        var state = new StoreState(1);
        var first = Put(state, 1);
        var (extents, entries) = (state.Extents.Current, state.Records.WithDocuments());
        Assert.True(entries.MoveNext());
        var entry = entries.Current;
        Put(state, 2);
        state.Extents.Remove(first);
        Assert.True(Documents.TryMaterialise(state, extents, entry, new DocumentCodec<JsonElement>(new OpsStoreOptions()), out var document));
        Assert.Equal(2, Lab.N(document));
    }

    [Fact]
    public void An_extent_gives_up_no_number_but_its_own()
    {
        var table = new ExtentTable();
        var first = table.Add(new Extent("", []));
        table.Remove(first);
        for (var i = 0; i < Numbers - 2; i++) table.Remove(table.Add(new Extent("", [])));
        var second = table.Add(new Extent("", []));
        Assert.Equal(first.Index, second.Index);
        table.Remove(first);
        Assert.Same(second, table.Current[second.Index]);
    }

    [Fact]
    public async Task A_record_whose_extent_is_gone_is_an_error_and_no_endless_search()
    {
        var state = new StoreState(1);
        var extents = state.Extents.Current;
        state.Extents.Remove(Put(state, 1));
        var entries = state.Records.WithDocuments();
        entries.MoveNext();
        var entry = entries.Current;
        await FailsAsync(() => Documents.TryMaterialise(state, extents, entry, new DocumentCodec<JsonElement>(new OpsStoreOptions()), out _));
        await FailsAsync(() => new CommitGroup(state, TimeProvider.System).RevisionOf("x"));

        var engine = await StoreEngine.OpenAsync(new MemoryStorage(), false, new EngineSettings(Lab.Options()), TestContext.Current.CancellationToken);
        engine.State.Extents.Remove(Put(engine.State, 1));
        await FailsAsync(() => engine.TryReadDocument("x", out _, out _));
        await engine.DisposeAsync();
    }

    private static async Task FailsAsync(Action call)
    {
        var searching = Task.Run(call, TestContext.Current.CancellationToken);
        Assert.Contains("open it again", (await Assert.ThrowsAsync<InvalidOperationException>(() => searching.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken))).Message, StringComparison.Ordinal);
    }

    private static Extent Put(StoreState state, int n)
    {
        var location = new OwnForm(state).Add("x"u8, Encoding.UTF8.GetBytes($"{{\"n\":{n}}}"), n, StampSource.SingleWriter, tombstone: false);
        state.Records.Set("x"u8, location);
        return state.Extents.Current[location.Extent]!;
    }
}
