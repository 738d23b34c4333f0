using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using OpsLog.Storage;
using static OpsLog.Tests.BadInput.BadInputCase;

namespace OpsLog.Tests.BadInput;

/// <summary>The rows of the sections Options and Calls.</summary>
internal static class OptionAndCallCases
{
    private static readonly string s_longPeriod = new('p', 201);

    public static IEnumerable<(string Key, BadInputCase Case)> All =>
    [
        .. Options.Select(c => ("Options: " + c.Given, c.Case)),
        .. Calls.Select(c => ("Calls: " + c.Given, c.Case)),
    ];

    private static (string Given, BadInputCase Case)[] Options =>
    [
        ("Durability: a value it does not have", OnOpening(o => o.Durability = (Durability)3) with { Arguments = s => ["apply", s, "-", "--durability", "3"] }),
        ("Recovery: a value it does not have", OnOpening(o => o.Recovery = (Recovery)3) with { Arguments = s => ["export", s, "--recovery", "3"] }),
        ("SnapshotFormat: a value it does not have", OnOpening(o => o.SnapshotFormat = (SnapshotFormat)(-1))),
        ("Documents: a value it does not have", OnOpening(o => o.Documents = (DocumentPlacement)2)),
        ("DocumentCacheBytes: negative", OnOpening(o => o.DocumentCacheBytes = -1)),
        ("CacheFolder: the empty text", OnOpening(o => o.CacheFolder = "") with { Prepare = MakeStoreAsync, Arguments = s => ["export", s, "--cache", ""] }),
        ("CacheBytes: 0, with a CacheFolder", new BadInputCase(async folder => await (await OpenAsync(folder, o => (o.CacheFolder, o.CacheBytes) = (folder + "-cache", 0))).DisposeAsync())),
        ("FlushInterval: below 1 ms", OnOpening(o => o.FlushInterval = TimeSpan.Zero)),
        ("FlushInterval: above 1 hour", OnOpening(o => o.FlushInterval = TimeSpan.FromMinutes(61))),
        ("SchemaVersion: 0", OnOpening(o => o.SchemaVersion = 0)),
        ("AgentId: the empty text", Agent("")),
        ("AgentId: half of a surrogate pair", Agent("a\ud800")),
        ("AgentId: 1,001 characters", Agent(new string('a', 1001))),
        ("Checkpoint: null", OnOpening(o => o.Checkpoint = null!)),
        ("Checkpoint.Growth: 0", OnOpening(o => o.Checkpoint.Growth = 0)),
        ("Checkpoint.Growth: not a number", OnOpening(o => o.Checkpoint.Growth = double.NaN)),
        ("Checkpoint.MinimumBytes: negative", OnOpening(o => o.Checkpoint.MinimumBytes = -1)),
        ("Checkpoint.MinimumOperations: 0", OnOpening(o => o.Checkpoint.MinimumOperations = 0)),
        ("Checkpoint.GracePeriod: negative", OnOpening(o => o.Checkpoint.GracePeriod = TimeSpan.FromTicks(-1))),
        ("Checkpoint.SilentAfter: negative", OnOpening(o => o.Checkpoint.SilentAfter = TimeSpan.FromTicks(-1))),
        ("HistoryRetention: null", OnOpening(o => o.HistoryRetention = null!)),
        ("HistoryRetention.ForAge: zero", OnOpening(o => o.HistoryRetention = HistoryRetention.ForAge(TimeSpan.Zero))),
        ("HistoryRetention.ForBytes: negative", OnOpening(o => o.HistoryRetention = HistoryRetention.ForBytes(-1))),
        ("TimeProvider: null", OnOpening(o => o.TimeProvider = null!)),
        ("JsonTypeInfo: of another type", new BadInputCase(async folder =>
        {
            var info = JsonSerializerOptions.Web.GetTypeInfo(typeof(int));
            await OpsStore<Version>.OpenAsync(folder, new OpsStoreOptions { JsonTypeInfo = info });
        })),
        ("JsonTypeInfo: of another type, for a store of JsonElement", new BadInputCase(async folder =>
        {
            var info = JsonSerializerOptions.Web.GetTypeInfo(typeof(int));
            await (await OpsStore<JsonElement>.OpenAsync(folder, new OpsStoreOptions { JsonTypeInfo = info })).DisposeAsync();
        })),
    ];

    private static BadInputCase Agent(string agent) => OnOpening(o => o.AgentId = agent) with { Arguments = s => ["set", s, "a", "{}", "--agent", agent] };

