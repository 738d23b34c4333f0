using System.Text.Json;
using ZoneTree;
using ZoneTree.Logger;
using ZoneTree.Options;

namespace OpsLog.Compare.Peers;

internal sealed class ZoneTreePeer : StorePeer
{
    public override string Name => "ZoneTree";

    public override string Version => $"{typeof(IZoneTree<,>).Assembly.GetName().Version!.ToString(3)}, documents as JSON";

    public override string? Mode(Promise promise) => promise switch
    {
        Promise.Disk => "WAL Sync + SyncWAL",
        Promise.Os => "WAL Sync",
        _ => "default",
    };

    public override ValueTask<IStore> OpenAsync(Job job)
    {
        var factory = new ZoneTreeFactory<string, Memory<byte>>().SetDataDirectory(job.Folder).SetLogLevel(LogLevel.Error);
        if (job.Promise != Promise.Buffered) factory.ConfigureWriteAheadLogOptions(options => options.WriteAheadLogMode = WriteAheadLogMode.Sync);
        var tree = factory.OpenOrCreate();
        return ValueTask.FromResult<IStore>(new Store(tree, tree.CreateMaintainer(), job.Promise == Promise.Disk));
    }

    private sealed class Store(IZoneTree<string, Memory<byte>> tree, IMaintainer maintainer, bool sync) : IStore
    {
        public ValueTask SetAsync(string id, Item item)
        {
            Memory<byte> json = Items.Json(item);
            tree.Upsert(id, json);
            return sync ? new ValueTask(tree.SyncWALAsync(default)) : default;
        }

        public ValueTask SetAllAsync(ReadOnlyMemory<KeyValuePair<string, Item>> batch)
        {
            foreach (var (id, item) in batch.Span)
            {
                Memory<byte> json = Items.Json(item);
                tree.Upsert(id, json);
            }

            return sync ? new ValueTask(tree.SyncWALAsync(default)) : default;
        }

        public Item? Get(string id) => tree.TryGet(id, out var json) ? JsonSerializer.Deserialize(json.Span, ItemJson.Default.Item) : null;

        public int CountAbove(int priority)
        {
            using var records = tree.CreateIterator(IteratorType.NoRefresh, false, false);
            var count = 0;
            while (records.Next())
                if (JsonSerializer.Deserialize(records.CurrentValue.Span, ItemJson.Default.Item)!.Priority > priority) count++;
            return count;
        }

        public async ValueTask DisposeAsync()
        {
            await maintainer.WaitForBackgroundThreadsAsync();
            maintainer.Dispose();
            tree.Dispose();
        }
    }
}
