using System.Text.Json;
using OpsLog.Storage;
using OpsLog.Testing;
using OpsLog.Tests.Corpus;
using OpsLog.Tests.Faults;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.ManyWriters;

/// <summary>
/// Goal: a write that another's checkpoint folds before its answer comes is shown and kept, or stays archived if it was archived meanwhile. Method: the append is held behind its storage call; the other makes a checkpoint whose floor is
/// the clock of the write, and the agent refreshes before the answer, or while it comes.
/// </summary>
public sealed class FoldedWriteTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    /// <summary>The floor reached its clock: absent and at the floor it would have been taken for forgotten.</summary>
    [Theory]
    [InlineData(Site.Append, false)]
    [InlineData(Site.Numbered, false)]
    [InlineData(Site.Append, true)]
    public async Task I1_a_write_that_was_folded_before_its_answer_is_shown_and_kept(string kind, bool isLost)
    {
        await using var site = new Site(kind);
        HookedStorage hooked = null!;
        var a = await site.OpenAsync("A", o => o.TimeProvider = new HastyTime(), s => hooked = new HookedStorage(s));
        var log = (await a.SetAsync("x", Lab.Doc(1))).Log;
        var b = await site.OpenAsync("B");
        var answer = await WriteAsync(a, hooked, log, isLost);
        await b.CompactAsync();
        await a.RefreshAsync();
        await answer();
        await a.CompactAsync();
        Assert.Equal(2, Lab.N(a["k"]));
        await site.AssertAgreeAsync("k = {\"n\":2}\nx = {\"n\":1}", a, b);
    }

    /// <summary>The snapshot is read in several pieces: between two of them the answer puts the record back to where it was written, and that is not in the snapshot.</summary>
    [Fact]
    public async Task I1_a_write_whose_answer_comes_while_the_snapshot_that_has_it_is_merged_is_shown_and_kept()
    {
        for (var read = 1; read <= 6; read++)
        {
            await using var site = new Site(Site.Append);
            var gate = new Gate();
            HookedStorage hooked = null!;
            var a = await site.OpenAsync("A", wrap: s => hooked = new HookedStorage(s));
            var log = (await a.SetAsync("x", Lab.Doc(1))).Log;
            var c = await site.OpenAsync("C");
            for (var i = 0; i < 6; i++) await c.SetAsync($"long-{i}", StoreReading.Element($$"""{"text":"{{new string('-', 1 << 20)}}"}"""));
            var b = await site.OpenAsync("B");
            hooked.After = (_, key) => key.Value == log ? gate.PassAsync() : Task.CompletedTask;
            var held = a.SetAsync("k", Lab.Doc(2)).AsTask(); // with a smaller clock than all of C's
            await gate.Arrived.WaitAsync(s_patience);
            hooked.After = null;
            await b.CompactAsync();
            var reads = 0;
            hooked.Before = async (call, key) =>
            {
                if (call != StorageCalls.Read || !key.Value.StartsWith("snapshots/", StringComparison.Ordinal) || ++reads != read) return;
                gate.Open();
                await held.WaitAsync(s_patience);
            };
            await a.RefreshAsync();
            hooked.Before = null;
            gate.Open();
            await held.WaitAsync(s_patience);
            Assert.True(a.ContainsKey("k"), $"read {read} of {reads}");
            await a.CompactAsync();
            await b.RefreshAsync();
            Assert.True(b.ContainsKey("k"), $"read {read} of {reads}");
        }
    }

    /// <summary>An archive's delete has the stamp of what it moved: it may be forgotten while the log it comes from is still open.</summary>
    [Theory]
    [InlineData(Site.Append, false)]
    [InlineData(Site.Append, true)]
    [InlineData(Site.Numbered, false)]
    public async Task I3_a_write_that_was_archived_and_forgotten_before_its_answer_does_not_come_back(string kind, bool isLost)
    {
        await using var site = new Site(kind);
        HookedStorage hooked = null!;
        var a = await site.OpenAsync("A", o => o.TimeProvider = new HastyTime(), s => hooked = new HookedStorage(s));
        var ids = Enumerable.Range(0, 300).Select(i => $"old-{i}").ToList();
        await a.BatchAsync(batch => ids.ForEach(id => batch.Set(id, Lab.Doc(0))));
        await a.BatchAsync(batch => ids.ForEach(id => batch.Delete(id)));
        var log = (await a.SetAsync("x", Lab.Doc(1))).Log;
        var answer = await WriteAsync(a, hooked, log, isLost);
        var b = await site.OpenAsync("B", o => o.HistoryRetention = isLost ? HistoryRetention.None : HistoryRetention.Forever);
        Assert.Equal(1, await b.ArchiveAsync(["k"], "2026"));
        await b.CompactAsync();
        await a.RefreshAsync();
        await answer();
        await a.RefreshAsync();
        Assert.False(a.ContainsKey("k"));
        await a.CompactAsync();
        await site.AssertAgreeAsync("x = {\"n\":1}", a, b);
    }

    /// <summary>What has become a piece of a log is known here: others may cover it.</summary>
    [Fact]
    public async Task Flushed_writes_that_another_covers_need_no_snapshot()
    {
        await using var site = new Site(Site.Numbered);
        HookedStorage hooked = null!;
        var a = await site.OpenAsync("A", o => o.Durability = Durability.Buffered, s => hooked = new HookedStorage(s));
        await a.SetAsync("x", Lab.Doc(1));
        await a.FlushAsync();
        await (await site.OpenAsync("B")).CompactAsync();
        var reads = 0;
        hooked.Before = (_, key) =>
        {
            if (key.Value.StartsWith("snapshots/", StringComparison.Ordinal)) reads++;
            return Task.CompletedTask;
        };
        await a.RefreshAsync();
        Assert.Equal(0, reads);
    }

    // Sets k: the append is in the storage, and its answer waits. What is returned lets it come, or loses it together with all that could tell.
    private static async Task<Func<Task>> WriteAsync(OpsStore<JsonElement> store, HookedStorage hooked, string log, bool isLost)
    {
        var gate = new Gate();
        hooked.After = async (_, key) =>
        {
            if (!key.Value.StartsWith(log[..^".jsonl".Length], StringComparison.Ordinal)) return;
            await gate.PassAsync();
            if (!isLost) return;
            hooked.Before = (_, _) => throw new StorageException(StorageFault.Unavailable, "The network is away.");
            throw new StorageException(StorageFault.Unavailable, "The answer is lost.") { OutcomeUnknown = true };
        };
        var held = store.SetAsync("k", Lab.Doc(2)).AsTask();
        await gate.Arrived.WaitAsync(s_patience);
        return async () =>
        {
            hooked.After = isLost ? hooked.After : null;
            gate.Open();
            if (isLost) await Lab.RefusedAsync(OpsLogError.OutcomeUnknown, async Task () => await held.WaitAsync(s_patience));
            else await held.WaitAsync(s_patience);
            (hooked.After, hooked.Before) = (null, null);
        };
    }
}
