using OpsLog.Storage;
using OpsLog.Testing;
using OpsLog.Tests.Corpus;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.Faults;

/// <summary>
/// Goal: a reader beside a writer that makes checkpoints and collects (F24, F39 of docs/faults.md). Method: the two on one storage, at once or
/// stopped at the one moment that matters; the reader shows whole states, every operation once, and says so when its place is gone.
/// </summary>
public sealed class ReaderRaceTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task F39_a_reader_goes_on_reading_what_the_collector_took_away(bool append)
    {
        var disk = new MemoryStorage(append);
        await using var writer = await Lab.OpenAsync(disk, Lab.Options(o => o.HistoryRetention = HistoryRetention.None));
        for (var i = 0; i < 50; i++) await writer.SetAsync($"{i:D2}", Lab.Doc(i));
        await writer.CompactAsync();
        await writer.SetAsync("50", Lab.Doc(50));
        await writer.SetAsync("51", Lab.Doc(51));
        await using var reader = await Lab.OpenAsync(disk, Lab.ReadOnly());
        var names = await Lab.NamesAsync(disk);
        var position = (await Lab.OperationsAsync(reader))[0].Position;
        for (var i = 0; i < 3; i++)
        {
            await writer.SetAsync("00", Lab.Doc(100 + i));
            await writer.CompactAsync();
        }

        Assert.Equal(["manifest.json"], names.Intersect(await Lab.NamesAsync(disk), StringComparer.Ordinal));
        Assert.Equal(Enumerable.Range(0, 52), reader.Values.Select(Lab.N).Order());
        await Lab.RefusedAsync(OpsLogError.PositionLost, async Task () => await Lab.OperationsAsync(reader, position));
        await reader.RefreshAsync();
        Assert.Equal(102, Lab.N(reader["00"]));
        Assert.Equal(52, reader.Count);
    }

    /// <summary>Found by the simulation (mix beside, seed 33497).</summary>
    [Fact]
    public async Task F39_a_reader_whose_numbered_log_is_collected_while_it_reads_misses_nothing()
    {
        var disk = new MemoryStorage(append: false);
        await using var writer = await Lab.OpenAsync(disk, Lab.Options(o => (o.HistoryRetention, o.Checkpoint.GracePeriod) = (HistoryRetention.None, TimeSpan.Zero)));
        var hooked = new HookedStorage(disk);
        await using var reader = await Lab.OpenAsync(hooked, Lab.ReadOnly());
        await writer.SetAsync("k", Lab.Doc(1));
        var gate = new Gate();
        hooked.Before = (_, key) => key.Value.Contains("-n0", StringComparison.Ordinal) ? gate.PassAsync() : Task.CompletedTask;
        var refresh = reader.RefreshAsync().AsTask();
        await gate.Arrived;
        await writer.CompactAsync();
        gate.Open();
        await refresh;
        Assert.Equal("k = {\"n\":1}", Runs.Text(reader));
    }

    [Fact]
    public async Task F39_the_collector_waits_out_the_grace_period_of_readers()
    {
        var disk = new MemoryStorage();
        var time = new ShiftingTime();
        var options = Lab.Options(o => (o.TimeProvider, o.HistoryRetention, o.Checkpoint.GracePeriod) = (time, HistoryRetention.Forever, TimeSpan.FromSeconds(60)));
        string snapshot;
        await using (var writer = await Lab.OpenAsync(disk, options))
        {
            await writer.SetAsync("00", Lab.Doc(0));
            await writer.CompactAsync();
            snapshot = writer.Statistics.Snapshot;
            for (var i = 0; i < 200; i++) await writer.SetAsync($"{i:D3}", Lab.Doc(i));
            await writer.CompactAsync(); // the old snapshot weighs next to nothing now
        }

        time.Shift(TimeSpan.FromSeconds(59));
        await (await Lab.OpenAsync(disk, options)).DisposeAsync();
        Assert.Contains(snapshot, await Lab.NamesAsync(disk, "snapshots/"));
        time.Shift(TimeSpan.FromSeconds(2));
        await (await Lab.OpenAsync(disk, options)).DisposeAsync();
        Assert.DoesNotContain(snapshot, await Lab.NamesAsync(disk, "snapshots/"));
    }

    /// <summary>The first is so many checkpoints behind that it has to start over; the second must not go on with what was before.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task F24_two_refreshes_at_once_of_a_reader_that_has_to_start_over(bool append)
    {
        var disk = new MemoryStorage(append);
        await using var writer = await Lab.OpenAsync(disk, Lab.Options(o => o.Checkpoint.GracePeriod = TimeSpan.FromHours(1)));
        for (var i = 0; i < 20; i++) await writer.SetAsync($"{i:D2}", Lab.Doc(i));
        var hooked = new HookedStorage(disk);
        await using var reader = await Lab.OpenAsync(hooked, Lab.ReadOnly());
        await writer.SetAsync("k", Lab.Doc(1));
        for (var i = 0; i < 70; i++)
        {
            await writer.SetAsync("00", Lab.Doc(100 + i));
            await writer.CompactAsync();
        }

        await writer.SetAsync("01", Lab.Doc(200)); // with something in the log, who starts over does not look at the manifest again
        var gate = new Gate();
        hooked.Before = (call, key) => call == StorageCalls.Read && key.Value.StartsWith("snapshots/", StringComparison.Ordinal) ? gate.PassAsync() : Task.CompletedTask;
        var first = reader.RefreshAsync().AsTask();
        await gate.Arrived;
        var second = reader.RefreshAsync().AsTask();
        await writer.CompactAsync();
        await writer.SetAsync("k", Lab.Doc(2));
        gate.Open();
        await Task.WhenAll(first, second);
        Assert.Equal(2, Lab.N(await Task.Run(() => reader["k"]).WaitAsync(TimeSpan.FromSeconds(20))));
        await writer.SetAsync("k", Lab.Doc(3));
        await reader.RefreshAsync();
        Assert.Equal(3, Lab.N(reader["k"]));
        Assert.Equal(21, reader.Count);
    }

    /// <summary>What was overwritten since lies in logs that were read: they are let go of once a newer snapshot has what shows.</summary>
    [Fact]
    public async Task F39_a_reader_of_a_store_that_is_written_for_long_holds_no_more_than_the_store()
    {
        const int Size = 1 << 20;
        var disk = new MemoryStorage();
        await using var writer = await Lab.OpenAsync(disk, Lab.Options(o => o.HistoryRetention = HistoryRetention.None));
        await writer.SetAsync("k", Lab.Doc(0));
        await using var reader = await Lab.OpenAsync(disk, Lab.ReadOnly());
        var before = GC.GetTotalMemory(forceFullCollection: true);
        for (var i = 1; i <= 200; i++)
        {
            await writer.SetAsync("k", StoreReading.Element($$"""{"n":{{i}},"text":"{{new string('x', Size)}}"}"""));
            Assert.Equal(1, await reader.RefreshAsync());
            await writer.CompactAsync();
            Assert.Equal(0, await reader.RefreshAsync());
            Assert.Equal(i, Lab.N(reader["k"]));
        }

        Assert.InRange(GC.GetTotalMemory(forceFullCollection: true) - before, long.MinValue, 100 * Size);
    }

    [Fact]
    public async Task F39_a_reader_that_has_seen_many_checkpoints_reads_the_newest_snapshot_now_and_then()
    {
        var disk = new MemoryStorage();
        await using var writer = await Lab.OpenAsync(disk, Lab.Options(o => o.HistoryRetention = HistoryRetention.None));
        await writer.SetAsync("k", Lab.Doc(0));
        var hooked = new HookedStorage(disk);
        await using var reader = await Lab.OpenAsync(hooked, Lab.ReadOnly());
        var snapshots = new HashSet<string>(StringComparer.Ordinal);
        hooked.Before = (_, key) =>
        {
            if (key.Value.StartsWith("snapshots/", StringComparison.Ordinal)) snapshots.Add(key.Value);
            return Task.CompletedTask;
        };
        for (var i = 1; i <= 600; i++)
        {
            await writer.SetAsync("k", Lab.Doc(i));
            Assert.Equal(1, await reader.RefreshAsync());
            await writer.CompactAsync();
            Assert.Equal(0, await reader.RefreshAsync());
            Assert.Equal(i, Lab.N(reader["k"]));
        }

        Assert.Equal(2, snapshots.Count);
    }

    /// <summary>The manifest of the next log was read, the rest of the old one was not.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task V9_a_refresh_that_fails_half_way_gives_no_operation_twice_and_leaves_none_out(bool append)
    {
        var disk = new MemoryStorage(append);
        await using var writer = await Lab.OpenAsync(disk);
        for (var i = 0; i < 3; i++) await writer.SetAsync($"{i}", Lab.Doc(i));
        var hooked = new HookedStorage(disk);
        await using var reader = await Lab.OpenAsync(hooked, Lab.ReadOnly());
        await writer.SetAsync("3", Lab.Doc(3));
        await writer.CompactAsync();
        await writer.SetAsync("4", Lab.Doc(4));
        hooked.Before = (call, key) => call == StorageCalls.Read && key.Value.StartsWith("ops/ops", StringComparison.Ordinal) ? throw new StorageException(StorageFault.Unavailable, "Away.") : Task.CompletedTask;
        await Lab.RefusedAsync(OpsLogError.StorageFailed, async Task () => await reader.RefreshAsync());
        hooked.Before = null;
        var clocks = (await Lab.OperationsAsync(reader)).ConvertAll(o => o.Revision.Clock);
        Assert.Equal(Enumerable.Range(1, clocks.Count).Select(n => (long)n), clocks);
        Assert.InRange(clocks.Count, 3, 5);

        using var enough = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        var seen = new List<long>();
        await foreach (var change in reader.WatchAsync(FeedPosition.Start, enough.Token))
        {
            seen.Add(change.Operation.Revision.Clock);
            if (seen.Count == 5) await writer.SetAsync("5", Lab.Doc(5));
            if (seen.Count == 6) break;
        }

        Assert.Equal([1, 2, 3, 4, 5, 6], seen);
    }

    [Fact]
    public async Task F24_a_reader_that_saw_the_seal_of_a_log_goes_on_in_the_next()
    {
        var disk = new MemoryStorage();
        var gate = new Gate();
        var hooked = new HookedStorage(disk);
        await using var writer = await Lab.OpenAsync(hooked);
        await writer.SetAsync("a", Lab.Doc(1));
        await using var reader = await Lab.OpenAsync(disk, Lab.ReadOnly());
        hooked.Before = (call, key) => call == StorageCalls.Put && key == Lab.Manifest ? gate.PassAsync() : Task.CompletedTask;
        var checkpoint = writer.CompactAsync().AsTask();
        await gate.Arrived;
        Assert.Equal(0, await reader.RefreshAsync());
        gate.Open();
        await checkpoint;
        await writer.SetAsync("b", Lab.Doc(2));
        Assert.Equal(1, await reader.RefreshAsync());
        await writer.SetAsync("c", Lab.Doc(3));
        Assert.Equal(1, await reader.RefreshAsync());
        Assert.Equal(Runs.Text(writer), Runs.Text(reader));
        Assert.Equal(["a", "b", "c"], (await Lab.OperationsAsync(reader)).Select(o => o.Id));
    }

    [Fact]
    public async Task F24_a_reader_that_follows_checkpoints_sees_every_operation_once_and_whole_batches()
    {
        var disk = new MemoryStorage();
        await using var writer = await Lab.OpenAsync(disk);
        await using var reader = await Lab.OpenAsync(disk, Lab.ReadOnly());
        var writing = Task.Run(async () =>
        {
            for (var i = 1; i <= 150; i++)
            {
                await writer.BatchAsync(b =>
                {
                    b.Set("a", Lab.Doc(i));
                    b.Set("b", Lab.Doc(i));
                });
                if (i % 10 == 0) await writer.CompactAsync();
            }
        });
        var seen = new List<int>();
        var position = FeedPosition.Start;
        bool isLast;
        do
        {
            isLast = writing.IsCompleted;
            await reader.RefreshAsync();
            var view = reader.View();
            if (view.Count > 0) Assert.Equal(Lab.N(view["a"]), Lab.N(view["b"]));
            foreach (var operation in await Lab.OperationsAsync(reader, position))
            {
                if (operation.Id == "a") seen.Add(Lab.N(operation.Value));
                position = operation.Position;
            }
        }
        while (!isLast);
        await writing;
        Assert.Equal(Enumerable.Range(1, 150), seen);
    }
}
