using OpsLog.Storage;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.Faults;

/// <summary>
/// Goal: what an opening makes of a store whose bytes are not what was written, or whose objects are gone (docs/faults.md, column open). Method:
/// one object damaged, cut, mixed up or deleted; an opening refuses it by name and place and changes nothing, or skips it on request and says so.
/// </summary>
public sealed class OpenDamageTests
{
    [Theory]
    [InlineData("snapshot")]
    [InlineData("log")]
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
}
