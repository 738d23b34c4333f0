namespace OpsLog.Format;

/// <summary>The version of the stored format (docs/format.md, Versions).</summary>
internal static class FormatVersion
{
    /// <summary>What this code writes.</summary>
    public const int Current = 1;

    /// <summary>The oldest reader that may read what this code writes.</summary>
    public const int OldestReader = 1;
}