    private static (string Given, BadInputCase Case)[] Calls =>
    [
        ("a location that is null", new BadInputCase(_ => OpsStore<JsonElement>.OpenAsync((string)null!).AsTask())),
        ("a location that is empty", new BadInputCase(_ => OpsStore<JsonElement>.OpenAsync("").AsTask()) { Arguments = _ => ["export", ""] }),
        ("a location of a kind that is not known", new BadInputCase(_ => OpsStore<JsonElement>.OpenAsync("ftp://host/store").AsTask())
        {
            Arguments = _ => ["export", "ftp://host/store"],
        }),
        ("a file URI with a fragment or a query", new BadInputCase(folder => OpsStore<JsonElement>.OpenAsync($"file://{folder}#x").AsTask())
        {
            Arguments = s => ["export", $"file://{s}?x"],
        }),
        ("a storage that is null", new BadInputCase(_ => OpsStore<JsonElement>.OpenAsync((IOpsStorage)null!).AsTask())),
        ("a storage key that leads out of the store", new BadInputCase(_ => Task.FromResult(new StorageKey("ops/../../outside")))),
        ("a scheme that cannot be registered", new BadInputCase(_ =>
        {
            StorageSchemes.Register("file", (_, _, _) => new MemoryStorage());
            return Task.CompletedTask;
        })),
        ("a function or predicate that is null", OnStore(s => s.UpdateAsync("a", null!).AsTask())),
        ("a batch that is used after its function has ended", OnStore(UseEndedBatchAsync)),
        ("a revision that is not the record's", OnStore(WriteTwiceAsync)),
        ("an archive period that is empty", Archive("")),
        ("an archive period of more than 200 characters", Archive(s_longPeriod)),
        ("an archive period that differs from another only in case", Archive("q4") with
        {
            Prepare = async folder =>
            {
                await MakeStoreAsync(folder);
                await using var store = await OpenAsync(folder);
                await store.ArchiveAsync(["before-1"], "Q4");
            },
        }),
        ("a null among the ids to archive", OnStore(s => s.ArchiveAsync(["before-1", null!], "Q4").AsTask()) with { Prepare = MakeStoreAsync }),
        ("an archive that is not there", OnStore(s => s.LoadArchiveAsync("nothing").AsTask()) with
        {
            Prepare = MakeStoreAsync,
            Arguments = s => ["export", s, "--archive", "nothing"],
        }),
        ("a feed position that is no position", new BadInputCase(_ => Task.FromResult(FeedPosition.Parse("yesterday")))
        {
            Prepare = MakeStoreAsync,
            Arguments = s => ["log", s, "--since", "yesterday"],
        }),
        ("a feed position of another store", OnStore(async s => await s.OperationsAsync(OtherStore()).GetAsyncEnumerator().MoveNextAsync()) with
        {
            Prepare = MakeStoreAsync,
            Arguments = s => ["log", s, "--since", OtherStore().ToString()],
        }),
        ("a write to a store that was opened read-only", new BadInputCase(async folder =>
        {
            await using var store = await OpenAsync(folder, o => o.ReadOnly = true);
            await store.SetAsync("a", Json("{}"));
        }) { Prepare = MakeStoreAsync }),
        ("a write to a store that was closed", new BadInputCase(async folder =>
        {
            var store = await OpenAsync(folder);
            await store.DisposeAsync();
            await store.SetAsync("a", Json("{}"));
        })),
        ("an undo of a document of an older schema version, by a program that does not migrate it", OnStore(s => s.UndoAsync().AsTask()) with
        {
            Prepare = MakeMigratedAsync,
            Arguments = s => ["undo", s],
        }),
        ("more records into an archive of documents of an older schema version, by such a program", Archive("Q4") with { Prepare = MakeMigratedAsync }),
        ("a migration function that throws", OnOpening(o =>
        {
            o.SchemaVersion = 2;
            o.Migrate = (_, _) => throw new InvalidOperationException("no");
        }) with { Prepare = MakeStoreAsync }),
    ];

    // What the archive and the history hold is of version 1, the store of 2.
    private static async Task MakeMigratedAsync(string folder)
    {
        await MakeStoreAsync(folder);
        await using (var store = await OpenAsync(folder))
        {
            await store.ArchiveAsync(["before-1"], "Q4");
            await store.SetAsync("after-1", Json("{}"));
        }

        await using var migrating = await OpenAsync(folder, o => (o.SchemaVersion, o.Migrate) = (2, (document, _) => document));
    }

    private static FeedPosition OtherStore() => FeedPosition.Parse("00000000000000000000000000000000/ops/ops-r000000000000-00000000.jsonl@0");

    private static BadInputCase Archive(string given) => OnStore(s => s.ArchiveAsync(["before-2"], given).AsTask()) with
    {
        Prepare = MakeStoreAsync,
        Arguments = s => ["archive", s, "--id", "before-2", "--segment", given],
    };

    private static async Task UseEndedBatchAsync(OpsStore<JsonElement> store)
    {
        OpsBatch<JsonElement>? kept = null;
        await store.BatchAsync(batch =>
        {
            kept = batch;
            batch.Set("a", Json("{}"));
        });
        kept!.Delete("a");
    }

    private static async Task WriteTwiceAsync(OpsStore<JsonElement> store)
    {
        var first = await store.SetAsync("a", Json("""{"n":1}"""), Revision.None);
        await store.SetAsync("a", Json("""{"n":2}"""), first);
        await store.SetAsync("a", Json("""{"n":3}"""), first);
    }
}
