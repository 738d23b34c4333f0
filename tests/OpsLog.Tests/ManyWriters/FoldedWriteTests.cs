using OpsLog.Storage;
using OpsLog.Testing;
using OpsLog.Tests.Corpus;
using OpsLog.Tests.Faults;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.ManyWriters;

/// <summary>
/// Goal: a write that another's checkpoint folds before its answer comes is shown and kept. Method: the append is held behind its storage call; the other makes a checkpoint whose floor is
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
        var gate = new Gate();
        HookedStorage hooked = null!;
        var a = await site.OpenAsync("A", o => o.TimeProvider = new HastyTime(), s => hooked = new HookedStorage(s));
        var log = (await a.SetAsync("x", Lab.Doc(1))).Log;
        var b = await site.OpenAsync("B");
        hooked.After = async (_, key) =>
        {
            if (!key.Value.StartsWith(log[..^".jsonl".Length], StringComparison.Ordinal)) return;
            await gate.PassAsync();
            if (!isLost) return;
            hooked.Before = (_, _) => throw new StorageException(StorageFault.Unavailable, "The network is away.");
            throw new StorageException(StorageFault.Unavailable, "The answer is lost.") { OutcomeUnknown = true };
        };
        var held = a.SetAsync("k", Lab.Doc(2)).AsTask();
        await gate.Arrived.WaitAsync(s_patience);
        await b.CompactAsync();
        await a.RefreshAsync();
        hooked.After = isLost ? hooked.After : null;
        gate.Open();
        if (isLost) await Lab.RefusedAsync(OpsLogError.OutcomeUnknown, async Task () => await held.WaitAsync(s_patience));
        else await held.WaitAsync(s_patience);
        (hooked.After, hooked.Before) = (null, null);
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
}
