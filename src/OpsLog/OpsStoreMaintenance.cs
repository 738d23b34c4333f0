using OpsLog.Storage;

namespace OpsLog;

/// <summary>Work on a store as a whole, without a document type.</summary>
public static class OpsStore
{
    /// <summary>Reads every byte, checks everything checkable. Never writes.</summary>
    public static ValueTask<VerifyReport> VerifyAsync(IOpsStorage storage, IProgress<StoreProgress>? progress = null, CancellationToken cancellationToken = default) => throw new NotImplementedException();

    /// <summary>Salvages what it can of <paramref name="source"/> (never touched) into <paramref name="target"/> (must be empty).</summary>
    public static ValueTask<RepairReport> RepairAsync(IOpsStorage source, IOpsStorage target, IProgress<StoreProgress>? progress = null, CancellationToken cancellationToken = default) => throw new NotImplementedException();

    /// <summary>Copies a backup to an empty storage under a new incarnation.</summary>
    public static ValueTask RestoreAsync(IOpsStorage backup, IOpsStorage target, IProgress<StoreProgress>? progress = null, CancellationToken cancellationToken = default) => throw new NotImplementedException();
}

/// <summary>What verifying found.</summary>
public sealed record VerifyReport(IReadOnlyList<Damage> Damages, IReadOnlyList<Damage> Notes, long Objects, long Bytes, long Records, long Operations)
{
    /// <summary>Whether nothing is damaged.</summary>
    public bool IsSound => Damages.Count == 0;
}

/// <summary>What a repair saved and lost.</summary>
public sealed record RepairReport(IReadOnlyList<Damage> Losses, long Records, IReadOnlyList<string> Quarantined);
