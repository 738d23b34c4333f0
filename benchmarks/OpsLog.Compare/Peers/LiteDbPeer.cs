using LiteDB;

namespace OpsLog.Compare.Peers;

internal sealed class LiteDbPeer : StorePeer
{
    public override string Name => "LiteDB";

    public override string Version => $"{typeof(LiteDatabase).Assembly.GetName().Version!.ToString(3)}, direct connection";

    /// <summary>It syncs at the end of every transaction; there is nothing less.</summary>
    public override string? Mode(Promise promise) => promise == Promise.Disk ? "auto-commit" : null;

    public override ValueTask<IStore> OpenAsync(Job job)
    {
        Directory.CreateDirectory(job.Folder);
        return ValueTask.FromResult<IStore>(new Store(new LiteDatabase($"Filename={Path.Join(job.Folder, "lite.db")};Connection=direct")));
    }

    private sealed class Store(LiteDatabase database) : IStore
    {
        private readonly ILiteCollection<LiteItem> _items = database.GetCollection<LiteItem>("items");

        public ValueTask SetAsync(string id, Item item)
        {
            _items.Upsert(LiteItem.From(id, item));
            return default;
        }

        public ValueTask SetAllAsync(ReadOnlyMemory<KeyValuePair<string, Item>> batch)
        {
            database.BeginTrans();
            foreach (var (id, item) in batch.Span) _items.Upsert(LiteItem.From(id, item));
            database.Commit();
            return default;
        }

        public Item? Get(string id) => _items.FindById(id)?.ToItem();

        public int CountAbove(int priority) => _items.FindAll().Count(item => item.Priority > priority);

        public ValueTask DisposeAsync()
        {
            database.Dispose();
            return default;
        }
    }

    /// <summary>The document in the shape that its mapper likes best.</summary>
    internal sealed class LiteItem
    {
        public string Id { get; set; } = "";
        public string Title { get; set; } = "";
        public string Status { get; set; } = "";
        public string Owner { get; set; } = "";
        public string Team { get; set; } = "";
        public int Priority { get; set; }
        public string Updated { get; set; } = "";
        public string[] Labels { get; set; } = [];
        public string Note { get; set; } = "";

        public static LiteItem From(string id, Item item) => new()
        {
            Id = id,
            Title = item.Title,
            Status = item.Status,
            Owner = item.Owner,
            Team = item.Team,
            Priority = item.Priority,
            Updated = item.Updated,
            Labels = item.Labels,
            Note = item.Note,
        };

        public Item ToItem() => new(Title, Status, Owner, Team, Priority, Updated, Labels, Note);
    }
}
