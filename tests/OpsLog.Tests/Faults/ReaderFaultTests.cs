using OpsLog.Storage;
using OpsLog.Testing;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.Faults;

/// <summary>
/// Goal: what a reader beside a writer sees under each fault (docs/faults.md, column reader). Method: a read-only opening follows a writer on
/// the same storage while something breaks; its view is always one that was acknowledged, errors are typed, and a refresh goes on when the fault is over.
/// </summary>
public sealed class ReaderFaultTests
{
    [Theory]
    [InlineData(true, StorageFault.Broken)]
    [InlineData(true, StorageFault.Full)]
    [InlineData(false, StorageFault.Broken)]
    public async Task F1_F9_F10_F11_a_reader_keeps_its_view_when_the_writers_disk_fails_for_good_and_goes_on_with_the_next(bool append, StorageFault fault)
    {
        for (var call = 1; call < 14; call++)
        {
            var disk = new MemoryStorage(append);
            var faulty = new FaultyStorage(disk);
            var dead = await CheckpointFaultTests.PreparedAsync(faulty);
            await using var reader = await Lab.OpenAsync(disk, Lab.ReadOnly());
            var view = Runs.Text(reader);
            faulty.Inject(new InjectedFault { Calls = StorageCalls.All & ~StorageCalls.Release, FirstCall = call, Count = int.MaxValue, Fault = fault });
            try
            {
                await dead.CompactAsync();
            }
            catch (OpsLogException)
            {
                // It died here.
            }

            await Runs.AbandonAsync(dead);
            Assert.Equal(view, Runs.Text(reader));
            await reader.RefreshAsync();
            Assert.Equal(view, Runs.Text(reader));
            await using (var next = await Lab.OpenAsync(disk, Lab.Options(o => o.HistoryRetention = HistoryRetention.None)))
            {
                await next.SetAsync("d", Lab.Doc(8));
                await next.CompactAsync();
                await next.SetAsync("e", Lab.Doc(9));
            }

            await reader.RefreshAsync();
            Assert.Equal(view + "\nd = {\"n\":8}\ne = {\"n\":9}", Runs.Text(reader));
        }
    }

    [Theory]
    [InlineData(StorageFault.Broken)]
    [InlineData(StorageFault.Denied)]
    [InlineData(StorageFault.Throttled)]
    [InlineData(StorageFault.Unavailable)]
    public async Task F12_F25_F26_a_refresh_that_cannot_read_says_so_keeps_the_view_and_works_later(StorageFault fault)
    {
        for (var call = 1; ; call++)
        {
            var disk = new MemoryStorage();
            var faulty = new FaultyStorage(disk);
            await using var writer = await CheckpointFaultTests.PreparedAsync(disk);
            await using var reader = await Lab.OpenAsync(faulty, Lab.ReadOnly());
            var view = Runs.Text(reader);
            await writer.SetAsync("d", Lab.Doc(6));
            await writer.CompactAsync();
            await writer.SetAsync("e", Lab.Doc(7));
            faulty.Inject(InjectedFault.AtCall(call, StorageCalls.Read | StorageCalls.List, fault: fault));
            try
            {
                await reader.RefreshAsync();
                Assert.True(call > 2);
                Assert.Empty(faulty.Faults);
                return;
            }
            catch (OpsLogException e)
            {
                Assert.Equal((OpsLogError.StorageFailed, fault is StorageFault.Throttled or StorageFault.Unavailable), (e.Error, e.IsTransient));
            }

            Assert.True(Runs.Text(reader) == view || Runs.Text(reader) == view + "\nd = {\"n\":6}", Runs.Text(reader));
            await reader.RefreshAsync();
            Assert.Equal(Runs.Text(writer), Runs.Text(reader));
        }
    }

    [Fact]
    public async Task F12_a_feed_that_cannot_read_says_so_by_a_typed_error()
    {
        for (var call = 1; ; call++)
        {
            var faulty = new FaultyStorage(new MemoryStorage());
            await using var store = await CheckpointFaultTests.PreparedAsync(faulty);
            faulty.Inject(InjectedFault.AtCall(call, StorageCalls.Read, fault: StorageFault.Throttled));
            try
            {
                Assert.Equal(4, (await Lab.OperationsAsync(store)).Count);
                Assert.True(call > 2);
                return;
            }
            catch (OpsLogException e)
            {
                Assert.Equal((OpsLogError.StorageFailed, true), (e.Error, e.IsTransient));
            }
        }
    }

