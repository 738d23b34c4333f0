using System.Text.Json;
using OpsLog.Storage;
using OpsLog.Testing;
using OpsLog.Tests.Faults;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.ManyWriters;

/// <summary>
/// Goal: checkpoints of many agents stay out of each other's way, are made when they are due and no sooner, and hold up neither readers nor who closes. Method: storages
/// that hold or count calls, and a clock on which every delay is over at once.
/// </summary>
public sealed class AgentCheckpointTests
{
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan s_longestPause = TimeSpan.FromMilliseconds(128);

    [Theory]
    [MemberData(nameof(Site.InMemory), MemberType = typeof(Site))]
    public async Task A_checkpoint_that_is_due_waits_for_one_under_way(string kind)
    {
        await using var site = new Site(kind);
        var (gate, time, held, snapshots) = (new Gate(), new HastyTime(), false, 0);
        var b = await site.OpenAsync("B", wrap: s => new HookedStorage(s) { Before = (call, key) => held && IsSnapshot(call, key) ? gate.PassAsync() : Task.CompletedTask });
        await b.SetAsync("b", Lab.Doc(1));
        var compaction = Task.CompletedTask;
        var a = await site.OpenAsync("A", o => Due(o, time), s => new HookedStorage(s)
        {
            Before = async (call, key) =>
            {
                if (IsSnapshot(call, key)) snapshots++;
                if (call != StorageCalls.Read || key != Lab.Manifest || !time.Waits.Contains(s_look)) return;
                gate.Open();
                await compaction;
            },
        });
        await b.SetAsync("b", Lab.Doc(2));
        held = true;
        compaction = b.CompactAsync().AsTask();
        await gate.Arrived;
        Assert.Equal(1, await a.RefreshAsync()); // a checkpoint is due
        await a.DisposeAsync(); // it has ended
        gate.Open();
        await compaction;
        Assert.Equal(0, snapshots);
        Assert.Contains(s_look, time.Waits);
        await site.AssertAgreeAsync("b = {\"n\":2}", b);
    }

    /// <summary>Who reserved names may have died over it.</summary>
    [Theory]
    [MemberData(nameof(Site.InMemory), MemberType = typeof(Site))]
    public async Task A_checkpoint_that_nobody_ends_is_waited_for_once_and_not_for_long(string kind)
    {
        await using var site = new Site(kind);
        var (gate, time) = (new Gate(), new HastyTime());
        var dead = await site.OpenAsync("B", wrap: s => new HookedStorage(s) { Before = (call, key) => IsSnapshot(call, key) && key.Value.Contains("-r000000000000-", StringComparison.Ordinal) ? Task.CompletedTask : IsSnapshot(call, key) ? gate.PassAsync() : Task.CompletedTask });
        await dead.SetAsync("b", Lab.Doc(1));
        var compaction = dead.CompactAsync().AsTask();
        await gate.Arrived;
        var a = await site.OpenAsync("A", o => Due(o, time));
        await a.SetAsync("a", Lab.Doc(1));
        await a.DisposeAsync();
        Assert.InRange(time.Waits.Count(w => w == s_look), 20, 21);
        Assert.Single(await Lab.NamesAsync(site.Storage, "snapshots/"));
        Assert.Equal("a = {\"n\":1}\nb = {\"n\":1}", await site.StateAsync());
        gate.Open();
        await compaction;
        Assert.Equal("a = {\"n\":1}\nb = {\"n\":1}", await site.StateAsync());
    }

    [Theory]
    [MemberData(nameof(Site.InMemory), MemberType = typeof(Site))]
    public async Task A_checkpoint_that_is_outrun_pauses_and_never_for_long(string kind)
    {
        await using var site = new Site(kind);
        var (time, outruns, b) = (new HastyTime(), 12, default(OpsStore<JsonElement>));
        var a = await site.OpenAsync("A", o => (o.TimeProvider, o.Random) = (time, new Random(1)), s => new HookedStorage(s)
        {
            Before = async (call, key) =>
            {
                if (b is null || !IsSnapshot(call, key) || --outruns < 0) return;
                await b.SetAsync("b", Lab.Doc(outruns));
                await b.CompactAsync();
            },
        });
        await a.SetAsync("a", Lab.Doc(1));
        b = await site.OpenAsync("B");
        await a.CompactAsync();
        Assert.Equal(1, a.Statistics.Checkpoints);
        Assert.Equal(12, time.Waits.Count);
        Assert.All(time.Waits, wait => Assert.InRange(wait, TimeSpan.FromTicks(1), s_longestPause));
        Assert.True(time.Waits.Max() > s_longestPause / 4);
        await site.AssertAgreeAsync("a = {\"n\":1}\nb = {\"n\":0}", a, b);
    }

