namespace OpsLog.Storage;

/// <summary>What must hold for a put to happen. A condition is a value; not meeting it is a result, not an exception.</summary>
public readonly record struct PutCondition
{
    private PutCondition(PutConditionKind kind, StorageVersion version)
    {
        Kind = kind;
        Version = version;
    }

    /// <summary>Which condition this is.</summary>
    public PutConditionKind Kind { get; }

    /// <summary>The version the object must have, for <see cref="PutConditionKind.IfVersion"/>.</summary>
    public StorageVersion Version { get; }

    /// <summary>Writes whatever is there.</summary>
    public static PutCondition Always => default;

    /// <summary>Writes only if there is no such object.</summary>
    public static PutCondition IfAbsent => new(PutConditionKind.IfAbsent, default);

    /// <summary>Writes only if the object is there in this very version.</summary>
    /// <param name="version">The version, as a read or put of this storage gave it.</param>
    public static PutCondition IfVersion(StorageVersion version) => new(PutConditionKind.IfVersion, version);
}

/// <summary>The kinds of <see cref="PutCondition"/>.</summary>
public enum PutConditionKind
{
    /// <summary>Write whatever is there.</summary>
    Always,

    /// <summary>Write only if there is no such object.</summary>
    IfAbsent,

    /// <summary>Write only if the object has a given version.</summary>
    IfVersion,
}

/// <summary>
/// What tells one content of an object from another (an ETag, a revision). It never repeats for an object, or only for equal content.
/// Opaque; compared by its text.
/// </summary>
/// <param name="Tag">The storage's own text.</param>
public readonly record struct StorageVersion(string Tag)
{
    /// <summary>The tag.</summary>
    public override string ToString() => Tag ?? "";
}

/// <summary>How far appended bytes must have got before the call returns.</summary>
public enum Flush
{
    /// <summary>In the hands of the operating system or server: they survive a killed process.</summary>
    Written,

    /// <summary>On stable storage: they survive a power loss.</summary>
    Synced,
}