    [Fact]
    public async Task F4_F41_a_reader_waits_at_a_line_that_is_still_being_written_whatever_byte_it_has_got_to()
    {
        var disk = new MemoryStorage();
        var writer = await Lab.OpenAsync(disk);
        await writer.SetAsync("a", Lab.Doc(1));
        var log = await Lab.LogAsync(disk);
        var before = await Lab.ReadAsync(disk, log);
        await writer.BatchAsync(b =>
        {
            b.Set("a", Lab.Doc(2));
            b.Set("b", Lab.Doc(2));
        });
        var after = await Lab.ReadAsync(disk, log);
        await Runs.AbandonAsync(writer);
        await Lab.WriteAsync(disk, log, before);
        await using var reader = await Lab.OpenAsync(disk, Lab.ReadOnly());
        for (var length = before.Length; length < after.Length; length++)
        {
            await Lab.WriteAsync(disk, log, after[..length]);
            Assert.Equal(0, await reader.RefreshAsync());
            Assert.Equal("a = {\"n\":1}", Runs.Text(reader));
            Assert.Single(await Lab.OperationsAsync(reader));
            Assert.Equal("a = {\"n\":1}", await Lab.StateAsync(disk));
        }

        await Lab.WriteAsync(disk, log, after);
        Assert.Equal(2, await reader.RefreshAsync());
        Assert.Equal("a = {\"n\":2}\nb = {\"n\":2}", Runs.Text(reader));
        Assert.Equal(3, (await Lab.OperationsAsync(reader)).Count);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task F6_F7_a_reader_that_meets_a_damaged_line_stops_there_and_skips_nothing(int line)
    {
        var disk = new MemoryStorage();
        await using var writer = await Lab.OpenAsync(disk);
        await using var reader = await Lab.OpenAsync(disk, Lab.ReadOnly());
        await writer.SetAsync("a", Lab.Doc(1));
        await writer.SetAsync("b", Lab.Doc(2));
        var log = await Lab.LogAsync(disk);
        var sound = await Lab.ReadAsync(disk, log);
        await Lab.WriteAsync(disk, log, Lab.FlipInLine((byte[])sound.Clone(), line));
        foreach (var _ in new int[2])
        {
            var refusal = await Lab.RefusedAsync(OpsLogError.Damaged, async Task () => await reader.RefreshAsync());
            Assert.Equal(log.Value, refusal.Damage!.File);
            Assert.Equal(Lab.LineOf(sound, line).Start, refusal.Damage.Offset);
            Assert.True(reader.Count <= line);
        }

        await Lab.RefusedAsync(OpsLogError.Damaged, async Task () => await Lab.OperationsAsync(writer));
        await Lab.WriteAsync(disk, log, sound);
        await reader.RefreshAsync();
        Assert.Equal("a = {\"n\":1}\nb = {\"n\":2}", Runs.Text(reader));
        Assert.Equal(2, (await Lab.OperationsAsync(reader)).Count);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task F6_F7_what_a_reader_took_in_before_it_met_the_damage_shows_and_is_in_its_feed(bool append)
    {
        var disk = new MemoryStorage(append);
        await using var writer = await Lab.OpenAsync(disk);
        await writer.SetAsync("a", Lab.Doc(1));
        await using var reader = await Lab.OpenAsync(disk, Lab.ReadOnly());
        await writer.SetAsync("b", Lab.Doc(2));
        await writer.BatchAsync(b =>
        {
            b.Set("c", Lab.Doc(3));
            b.Set("d", Lab.Doc(4));
        });
        var log = await Lab.LogAsync(disk);
        var damaged = append ? log : OpsLog.Format.StoreKeys.Piece(log, 3);
        var sound = await Lab.ReadAsync(disk, damaged);
        await Lab.WriteAsync(disk, damaged, Lab.FlipInLine((byte[])sound.Clone(), append ? 3 : 1));
        foreach (var _ in new int[2])
        {
            await Lab.RefusedAsync(OpsLogError.Damaged, async Task () => await reader.RefreshAsync());
            Assert.Equal("a = {\"n\":1}\nb = {\"n\":2}", Runs.Text(reader));
            Assert.Equal(2, reader.Statistics.OperationsSinceCheckpoint);
            Assert.Equal(["a", "b"], (await Lab.OperationsAsync(reader)).Select(o => o.Id));
        }

        await Lab.WriteAsync(disk, damaged, sound);
        Assert.Equal(2, await reader.RefreshAsync());
        Assert.Equal(Runs.Text(writer), Runs.Text(reader));
        Assert.Equal(["a", "b", "c", "d"], (await Lab.OperationsAsync(reader)).Select(o => o.Id));
    }

    [Fact]
    public async Task F32_what_a_reader_took_in_before_a_document_that_cannot_be_migrated_is_in_its_feed_and_no_half_batch()
    {
        var disk = new MemoryStorage();
        await using var writer = await Lab.OpenAsync(disk);
        var fails = true;
        await using var reader = await Lab.OpenAsync(disk, Lab.ReadOnly(o =>
        {
            o.SchemaVersion = 2;
            o.Migrate = (node, _) => fails && (int)node!["n"]! == 3 ? throw new InvalidTimeZoneException("no") : node;
        }));
        await writer.SetAsync("a", Lab.Doc(1));
        await writer.BatchAsync(b =>
        {
            b.Set("b", Lab.Doc(2));
            b.Set("c", Lab.Doc(3));
        });
        foreach (var _ in new int[2])
        {
            await Lab.RefusedAsync(OpsLogError.MigrationFailed, async Task () => await reader.RefreshAsync());
            Assert.True(reader.ContainsKey("a"));
            Assert.Equal(["a"], (await Lab.OperationsAsync(reader)).Select(o => o.Id));
        }

        fails = false;
        await reader.RefreshAsync();
        Assert.Equal(Runs.Text(writer), Runs.Text(reader));
        Assert.Equal(["a", "b", "c"], (await Lab.OperationsAsync(reader)).Select(o => o.Id));
    }

    [Theory]
    [InlineData("manifest.json")]
    [InlineData("snapshots/")]
    public async Task F8_F15_F17_a_reader_that_needs_a_damaged_or_missing_object_keeps_its_view(string which)
    {
        foreach (var damage in new Func<byte[], byte[]?>[] { CheckpointFaultTests.Flipped, CheckpointFaultTests.ZeroPage, _ => null })
        {
            var disk = new MemoryStorage();
            await using var writer = await CheckpointFaultTests.PreparedAsync(disk);
            await using var reader = await Lab.OpenAsync(disk, Lab.ReadOnly());
            var view = Runs.Text(reader);
            await writer.SetAsync("d", Lab.Doc(6));
            for (var i = 0; i < 70; i++) await writer.CompactAsync(); // more logs than the manifest remembers: it has to start over
            var key = which == "manifest.json" ? Lab.Manifest : await Lab.SnapshotAsync(disk);
            var sound = await Lab.ReadAsync(disk, key);
            if (damage((byte[])sound.Clone()) is { } damaged) await Lab.WriteAsync(disk, key, damaged);
            else await disk.DeleteAsync(key, default);
            var isRemoved = key == Lab.Manifest && !(await Lab.NamesAsync(disk)).Contains(key.Value);
            var refusal = await Lab.RefusedAsync(isRemoved ? OpsLogError.Fenced : OpsLogError.Damaged, async Task () => await reader.RefreshAsync());
            if (!isRemoved) Assert.Equal(key.Value, refusal.Damage!.File);
            Assert.Equal(view, Runs.Text(reader));
            await Lab.WriteAsync(disk, key, sound);
            await reader.RefreshAsync();
            Assert.Equal(Runs.Text(writer), Runs.Text(reader));
        }
    }

    [Fact]
    public async Task F14_a_reader_whose_log_was_cut_behind_it_misses_nothing()
    {
        var disk = new MemoryStorage();
        await using var writer = await Lab.OpenAsync(disk);
        await writer.SetAsync("a", Lab.Doc(1));
        await using var reader = await Lab.OpenAsync(disk, Lab.ReadOnly());
        var log = await Lab.LogAsync(disk);
        await writer.SetAsync("b", Lab.Doc(2));
        await writer.SetAsync("c", Lab.Doc(3));
        await writer.CompactAsync();
        await Lab.ChangeAsync(disk, log, bytes => bytes[..Lab.LineOf(bytes, 1).End]); // c is in the snapshot only now
        await writer.SetAsync("d", Lab.Doc(4));
        await reader.RefreshAsync();
        Assert.Equal(Runs.Text(writer), Runs.Text(reader));
        var refusal = await Lab.RefusedAsync(OpsLogError.Damaged, async Task () => await Lab.OperationsAsync(reader));
        Assert.Equal(log.Value, refusal.Damage!.File);
    }

    [Fact]
    public async Task F14_a_reader_of_a_log_cut_below_its_own_place_starts_over()
    {
        var disk = new MemoryStorage();
        var writer = await Lab.OpenAsync(disk);
        await writer.SetAsync("a", Lab.Doc(1));
        await writer.SetAsync("b", Lab.Doc(2));
        await Runs.AbandonAsync(writer);
        await using var reader = await Lab.OpenAsync(disk, Lab.ReadOnly());
        await Lab.ChangeAsync(disk, await Lab.LogAsync(disk), bytes => bytes[..Lab.LineOf(bytes, 0).End]);
        await reader.RefreshAsync();
        Assert.Equal("a = {\"n\":1}", Runs.Text(reader));
    }

    [Fact]
    public async Task F16_a_place_in_the_feed_behind_the_end_of_an_older_copy_is_refused()
    {
        var disk = new MemoryStorage();
        FeedPosition position;
        await using (var writer = await Lab.OpenAsync(disk)) await writer.SetAsync("a", Lab.Doc(1));
        var older = await Lab.CopyAsync(disk);
        await using (var writer = await Lab.OpenAsync(disk))
        {
            await writer.SetAsync("b", Lab.Doc(2));
            position = (await Lab.OperationsAsync(writer))[^1].Position;
        }

        await using var copy = await Lab.OpenAsync(older);
        await Lab.RefusedAsync(OpsLogError.PositionLost, async Task () => await Lab.OperationsAsync(copy, position));
    }

    [Fact]
    public async Task F16_a_watch_from_another_incarnation_is_refused()
    {
        var (disk, backup, restored) = (new MemoryStorage(), new MemoryStorage(), new MemoryStorage());
        await using var store = await CheckpointFaultTests.PreparedAsync(disk);
        var position = (await Lab.OperationsAsync(store))[0].Position;
        await store.BackupAsync(backup);
        await OpsStore.RestoreAsync(backup, restored);
        await using var reader = await Lab.OpenAsync(restored, Lab.ReadOnly());
        await Lab.RefusedAsync(OpsLogError.PositionLost, async Task () =>
        {
            await foreach (var _ in reader.WatchAsync(position)) Assert.Fail("nothing is to be seen from there");
        });
    }

    [Fact]
    public async Task F31_a_reader_of_a_store_that_became_newer_keeps_its_view()
    {
        var disk = new MemoryStorage();
        await using (await CheckpointFaultTests.PreparedAsync(disk))
        {
        }

        await using var reader = await Lab.OpenAsync(disk, Lab.ReadOnly());
        var view = Runs.Text(reader);
        await Lab.ChangeManifestAsync(disk, ours => (ours["format"], ours["reader"]) = (2, 2));
        await Lab.RefusedAsync(OpsLogError.TooNew, async Task () => await reader.RefreshAsync());
        Assert.Equal(view, Runs.Text(reader));
    }

    [Fact]
    public async Task F33_a_cancelled_refresh_or_watch_leaves_a_reader_that_goes_on()
    {
        var disk = new MemoryStorage();
        var hooked = new HookedStorage(disk);
        using var cancellation = new CancellationTokenSource();
        await using var writer = await Lab.OpenAsync(disk);
        await using var reader = await Lab.OpenAsync(hooked, Lab.ReadOnly());
        await writer.SetAsync("a", Lab.Doc(1));
        hooked.Before = (_, _) => cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await reader.RefreshAsync(cancellation.Token));
        hooked.Before = null;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (var _ in reader.WatchAsync(cancellation.Token)) Assert.Fail("it was cancelled before");
        });
        Assert.Equal(1, await reader.RefreshAsync());
        Assert.Equal("a = {\"n\":1}", Runs.Text(reader));
    }

    [Fact]
    public async Task F22_F30_a_reader_makes_no_call_that_changes_anything_or_needs_a_condition()
    {
        var disk = new MemoryStorage();
        await using var writer = await CheckpointFaultTests.PreparedAsync(disk);
        var faulty = new FaultyStorage(disk);
        faulty.Inject(new InjectedFault { Calls = StorageCalls.Writes, Fault = StorageFault.Denied, Count = int.MaxValue });
        await using (var reader = await Lab.OpenAsync(faulty, Lab.ReadOnly()))
        {
            await writer.SetAsync("d", Lab.Doc(4));
            await writer.CompactAsync();
            Assert.Equal(1, await reader.RefreshAsync());
            Assert.Equal(5, (await Lab.OperationsAsync(reader)).Count);
            await Lab.RefusedAsync(OpsLogError.ReadOnly, async Task () => await reader.SetAsync("e", Lab.Doc(5)));
            await Lab.RefusedAsync(OpsLogError.ReadOnly, () => reader.CompactAsync());
            await Lab.RefusedAsync(OpsLogError.ReadOnly, async Task () => await reader.UndoAsync());
        }

        Assert.Equal(0, faulty.CountOf(StorageCalls.Writes));
    }
}