    [Theory]
    [MemberData(nameof(Site.InMemory), MemberType = typeof(Site))]
    public async Task A_swap_that_is_outrun_is_tried_at_once_and_then_after_pauses_that_are_never_long(string kind)
    {
        await using var site = new Site(kind);
        var (time, outruns) = (new HastyTime(), 0);
        var a = await site.OpenAsync("A", o => (o.TimeProvider, o.Random) = (time, new Random(1)), s => new HookedStorage(s)
        {
            Before = async (call, key) =>
            {
                if (call == StorageCalls.Put && key == Lab.Manifest && outruns > 0 && outruns-- > 0) await site.WithAsync($"rival-{outruns}", async rival => await rival.SetAsync("b", Lab.Doc(outruns)));
            },
        });
        outruns = 16;
        await a.SetAsync("a", Lab.Doc(1));
        Assert.Equal(16, a.Statistics.ManifestConflicts);
        Assert.Equal(13, time.Waits.Count); // of 17 tries the first four at once
        Assert.All(time.Waits, wait => Assert.InRange(wait, TimeSpan.FromTicks(1), s_longestPause));
        Assert.True(time.Waits.Max() > s_longestPause / 4);
        await a.RefreshAsync();
        Assert.Equal(2, a.Count);
    }

    [Theory]
    [MemberData(nameof(Site.InMemory), MemberType = typeof(Site))]
    public async Task A_swap_that_is_outrun_a_hundred_times_is_given_up_and_the_next_write_tries_again(string kind)
    {
        await using var site = new Site(kind);
        var outruns = 0;
        var a = await site.OpenAsync("A", o => (o.TimeProvider, o.Random) = (new HastyTime(), new Random(1)), s => new HookedStorage(s)
        {
            Before = async (call, key) =>
            {
                if (call == StorageCalls.Put && key == Lab.Manifest && outruns > 0 && outruns-- > 0) await site.WithAsync("rival", async rival => await rival.SetAsync("b", Lab.Doc(outruns)));
            },
        });
        outruns = 101;
        var refusal = await Lab.RefusedAsync(OpsLogError.Conflict, async Task () => await a.SetAsync("a", Lab.Doc(1)));
        Assert.Contains("Try again", refusal.Message, StringComparison.Ordinal);
        Assert.Equal(100, a.Statistics.ManifestConflicts);
        outruns = 0;
        await a.SetAsync("a", Lab.Doc(2));
        await a.RefreshAsync();
        await site.AssertAgreeAsync("a = {\"n\":2}\nb = {\"n\":1}", a);
    }

    /// <summary>Reads and writes wait while a part of a snapshot is merged, so the parts are small.</summary>
    [Fact]
    public async Task A_large_snapshot_is_merged_in_parts()
    {
        await using var site = new Site(Site.Append);
        long largest = 0;
        var a = await site.OpenAsync("A", o => o.HistoryRetention = HistoryRetention.None);
        var b = await site.OpenAsync("B", wrap: s => new HookedStorage(s)
        {
            Reading = found =>
            {
                largest = Math.Max(largest, found.Memory?.Length ?? found.Content.Length);
                return found;
            },
        });
        var text = StoreOf(1 << 20);
        for (var i = 0; i < 10; i++) await a.SetAsync($"k{i}", text);
        await a.CompactAsync();
        await a.SetAsync("k", Lab.Doc(1));
        await a.CompactAsync(); // and the log with the ten is gone
        largest = 0;
        await b.RefreshAsync();
        Assert.Equal(11, b.Count);
        Assert.True(a.Statistics.SnapshotBytes > 10 << 20);
        Assert.InRange(largest, 1 << 20, 4 << 20);
    }

