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

    [Theory]
    [InlineData("snapshot")]
    [InlineData("log")]
    [InlineData("ops/history-")]
    public async Task F15_a_missing_object_is_refused_by_name_and_nothing_is_written(string which)
    {
        var disk = new MemoryStorage();
        await using (await CheckpointFaultTests.PreparedAsync(disk))
        {
        }

        var key = await FindAsync(disk, which);
        await disk.DeleteAsync(key, default);
        var before = await Lab.BytesAsync(disk);
        var refusal = await Lab.OpeningRefusedAsync(OpsLogError.Damaged, disk);
        Assert.Equal((key.Value, DamageKind.Missing), (refusal.Damage!.File, refusal.Damage.Kind));
        Assert.Equal(before, await Lab.BytesAsync(disk));
    }

    [Fact]
    public async Task F15_skipping_takes_a_missing_log_for_an_empty_one_and_reports_it()
    {
        var disk = new MemoryStorage();
        await using (await CheckpointFaultTests.PreparedAsync(disk))
        {
        }

        var log = await Lab.LogAsync(disk);
        await disk.DeleteAsync(log, default);
        await using (var store = await Lab.OpenAsync(disk, Lab.Options(o => o.Recovery = Recovery.SkipCorrupt)))
        {
            Assert.Equal("a = {\"n\":1}\nb = {\"n\":2}\nc = {\"n\":3}", Runs.Text(store));
            Assert.Equal(log.Value, Assert.Single(store.RecoveryReport.Skipped).File);
            await store.SetAsync("d", Lab.Doc(4));
        }

        Assert.Equal("a = {\"n\":1}\nb = {\"n\":2}\nc = {\"n\":3}\nd = {\"n\":4}", await Lab.StateAsync(disk));
    }

    [Theory]
    [InlineData("archive/", false)]
    [InlineData("archive/", true)]
    public async Task F8_F15_a_damaged_or_missing_archive_closes_that_period_alone(string prefix, bool missing)
    {
        var disk = new MemoryStorage();
        await using (var store = await CheckpointFaultTests.PreparedAsync(disk))
        {
            await store.ArchiveAsync(["a"], "2025");
            await store.ArchiveAsync(["c"], "2026");
        }

        var key = (await Lab.NamesAsync(disk, prefix)).ConvertAll(n => new StorageKey(n))[0];
        if (missing) await disk.DeleteAsync(key, default);
        else await Lab.ChangeAsync(disk, key, CheckpointFaultTests.Flipped);
        await using var reopened = await Lab.OpenAsync(disk);
        var refusal = await Lab.RefusedAsync(OpsLogError.Damaged, async Task () => await reopened.LoadArchiveAsync("2025"));
        Assert.Equal(key.Value, refusal.Damage!.File);
        Assert.Equal(["c"], (await reopened.LoadArchiveAsync("2026")).Keys);
        Assert.Equal("b = {\"n\":5}", Runs.Text(reopened));
    }

    [Theory]
    [InlineData("manifest.json")]
    [InlineData("snapshot")]
    [InlineData("log")]
    [InlineData("ops/history-")]
    public async Task F6_F8_a_flipped_bit_is_refused_by_file_and_nothing_is_written(string which)
    {
        var disk = new MemoryStorage();
        await using (var store = await CheckpointFaultTests.PreparedAsync(disk)) await store.SetAsync("d", Lab.Doc(6));
        var key = await FindAsync(disk, which);
        await Lab.ChangeAsync(disk, key, bytes => which == "log" ? Lab.FlipInLine(bytes, 0) : CheckpointFaultTests.Flipped(bytes));
        var before = await Lab.BytesAsync(disk);
        var refusal = await Lab.OpeningRefusedAsync(OpsLogError.Damaged, disk);
        Assert.Equal(key.Value, refusal.Damage!.File);
        Assert.Contains(key.Value, refusal.Message, StringComparison.Ordinal);
        if (which == "log") Assert.Equal((1, 0), (refusal.Damage.Line, refusal.Damage.Offset));
        Assert.Equal(before, await Lab.BytesAsync(disk));
    }

    [Fact]
    public async Task F6_skipping_a_damaged_line_reports_it_and_keeps_the_rest()
    {
        var disk = new MemoryStorage();
        await using (var store = await CheckpointFaultTests.PreparedAsync(disk)) await store.SetAsync("d", Lab.Doc(6));
        await Lab.ChangeAsync(disk, await Lab.LogAsync(disk), bytes => Lab.FlipInLine(bytes, 0));
        var options = Lab.Options(o => o.Recovery = Recovery.SkipCorrupt);
        await using (var store = await Lab.OpenAsync(disk, options))
        {
            Assert.Equal("a = {\"n\":1}\nb = {\"n\":2}\nc = {\"n\":3}\nd = {\"n\":6}", Runs.Text(store));
            Assert.Equal(1, Assert.Single(store.RecoveryReport.Skipped).Line);
        }

        await using (var store = await Lab.OpenAsync(disk)) Assert.True(store.RecoveryReport.IsClean); // its opening brought the rest into a sound log
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task F8_F15_skipping_opens_a_store_whose_history_index_is_damaged_or_gone(bool missing)
    {
        var disk = new MemoryStorage();
        await using (await CheckpointFaultTests.PreparedAsync(disk))
        {
        }

        var index = await Lab.OnlyAsync(disk, "ops/history-");
        if (missing) await disk.DeleteAsync(index, default);
        else await Lab.ChangeAsync(disk, index, CheckpointFaultTests.Flipped);
        await using var store = await Lab.OpenAsync(disk, Lab.Options(o => o.Recovery = Recovery.SkipCorrupt));
        Assert.Equal("a = {\"n\":1}\nb = {\"n\":5}\nc = {\"n\":3}", Runs.Text(store));
        Assert.Equal(index.Value, Assert.Single(store.RecoveryReport.Skipped).File);
        await store.SetAsync("d", Lab.Doc(4));
        await store.CompactAsync();
    }

    [Fact]
    public async Task F7_a_damaged_last_line_that_ends_in_a_newline_was_acknowledged_and_is_refused()
    {
        var disk = new MemoryStorage();
        await using (var store = await CheckpointFaultTests.PreparedAsync(disk)) await store.SetAsync("d", Lab.Doc(6));
        var log = await Lab.LogAsync(disk);
        await Lab.ChangeAsync(disk, log, bytes => Lab.FlipInLine(bytes, 1));
        var refusal = await Lab.OpeningRefusedAsync(OpsLogError.Damaged, disk);
        Assert.Equal((log.Value, 2L), (refusal.Damage!.File, refusal.Damage.Line));
    }

    public static TheoryData<string> Misplaced => ["swap", "duplicate", "drop", "stale", "zero", "shift"];

    [Theory]
    [MemberData(nameof(Misplaced))]
    public async Task F17_F42_whole_lines_in_the_wrong_place_and_zeroed_pages_are_refused(string how)
    {
        foreach (var which in (string[])["log", "snapshot"])
        {
            var disk = new MemoryStorage();
            await using (var store = await Lab.OpenAsync(disk))
            {
                for (var i = 10; i < 40; i++) await store.SetAsync($"{i}", Lab.Doc(i));
                if (which == "snapshot") await store.CompactAsync();
            }

            var key = await FindAsync(disk, which);
            await Lab.ChangeAsync(disk, key, bytes => Misplace(bytes, how));
            if (which == "snapshot" && how == "swap")
            {
                Assert.Equal(30, (await Lab.StateAsync(disk)).Split('\n').Length); // a snapshot's lines have no order: nothing is lost or other
                continue;
            }

            var before = await Lab.BytesAsync(disk);
            var refusal = await Lab.OpeningRefusedAsync(OpsLogError.Damaged, disk);
            Assert.Equal(key.Value, refusal.Damage!.File);
            await Lab.OpeningRefusedAsync(OpsLogError.Damaged, disk, Lab.ReadOnly());
            Assert.Equal(before, await Lab.BytesAsync(disk));
        }
    }

    [Fact]
    public async Task F14_the_log_of_a_living_store_cut_at_a_line_is_an_earlier_state_and_a_retired_one_is_damage()
    {
        var disk = new MemoryStorage();
        await using (var store = await CheckpointFaultTests.PreparedAsync(disk)) await store.SetAsync("d", Lab.Doc(6));
        var log = await Lab.LogAsync(disk);
        await Lab.ChangeAsync(disk, log, bytes => bytes[..Lab.LineOf(bytes, 0).End]);
        Assert.Equal("a = {\"n\":1}\nb = {\"n\":5}\nc = {\"n\":3}", await Lab.StateAsync(disk));

        var retired = new StorageKey((await Lab.NamesAsync(disk, "ops/ops-")).Single(n => n != log.Value));
        await Lab.ChangeAsync(disk, retired, bytes => bytes[..Lab.LineOf(bytes, 1).End]);
        await using var reopened = await Lab.OpenAsync(disk);
        var refusal = await Lab.RefusedAsync(OpsLogError.Damaged, async Task () => await Lab.OperationsAsync(reopened));
        Assert.Equal(retired.Value, refusal.Damage!.File);
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

    private static async Task<StorageKey> FindAsync(IOpsStorage storage, string which) => which switch
    {
        "log" => await Lab.LogAsync(storage),
        "snapshot" => await Lab.SnapshotAsync(storage),
        _ => await Lab.OnlyAsync(storage, which),
    };

    // All lines behind the first are as long as each other: sizes and line ends stay right.
    private static byte[] Misplace(byte[] bytes, string how)
    {
        var (first, second) = (Lab.LineOf(bytes, 3), Lab.LineOf(bytes, 4));
        var result = (byte[])bytes.Clone();
        switch (how)
        {
            case "swap":
                bytes.AsSpan(second.Start..second.End).CopyTo(result.AsSpan(first.Start));
                bytes.AsSpan(first.Start..first.End).CopyTo(result.AsSpan(first.Start + second.End - second.Start));
                return result;
            case "stale":
                bytes.AsSpan(first.Start..first.End).CopyTo(result.AsSpan(second.Start));
                return result;
            case "duplicate":
                return [.. bytes[..first.End], .. bytes[first.Start..]];
            case "drop":
                return [.. bytes[..first.Start], .. bytes[first.End..]];
            case "zero":
                result.AsSpan(first.Start - 5, 512).Clear();
                return result;
            default:
                return [.. bytes[..first.Start], (byte)'\n', .. bytes[first.Start..]];
        }
    }

    private sealed class DrippingStream(Stream inner, int breaksAfter = int.MaxValue) : Stream
    {
        private int _given;

        public override bool CanRead => true;
        public override bool CanSeek => false;
        public override bool CanWrite => false;
        public override long Length => throw new NotSupportedException();
        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override int Read(Span<byte> buffer)
        {
            if (_given >= breaksAfter) throw new StorageException(StorageFault.Unavailable, "The connection broke in the middle of the object.");
            var read = inner.Read(buffer[..Math.Min(buffer.Length, 1 + (_given % 3))]);
            _given += read;
            return read;
        }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => new(Read(buffer.Span));

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => Task.FromResult(Read(buffer, offset, count));

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
