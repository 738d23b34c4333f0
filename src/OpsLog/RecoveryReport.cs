namespace OpsLog;

/// <summary>Bytes that are not what was written, or that were never finished.</summary>
/// <param name="Kind">What is wrong.</param>
/// <param name="File">The stored object, relative to the store's root.</param>
/// <param name="Line">Its line there, from 1; 0 where the object as a whole is meant.</param>
/// <param name="Offset">The byte offset of that line in the object.</param>
/// <param name="Length">How many bytes are concerned; 0 where unknown.</param>
/// <param name="Detail">What was found, in words.</param>
public sealed record Damage(DamageKind Kind, string File, long Line, long Offset, long Length, string Detail)
{
    /// <summary>The damage as <c>object:line (offset n): detail</c>.</summary>
    public override string ToString() => Line > 0 ? $"{File}:{Line} (offset {Offset}): {Detail}" : $"{File}: {Detail}";
}

/// <summary>The kinds of <see cref="Damage"/>.</summary>
public enum DamageKind
{
    /// <summary>The last line or batch was never finished. It was not acknowledged; nothing is lost.</summary>
    TornTail,

    /// <summary>A line that its writer marked as void after a failed append. It was not acknowledged; nothing is lost.</summary>
    Spoiled,

    /// <summary>A line that is no operation or record, or whose checksum does not hold.</summary>
    CorruptLine,

    /// <summary>An object that is named but absent.</summary>
    Missing,

    /// <summary>An object whose length or checksum is not what the manifest or its own header says.</summary>
    CorruptObject,

    /// <summary>An operation of one of many writers whose clock is so far above the one before it that it would use up the space of clocks. It does not count.</summary>
    ImplausibleClock,

    /// <summary>
    /// An object that cannot be read where its documents were to stay on disk (<see cref="DocumentPlacement.OnDisk"/>). They are held in memory instead; nothing is
    /// lost, but more memory is used.
    /// </summary>
    Unreadable,
}

/// <summary>What opening found. Immutable.</summary>
public sealed class RecoveryReport
{
    /// <summary>Unfinished bytes that were never acknowledged, and what was met while the store was open: noted, nothing is lost.</summary>
    public IReadOnlyList<Damage> Notes { get; init; } = [];

    /// <summary>
    /// What was skipped under <see cref="Recovery.SkipCorrupt"/>: every entry may be a lost change. A damaged history index is skipped under
    /// every policy but <see cref="Recovery.Strict"/>: its entry says whether all history was found without it.
    /// </summary>
    public IReadOnlyList<Damage> Skipped { get; init; } = [];

    /// <summary>Whether nothing was noted or skipped.</summary>
    public bool IsClean => Notes.Count == 0 && Skipped.Count == 0;

    /// <summary>How many records the snapshot gave.</summary>
    public long SnapshotRecords { get; init; }

    /// <summary>How many operations of the logs were replayed.</summary>
    public long ReplayedOperations { get; init; }

    /// <summary>How long opening took.</summary>
    public TimeSpan Duration { get; init; }

    /// <summary>The schema version the store had on opening, before any migration.</summary>
    public int StoredSchemaVersion { get; init; }

    internal RecoveryReport With(IReadOnlyList<Damage> notes) => new()
    {
        Notes = [.. Notes, .. notes],
        Skipped = Skipped,
        SnapshotRecords = SnapshotRecords,
        ReplayedOperations = ReplayedOperations,
        Duration = Duration,
        StoredSchemaVersion = StoredSchemaVersion,
    };
}
