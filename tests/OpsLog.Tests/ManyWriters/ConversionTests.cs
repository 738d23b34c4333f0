using System.Text;
using OpsLog.Storage;
using OpsLog.Testing;
using OpsLog.Tests.Faults;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.ManyWriters;

/// <summary>
/// Goal: a sound store of a single writer that agents come to is refused by nobody and loses nothing. Method: logs that end in what was never finished, or hold a large step of the
/// clock; then everybody opens, verifies and copies.
/// </summary>
public sealed class ConversionTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task F4_a_batch_that_a_single_writer_never_finished_is_voided_by_the_agent_that_ends_its_log(bool dies)
    {
        var disk = new MemoryStorage();
        await WriteUnfinishedBatchAsync(disk);
        var hooked = new HookedStorage(disk)
        {
            Before = (call, key) => dies && call == StorageCalls.Put && key == Lab.Manifest ? throw new StorageException(StorageFault.Unavailable, "dead") : Task.CompletedTask,
        };
        if (dies) await Lab.OpeningRefusedAsync(OpsLogError.StorageFailed, hooked, Agent("A"));
        else await (await Lab.OpenAsync(hooked, Agent("A"))).DisposeAsync();
        await AssertSoundAsync(disk, "k = {\"n\":1}");
    }

    /// <summary>As an earlier version ended it: with an empty line alone.</summary>
    [Fact]
    public async Task F4_a_log_that_was_marked_sealed_behind_an_unfinished_batch_is_copied()
    {
        var disk = new MemoryStorage();
        var log = await WriteUnfinishedBatchAsync(disk);
        await Lab.ChangeAsync(disk, log, bytes => [.. bytes, (byte)'\n']);
        await Lab.ChangeManifestAsync(disk, ours => ours["logs"]![0]!["sealed"] = true);
        await AssertSoundAsync(disk, "k = {\"n\":1}");
    }

    /// <summary>A reader that follows the single writer, and has seen the batch before its end was there, goes on with the agents.</summary>
    [Fact]
    public async Task F4_a_reader_that_waits_for_the_rest_of_the_batch_goes_on_with_the_agents()
    {
        var disk = new MemoryStorage();
        await WriteUnfinishedBatchAsync(disk);
        await using var reader = await Lab.OpenAsync(disk, Lab.ReadOnly());
        await using var a = await Lab.OpenAsync(disk, Agent("A"));
        await reader.RefreshAsync();
        await a.SetAsync("a", Lab.Doc(2));
        await reader.RefreshAsync();
        Assert.Equal("a = {\"n\":2}\nk = {\"n\":1}", Runs.Text(reader));
    }

    [Fact]
    public async Task F18_what_a_single_writer_acknowledged_behind_a_large_step_of_the_clock_counts_among_agents()
    {
        var disk = new MemoryStorage();
        await using (var store = await Lab.OpenAsync(disk)) await store.SetAsync("k", Lab.Doc(1));
        await Lab.ChangeAsync(disk, await Lab.LogAsync(disk), bytes => [.. bytes, .. Encoding.UTF8.GetBytes(
            """{"ts":"2026-11-23T00:00:00.000Z","op":"set","id":"far","prev":null,"data":{"n":2},"clock":1790000000000}""" + "\n")]);
        await using (var store = await Lab.OpenAsync(disk)) Assert.Equal(1790000000001, (await store.SetAsync("ours", Lab.Doc(3))).Clock);
        await AssertSoundAsync(disk, "far = {\"n\":2}\nk = {\"n\":1}\nours = {\"n\":3}");
    }

    private static OpsStoreOptions Agent(string id) => Lab.Options(o => o.AgentId = id);

    private static async Task<StorageKey> WriteUnfinishedBatchAsync(MemoryStorage disk)
    {
        await Lab.WriteSetAndBatchAsync(disk);
        var log = await Lab.LogAsync(disk);
        await Lab.ChangeAsync(disk, log, bytes => bytes[..Lab.LineOf(bytes, 1).End]);
        return log;
    }

    private static async Task AssertSoundAsync(MemoryStorage disk, string expected)
    {
        Assert.Equal(expected, await Lab.StateAsync(disk));
        var report = await OpsStore.VerifyAsync(disk);
        Assert.True(report.IsSound, string.Join('\n', report.Damages));
        var (backup, restored, copy, repaired) = (new MemoryStorage(), new MemoryStorage(), new MemoryStorage(), new MemoryStorage());
        await using (var reader = await Lab.OpenAsync(disk, Lab.ReadOnly())) await reader.BackupAsync(backup);
        await OpsStore.RestoreAsync(backup, restored);
        await OpsStore.CopyAsync(disk, copy);
        Assert.Empty((await OpsStore.RepairAsync(disk, repaired)).Losses);
        foreach (var made in new[] { backup, restored, copy, repaired }) Assert.Equal(expected, await Lab.StateAsync(made));

        await using (var single = await Lab.OpenAsync(await Lab.CopyAsync(disk))) Assert.Equal(expected, Runs.Text(single));
        await using (var agent = await Lab.OpenAsync(disk, Agent("B")))
        {
            Assert.Equal(expected, Runs.Text(agent));
            Assert.DoesNotContain(agent.RecoveryReport.Notes, n => n.Kind == DamageKind.ImplausibleClock);
            await agent.CompactAsync();
            Assert.Equal(expected, Runs.Text(agent));
        }

        Assert.Equal(expected, await Lab.StateAsync(disk));
    }
}
