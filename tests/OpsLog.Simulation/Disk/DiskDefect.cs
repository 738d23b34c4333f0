namespace OpsLog.Simulation.Disk;

/// <summary>A way in which a storage may break its contract. The simulation must find each: that is the test of the simulation itself.</summary>
internal enum DiskDefect
{
    None,

    /// <summary>Appends at the end, whatever length was expected.</summary>
    IgnoresAppendCondition,

    /// <summary>Replaces, whatever version was expected.</summary>
    IgnoresVersion,

    /// <summary>Replaces what is there although absence was the condition.</summary>
    IgnoresAbsence,

    /// <summary>Says that an append is there, and loses every fourth.</summary>
    LosesAppends,

    /// <summary>Deletes nothing, and says so; harmless.</summary>
    KeepsDeleted,

    /// <summary>Says that bytes are synced that are not.</summary>
    IgnoresSync,
}