    [Fact]
    public async Task A_log_that_was_left_is_free_at_once()
    {
        await using var site = new Site(Site.Folder);
        var a = await site.OpenAsync("A");
        var log = new StorageKey((await a.SetAsync("a", Lab.Doc(1))).Log);
        var length = (await Lab.ReadAsync(site.Storage, log)).Length;
        Assert.Equal(PutOutcome.Held, (await site.Storage.AppendAsync(log, default, length, Flush.Written, default)).Outcome);
        await a.CompactAsync();
        Assert.True((await site.Storage.AppendAsync(log, default, length, Flush.Written, default)).IsStored);
    }

    [Theory]
    [MemberData(nameof(Site.InMemory), MemberType = typeof(Site))]
    public async Task Closing_ends_the_log_although_its_checkpoint_fails(string kind)
    {
        await using var site = new Site(kind);
        var fails = false;
        var a = await site.OpenAsync("A", o =>
        {
            Due(o, TimeProvider.System, onClose: true);
            o.Checkpoint.MinimumOperations = 2; // whether one is due is looked at with the first write, and again with the 65th
        }, s => new HookedStorage(s)
        {
            Before = (call, key) => fails && IsSnapshot(call, key) ? throw new StorageException(StorageFault.Full, "The disk is full.") : Task.CompletedTask,
        });
        fails = true;
        await a.SetAsync("a", Lab.Doc(0));
        await a.SetAsync("a", Lab.Doc(1));
        await a.DisposeAsync();
        Assert.Contains("The disk is full.", a.Statistics.CheckpointFailure, StringComparison.Ordinal);
        var b = await site.OpenAsync("B");
        Assert.True(Assert.Single(b.Agents, agent => agent.Agent == "A").IsSealed);
        await b.CompactAsync();
        await site.AssertAgreeAsync("a = {\"n\":1}", b);
    }

    /// <summary>What a snapshot covers of a log that goes on is not pending; of a numbered log positions count objects.</summary>
    [Theory]
    [MemberData(nameof(Site.InMemory), MemberType = typeof(Site))]
    public async Task What_is_covered_of_a_living_log_makes_no_checkpoint_due(string kind)
    {
        await using var site = new Site(kind);
        var a = await site.OpenAsync("A", o =>
        {
            Due(o, new HastyTime());
            (o.Checkpoint.MinimumBytes, o.Checkpoint.Growth) = (0, 1);
        });
        var b = await site.OpenAsync("B");
        for (var i = 0; i < 20; i++) await b.SetAsync($"b{i}", StoreOf(1000));
        await a.CompactAsync(); // covers B's log, which goes on
        await b.SetAsync("b0", Lab.Doc(1));
        await a.RefreshAsync();
        Assert.Equal(1, a.Statistics.OperationsSinceCheckpoint);
        await a.DisposeAsync();
        Assert.Equal(1, a.Statistics.Checkpoints);

        // And what is not covered does.
        a = await site.OpenAsync("A", o =>
        {
            Due(o, new HastyTime());
            (o.Checkpoint.MinimumBytes, o.Checkpoint.Growth) = (0, 1);
        });
        for (var i = 0; i < 21; i++) await b.SetAsync($"b{i}", StoreOf(1100));
        await a.RefreshAsync();
        await a.DisposeAsync();
        Assert.Equal(1, a.Statistics.Checkpoints);
    }

    private static bool IsSnapshot(StorageCalls call, StorageKey key) => call == StorageCalls.Put && key.Value.StartsWith("snapshots/", StringComparison.Ordinal);

    private static JsonElement StoreOf(int length) => Corpus.StoreReading.Element($"{{\"text\":\"{new string('x', length)}\"}}");

    private static void Due(OpsStoreOptions options, TimeProvider time, bool onClose = false)
    {
        options.TimeProvider = time;
        (options.Checkpoint.Automatic, options.Checkpoint.OnClose) = (true, onClose);
        (options.Checkpoint.MinimumBytes, options.Checkpoint.MinimumOperations, options.Checkpoint.Growth) = (0, 1, 0.001);
    }
}
