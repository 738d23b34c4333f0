using System.Text.Json.Nodes;
using OpsLog.Storage;
using OpsLog.Testing;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.Faults;

/// <summary>
/// Goal: a migration is done wholly or not at all, and takes snapshot, log and archives, each from its own version (F32, bug 68). Method: a store of
/// version 1 is opened by code of version 2 that fails, or dies at each storage call; then by code of either version.
/// </summary>
public sealed class MigrationFaultTests
{
    private const string Old = "a = {\"n\":1}\nb = {\"n\":5}\nc = {\"n\":3}";
    private const string New = "a = {\"n\":1,\"v\":2}\nb = {\"n\":5,\"v\":2}\nc = {\"n\":3,\"v\":2}";

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task F32_F34_a_process_that_dies_while_it_migrates_leaves_the_old_store_or_the_new_one(bool append)
    {
        for (var call = 1; ; call++)
        {
            foreach (var moment in new[] { FaultMoment.Before, FaultMoment.During, FaultMoment.After })
            {
                var disk = new CrashableStorage(append, seed: call);
                await using (await CheckpointFaultTests.PreparedAsync(disk))
                {
                }

                var dying = disk.Reopen(CrashLoss.Nothing);
                dying.CrashAtCall(call, moment);
                try
                {
                    await (await Lab.OpenAsync(dying, Version2())).DisposeAsync();
                }
                catch (OpsLogException)
                {
                    // It died here.
                }

                if (!dying.IsCrashed && moment == FaultMoment.Before)
                {
                    Assert.True(call > 5);
                    return;
                }

                var left = dying.Reopen();
                var asLeft = await Lab.StateAsync(left);
                Assert.True(asLeft is Old or New, $"died at {call} ({moment}): {asLeft}");
                Assert.Equal(New, await Lab.StateAsync(left, Version2(o => o.ReadOnly = true)));
                await using (var store = await Lab.OpenAsync(left, Version2())) Assert.Equal(New, Runs.Text(store));
                Assert.Equal(New, await Lab.StateAsync(left));
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task F32_a_migration_that_throws_changes_nothing(int document)
    {
        var disk = new MemoryStorage();
        await using (await CheckpointFaultTests.PreparedAsync(disk))
        {
        }

        var before = await Lab.BytesAsync(disk);
        var calls = 0;
        var failing = Version2(o => o.Migrate = (node, _) => ++calls == document ? throw new InvalidTimeZoneException("no") : node);
        var failure = await Lab.OpeningRefusedAsync(OpsLogError.MigrationFailed, disk, failing);
        Assert.IsType<InvalidTimeZoneException>(failure.InnerException);
        Assert.Equal(before, await Lab.BytesAsync(disk));
        Assert.Equal(Old, await Lab.StateAsync(disk));
    }

    [Fact]
    public async Task F32_a_reader_migrates_for_itself_and_writes_nothing()
    {
        var disk = new MemoryStorage();
        await using var writer = await CheckpointFaultTests.PreparedAsync(disk);
        await using var reader = await Lab.OpenAsync(disk, Version2(o => o.ReadOnly = true));
        Assert.Equal(New, Runs.Text(reader));
        var before = await Lab.BytesAsync(disk);
        await reader.RefreshAsync();
        Assert.Equal(before, await Lab.BytesAsync(disk));
        await writer.SetAsync("d", Lab.Doc(6));
        await reader.RefreshAsync();
        await writer.CompactAsync();
        await writer.SetAsync("e", Lab.Doc(7));
        await reader.RefreshAsync();
        Assert.Equal(New + "\nd = {\"n\":6,\"v\":2}\ne = {\"n\":7,\"v\":2}", Runs.Text(reader));
    }

    [Fact]
    public async Task Bug68_a_migration_takes_snapshot_log_archive_and_history_each_once_from_its_own_version()
    {
        var disk = new MemoryStorage();
        await using (var store = await CheckpointFaultTests.PreparedAsync(disk)) await store.ArchiveAsync(["c"], "2026");
        await using (var store = await Lab.OpenAsync(disk, Version2()))
        {
            Assert.Equal(1, store.RecoveryReport.StoredSchemaVersion);
            Assert.Equal("a = {\"n\":1,\"v\":2}\nb = {\"n\":5,\"v\":2}", Runs.Text(store));
            await store.SetAsync("d", Corpus.StoreReading.Element("""{"n":7,"v":2}"""));
            Assert.Equal("""{"n":3,"v":2}""", (await store.LoadArchiveAsync("2026"))["c"].GetRawText());
            await store.ArchiveAsync(["a"], "2026");
            Assert.All(await Lab.OperationsAsync(store), o => Assert.True(o.Kind == OperationKind.Delete || o.Value.GetProperty("v").GetInt32() == 2));
            Assert.True(await store.UndoAsync());
        }

        await Lab.OpeningRefusedAsync(OpsLogError.TooNew, disk, Lab.Options(o => o.SchemaVersion = 1));
        var steps = new List<int>();
        await using var third = await Lab.OpenAsync(disk, Lab.Options(o =>
        {
            o.SchemaVersion = 3;
            o.Migrate = (node, version) =>
            {
                steps.Add(version);
                var document = node!.AsObject();
                Assert.Equal(version == 2, document.ContainsKey("v"));
                return new JsonObject { ["n"] = (int)document["n"]!, ["v"] = 3 };
            };
        }));
        Assert.Equal("a = {\"n\":1,\"v\":3}\nb = {\"n\":5,\"v\":3}\nd = {\"n\":7,\"v\":3}", Runs.Text(third));
        Assert.All(steps, version => Assert.Equal(2, version));
        Assert.Equal(["a", "c"], (await third.LoadArchiveAsync("2026")).Keys.Order(StringComparer.Ordinal));
        Assert.All((await third.LoadArchiveAsync("2026")).Values, v => Assert.Equal(3, v.GetProperty("v").GetInt32()));
        Assert.True((await Lab.OperationsAsync(third)).Count > 6);
    }

    [Fact]
    public async Task F32_an_undo_gives_back_a_value_of_the_older_version_migrated()
    {
        var disk = new MemoryStorage();
        await using (await CheckpointFaultTests.PreparedAsync(disk))
        {
        }

        await using var store = await Lab.OpenAsync(disk, Version2());
        Assert.True(await store.UndoAsync());
        Assert.Equal("a = {\"n\":1,\"v\":2}\nb = {\"n\":2,\"v\":2}\nc = {\"n\":3,\"v\":2}", Runs.Text(store));
        Assert.True(await store.RedoAsync());
        Assert.Equal(New, Runs.Text(store));
    }

    [Theory]
    [InlineData("{\"ts\":\"2026")]
    [InlineData("{\"ts\":\"2026-01-01T00:00:00.000Z\",\"op\":\"set\",\"id\":\"z\",\"data\":{\"n\":8},\"prev\":null}")]
    public async Task F4_F32_a_torn_tail_is_voided_before_a_migration_leaves_the_log(string tail)
    {
        var disk = new MemoryStorage();
        await using (await CheckpointFaultTests.PreparedAsync(disk))
        {
        }

        var log = await Lab.LogAsync(disk);
        await Lab.ChangeAsync(disk, log, bytes => [.. bytes, .. System.Text.Encoding.UTF8.GetBytes(tail)]);
        var migrated = tail.EndsWith('}') ? New + "\nz = {\"n\":8,\"v\":2}" : New;
        await using (var store = await Lab.OpenAsync(disk, Version2()))
        {
            Assert.Equal(migrated, Runs.Text(store));
            await store.SetAsync("zz", Corpus.StoreReading.Element("""{"n":9,"v":2}"""));
            Assert.Equal(tail.EndsWith('}') ? 6 : 5, (await Lab.OperationsAsync(store)).Count);
        }

        Assert.Equal((byte)'\n', (await Lab.ReadAsync(disk, log))[^1]);
        Assert.Empty((await OpsStore.VerifyAsync(disk)).Damages);
        await using var reopened = await Lab.OpenAsync(disk, Version2());
        Assert.True(reopened.RecoveryReport.IsClean);
        Assert.Equal(migrated + "\nzz = {\"n\":9,\"v\":2}", Runs.Text(reopened));
    }

    private static OpsStoreOptions Version2(Action<OpsStoreOptions>? change = null) => Lab.Options(o =>
    {
        Runs.ToVersion2(o);
        change?.Invoke(o);
    });
}
