using System.Text.Json;

namespace OpsLog.Compare;

/// <summary>What a put has survived when it returns. Only equal promises are compared.</summary>
internal enum Promise
{
    /// <summary>A power cut.</summary>
    Disk,

    /// <summary>A killed process.</summary>
    Os,

    /// <summary>Nothing yet.</summary>
    Buffered,
}

internal enum JobKind
{
    /// <summary>Puts into a new store; gives puts a second.</summary>
    Put,

    /// <summary>A store made, closed and left there.</summary>
    Fill,

    /// <summary>Random gets; gives nanoseconds a get.</summary>
    Get,

    /// <summary>Counting by a predicate; gives records a second.</summary>
    Scan,

    /// <summary>Opening until ids can be read, in a process of its own; gives milliseconds.</summary>
    Open,

    /// <summary>Puts until the process kills itself.</summary>
    Killed,

    /// <summary>Updates over a small store at the defaults; gives bytes written for each byte set.</summary>
    Churn,

    /// <summary>Puts over a filled store; gives puts a second.</summary>
    Update,

    /// <summary>Taking in what another wrote; gives microseconds.</summary>
    Refresh,

    /// <summary>Opening a store with the logs of two agents; gives operations a second.</summary>
    Merge,

    /// <summary>Writing the whole state anew; gives milliseconds.</summary>
    Checkpoint,
}

/// <summary>One measurement: the same for every peer, in this process, in another one or in Node.js.</summary>
/// <param name="Kind">What is measured.</param>
/// <param name="Folder">Where the store is, or comes to be.</param>
internal sealed record Job(JobKind Kind, string Folder)
{
    public Promise Promise { get; init; } = Promise.Os;

    /// <summary>Records in the store, or put into it at most.</summary>
    public int Records { get; init; }

    /// <summary>No longer than this: slow peers do less.</summary>
    public double Seconds { get; init; } = 1e9;

    public int Callers { get; init; } = 1;

    public int Batch { get; init; } = 1;

    /// <summary>The puts change records that are there.</summary>
    public bool Update { get; init; }

    /// <summary>Ids of 27 characters instead of 11.</summary>
    public bool LongIds { get; init; }

    /// <summary>Records are counted by an operator of LINQ instead of a loop.</summary>
    public bool Linq { get; init; }

    /// <summary>Somebody writes other records meanwhile.</summary>
    public bool BesideWriter { get; init; }

    /// <summary>In a process of its own: done once beforehand, so that the runtime's compiler is not measured.</summary>
    public bool WarmUp { get; init; }

    /// <summary>Random reads after opening, before the memory is looked at.</summary>
    public int Reads { get; init; }

    /// <summary>Documents are left where they are stored, by who can do without them in memory.</summary>
    public bool OnDisk { get; init; }

    /// <summary>Documents as lines of JSON, for a peer that cannot make them itself.</summary>
    public string Documents { get; init; } = "";

    public string Id(int number) => LongIds ? Items.LongId(number) : Items.Id(number);

    public string ToJson() => JsonSerializer.Serialize(this);

    public static Job FromJson(string json) => JsonSerializer.Deserialize<Job>(json)!;
}

/// <summary>What a job gives: its figure, and others beside it by name.</summary>
internal sealed record Outcome(double Figure)
{
    public Dictionary<string, double> More { get; init; } = [];

    public string ToJson() => JsonSerializer.Serialize(this);

    public static Outcome FromJson(string json) => JsonSerializer.Deserialize<Outcome>(json)!;
}
