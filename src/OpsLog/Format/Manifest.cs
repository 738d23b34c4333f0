namespace OpsLog.Format;

/// <summary>The statistics in the package's part of a manifest.</summary>
internal sealed record PackageStats(long ActiveRecords, long ArchivedRecords, long OpsCount, string Created, string LastCheckpoint);

/// <summary>The log the package knows for an agent.</summary>
internal readonly record struct AgentOps(string Agent, string Log);

/// <summary>The members of a manifest that the npm package knows. Names are as the file has them: not every one is a valid storage key.</summary>
internal sealed record PackageMembers
{
    public const string AgentsMember = "activeAgentOps";

    /// <summary>The schema version, from 1.</summary>
    public required int Version { get; init; }

    public required string CurrentSnapshot { get; init; }

    public required string ActiveOps { get; init; }

    public IReadOnlyList<string> ArchiveSegments { get; init; } = [];

    public required PackageStats Stats { get; init; }

    /// <summary>The log of each agent; <see langword="null"/>: the member is absent, which to the package means a single writer.</summary>
    public IReadOnlyList<AgentOps>? ActiveAgentOps { get; init; }

    /// <summary>The names of the members in which two differ; the order of agents does not count, JavaScript changes it.</summary>
    public IReadOnlyList<string> DifferencesFrom(PackageMembers other)
    {
        var differences = new List<string>();
        if (Version != other.Version) differences.Add("version");
        if (!string.Equals(CurrentSnapshot, other.CurrentSnapshot, StringComparison.Ordinal)) differences.Add("currentSnapshot");
        if (!string.Equals(ActiveOps, other.ActiveOps, StringComparison.Ordinal)) differences.Add("activeOps");
        if (!ArchiveSegments.SequenceEqual(other.ArchiveSegments, StringComparer.Ordinal)) differences.Add("archiveSegments");
        if (Stats != other.Stats) differences.Add("stats");
        if (!SameAgents(ActiveAgentOps, other.ActiveAgentOps)) differences.Add(AgentsMember);
        return differences;
    }

    /// <summary>Whether every agent of another has the same log here.</summary>
    public bool HasAgentsOf(PackageMembers other) => (other.ActiveAgentOps ?? []).All((ActiveAgentOps ?? []).Contains);

    private static bool SameAgents(IReadOnlyList<AgentOps>? left, IReadOnlyList<AgentOps>? right)
        => left is null || right is null ? left is null && right is null : left.Count == right.Count && left.ToHashSet().SetEquals(right);
}

/// <summary>The snapshot a manifest names.</summary>
/// <param name="Name">Its object key.</param>
/// <param name="Length">Its length in bytes.</param>
/// <param name="Checksum">The checksum of all its bytes.</param>
/// <param name="Count">How many records it holds.</param>
/// <param name="Clock">The largest clock it covers.</param>
/// <param name="Floor">Its tombstone floor.</param>
internal sealed record SnapshotEntry(string Name, long Length, uint Checksum, long Count, long Clock, long Floor);

/// <summary>A registered log.</summary>
/// <param name="Name">Its object key.</param>
/// <param name="Agent">Its agent; empty with a single writer.</param>
/// <param name="Start">The clock it starts from: every operation in it has a larger one.</param>
/// <param name="Schema">The schema version of its operations.</param>
/// <param name="Covered">How far the snapshot covers it: a byte offset behind a whole line or batch; in a numbered log, a count of objects.</param>
/// <param name="Clock">The largest clock up to there; <paramref name="Start"/> if nothing is covered.</param>
/// <param name="Sealed">A hint that it ends in a seal.</param>
internal sealed record LogEntry(string Name, string Agent, long Start, int Schema, long Covered, long Clock, bool Sealed);

/// <summary>A log that was folded into the snapshot for good.</summary>
/// <param name="Name">Its object key.</param>
/// <param name="Agent">Its agent; empty with a single writer.</param>
/// <param name="Length">Its final length without the seal: bytes, or objects in a numbered log.</param>
/// <param name="Schema">The schema version of its operations.</param>
/// <param name="Clock">Its largest clock.</param>
internal sealed record RetiredLog(string Name, string Agent, long Length, int Schema, long Clock);

/// <summary>The index of logs kept for history.</summary>
internal sealed record HistoryReference(string Name, long Bytes);

/// <summary>An object of an archived period.</summary>
/// <param name="Name">Its object key.</param>
/// <param name="Records">How many records it holds; 0 where the package wrote it and nobody counted.</param>
/// <param name="Schema">The schema version of its documents where it does not say it itself, as the package's do not; 0: not known.</param>
internal sealed record ArchiveObject(string Name, long Records, int Schema = 0);

