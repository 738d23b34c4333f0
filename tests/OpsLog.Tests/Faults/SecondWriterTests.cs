using OpsLog.Storage;
using OpsLog.Testing;
using OpsLog.Tests.Corpus;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.Faults;

/// <summary>
/// Goal: two processes that both take themselves for the one writer (F19 to F23). Method: two openings on one storage: a folder, which holds
/// its writer by a lock, and storages that hold nobody, where the condition of each write is the only fence.
/// </summary>
public sealed class SecondWriterTests
{
    [Fact]
    public async Task F19_a_second_writer_of_a_folder_is_refused_and_reading_works_beside_the_first()
    {
        using var folder = new TempFolder();
        await using var first = await OpsStore<int[]>.OpenAsync(folder.Path, Lab.Options());
        var before = Files(folder);
        var refusal = await Lab.RefusedAsync(OpsLogError.Locked, async Task () => await OpsStore<int[]>.OpenAsync(folder.Path, Lab.Options()));
        Assert.Contains("read-only", refusal.Message, StringComparison.Ordinal);
        Assert.Contains("'). Close it there", refusal.Message, StringComparison.Ordinal);
        Assert.Equal(before, Files(folder));
        await using var reader = await OpsStore<int[]>.OpenAsync(folder.Path, Lab.ReadOnly());
        Assert.Empty(reader);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task F19_F20_the_first_to_write_wins_and_the_other_is_fenced_before_it_acknowledges(bool append)
    {
        var disk = new MemoryStorage(append);
        var original = await Lab.OpenAsync(disk);
        await original.SetAsync("a", Lab.Doc(1));
        var copy = await Lab.OpenAsync(disk);
        await copy.SetAsync("b", Lab.Doc(2));
        await Lab.RefusedAsync(OpsLogError.Fenced, async Task () => await original.SetAsync("b", Lab.Doc(3)));
        await Lab.RefusedAsync(OpsLogError.ReadOnly, async Task () => await original.UndoAsync());
        await Lab.RefusedAsync(OpsLogError.ReadOnly, () => original.CompactAsync());
        Assert.Equal("a = {\"n\":1}", Runs.Text(original));
        await copy.SetAsync("c", Lab.Doc(4));
        await Runs.AbandonAsync(original);
        await copy.DisposeAsync();

        await using var reopened = await Lab.OpenAsync(disk);
        Assert.Equal("a = {\"n\":1}\nb = {\"n\":2}\nc = {\"n\":4}", Runs.Text(reopened));
        var clocks = (await Lab.OperationsAsync(reopened)).ConvertAll(o => o.Revision.Clock);
        Assert.Equal([1, 2, 3], clocks);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task F20_a_fenced_undo_changes_nothing(bool append)
    {
        var disk = new MemoryStorage(append);
        var original = await Lab.OpenAsync(disk);
        await original.SetAsync("a", Lab.Doc(1));
        await using (var copy = await Lab.OpenAsync(disk)) await copy.SetAsync("b", Lab.Doc(2));
        await Lab.RefusedAsync(OpsLogError.Fenced, async Task () => await original.UndoAsync());
        Assert.Equal("a = {\"n\":1}", Runs.Text(original));
        await Runs.AbandonAsync(original);
        Assert.Equal("a = {\"n\":1}\nb = {\"n\":2}", await Lab.StateAsync(disk));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task F20_a_fenced_checkpoint_leaves_the_other_writers_store(bool append)
    {
        var disk = new MemoryStorage(append);
        var original = await Lab.OpenAsync(disk);
        await original.SetAsync("a", Lab.Doc(1));
        var copy = await Lab.OpenAsync(disk);
        await copy.SetAsync("b", Lab.Doc(2));
        await Lab.RefusedAsync(OpsLogError.Fenced, () => original.CompactAsync());
        await Runs.AbandonAsync(original);
        await copy.SetAsync("c", Lab.Doc(3));
        await copy.DisposeAsync();
        Assert.Equal("a = {\"n\":1}\nb = {\"n\":2}\nc = {\"n\":3}", await Lab.StateAsync(disk));
    }

    /// <summary>The sequence that broke others: paused, superseded, collected, resumed.</summary>
    [Theory]
    [InlineData(true, "set")]
    [InlineData(true, "undo")]
    [InlineData(true, "compact")]
    [InlineData(true, "archive")]
    [InlineData(false, "set")]
    [InlineData(false, "undo")]
    [InlineData(false, "compact")]
    [InlineData(false, "archive")]
    public async Task F21_a_writer_paused_over_checkpoints_and_collection_is_fenced_when_it_goes_on(bool append, string then)
    {
        var disk = new MemoryStorage(append);
        var paused = await Lab.OpenAsync(disk);
        await paused.SetAsync("a", Lab.Doc(1));
        await using (var successor = await Lab.OpenAsync(disk, Lab.Options(o => o.HistoryRetention = HistoryRetention.None)))
        {
            await successor.SetAsync("b", Lab.Doc(2));
            await successor.CompactAsync();
            await successor.SetAsync("c", Lab.Doc(3));
            await successor.CompactAsync();
        }

        await Lab.RefusedAsync(OpsLogError.Fenced, async Task () =>
        {
            if (then == "set") await paused.SetAsync("d", Lab.Doc(4));
            else if (then == "undo") await paused.UndoAsync();
            else if (then == "compact") await paused.CompactAsync();
            else await paused.ArchiveAsync(["a"], "2026");
        });
        await Runs.AbandonAsync(paused);
        await using var reopened = await Lab.OpenAsync(disk);
        Assert.Equal("a = {\"n\":1}\nb = {\"n\":2}\nc = {\"n\":3}", Runs.Text(reopened));
        Assert.Empty(reopened.Archives);
    }

    [Fact]
    public async Task F21_a_reader_follows_the_successor_and_not_the_paused_writer()
    {
        var disk = new MemoryStorage();
        var paused = await Lab.OpenAsync(disk);
        await paused.SetAsync("a", Lab.Doc(1));
        await using var reader = await Lab.OpenAsync(disk, Lab.ReadOnly());
        await using (var successor = await Lab.OpenAsync(disk))
        {
            await successor.SetAsync("b", Lab.Doc(2));
            await successor.CompactAsync();
        }

        await Lab.RefusedAsync(OpsLogError.Fenced, async Task () => await paused.SetAsync("c", Lab.Doc(3)));
        await reader.RefreshAsync();
        Assert.Equal("a = {\"n\":1}\nb = {\"n\":2}", Runs.Text(reader));
        await Runs.AbandonAsync(paused);
    }

    [Fact]
    public async Task F22_the_packages_compaction_lock_stops_no_checkpoint_and_its_lock_no_reader()
    {
        using var folder = new TempFolder();
        await using (var store = await OpsStore<Dictionary<string, int>>.OpenAsync(folder.Path, Lab.Options()))
        {
            await store.SetAsync("a", new() { ["n"] = 1 });
            await File.WriteAllTextAsync(folder[".compact-lock"], Environment.ProcessId.ToString(System.Globalization.CultureInfo.InvariantCulture));
            await store.CompactAsync();
            Assert.Equal(1, store.Statistics.Checkpoints);
        }

        await File.WriteAllTextAsync(folder[".lock"], "1"); // a process that is alive on every system
        await using var reader = await OpsStore<Dictionary<string, int>>.OpenAsync(folder.Path, Lab.ReadOnly());
        Assert.Equal(1, reader["a"]["n"]);
        Assert.Equal(0, await reader.RefreshAsync());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task F23_who_loses_the_race_to_create_a_store_opens_the_winners(bool append)
    {
        var disk = new MemoryStorage(append);
        var gate = new Gate();
        var slow = new HookedStorage(disk) { Before = (call, key) => call == StorageCalls.Put && key == Lab.Manifest ? gate.PassAsync() : Task.CompletedTask };
        var loser = Lab.OpenAsync(slow).AsTask();
        await gate.Arrived;
        slow.Before = null;
        await using (var winner = await Lab.OpenAsync(disk)) await winner.SetAsync("a", Lab.Doc(1));
        gate.Open();
        await using (var store = await loser)
        {
            Assert.Equal("a = {\"n\":1}", Runs.Text(store));
            await store.SetAsync("b", Lab.Doc(2));
        }

        Assert.Equal("a = {\"n\":1}\nb = {\"n\":2}", await Lab.StateAsync(disk));
        Assert.Single(await Lab.NamesAsync(disk, "snapshots/"));
    }

    [Fact]
    public async Task F23_of_many_that_open_an_empty_folder_one_writes_and_the_others_are_refused()
    {
        using var folder = new TempFolder();
        var openings = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => Task.Run(async () =>
        {
            try
            {
                return await OpsStore<Dictionary<string, int>>.OpenAsync(folder.Path, Lab.Options());
            }
            catch (OpsLogException e) when (e.Error == OpsLogError.Locked)
            {
                return null;
            }
        })));
        await using (var store = Assert.Single(openings, o => o is not null)!)
            await store.SetAsync("a", new() { ["n"] = 1 });
        await using var reader = await OpsStore<Dictionary<string, int>>.OpenAsync(folder.Path, Lab.ReadOnly());
        Assert.Equal(1, reader["a"]["n"]);
    }

    [Fact]
    public async Task F23_a_reader_makes_no_store()
    {
        var disk = new MemoryStorage();
        await Lab.OpeningRefusedAsync(OpsLogError.NotFound, disk, Lab.ReadOnly());
        Assert.Empty(await Lab.NamesAsync(disk));
    }

    private static List<string> Files(TempFolder folder) =>
        [.. Directory.EnumerateFiles(folder.Path, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)];
}
