namespace OpsLog.Simulation.Model;

/// <summary>The names of what must hold. I: the protocol's; V: the fault page's; L: of the simulated calls themselves.</summary>
internal static class Invariant
{
    /// <summary>Every acknowledged write is in the final state, or lost to an operation with a larger stamp.</summary>
    public const string I1Kept = "I1 acknowledged is kept";

    /// <summary>All openings, after a refresh, and a fresh one agree byte for byte.</summary>
    public const string I2Agree = "I2 all agree";

    /// <summary>No deleted record returns without a newer set.</summary>
    public const string I3Deleted = "I3 deleted stays deleted";

    /// <summary>Clocks rise per log and writer; no two operations share a stamp.</summary>
    public const string I4Clocks = "I4 clocks rise";

    /// <summary>An unacknowledged write is wholly there or not at all, and never twice.</summary>
    public const string I5Whole = "I5 whole or not at all";

    /// <summary>What the manifest names (snapshot and logs) is the state.</summary>
    public const string I6Stored = "I6 snapshot and logs are the state";

    /// <summary>No object is written by two writers, but to be sealed.</summary>
    public const string I8OneWriter = "I8 one writer";

    /// <summary>What an archive moved is live or in a listed segment.</summary>
    public const string I9Archived = "I9 archived is kept";

    /// <summary>Acknowledged at level Disk: on stable storage.</summary>
    public const string V1Durable = "V1 durable as promised";

    /// <summary>A rejected operation is never visible later.</summary>
    public const string V2Rejected = "V2 rejected stays out";

    /// <summary>A delete wins over every operation it saw; so does every write.</summary>
    public const string V8Saw = "V8 later than what was seen";

    /// <summary>The feed gives each committed operation once, in order per log.</summary>
    public const string V9Feed = "V9 the feed is the log";

    /// <summary>A published manifest names what is there, and says the truth about it.</summary>
    public const string V10Manifest = "V10 the manifest names what is there";

    /// <summary>Collection deletes nothing that is named.</summary>
    public const string V11Collected = "V11 nothing named is deleted";

    /// <summary>Undo takes back an agent's own newest unit, and lets show what shows without it; redo brings it back.</summary>
    public const string V13Undo = "V13 undo shows what shows without";

    /// <summary>A store that nothing has damaged is never called damaged, and no call fails in a way that it does not say.</summary>
    public const string L1Fails = "L1 fails only as it says";

    /// <summary>Every call ends.</summary>
    public const string L2Ends = "L2 every call ends";

    /// <summary>Between two storage calls a process runs on the simulator's thread alone.</summary>
    public const string L3Deterministic = "L3 deterministic";

    /// <summary>The simulation itself works.</summary>
    public const string L4Harness = "L4 the simulation itself";
}

/// <summary>Something that must hold does not.</summary>
internal sealed class InvariantViolation(string invariant, string message, string manner = "") : Exception($"{invariant}: {message}")
{
    public string Invariant { get; } = invariant;

    /// <summary>In what manner, if an invariant has several: a shorter run must fail in the same.</summary>
    public string Signature { get; } = $"{invariant} {manner}";
}
