using OpsLog.Storage;
using OpsLog.Testing;
using OpsLog.Tests.Corpus;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.Faults;

/// <summary>
/// Goal: what an opening makes of a store that cannot be read, lacks objects, or holds other bytes than were written (docs/faults.md, column
/// open). Method: one thing broken in a small store; an opening refuses it by name and place and changes nothing, or shows exactly what was acknowledged.
/// </summary>
public sealed class OpenFaultTests
{
    [Theory]
    [InlineData(StorageFault.Broken, true)]
    [InlineData(StorageFault.Denied, true)]
    [InlineData(StorageFault.Throttled, true)]
    [InlineData(StorageFault.BadName, true)]
    [InlineData(StorageFault.Unavailable, true)]
    [InlineData(StorageFault.Broken, false)]
    public async Task F12_F25_F26_whichever_read_fails_the_store_is_refused_and_never_taken_for_a_new_one(StorageFault fault, bool append)
    {
        var disk = new MemoryStorage(append);
        await using (var store = await CheckpointFaultTests.PreparedAsync(disk)) await store.ArchiveAsync(["c"], "2026");
        var before = await Lab.BytesAsync(disk);
        for (var call = 1; ; call++)
        {
            var faulty = new FaultyStorage(await Lab.CopyAsync(disk));
            faulty.Inject(InjectedFault.AtCall(call, StorageCalls.Read | StorageCalls.List, fault: fault));
            try
            {
                await (await Lab.OpenAsync(faulty)).DisposeAsync();
                Assert.Empty(faulty.Faults);
                Assert.True(call > 3);
                return;
            }
            catch (OpsLogException e)
            {
                Assert.Equal(OpsLogError.StorageFailed, e.Error);
                Assert.Equal(fault is StorageFault.Throttled or StorageFault.Unavailable, e.IsTransient);
            }

            Assert.Equal(before, await Lab.BytesAsync(faulty.Inner));
        }
    }

    [Fact]
    public async Task F12_a_listing_that_fails_makes_no_new_store()
    {
        var disk = new MemoryStorage();
        for (var call = 1; call <= 3; call++)
        {
            var faulty = new FaultyStorage(disk);
            faulty.Inject(InjectedFault.AtCall(call, StorageCalls.List, FaultMoment.During, StorageFault.Denied));
            await Lab.OpeningRefusedAsync(OpsLogError.StorageFailed, faulty);
            Assert.Empty(await Lab.NamesAsync(disk));
        }
    }

    [Fact]
    public async Task F9_on_a_full_disk_a_store_opens_read_only_and_for_writing_once_there_is_room()
    {
        var faulty = new FaultyStorage(new MemoryStorage());
        string expected;
        await using (var store = await CheckpointFaultTests.PreparedAsync(faulty)) expected = Runs.Text(store);
        faulty.Inject(InjectedFault.DiskFull());
        await Lab.OpeningRefusedAsync(OpsLogError.StorageFailed, faulty);
        Assert.Equal(expected, await Lab.StateAsync(faulty));
        faulty.Clear();
        await using var reopened = await Lab.OpenAsync(faulty);
        Assert.Equal(expected, Runs.Text(reopened));
    }

    [Fact]
    public async Task F11_after_a_failed_sync_an_opening_shows_what_the_disk_gives_and_syncs_it_with_the_next_write()
    {
        var disk = new CrashableStorage();
        var faulty = new FaultyStorage(disk);
        var store = await Lab.OpenAsync(faulty);
        faulty.Inject(InjectedFault.SyncFails());
        await Lab.RefusedAsync(OpsLogError.OutcomeUnknown, async Task () => await store.SetAsync("a", Lab.Doc(1)));
        await Runs.AbandonAsync(store);
        string shown;
        await using (var reopened = await Lab.OpenAsync(disk))
        {
            Assert.True(reopened.ContainsKey("a"));
            await reopened.SetAsync("b", Lab.Doc(2));
            shown = Runs.Text(reopened);
        }

        Assert.Equal(shown, await Lab.StateAsync(disk.Reopen()));
    }

    [Theory]
    [InlineData(true, SnapshotFormat.JsonLines)]
    [InlineData(true, SnapshotFormat.Json)]
    [InlineData(false, SnapshotFormat.JsonLines)]
    public async Task F13_reads_that_come_in_drops_give_the_same_store(bool append, SnapshotFormat format)
    {
        var disk = new MemoryStorage(append);
        var dripping = new HookedStorage(disk)
        {
            Reading = found => new StoredObject(new DrippingStream(found.Content), found.Length, found.Version),
        };
        var options = Lab.Options(o => o.SnapshotFormat = format);
        await using (var store = await Lab.OpenAsync(dripping, options))
        {
            for (var i = 0; i < 20; i++) await store.SetAsync($"{i % 9}", Lab.Doc(i));
            await store.CompactAsync();
            await store.SetAsync("x", Lab.Doc(1));
            Assert.True(await store.UndoAsync());
            Assert.True(await store.UndoAsync());
            await store.ArchiveAsync(["0"], "2026");
        }

        await using var reader = await Lab.OpenAsync(dripping, Lab.ReadOnly());
        Assert.Equal(await Lab.StateAsync(disk), Runs.Text(reader));
        Assert.Equal(8, reader.Count);
        Assert.Equal(18, Lab.N((await reader.LoadArchiveAsync("2026"))["0"]));
        Assert.Equal(24, (await Lab.OperationsAsync(reader)).Count);
        await using (var writer = await Lab.OpenAsync(disk)) await writer.SetAsync("y", Lab.Doc(7));
        await reader.RefreshAsync();
        Assert.Equal(7, Lab.N(reader["y"]));
    }

