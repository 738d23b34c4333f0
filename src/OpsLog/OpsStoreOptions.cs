using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using Microsoft.Extensions.Logging;

namespace OpsLog;

/// <summary>How a store is opened. Read once by <c>OpenAsync</c>; later changes have no effect.</summary>
public sealed class OpsStoreOptions
{
    /// <summary>
    /// What the store is called in logs, traces and metrics (the attribute <c>db.namespace</c>); it is stored nowhere. Choose few names, and none that is secret.
    /// Default <see langword="null"/>: it has none there (log messages call it "the store"), and its numbers are added to those of other stores without one.
    /// </summary>
    public string? Name { get; set; }

    /// <summary>When a write is acknowledged. Default <see cref="Durability.Disk"/>.</summary>
    public Durability Durability { get; set; } = Durability.Disk;

    /// <summary>How long a buffered write may wait before it is flushed. Default 50 ms; 1 ms to 1 hour. Only for <see cref="Durability.Buffered"/>.</summary>
    public TimeSpan FlushInterval { get; set; } = TimeSpan.FromMilliseconds(50);

    /// <summary>When checkpoints are made by themselves. Never null.</summary>
    public CheckpointOptions Checkpoint { get; set; } = new();

    /// <summary>Where documents are kept while the store is open. Default <see cref="DocumentPlacement.InMemory"/>.</summary>
    public DocumentPlacement Documents { get; set; } = DocumentPlacement.InMemory;

    /// <summary>
    /// How many bytes of stored documents are kept for the next reader, in blocks of 8 KiB. Default 16 MiB; 0 to 64 GiB. Only for
    /// <see cref="DocumentPlacement.OnDisk"/>.
    /// </summary>
    public long DocumentCacheBytes { get; set; } = 16 << 20;

    /// <summary>How long operations are kept behind checkpoints, for history, undo and feeds. Default 30 days.</summary>
    public HistoryRetention HistoryRetention { get; set; } = HistoryRetention.ForAge(TimeSpan.FromDays(30));

    /// <summary>The layout of snapshots this store writes. Default <see cref="SnapshotFormat.JsonLines"/>.</summary>
    public SnapshotFormat SnapshotFormat { get; set; } = SnapshotFormat.JsonLines;

    /// <summary>
    /// The schema version of the documents, 1 or more. Default <see langword="null"/>: the store's own, 1 for a new store. A store with a newer
    /// version than this is refused (<see cref="OpsLogError.TooNew"/>); one with an older version is migrated by <see cref="Migrate"/>.
    /// </summary>
    public int? SchemaVersion { get; set; }

    /// <summary>
    /// Turns a document of an older schema version (the second argument) into one of <see cref="SchemaVersion"/>. Called for snapshot records,
    /// log operations and archived records, each from the version it was written in. Must be a pure function, and return a JSON
    /// object: anything else fails as an exception of it does (<see cref="OpsLogError.MigrationFailed"/>). Default <see langword="null"/>: documents are taken as they are;
    /// where <see cref="SchemaVersion"/> is not set either, older ones that history and archives hold are shown, but not written again.
    /// </summary>
    public Func<JsonNode?, int, JsonNode?>? Migrate { get; set; }

    /// <summary>
    /// Who writes, in a store that several agents write to at once: each opening appends to a log of its own, operations are ordered by clock and agent, the
    /// last one wins (docs/multi-writer.md). Any text of 1 to 1,000 characters without lone surrogates; it is data, never a path. Two openings
    /// with one id both keep everything. Default <see langword="null"/>: this opening is the only writer. With <see cref="ReadOnly"/> it is ignored.
    /// </summary>
    public string? AgentId { get; set; }

    /// <summary>Opens without writing anything, beside a living writer if need be. Default false.</summary>
    public bool ReadOnly { get; set; }

    /// <summary>Whether opening makes a new store where there is none. Default true; read-only opening never does.</summary>
    public bool CreateIfMissing { get; set; } = true;

    /// <summary>What opening does about damage. Default <see cref="Recovery.TolerateTornTail"/>.</summary>
    public Recovery Recovery { get; set; } = Recovery.TolerateTornTail;

    /// <summary>How documents are written and read, without reflection (NativeAOT). Takes precedence over <see cref="JsonSerializerOptions"/>.</summary>
    public JsonTypeInfo? JsonTypeInfo { get; set; }

    /// <summary>How documents are written and read. Default <see cref="JsonSerializerOptions.Web"/> without escaping of non-ASCII text.</summary>
    public JsonSerializerOptions? JsonSerializerOptions { get; set; }

    /// <summary>
    /// A folder on this machine where copies of the store's large, unchanging objects are kept, so that opening a remote store again fetches only what is new (<see cref="Storage.CachedStorage"/>).
    /// It may be deleted at any time. One folder for each store; other files in it are left alone (copies are named by 32 hexadecimal digits). Not the empty text. Default
    /// <see langword="null"/>: nothing is kept.
    /// </summary>
    public string? CacheFolder { get; set; }

