namespace OpsLog.Compare.Peers;

/// <summary>Something that users choose instead, or the limit that the machine sets to all of them.</summary>
internal abstract class Peer
{
    public abstract string Name { get; }

    /// <summary>The version, and the settings that matter.</summary>
    public abstract string Version { get; }

    /// <summary>How a put of this promise is made; null if the peer has no such put.</summary>
    public abstract string? Mode(Promise promise);

    /// <summary>Whether it can do that at all.</summary>
    public virtual bool Can(JobKind kind) => kind is not (JobKind.Refresh or JobKind.Merge or JobKind.Checkpoint);

    /// <summary>Why it can't be measured here; null if it can.</summary>
    public virtual string? WhyAbsent() => null;

    public abstract Task<Outcome> RunAsync(Job job);
}

/// <summary>A store inside this process.</summary>
internal abstract class StorePeer : Peer
{
    public abstract ValueTask<IStore> OpenAsync(Job job);

    public override Task<Outcome> RunAsync(Job job) => StoreJobs.RunAsync(this, job);
}

/// <summary>What every store can do. Documents are objects on both sides: making JSON of them and back is part of the price.</summary>
internal interface IStore : IAsyncDisposable
{
    ValueTask SetAsync(string id, Item item);

    ValueTask SetAllAsync(ReadOnlyMemory<KeyValuePair<string, Item>> batch);

    Item? Get(string id);

    /// <summary>Counts records by a predicate that looks into the document.</summary>
    int CountAbove(int priority);

    /// <summary>The documents as LINQ takes them; null if the store has no such view.</summary>
    IEnumerable<Item>? Documents => null;
}

/// <summary>All peers that this build has.</summary>
internal static class AllPeers
{
    /// <summary>Those that belong to the comparison, in the order of the tables.</summary>
    public static readonly string[] Names = ["limit", "OpsLog", "npm 0.8.1", "LiteDB", "SQLite", "RocksDB", "LMDB", "ZoneTree", "FasterLog"];

    public static Peer? Find(string name) =>
        typeof(Peer).Assembly.GetTypes()
            .Where(type => type.IsSubclassOf(typeof(Peer)) && !type.IsAbstract)
            .Select(type => (Peer)Activator.CreateInstance(type)!)
            .FirstOrDefault(peer => peer.Name == name);
}
