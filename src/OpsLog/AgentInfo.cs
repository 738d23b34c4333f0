namespace OpsLog;

/// <summary>A log that is registered in a store of many writers, and whose it is, as far as this opening has read it. Immutable.</summary>
public sealed class AgentInfo
{
    /// <summary>The agent's id; empty for a single writer's log that agents took over.</summary>
    public required string Agent { get; init; }

    /// <summary>The log's name. An agent may have several: one for each opening, until a checkpoint folds those that have ended.</summary>
    public required string Log { get; init; }

    /// <summary>The clock of its newest operation that was read; the clock it starts from, if it has none.</summary>
    public required long Clock { get; init; }

    /// <summary>When its newest operation that was read was written, by the agent's clock; <see langword="null"/>: none was read.</summary>
    public DateTimeOffset? LastSeen { get; init; }

    /// <summary>Bytes of the log that were read.</summary>
    public required long LogBytes { get; init; }

    /// <summary>How far the snapshot covers it: bytes, or objects where the storage cannot append.</summary>
    public required long Covered { get; init; }

    /// <summary>Operations of it that were read and the snapshot does not cover.</summary>
    public required long OperationsSinceCheckpoint { get; init; }

    /// <summary>The log has ended; the next checkpoint folds it.</summary>
    public required bool IsSealed { get; init; }

    /// <summary>It is this opening's own.</summary>
    public required bool IsOwn { get; init; }
}