/// <summary>An archived period and the objects that hold it, oldest first.</summary>
internal sealed record ArchiveEntry(string Period, IReadOnlyList<ArchiveObject> Objects);

/// <summary>An object nothing refers to any more, to be deleted after the grace period.</summary>
/// <param name="Name">Its object key.</param>
/// <param name="Bytes">Its length.</param>
/// <param name="Since">When it became garbage, to the millisecond.</param>
internal sealed record GarbageEntry(string Name, long Bytes, DateTimeOffset Since);

/// <summary>A manifest of ours: the package's members and our own. Immutable.</summary>
internal sealed record Manifest
{
    /// <summary>The members the package knows, as we write them.</summary>
    public required PackageMembers Package { get; init; }

    /// <summary>Counts the swaps of the manifest, from 1.</summary>
    public required long Revision { get; init; }

    /// <summary>Drawn anew for each swap, 8 hexadecimal digits, so that no two writers ever write the same manifest; empty where an older version wrote it.</summary>
    public string Nonce { get; init; } = "";

    /// <summary>Names this life of the store, 32 hexadecimal digits: a restored backup gets another.</summary>
    public required string Incarnation { get; init; }

    /// <summary>Whether logs are numbered objects, because the storage cannot append.</summary>
    public bool Numbered { get; init; }

    public required SnapshotEntry Snapshot { get; init; }

    public IReadOnlyList<LogEntry> Logs { get; init; } = [];

    public IReadOnlyList<RetiredLog> Retired { get; init; } = [];

    /// <summary>Names that a long checkpoint may still commit: never garbage.</summary>
    public IReadOnlyList<string> Reserved { get; init; } = [];

    public HistoryReference? History { get; init; }

    public IReadOnlyList<ArchiveEntry> Archives { get; init; } = [];

    /// <summary>The log of a single writer; <see langword="null"/>: none is registered as such.</summary>
    public string? Exclusive { get; init; }

    public IReadOnlyList<GarbageEntry> Garbage { get; init; } = [];

    /// <summary>Whether objects older than this store's own may be leftovers of the package: then nothing but what <see cref="Garbage"/> lists is collected.</summary>
    public bool Adopted { get; init; }
}

/// <summary>What a manifest's bytes turned out to be.</summary>
internal enum ManifestVerdict
{
    /// <summary>Ours, and nobody else wrote since.</summary>
    Ours,

    /// <summary>The package's: no member <c>opslog</c>.</summary>
    Peer,

    /// <summary>Ours, but the package's members are not as we wrote them: theirs win.</summary>
    PeerWroteSince,

    /// <summary>A newer program's: to be refused.</summary>
    TooNew,

    /// <summary>Damaged.</summary>
    Corrupt,
}

/// <summary>The outcome of reading a manifest.</summary>
/// <param name="Verdict">What it is.</param>
internal sealed record ManifestReadResult(ManifestVerdict Verdict)
{
    /// <summary>The package's members as they stand now; <see langword="null"/> if the manifest is corrupt.</summary>
    public PackageMembers? Package { get; init; }

    /// <summary>Our manifest, with the package's members as we wrote them: for <see cref="ManifestVerdict.Ours"/> and <see cref="ManifestVerdict.PeerWroteSince"/>.</summary>
    public Manifest? Manifest { get; init; }

    /// <summary>The manifest as it is stored.</summary>
    public byte[] Bytes { get; init; } = [];

    /// <summary>What is wrong and where, for <see cref="ManifestVerdict.Corrupt"/> and <see cref="ManifestVerdict.TooNew"/>; else empty.</summary>
    public string Fault { get; init; } = "";

    /// <summary>The line that is no JSON, from 1; 0 where the fault is none of one line.</summary>
    public long FaultLine { get; init; }

    /// <summary>Where that line starts.</summary>
    public long FaultOffset { get; init; }

    /// <summary>The package's members that are not as we wrote them, for <see cref="ManifestVerdict.PeerWroteSince"/>.</summary>
    public IReadOnlyList<string> Changed { get; init; } = [];

    /// <summary>Those of <see cref="Changed"/> that the package cannot have changed: it keeps our part only when it registers an agent, which adds to <c>activeAgentOps</c>.</summary>
    public IReadOnlyList<string> Unexplained => [.. Changed.Where(m => !string.Equals(m, PackageMembers.AgentsMember, StringComparison.Ordinal) || !Package!.HasAgentsOf(Manifest!.Package))];
}
