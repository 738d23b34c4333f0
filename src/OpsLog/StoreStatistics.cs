namespace OpsLog;

/// <summary>A store in numbers, at one moment. Immutable.</summary>
public sealed class StoreStatistics
{
    /// <summary>Live records.</summary>
    public long Records { get; init; }

    /// <summary>Operations that the current snapshot does not cover, in all logs that are read: one with a single writer.</summary>
    public long OperationsSinceCheckpoint { get; init; }

    /// <summary>Bytes of the current log; with many writers of all registered logs together.</summary>
    public long LogBytes { get; init; }

    /// <summary>Bytes of the current snapshot.</summary>
    public long SnapshotBytes { get; init; }

    /// <summary>Bytes of the logs kept for history.</summary>
    public long HistoryBytes { get; init; }

    /// <summary>Bytes of superseded objects that are waiting to be collected.</summary>
    public long GarbageBytes { get; init; }

    /// <summary>Records in archives, as the manifest counts them.</summary>
    public long ArchivedRecords { get; init; }

    /// <summary>The archive periods, in ordinal order.</summary>
    public IReadOnlyList<string> Archives { get; init; } = [];

    /// <summary>The Lamport clock of the newest operation.</summary>
    public long Clock { get; init; }

    /// <summary>The manifest's revision: it rises by one with each change of the manifest.</summary>
    public long ManifestRevision { get; init; }

    /// <summary>The schema version the store is written in.</summary>
    public int SchemaVersion { get; init; }

    /// <summary>When the store was created, by the creator's clock.</summary>
    public DateTimeOffset? Created { get; init; }

    /// <summary>When the last checkpoint was made, by its maker's clock.</summary>
    public DateTimeOffset? LastCheckpoint { get; init; }

    /// <summary>Checkpoints this opening has made.</summary>
    public long Checkpoints { get; init; }

    /// <summary>Appends to the log this opening has made: each holds one or more operations.</summary>
    public long Appends { get; init; }

    /// <summary>Operations this opening has acknowledged.</summary>
    public long Operations { get; init; }

    /// <summary>The name of the current snapshot object.</summary>
    public string Snapshot { get; init; } = "";

    /// <summary>The name of the log this store appends to (or follows).</summary>
    public string Log { get; init; } = "";

    /// <summary>Deleted records that are remembered, because an agent may still write an older operation. 0 with a single writer.</summary>
    public long Tombstones { get; init; }

    /// <summary>Deleted records with a clock up to this one are forgotten (docs/format.md, Tombstones). 0 with a single writer.</summary>
    public long TombstoneFloor { get; init; }

    /// <summary>The log of the agent that holds the floor where it is, by having been silent longest; <see langword="null"/>: nobody.</summary>
    public string? TombstonesHeldBy { get; init; }

    /// <summary>How often another writer was first when this opening changed the manifest: 0 for each change is the best, few the rule.</summary>
    public long ManifestConflicts { get; init; }

    /// <summary>How often another writer ended this opening's log, and it went on in a new one.</summary>
    public long Fenced { get; init; }

    /// <summary>Why the store is read-only, if a failure made it so; else <see langword="null"/>.</summary>
    public string? Failure { get; init; }

    /// <summary>The failure of the last background checkpoint, if it failed and none was made since; else <see langword="null"/>. The store goes on; the next checkpoint tries again.</summary>
    public string? CheckpointFailure { get; init; }
}
