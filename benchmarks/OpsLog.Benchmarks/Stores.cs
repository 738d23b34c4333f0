using OpsLog.Documents;
using OpsLog.Storage;

namespace OpsLog.Benchmarks;

/// <summary>Stores to measure on: in a temporary folder, or in memory where the disk would only add noise.</summary>
internal static class Stores
{
    private const int FillBatch = 1000;

    public static string NewFolder() => Directory.CreateTempSubdirectory("opslog-benchmarks-").FullName;

    public static OpsStoreOptions Options(Durability durability = Durability.Os, string? agent = null) => new()
    {
        Name = "benchmark",
        Durability = durability,
        AgentId = agent,
        JsonTypeInfo = ItemJson.Default.Item,
        Checkpoint = new CheckpointOptions { Automatic = false },
    };

    public static OpsStore<Item> Open(string folder, Durability durability = Durability.Os, string? agent = null) =>
        OpsStore<Item>.OpenAsync(folder, Options(durability, agent)).AsTask().GetAwaiter().GetResult();

    public static OpsStore<Item> Open(IOpsStorage storage, string? agent = null, Durability durability = Durability.Os) =>
        OpsStore<Item>.OpenAsync(storage, Options(durability, agent)).AsTask().GetAwaiter().GetResult();

    public static void Fill(OpsStore<Item> store, int count)
    {
        for (var first = 0; first < count; first += FillBatch)
        {
            var from = first;
            store.BatchAsync(batch =>
            {
                for (var i = from; i < Math.Min(count, from + FillBatch); i++) batch.Set(Items.Id(i), Items.Make(i));
            }).AsTask().GetAwaiter().GetResult();
        }
    }

    public static void Close(OpsStore<Item> store) => store.DisposeAsync().AsTask().GetAwaiter().GetResult();
}
