namespace OpsLog;

/// <summary>When a write is acknowledged. See docs/durability.md for what each level survives and costs.</summary>
public enum Durability
{
    /// <summary>On stable storage (fsync), shared by concurrent callers. Survives a power loss. The default.</summary>
    Disk,

    /// <summary>In the hands of the operating system. Survives a killed process, not a power loss.</summary>
    Os,

    /// <summary>At once, in memory; flushed in the background. <see cref="OpsStore{T}.FlushAsync"/> makes it sure. While 64 MiB wait to be flushed, writes wait too.</summary>
    Buffered,
}

/// <summary>What opening does about damage. A torn tail was never acknowledged and is no damage.</summary>
public enum Recovery
{
    /// <summary>
    /// Drops an unfinished tail and reports it; so it does with a damaged or missing history index, on which only history depends. Refuses any other damage with file, line
    /// and offset. The default.
    /// </summary>
    TolerateTornTail,

    /// <summary>Skips every damaged line, lists each in <see cref="OpsStore{T}.RecoveryReport"/>, and goes on.</summary>
    SkipCorrupt,

    /// <summary>Refuses a torn tail too, and a damaged or missing history index.</summary>
    Strict,
}

/// <summary>The layout of the snapshots a store writes. Both are read always.</summary>
public enum SnapshotFormat
{
    /// <summary>A header line, then one line per record (package 0.4 and later). The default.</summary>
    JsonLines,

    /// <summary>One JSON object, as package 0.3.0 reads it.</summary>
    Json,
}