    /// <summary>How many bytes of copies <see cref="CacheFolder"/> may hold: beyond that the oldest copies go. Default 16 GiB; above zero.</summary>
    public long CacheBytes { get; set; } = 16L << 30;

    /// <summary>Where time comes from. Default <see cref="TimeProvider.System"/>.</summary>
    public TimeProvider TimeProvider { get; set; } = TimeProvider.System;

    /// <summary>Where the random part of object names comes from. Default: the system's random source. A simulation seeds it.</summary>
    public Random? Random { get; set; }

    /// <summary>Where log messages go. Default <see langword="null"/>: nowhere.</summary>
    public ILoggerFactory? LoggerFactory { get; set; }

    internal Engine.WriteLimits Limits { get; set; } = Engine.WriteLimits.Default;

    /// <summary>Checks every option, as <c>OpenAsync</c> does first of all; that <see cref="JsonTypeInfo"/> is of the store's document type is checked there alone.</summary>
    /// <exception cref="ArgumentException">An option is missing or out of range; the message says what is allowed.</exception>
    public void Validate() => _ = new Engine.EngineSettings(this);
}

/// <summary>Where documents are kept while a store is open.</summary>
public enum DocumentPlacement
{
    /// <summary>
    /// In memory: as the stored bytes (mapped, where the storage can), and as an object from the first time it is read. The fastest to read.
    /// </summary>
    InMemory,

    /// <summary>
    /// Where they are stored: memory holds the ids and where each document lies, a read fetches the line. For stores larger than memory, in a folder;
    /// where the storage hands out neither files nor memory, documents are held in memory all the same; so are those of a snapshot that is one JSON object
    /// (<see cref="SnapshotFormat.Json"/>), which has no lines. A <see cref="Storage.FileStorage"/> of one's own maps snapshots, which is as good to the system's memory but shows
    /// in the process's, unless its <see cref="Storage.FileStorageOptions.MapReads"/> is off. Each read checks the line's checksum: a document that cannot be
    /// read, or was damaged since, is an <see cref="OpsLogException"/> (<see cref="OpsLogError.StorageFailed"/>, <see cref="OpsLogError.Damaged"/>) of the read, and
    /// of the write that would replace it.
    /// </summary>
    OnDisk,
}

/// <summary>When checkpoints are made by themselves: when the log has grown, never by time alone.</summary>
public sealed class CheckpointOptions
{
    /// <summary>Whether checkpoints are made by themselves at all. Default true; <see cref="OpsStore{T}.CompactAsync"/> works always.</summary>
    public bool Automatic { get; set; } = true;

    /// <summary>A checkpoint is due when the log is at least this many times the snapshot's bytes. Default 1; above 0.</summary>
    public double Growth { get; set; } = 1;

    /// <summary>… and log and snapshot together are at least this many bytes. Default 24 MiB; 0 or more.</summary>
    public long MinimumBytes { get; set; } = 24 << 20;

    /// <summary>… and holds at least this many operations. Default 1,000; 1 or more.</summary>
    public int MinimumOperations { get; set; } = 1000;

    /// <summary>Whether closing makes a checkpoint if one is due. Default true.</summary>
    public bool OnClose { get; set; } = true;

    /// <summary>
    /// Where the storage cannot tell whether an agent lives (not in a folder): the log of an agent that has been silent for this long is ended by the next checkpoint, so that it
    /// does not hold deleted records for ever. Safe at any value: a living agent whose log was ended goes on in a new one. Default 10 minutes; zero or more.
    /// </summary>
    public TimeSpan SilentAfter { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>How long superseded objects stay for readers that still use them. Default 60 s. They go earlier when they weigh more than half of the store itself.</summary>
    public TimeSpan GracePeriod { get; set; } = TimeSpan.FromSeconds(60);
}

/// <summary>How long operations behind a checkpoint are kept. Undo, history and feeds reach back that far.</summary>
public sealed class HistoryRetention
{
    private HistoryRetention(TimeSpan? age, long? bytes) => (Age, Bytes) = (age, bytes);

    /// <summary>Logs whose newest operation is older than this go. <see langword="null"/>: no limit by age.</summary>
    public TimeSpan? Age { get; }

    /// <summary>The oldest logs go while all kept ones together are larger than this. <see langword="null"/>: no limit by size.</summary>
    public long? Bytes { get; }

    /// <summary>Nothing is kept behind a checkpoint.</summary>
    public static HistoryRetention None { get; } = new(null, 0);

    /// <summary>Everything is kept.</summary>
    public static HistoryRetention Forever { get; } = new(null, null);

    /// <summary>Kept for a time.</summary>
    /// <param name="age">Above zero; one that reaches back beyond the year 1 is for ever.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="age"/> is not above zero.</exception>
    public static HistoryRetention ForAge(TimeSpan age)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(age, TimeSpan.Zero);
        return new HistoryRetention(age, null);
    }

    /// <summary>Kept up to a size.</summary>
    /// <param name="bytes">0 or more.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="bytes"/> is negative.</exception>
    public static HistoryRetention ForBytes(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        return new HistoryRetention(null, bytes);
    }
}
