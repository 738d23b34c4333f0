using System.Text;
using FASTER.core;

namespace OpsLog.Compare.Peers;

/// <summary>A log library beside a dictionary: what somebody writes who needs no store. It only puts.</summary>
internal sealed class FasterLogPeer : StorePeer
{
    public override string Name => "FasterLog";

    public override string Version => $"{typeof(FasterLog).Assembly.GetName().Version!.ToString(3)} beside a dictionary";

    public override string? Mode(Promise promise) => promise switch
    {
        Promise.Disk => "commit and wait",
        Promise.Buffered => "enqueue",
        _ => null,
    };

    public override bool Can(JobKind kind) => kind == JobKind.Put;

    public override ValueTask<IStore> OpenAsync(Job job)
    {
        Directory.CreateDirectory(job.Folder);
        var device = Devices.CreateLogDevice(Path.Join(job.Folder, "log"));
        return ValueTask.FromResult<IStore>(new Store(device, new FasterLog(new FasterLogSettings { LogDevice = device }), job.Promise == Promise.Disk));
    }

    private sealed class Store(IDevice device, FasterLog log, bool commit) : IStore
    {
        private readonly Dictionary<string, Item> _items = [];
        private readonly Lock _lock = new();

        public async ValueTask SetAsync(string id, Item item)
        {
            var json = Items.Json(item);
            var line = new byte[Encoding.UTF8.GetByteCount(id) + 1 + json.Length];
            json.CopyTo(line, Encoding.UTF8.GetBytes(id, line) + 1);
            log.Enqueue(line);
            if (commit) await log.CommitAsync();
            lock (_lock) _items[id] = item;
        }

        public async ValueTask SetAllAsync(ReadOnlyMemory<KeyValuePair<string, Item>> batch)
        {
            for (var i = 0; i < batch.Length; i++) await SetAsync(batch.Span[i].Key, batch.Span[i].Value);
        }

        public Item? Get(string id) => _items.GetValueOrDefault(id);

        public int CountAbove(int priority) => _items.Values.Count(item => item.Priority > priority);

        public ValueTask DisposeAsync()
        {
            log.Dispose();
            device.Dispose();
            return default;
        }
    }
}
