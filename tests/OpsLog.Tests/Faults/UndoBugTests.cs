using System.Text.Json;
using OpsLog.Storage;
using OpsLog.Tests.Corpus;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.Faults;

/// <summary>Goal: none of the package's bugs in undo (numbers of docs/faults.md). Method: the scenario of each; what is shown is compared with what a reopening shows.</summary>
public sealed class UndoBugTests
{
    [Fact]
    public async Task Bug39_an_undo_behind_a_torn_tail_takes_back_the_last_operation_and_cuts_nothing()
    {
        var disk = new MemoryStorage();
        await using (var store = await Lab.OpenAsync(disk))
        {
            await store.SetAsync("a", Lab.Doc(1));
            await store.SetAsync("b", Lab.Doc(2));
            await store.SetAsync("c", Lab.Doc(3));
        }

        var log = await Lab.LogAsync(disk);
        var whole = await Lab.ReadAsync(disk, log);
        var torn = whole[..^10];
        await Lab.WriteAsync(disk, log, torn);
        await AfterUndo(disk, "a = {\"n\":1}");
        Assert.True((await Lab.ReadAsync(disk, log)).AsSpan().StartsWith(torn));
    }

    [Fact]
    public async Task Bug40_text_of_several_bytes_a_character_does_not_move_the_undo()
    {
        foreach (var text in new[] { "日本語のテキスト", "žluťoučký kůň", "🐎🐎🐎", "\u2028\u0000\"\\" })
        {
            var disk = new MemoryStorage();
            await using (var store = await Lab.OpenAsync(disk))
            {
                await store.SetAsync(text, JsonSerializer.SerializeToElement(new { text }));
                await store.SetAsync("b", Lab.Doc(1));
                await store.SetAsync(text + text, JsonSerializer.SerializeToElement(new { text = text + text }));
            }

            await using (var store = await Lab.OpenAsync(disk))
            {
                Assert.True(await store.UndoAsync());
                Assert.Equal(2, store.Count);
                Assert.True(await store.UndoAsync());
            }

            await using var reopened = await Lab.OpenAsync(disk);
            Assert.Equal([text], reopened.Keys);
            Assert.Equal(text, reopened[text].GetProperty("text").GetString());
        }
    }

    [Fact]
    public async Task Bug41_the_length_of_the_last_line_does_not_matter()
    {
        var disk = new MemoryStorage();
        await using var store = await Lab.OpenAsync(disk);
        await store.SetAsync("first", Lab.Doc(1));
        var log = await Lab.LogAsync(disk);
        var lengths = new HashSet<int>();
        for (var padding = 3900; padding < 4100; padding++)
        {
            var before = (await Lab.ReadAsync(disk, log)).Length;
            await store.SetAsync("a", JsonSerializer.SerializeToElement(new { text = new string('x', padding) }));
            lengths.Add((await Lab.ReadAsync(disk, log)).Length - before);
            Assert.True(await store.UndoAsync());
            Assert.Equal(["first"], store.Keys);
        }

        Assert.Contains(4096, lengths);
        await store.DisposeAsync();
        Assert.Equal("first = {\"n\":1}", await Lab.StateAsync(disk));
    }

    [Fact]
    public async Task Bug42_a_batch_is_undone_and_redone_as_one()
    {
        var disk = new MemoryStorage();
        await using (var store = await Lab.OpenAsync(disk))
        {
            await store.SetAsync("y", Lab.Doc(0));
            await store.BatchAsync(b =>
            {
                b.Set("x", Lab.Doc(1));
                b.Set("y", Lab.Doc(2));
                b.Set("x", Lab.Doc(3));
            });
            Assert.True(await store.UndoAsync());
            Assert.Equal("y = {\"n\":0}", Runs.Text(store));
            Assert.True(await store.RedoAsync());
            Assert.Equal("x = {\"n\":3}\ny = {\"n\":2}", Runs.Text(store));
        }

        await AfterUndo(disk, "y = {\"n\":0}");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Bug43_undo_redo_and_history_reach_behind_checkpoints_and_archive_runs(bool append)
    {
        var disk = new MemoryStorage(append);
        await using (var store = await Lab.OpenAsync(disk))
        {
            await store.SetAsync("a", Lab.Doc(1));
            await store.CompactAsync();
            await store.SetAsync("a", Lab.Doc(2));
            await store.CompactAsync();
            await store.ArchiveAsync(["a"], "2026");
            await store.CompactAsync();
        }

        await using (var store = await Lab.OpenAsync(disk))
        {
            Assert.True(await store.UndoAsync());
            Assert.Equal(2, Lab.N(store["a"]));
            Assert.True(await store.UndoAsync());
            Assert.Equal(1, Lab.N(store["a"]));
            Assert.True(await store.RedoAsync());
            Assert.True(await store.RedoAsync());
            Assert.False(await store.RedoAsync());
            Assert.Empty(store);
            var history = 0;
            await foreach (var _ in store.HistoryAsync("a")) history++;
            Assert.Equal(7, history);
        }

        await AfterUndo(disk, "a = {\"n\":2}");
        await using var reader = await Lab.OpenAsync(disk, Lab.ReadOnly());
        Assert.Equal(2, Lab.N((await reader.LoadArchiveAsync("2026"))["a"]));
    }

    [Fact]
    public async Task Bug39_an_undo_in_a_store_of_the_package_gives_its_state_back()
    {
        var corpus = CorpusStore.All.First(c => c.Opens && !c.IsMultiWriter && c.State.Count > 0 && c.Files.Keys.Any(f => f.StartsWith("ops/", StringComparison.Ordinal)));
        using var folder = new TempFolder();
        corpus.CopyTo(folder.Path);
        string before;
        await using (var store = await OpsStore<JsonElement>.OpenAsync(folder.Path, corpus.Options()))
        {
            before = Runs.Text(store);
            await store.SetAsync("ours", Lab.Doc(1));
            Assert.True(await store.UndoAsync());
            Assert.Equal(before, Runs.Text(store));
        }

        await using var reopened = await OpsStore<JsonElement>.OpenAsync(folder.Path, corpus.Options());
        Assert.Equal(before, Runs.Text(reopened));
    }

    private static async Task AfterUndo(IOpsStorage disk, string expected)
    {
        await using (var store = await Lab.OpenAsync(disk))
        {
            Assert.True(await store.UndoAsync());
            Assert.Equal(expected, Runs.Text(store));
        }

        Assert.Equal(expected, await Lab.StateAsync(disk));
    }
}
