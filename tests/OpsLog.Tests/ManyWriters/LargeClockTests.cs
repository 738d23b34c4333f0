using System.Text;
using OpsLog.Format;
using OpsLog.Storage;
using OpsLog.Tests.Faults;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.ManyWriters;

/// <summary>
/// Goal: an operation whose clock is too large to count does so for nobody: no feed, repair or verifying, before and after its log is folded; and no clock is ever derived that
/// cannot be stored (F18). Method: lines with such clocks, with checksums that hold.
/// </summary>
public sealed class LargeClockTests
{
    [Fact]
    public async Task F18_feeds_leave_out_what_does_not_count_also_once_its_log_is_folded()
    {
        var disk = new MemoryStorage();
        await WriteAsync(disk, 9007199254740991);
        await using (var b = await Lab.OpenAsync(disk, Lab.Options(o => o.AgentId = "B")))
        {
            Assert.Equal([1, 3], await ClocksAsync(b));
            await b.CompactAsync();
            Assert.Equal([1, 3], await ClocksAsync(b));
            await b.SetAsync("l", Lab.Doc(4));
        }

        var report = await OpsStore.VerifyAsync(disk);
        Assert.True(report.IsSound, string.Join('\n', report.Damages));
        await using (var single = await Lab.OpenAsync(disk)) Assert.Equal([1, 3, 4], await ClocksAsync(single));

        // The logs are found without their index.
        await disk.DeleteAsync(new StorageKey((string)(await Lab.ManifestAsync(disk))["opslog"]!["history"]!["name"]!), default);
        await using var reader = await Lab.OpenAsync(disk, Lab.ReadOnly());
        Assert.Equal([1, 3, 4], await ClocksAsync(reader));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task F18_a_repair_takes_what_counts_and_lists_the_rest_as_a_note(bool withoutSnapshot)
    {
        var disk = new MemoryStorage();
        await WriteAsync(disk, 9007199254740991);
        if (withoutSnapshot) await disk.DeleteAsync(await Lab.SnapshotAsync(disk), default);
        var target = new MemoryStorage();
        var report = await OpsStore.RepairAsync(disk, target);
        Assert.Contains(report.Notes, n => n.Kind == DamageKind.ImplausibleClock);
        Assert.DoesNotContain(report.Losses, l => l.Kind != DamageKind.Missing || l.Detail.Contains("9007", StringComparison.Ordinal));
        await using var repaired = await Lab.OpenAsync(target);
        Assert.Equal("k = {\"n\":3}", Runs.Text(repaired));
        Assert.Equal(4, (await repaired.SetAsync("l", Lab.Doc(4))).Clock);
    }

    [Fact]
    public async Task F4_a_repair_takes_an_unfinished_batch_before_a_seal_for_no_loss()
    {
        var disk = new MemoryStorage();
        StorageKey log;
        await using (var a = await Lab.OpenAsync(disk, Lab.Options(o => o.AgentId = "A")))
        {
            log = new StorageKey((await a.SetAsync("k", Lab.Doc(1))).Log);
            await a.BatchAsync(b =>
            {
                b.Set("x", Lab.Doc(2));
                b.Set("y", Lab.Doc(3));
            });
        }

        await Lab.ChangeAsync(disk, log, bytes => [.. bytes[..Lab.LineOf(bytes, 1).End], (byte)'\n']);
        var target = new MemoryStorage();
        var report = await OpsStore.RepairAsync(disk, target);
        Assert.Empty(report.Losses);
        Assert.Empty(report.Quarantined);
        Assert.Contains(report.Notes, n => n.Kind == DamageKind.TornTail);
        Assert.Equal("k = {\"n\":1}", await Lab.StateAsync(target));
    }

    /// <summary>Another program used up the clock, and went on with lines that have none. They count; nothing more can be written, but everything can be read and exported.</summary>
    [Fact]
    public async Task F18_no_clock_is_derived_that_cannot_be_stored()
    {
        var disk = new MemoryStorage();
        await using (var store = await Lab.OpenAsync(disk)) await store.SetAsync("k", Lab.Doc(1));
        await Lab.ChangeAsync(disk, await Lab.LogAsync(disk), bytes => [.. bytes, .. Encoding.UTF8.GetBytes(
            """
            {"ts":"2026-11-23T00:00:00.000Z","op":"set","id":"a","prev":null,"data":{"n":2},"clock":9007199254740991}
            {"ts":"2026-11-23T00:00:00.000Z","op":"set","id":"a","prev":{"n":2},"data":{"n":3}}
            {"ts":"2026-11-23T00:00:00.000Z","op":"set","id":"b","prev":null,"data":{"n":4}}

            """)]);
        const string expected = "a = {\"n\":3}\nb = {\"n\":4}\nk = {\"n\":1}";
        await using (var store = await Lab.OpenAsync(disk))
        {
            Assert.Equal(expected, Runs.Text(store));
            await store.CompactAsync();
            await Lab.RefusedAsync(OpsLogError.ReadOnly, async Task () => await store.SetAsync("c", Lab.Doc(5)));
        }

        Assert.Equal(expected, await Lab.StateAsync(disk));
        var report = await OpsStore.VerifyAsync(disk);
        Assert.True(report.IsSound, string.Join('\n', report.Damages));
        await using var agent = await Lab.OpenAsync(disk, Lab.Options(o => o.AgentId = "A"));
        Assert.Equal(expected, Runs.Text(agent));
    }

    // An agent's log of three lines and a seal, of which the second has another clock.
    private static async Task WriteAsync(MemoryStorage disk, long clock)
    {
        StorageKey log = default;
        await using (var a = await Lab.OpenAsync(disk, Lab.Options(o => o.AgentId = "A")))
            for (var i = 1; i <= 3; i++) log = new StorageKey((await a.SetAsync("k", Lab.Doc(i))).Log);
        await Lab.ChangeAsync(disk, log, bytes =>
        {
            var changed = new MemoryStream();
            for (var i = 0; i < 3; i++)
            {
                var (start, end) = Lab.LineOf(bytes, i);
                var line = Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(bytes[start..end]).Replace("\"clock\":2,", $"\"clock\":{clock},", StringComparison.Ordinal));
                JsonLines.Reseal(line.AsSpan(..^1), changed.Length);
                changed.Write(line);
            }

            changed.WriteByte((byte)'\n');
            return changed.ToArray();
        });
    }

    private static async Task<List<long>> ClocksAsync(OpsStore<System.Text.Json.JsonElement> store) => (await Lab.OperationsAsync(store)).ConvertAll(o => o.Revision.Clock);
}
