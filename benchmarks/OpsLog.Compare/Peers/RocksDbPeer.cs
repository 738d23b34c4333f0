using System.Text;
using System.Text.Json;
using RocksDbSharp;

namespace OpsLog.Compare.Peers;

internal sealed class RocksDbPeer : StorePeer
{
    public override string Name => "RocksDB";

    public override string Version => $"{typeof(RocksDb).Assembly.GetName().Version!.ToString(3)}, documents as JSON";

    public override string? Mode(Promise promise) => promise switch
    {
        Promise.Disk => "sync",
        Promise.Os => "WAL without sync",
        _ => null,
    };

    public override ValueTask<IStore> OpenAsync(Job job)
    {
        Directory.CreateDirectory(job.Folder);
        var tables = new BlockBasedTableOptions().SetFilterPolicy(BloomFilterPolicy.Create(10, false));
        if (job.Kind == JobKind.Get) tables.SetBlockCache(Cache.CreateLru(512 << 20)); // room for all
        var options = new DbOptions().SetCreateIfMissing().IncreaseParallelism(2).SetBlockBasedTableFactory(tables);
        var database = RocksDb.Open(options, job.Folder);
        return ValueTask.FromResult<IStore>(new Store(database, new WriteOptions().SetSync(job.Promise == Promise.Disk)));
    }

    private sealed class Store(RocksDb database, WriteOptions options) : IStore
    {
        public ValueTask SetAsync(string id, Item item)
        {
            database.Put(Encoding.UTF8.GetBytes(id), Items.Json(item), writeOptions: options);
            return default;
        }

        public ValueTask SetAllAsync(ReadOnlyMemory<KeyValuePair<string, Item>> batch)
        {
            using var writes = new WriteBatch();
            foreach (var (id, item) in batch.Span) writes.Put(Encoding.UTF8.GetBytes(id), Items.Json(item));
            database.Write(writes, options);
            return default;
        }

        public Item? Get(string id) => database.Get(Encoding.UTF8.GetBytes(id)) is { } json ? JsonSerializer.Deserialize(json, ItemJson.Default.Item) : null;

        public int CountAbove(int priority)
        {
            using var records = database.NewIterator();
            var count = 0;
            for (records.SeekToFirst(); records.Valid(); records.Next())
                if (JsonSerializer.Deserialize(records.GetValueSpan(), ItemJson.Default.Item)!.Priority > priority) count++;
            return count;
        }

        public ValueTask DisposeAsync()
        {
            database.Dispose();
            return default;
        }
    }
}