    [Fact]
    public async Task F13_a_read_that_breaks_off_is_refused_and_never_taken_for_a_short_object()
    {
        var disk = new MemoryStorage();
        await using (await CheckpointFaultTests.PreparedAsync(disk))
        {
        }

        for (var read = 1; read <= 3; read++)
        {
            var count = 0;
            var hooked = new HookedStorage(disk)
            {
                Reading = found => found.Length > 0 && found.Memory is { Length: > 0 } && ++count == read
                    ? new StoredObject(new DrippingStream(found.Content, breaksAfter: 20), found.Length, found.Version)
                    : found,
            };
            await Lab.OpeningRefusedAsync(OpsLogError.StorageFailed, hooked);
        }
    }

    [Fact]
    public async Task F16_a_restored_backup_is_another_incarnation()
    {
        var (disk, backup, restored) = (new MemoryStorage(), new MemoryStorage(), new MemoryStorage());
        await using var store = await CheckpointFaultTests.PreparedAsync(disk);
        await store.BackupAsync(backup);
        var position = (await Lab.OperationsAsync(store))[^1].Position;
        await OpsStore.RestoreAsync(backup, restored);
        await using var second = await Lab.OpenAsync(restored);
        Assert.Equal(Runs.Text(store), Runs.Text(second));
        Assert.NotEqual((string)(await Lab.ManifestAsync(disk))["opslog"]!["incarnation"]!, (string)(await Lab.ManifestAsync(restored))["opslog"]!["incarnation"]!);
        await Lab.RefusedAsync(OpsLogError.PositionLost, async Task () => await Lab.OperationsAsync(second, position));
    }

    [Fact]
    public async Task F29_a_storage_that_lists_nothing_hides_no_store()
    {
        var disk = new MemoryStorage();
        await using (await CheckpointFaultTests.PreparedAsync(disk))
        {
        }

        var hooked = new HookedStorage(disk) { Listing = _ => [] };
        Assert.Equal(await Lab.StateAsync(disk), await Lab.StateAsync(hooked));
        await using var store = await Lab.OpenAsync(hooked);
        Assert.Equal(3, store.Count);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task F31_a_newer_format_is_refused_for_writing_and_for_reading(bool readOnly)
    {
        var disk = new MemoryStorage();
        await using (await CheckpointFaultTests.PreparedAsync(disk))
        {
        }

        await Lab.ChangeManifestAsync(disk, ours => (ours["format"], ours["reader"]) = (2, 2));
        var before = await Lab.BytesAsync(disk);
        await Lab.OpeningRefusedAsync(OpsLogError.TooNew, disk, readOnly ? Lab.ReadOnly() : Lab.Options());
        await Lab.OpeningRefusedAsync(OpsLogError.TooNew, disk, Lab.Options(o => (o.ReadOnly, o.Recovery) = (readOnly, Recovery.SkipCorrupt)));
        Assert.Equal(before, await Lab.BytesAsync(disk));
    }

    [Fact]
    public async Task F33_an_opening_cancelled_at_any_call_leaves_a_store_that_opens()
    {
        using var folder = new TempFolder();
        await using (var store = await OpsStore<Dictionary<string, int>>.OpenAsync(folder.Path, Lab.Options())) await store.SetAsync("a", new() { ["n"] = 1 });
        for (var call = 1; ; call++)
        {
            using var cancellation = new CancellationTokenSource();
            await using var files = new FileStorage(folder.Path);
            var calls = 0;
            var hooked = new HookedStorage(files) { Before = (_, _) => ++calls == call ? cancellation.CancelAsync() : Task.CompletedTask };
            try
            {
                await using var store = await OpsStore<Dictionary<string, int>>.OpenAsync(hooked, Lab.Options(), cancellation.Token);
                if (calls < call) return;
            }
            catch (OperationCanceledException)
            {
                Assert.True(calls >= call);
            }

            await using var next = await OpsStore<Dictionary<string, int>>.OpenAsync(folder.Path, Lab.Options());
            Assert.Equal(1, next["a"]["n"]);
        }
    }

    [Fact]
    public async Task F24_openings_race_checkpoints_and_show_whole_states()
    {
        var disk = new MemoryStorage();
        await using var store = await Lab.OpenAsync(disk, Lab.Options(o => o.HistoryRetention = HistoryRetention.None));
        await store.SetAsync("a", Lab.Doc(0));
        var writing = Task.Run(async () =>
        {
            for (var i = 1; i <= 60; i++)
            {
                await store.BatchAsync(b =>
                {
                    b.Set("a", Lab.Doc(i));
                    b.Set("b", Lab.Doc(i));
                });
                await store.CompactAsync();
            }
        });
        var last = 0;
        do
        {
            await using var reader = await Lab.OpenAsync(disk, Lab.ReadOnly());
            var a = Lab.N(reader["a"]);
            Assert.True(a >= last, $"{a} after {last}");
            if (a > 0) Assert.Equal(a, Lab.N(reader["b"]));
            last = a;
        }
        while (!writing.IsCompleted);
        await writing;
    }
}
