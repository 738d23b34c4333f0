using System.Text.Json;
using OpsLog.Engine;
using OpsLog.Format;
using OpsLog.Storage;
using OpsLog.Testing;
using OpsLog.Tests.Faults;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.ManyWriters;

/// <summary>
/// Goal: two calls at once on one opening, or a call during which one fault or another's checkpoint comes, lose nothing, bring nothing back, and end. Method: one of them is held at the
/// storage call that matters, the other goes by.
/// </summary>
public sealed class CallsAtOnceTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    /// <summary>Its append is in, its answer is not: meanwhile another deletes the record, folds the log, and forgets the delete.</summary>
    [Theory]
    [MemberData(nameof(Site.InMemory), MemberType = typeof(Site))]
    public async Task I3_a_write_that_was_folded_and_deleted_before_its_answer_does_not_come_back(string kind)
    {
        await using var site = new Site(kind);
        var gate = new Gate();
        HookedStorage hooked = null!;
        var a = await site.OpenAsync("A", wrap: s => hooked = new HookedStorage(s));
        var log = (await a.SetAsync("x", Lab.Doc(1))).Log;
        var b = await site.OpenAsync("B", o => o.Checkpoint.SilentAfter = TimeSpan.Zero);
        hooked.After = (_, key) => key.Value.StartsWith(log[..^".jsonl".Length], StringComparison.Ordinal) ? gate.PassAsync() : Task.CompletedTask;
        var held = a.SetAsync("k", Lab.Doc(2)).AsTask();
        await gate.Arrived.WaitAsync(s_patience);
        await b.RefreshAsync();
        Assert.True(await b.DeleteAsync("k"));
        await b.CompactAsync();
        await a.RefreshAsync();
        hooked.After = null;
        gate.Open();
        await held.WaitAsync(s_patience);
        Assert.False(a.ContainsKey("k"));
        await a.CompactAsync();
        await site.AssertAgreeAsync("x = {\"n\":1}", a, b);
    }

    /// <summary>The write it has in view came in while its group was begun.</summary>
    [Fact]
    public async Task V8_what_was_written_with_anothers_write_in_view_has_the_larger_stamp()
    {
        await using var site = new Site(Site.Append);
        var time = new InterruptingTime();
        var a = await site.OpenAsync("A", o => o.TimeProvider = time);
        await a.SetAsync("x", Lab.Doc(1));
        var b = await site.OpenAsync("B");
        for (var i = 0; i < 20; i++) await b.SetAsync("k", Lab.Doc(i));
        time.Interrupt = () => Assert.Equal(20, a.RefreshAsync().AsTask().GetAwaiter().GetResult()); // everything is in memory: it does not wait
        Assert.True(await a.DeleteAsync("k"));
        Assert.False(a.ContainsKey("k"));
        await site.AssertAgreeAsync("x = {\"n\":1}", a, b);
    }

    [Theory]
    [MemberData(nameof(Site.InMemory), MemberType = typeof(Site))]
    public async Task Closing_beside_two_refreshes_leaves_nobody_waiting(string kind)
    {
        await using var site = new Site(kind);
        await site.WithAsync("A", async store => await store.SetAsync("k", Lab.Doc(1)));
        var gate = new Gate();
        HookedStorage hooked = null!;
        var reader = await site.OpenAsync(null, o => o.ReadOnly = true, s => hooked = new HookedStorage(s));
        hooked.Before = (_, key) => key == Lab.Manifest ? gate.PassAsync() : Task.CompletedTask;
        var first = EndAsync(reader.RefreshAsync());
        await gate.Arrived.WaitAsync(s_patience);
        var second = EndAsync(reader.RefreshAsync());
        await reader.DisposeAsync();
        gate.Open();
        await Task.WhenAll(first, second).WaitAsync(s_patience);

        static async Task EndAsync(ValueTask<int> refresh)
        {
            try
            {
                await refresh;
            }
            catch (ObjectDisposedException)
            {
                // That is an end too.
            }
        }
    }

    /// <summary>A single writer's store gets agents while it is followed by two refreshes at once.</summary>
    [Theory]
    [MemberData(nameof(Site.InMemory), MemberType = typeof(Site))]
    public async Task A_follower_that_two_refreshes_find_many_writers_with_goes_on_with_all_of_them(string kind)
    {
        await using var site = new Site(kind);
        await site.WithAsync(null, async store => await store.SetAsync("k", Lab.Doc(1)));
        HookedStorage hooked = null!;
        var reader = await site.OpenAsync(null, o => o.ReadOnly = true, s => hooked = new HookedStorage(s));
        var a = await site.OpenAsync("A");
        await a.SetAsync("k", Lab.Doc(2));
        var gate = new Gate();
        hooked.Before = (call, key) => call == StorageCalls.Read && key.Value.StartsWith("snapshots/", StringComparison.Ordinal) ? gate.PassAsync() : Task.CompletedTask;
        var first = reader.RefreshAsync().AsTask();
        await gate.Arrived.WaitAsync(s_patience);
        var second = reader.RefreshAsync().AsTask();
        await site.WithAsync("B", async store => await store.SetAsync("m", Lab.Doc(3)));
        gate.Open();
        await Task.WhenAll(first, second).WaitAsync(s_patience);
        await a.SetAsync("k", Lab.Doc(4));
        await reader.RefreshAsync();
        Assert.Equal("k = {\"n\":4}\nm = {\"n\":3}", Runs.Text(reader));
    }

    [Fact]
    public async Task Reading_the_feed_beside_buffered_writes_to_a_numbered_log_is_no_damage()
    {
        await using var site = new Site(Site.Numbered);
        var gate = new Gate();
        HookedStorage hooked = null!;
        var a = await site.OpenAsync("A", o => o.Durability = Durability.Buffered, s => hooked = new HookedStorage(s));
        await a.SetAsync("a", Lab.Doc(1));
        hooked.Before = (call, key) => call == StorageCalls.Put && key.Value.StartsWith("ops/agent-A", StringComparison.Ordinal) ? gate.PassAsync() : Task.CompletedTask;
        var reading = Lab.OperationsAsync(a);
        await gate.Arrived.WaitAsync(s_patience);
        await a.SetAsync("b", Lab.Doc(2));
        gate.Open();
        Assert.Equal("a", (await reading.WaitAsync(s_patience))[0].Id);
        Assert.Equal(["a", "b"], (await Lab.OperationsAsync(a)).Select(o => o.Id));
    }

    [Theory]
    [InlineData(StorageFault.Full)]
    [InlineData(StorageFault.Broken)]
    public async Task A_flush_behind_an_append_that_failed_leaves_the_agent_writing_unless_the_medium_broke(StorageFault fault)
    {
        await using var site = new Site(Site.Append);
        HookedStorage hooked = null!;
        var a = await site.OpenAsync("A", o => o.Durability = Durability.Os, s => hooked = new HookedStorage(s));
        await a.SetAsync("x", Lab.Doc(0));
        Gate first = new(), second = new();
        var appends = 0;
        hooked.Before = async (call, _) =>
        {
            if (call != StorageCalls.Append) return;
            var number = ++appends;
            if (number <= 2) await (number == 1 ? first : second).PassAsync();
            if (number == 2) throw new StorageException(fault, "It cannot be written.") { OutcomeUnknown = fault == StorageFault.Broken };
        };
        var one = a.SetAsync("one", Lab.Doc(1)).AsTask();
        await first.Arrived.WaitAsync(s_patience);
        var flush = a.FlushAsync().AsTask();
        var two = a.SetAsync("two", Lab.Doc(2)).AsTask();
        first.Open();
        await second.Arrived.WaitAsync(s_patience);
        await Task.Delay(100); // the flush has queued its sync by then
        second.Open();
        await one.WaitAsync(s_patience);
        await Assert.ThrowsAsync<OpsLogException>(() => two);
        if (fault == StorageFault.Broken)
        {
            await Assert.ThrowsAsync<OpsLogException>(() => flush.WaitAsync(s_patience)); // "one" may not be on stable storage
            return;
        }

        await flush.WaitAsync(s_patience);
        hooked.Before = null;
        await a.SetAsync("three", Lab.Doc(3));
        await site.AssertAgreeAsync("one = {\"n\":1}\nthree = {\"n\":3}\nx = {\"n\":0}", a);
    }

    /// <summary>A checkpoint leaves the log and cannot sync it: the next flush does.</summary>
    [Fact]
    public async Task A_checkpoint_during_an_outage_leaves_the_agent_writing_and_what_was_left_is_synced_later()
    {
        await using var site = new Site(Site.Append);
        HookedStorage hooked = null!;
        var a = await site.OpenAsync("A", o => o.Durability = Durability.Os, s => hooked = new HookedStorage(s));
        var log = (await a.SetAsync("x", Lab.Doc(0))).Log;
        var isAway = true;
        var synced = new List<string>();
        hooked.Before = (call, key) =>
        {
            if (call == StorageCalls.Append && isAway) throw new StorageException(StorageFault.Unavailable, "The network is away.");
            if (call == StorageCalls.Append) synced.Add(key.Value);
            return Task.CompletedTask;
        };
        await Lab.RefusedAsync(OpsLogError.StorageFailed, async Task () => await a.CompactAsync());
        isAway = false;
        await a.FlushAsync();
        Assert.Equal([log], synced);
        await a.SetAsync("y", Lab.Doc(1));
        await a.CompactAsync();
        await site.AssertAgreeAsync("x = {\"n\":0}\ny = {\"n\":1}", a);
    }

    /// <summary>A write whose outcome stays unknown makes the agent give its log up; what it wrote there before is its own all the same.</summary>
    [Theory]
    [MemberData(nameof(Site.InMemory), MemberType = typeof(Site))]
    public async Task Undo_after_an_outage_takes_back_the_newest_own_write(string kind)
    {
        await using var site = new Site(kind);
        HookedStorage hooked = null!;
        var a = await site.OpenAsync("A", o => o.TimeProvider = new HastyTime(), s => hooked = new HookedStorage(s));
        await a.SetAsync("k", Lab.Doc(1));
        await a.CompactAsync();
        await a.SetAsync("k", Lab.Doc(2));
        hooked.Before = (_, _) => throw new StorageException(StorageFault.Unavailable, "The network is away.") { OutcomeUnknown = true };
        await Lab.RefusedAsync(OpsLogError.OutcomeUnknown, async Task () => await a.SetAsync("k", Lab.Doc(3)));
        hooked.Before = null;
        Assert.True(await a.UndoAsync());
        Assert.Equal(1, Lab.N(a["k"]));
        Assert.True(await a.RedoAsync());
        Assert.Equal(2, Lab.N(a["k"]));
    }

    /// <summary>Others do not believe a step so long: the undo goes into a log of its own, as any write would.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task F18_an_undo_or_a_write_beside_a_flush_after_a_jump_of_the_clock_counts_for_all(bool isUndo)
    {
        await using var site = new Site(Site.Append);
        var gate = new Gate();
        HookedStorage hooked = null!;
        var a = await site.OpenAsync("A", o => o.Durability = Durability.Os, s => hooked = new HookedStorage(s));
        await a.SetAsync("k", Lab.Doc(1));
        var b = await site.OpenAsync("B");
        var poisoned = new StorageKey((await b.SetAsync("b", Lab.Doc(1))).Log);
        var bytes = await Lab.ReadAsync(site.Storage, poisoned);
        var line = System.Text.Encoding.UTF8.GetBytes(System.Text.Encoding.UTF8.GetString(bytes).Replace("\"clock\":2,", $"\"clock\":{(1L << 40) + 2},", StringComparison.Ordinal));
        JsonLines.Reseal(line.AsSpan(0, line.Length - 1), bytes.Length);
        await site.Storage.AppendAsync(poisoned, line, bytes.Length, Flush.Synced, default);
        hooked.Before = (call, _) => call == StorageCalls.Append && !isUndo ? gate.PassAsync() : Task.CompletedTask;
        var flush = isUndo ? Task.CompletedTask : a.FlushAsync().AsTask();
        await a.RefreshAsync();
        var write = isUndo ? Task.CompletedTask : a.SetAsync("m", Lab.Doc(2)).AsTask();
        gate.Open();
        if (isUndo) Assert.True(await a.UndoAsync());
        await Task.WhenAll(flush, write).WaitAsync(s_patience);
        await a.SetAsync("n", Lab.Doc(3));
        Assert.Equal(Runs.Text(a), await site.StateAsync());
        var fresh = await site.OpenReadOnlyAsync();
        Assert.Empty(fresh.RecoveryReport.Notes);
    }

    /// <summary>What was given up may have been acknowledged before, and is not on stable storage yet.</summary>
    [Fact]
    public async Task A_flush_after_an_outage_syncs_the_log_that_was_given_up()
    {
        await using var site = new Site(Site.Append);
        HookedStorage hooked = null!;
        var a = await site.OpenAsync("A", o => (o.TimeProvider, o.Durability) = (new HastyTime(), Durability.Os), s => hooked = new HookedStorage(s));
        var log = (await a.SetAsync("x", Lab.Doc(1))).Log;
        hooked.Before = (_, _) => throw new StorageException(StorageFault.Unavailable, "The network is away.") { OutcomeUnknown = true };
        await Lab.RefusedAsync(OpsLogError.OutcomeUnknown, async Task () => await a.SetAsync("y", Lab.Doc(2)));
        await Lab.RefusedAsync(OpsLogError.StorageFailed, async Task () => await a.FlushAsync());
        hooked.Before = null;
        await a.FlushAsync();
        Assert.EndsWith("\n\n", System.Text.Encoding.UTF8.GetString(await Lab.ReadAsync(site.Storage, new StorageKey(log))), StringComparison.Ordinal);
    }

    /// <summary>Another's write comes in while the undo registers the log that it will be written to.</summary>
    [Theory]
    [MemberData(nameof(Site.InMemory), MemberType = typeof(Site))]
    public async Task An_undo_leaves_what_another_has_written_since(string kind)
    {
        await using var site = new Site(kind);
        var gate = new Gate();
        HookedStorage hooked = null!;
        var a = await site.OpenAsync("A", wrap: s => hooked = new HookedStorage(s));
        await a.SetAsync("k", Lab.Doc(1));
        await a.SetAsync("k", Lab.Doc(2));
        await a.CompactAsync();
        var b = await site.OpenAsync("B");
        hooked.Before = (call, key) => call == StorageCalls.Put && key.Value.StartsWith("ops/agent-A", StringComparison.Ordinal) ? gate.PassAsync() : Task.CompletedTask;
        var undo = a.UndoAsync().AsTask();
        await gate.Arrived.WaitAsync(s_patience);
        await b.RefreshAsync();
        await b.SetAsync("k", Lab.Doc(9));
        await a.RefreshAsync();
        gate.Open();
        Assert.True(await undo.WaitAsync(s_patience));
        await site.AssertAgreeAsync("k = {\"n\":9}", a, b);
    }

    [Fact]
    public async Task Who_was_fenced_is_told_at_every_refresh()
    {
        await using var site = new Site(Site.Append);
        var a = await site.OpenAsync("A");
        await a.SetAsync("k", Lab.Doc(1));
        var manifest = await Lab.ManifestAsync(site.Storage);
        manifest.Remove("opslog"); // as the package writes it
        await Lab.WriteAsync(site.Storage, Lab.Manifest, System.Text.Encoding.UTF8.GetBytes(manifest.ToJsonString()));
        for (var i = 0; i < 3; i++) await Lab.RefusedAsync(OpsLogError.Fenced, async Task () => await a.RefreshAsync());
    }

    [Fact]
    public void Nothing_is_written_behind_the_largest_clock()
    {
        var state = new StoreState(1) { Clock = Stamp.MaxClock - 1 };
        var group = new CommitGroup(state, TimeProvider.System) { Buffer = new LogBuffer(state.Extents.Add(new Extent("ops/x.jsonl", [StampSource.SingleWriter])), 0, WriteLimits.Default) };
        group.Begin();
        var draft = new LineDraft { Id = "k", Kind = OperationKind.Set, Data = "{}"u8.ToArray() };
        group.Write(draft);
        Assert.Equal(Stamp.MaxClock, group.Clock);
        Assert.Equal(OpsLogError.ReadOnly, Assert.Throws<OpsLogException>(() => group.Write(draft)).Error);
    }

    // Runs something once, when somebody asks for the time.
    private sealed class InterruptingTime : TimeProvider
    {
        public Action? Interrupt { get; set; }

        public override DateTimeOffset GetUtcNow()
        {
            var interrupt = Interrupt;
            Interrupt = null;
            interrupt?.Invoke();
            return base.GetUtcNow();
        }
    }
}
