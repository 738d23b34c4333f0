using System.Text;
using System.Text.Json;
using OpsLog.Storage;
using OpsLog.Tests.Faults;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.Engine;

/// <summary>
/// Goal: a document of an older schema version is never written again as a newer one that it is not: by undo and redo, and where an archive is written anew. Method: a store that
/// was written in version 1 and migrated to 2, then a program that names no version and migrates nothing, as the command line is; and one that migrates.
/// </summary>
public sealed class OlderDocumentsTests
{
    private const string Migrated = "a = {\"n\":2,\"v\":2}\nb = {\"n\":3,\"v\":2}";
    private const string Undone = "a = {\"n\":1,\"v\":2}\nb = {\"n\":3,\"v\":2}";

    [Theory]
    [InlineData(null)]
    [InlineData("A")]
    public async Task Undo_and_redo_of_an_older_document_are_for_the_program_that_migrates_it(string? agent)
    {
        var disk = await MigratedAsync(agent);
        await using (var store = await Lab.OpenAsync(disk, Lab.Options(o => o.AgentId = agent)))
        {
            var before = (await Lab.OperationsAsync(store)).Count;
            var refused = await Lab.RefusedAsync(OpsLogError.MigrationFailed, async Task () => await store.UndoAsync());
            Assert.Contains("schema version 1", refused.Message, StringComparison.Ordinal);
            Assert.Equal(Migrated, Runs.Text(store));
            Assert.Equal(before, (await Lab.OperationsAsync(store)).Count); // which it still shows

            await store.SetAsync("c", Lab.Doc(4)); // what is written in the store's own version is taken back as ever
            Assert.True(await store.UndoAsync());
            await Lab.RefusedAsync(OpsLogError.MigrationFailed, async Task () => await store.UndoAsync());
        }

        await using (var store = await Lab.OpenAsync(disk, Version2(o => o.AgentId = agent)))
        {
            Assert.True(await store.UndoAsync());
            Assert.Equal(Undone, Runs.Text(store));
        }

        Assert.Equal(Undone, await Lab.StateAsync(disk));
    }

    [Fact]
    public async Task A_program_that_names_the_version_takes_older_documents_as_they_are()
    {
        var disk = await MigratedAsync(null);
        await using var store = await Lab.OpenAsync(disk, Lab.Options(o => o.SchemaVersion = 2));
        Assert.True(await store.UndoAsync());
        Assert.Equal("a = {\"n\":1}\nb = {\"n\":3,\"v\":2}", Runs.Text(store));
    }

    [Fact]
    public async Task An_archive_of_older_documents_is_not_written_anew_without_their_migration()
    {
        var disk = await MigratedAsync(null);
        var archive = await Lab.OnlyAsync(disk, "archive/");
        var before = await Lab.ReadAsync(disk, archive);
        await using (var store = await Lab.OpenAsync(disk))
        {
            await Lab.RefusedAsync(OpsLogError.MigrationFailed, async Task () => await store.ArchiveAsync(["a"], "2026"));
            Assert.Equal(before, await Lab.ReadAsync(disk, archive));
            Assert.Equal(Migrated, Runs.Text(store));
            Assert.Equal("""{"n":9}""", (await store.LoadArchiveAsync("2026"))["old"].GetRawText());
            Assert.Equal(1, await store.ArchiveAsync(["a"], "2027"));
        }

        await using var migrating = await Lab.OpenAsync(disk, Version2());
        Assert.Equal(1, await migrating.ArchiveAsync(["b"], "2026"));
        var loaded = await migrating.LoadArchiveAsync("2026");
        Assert.Equal(["""{"n":3,"v":2}""", """{"n":9,"v":2}"""], loaded.OrderBy(r => r.Key, StringComparer.Ordinal).Select(r => r.Value.GetRawText()));
    }

    // Its archives do not say their version: the package takes them for documents of its store's.
    [Theory]
    [InlineData(2)]
    [InlineData(1)]
    public async Task The_packages_archives_are_of_the_version_that_its_store_had(int version)
    {
        var disk = new MemoryStorage();
        var fields = version == 2 ? ",\"v\":2" : "";
        await Put("manifest.json", """
            {"version":VERSION,"currentSnapshot":"snapshots/snap-1.jsonl","activeOps":"ops/ops-1.jsonl","archiveSegments":["archive/archive-2026.json"],
             "stats":{"activeRecords":1,"archivedRecords":1,"opsCount":0,"created":"2026-01-01T00:00:00.000Z","lastCheckpoint":"2026-01-01T00:00:00.000Z"}}
            """);
        await Put("snapshots/snap-1.jsonl", """
            {"version":VERSION,"timestamp":"2026-01-01T00:00:00.000Z"}
            {"id":"live","data":{"n":1FIELDS}}

            """);
        await Put("ops/ops-1.jsonl", "");
        await Put("archive/archive-2026.json", """{"version":1,"period":"2026","timestamp":"2026-01-01T00:00:00.000Z","records":{"old":{"n":2FIELDS}}}""");
        var repaired = new MemoryStorage();
        await OpsStore.RepairAsync(disk, repaired);
        foreach (var storage in new[] { disk, repaired })
        {
            await using (var store = await Lab.OpenAsync(storage, Version2()))
            {
                Assert.Equal("live = {\"n\":1,\"v\":2}", Runs.Text(store));
                Assert.Equal("""{"n":2,"v":2}""", (await store.LoadArchiveAsync("2026"))["old"].GetRawText());
                await store.SetAsync("more", Lab.Doc(0));
                await store.CompactAsync();
            }

            await using var reopened = await Lab.OpenAsync(storage, Version2());
            Assert.Equal("""{"n":2,"v":2}""", (await reopened.LoadArchiveAsync("2026"))["old"].GetRawText());
            Assert.Equal(1, await reopened.ArchiveAsync(["live"], "2026"));
            Assert.Equal(["""{"n":1,"v":2}""", """{"n":2,"v":2}"""], (await reopened.LoadArchiveAsync("2026")).OrderBy(r => r.Key, StringComparer.Ordinal).Select(r => r.Value.GetRawText()));
        }

        ValueTask Put(string name, string text) => new(Lab.WriteAsync(disk, new StorageKey(name), Encoding.UTF8.GetBytes(text.Replace("VERSION", $"{version}", StringComparison.Ordinal).Replace("FIELDS", fields, StringComparison.Ordinal))));
    }

    private static async Task<MemoryStorage> MigratedAsync(string? agent)
    {
        var disk = new MemoryStorage();
        await using (var store = await Lab.OpenAsync(disk, Lab.Options(o => o.AgentId = agent)))
        {
            await store.SetAsync("old", Lab.Doc(9));
            await store.ArchiveAsync(["old"], "2026");
            await store.SetAsync("b", Lab.Doc(3));
            await store.SetAsync("a", Lab.Doc(1));
            await store.SetAsync("a", Lab.Doc(2));
        }

        await using (var store = await Lab.OpenAsync(disk, Version2(o => o.AgentId = agent))) await store.CompactAsync();
        return disk;
    }

    private static OpsStoreOptions Version2(Action<OpsStoreOptions>? change = null) => Lab.Options(o =>
    {
        Runs.ToVersion2(o);
        change?.Invoke(o);
    });
}
