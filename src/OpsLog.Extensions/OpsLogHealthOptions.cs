namespace OpsLog.Extensions;

/// <summary>From when on a store that works counts as degraded.</summary>
public sealed class OpsLogHealthOptions
{
    /// <summary>
    /// How many operations may be in no snapshot yet, of all agents together, as of the last refresh. Default <see langword="null"/>: any number. They cost time on opening;
    /// far more than <see cref="CheckpointOptions"/> explains means that checkpoints fail.
    /// </summary>
    public long? MaxPendingOperations { get; set; }
}
