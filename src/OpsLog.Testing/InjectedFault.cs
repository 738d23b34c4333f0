namespace OpsLog.Testing;

/// <summary>A fault that a <see cref="FaultyStorage"/> is to produce: which calls it hits, when, and what the caller sees.</summary>
/// <remarks>Immutable. Counting starts when the fault is injected, and counts the calls that match <see cref="Calls"/>, <see cref="Keys"/> and <see cref="OnlySynced"/>.</remarks>
public sealed record InjectedFault
{
    /// <summary>The verbs it hits. Default: all.</summary>
    public StorageCalls Calls { get; init; } = StorageCalls.All;

    /// <summary>The objects it hits (for listings, the prefixes). Default: <see langword="null"/>, all.</summary>
    public Func<StorageKey, bool>? Keys { get; init; }

    /// <summary>Whether only appends with <see cref="Flush.Synced"/> are hit. Default: false.</summary>
    public bool OnlySynced { get; init; }

    /// <summary>The first matching call that is hit, counted from 1. Default: 1.</summary>
    public int FirstCall { get; init; } = 1;

    /// <summary>How many matching calls are hit from there on. Default: 1; <see cref="int.MaxValue"/> for all.</summary>
    public int Count { get; init; } = 1;

    /// <summary>When within the call. Default: before it does anything.</summary>
    public FaultMoment Moment { get; init; }

    /// <summary>The fault of the <see cref="StorageException"/> the caller gets. Default: <see cref="StorageFault.Broken"/>.</summary>
    public StorageFault Fault { get; init; } = StorageFault.Broken;

    /// <summary>
    /// What the exception says about the outcome. Default: <see langword="null"/>, the truth as far as a caller could know it: not
    /// written (false) for a fault before the call, unknown (true) for the others.
    /// </summary>
    public bool? OutcomeUnknown { get; init; }

    /// <summary>
    /// The result that a put or an append gives instead of an exception, as another writer's race would. Default: <see langword="null"/>, the exception.
    /// </summary>
    public PutOutcome? Outcome { get; init; }

    /// <summary>How many bytes of an append arrive with <see cref="FaultMoment.During"/>. Default: <see langword="null"/>, as the seed decides.</summary>
    public int? PartialBytes { get; init; }

    /// <summary>How long the call waits before anything else, by the storage's time provider. Default: not at all.</summary>
    public TimeSpan Delay { get; init; }

    /// <summary>Whether the call only waits and then succeeds. Default: false.</summary>
    public bool OnlyDelay { get; init; }

    /// <summary>The n-th call of the given verbs fails.</summary>
    /// <param name="n">Which, counted from 1.</param>
    /// <param name="calls">The verbs counted.</param>
    /// <param name="moment">When within the call.</param>
    /// <param name="fault">What the caller is told.</param>
    public static InjectedFault AtCall(
        int n, StorageCalls calls = StorageCalls.All, FaultMoment moment = FaultMoment.Before, StorageFault fault = StorageFault.Broken) =>
        new() { FirstCall = n, Calls = calls, Moment = moment, Fault = fault };

    /// <summary>The disk is full: from the n-th put or append on nothing more arrives, or of an append only some bytes.</summary>
    /// <param name="n">Which, counted from 1.</param>
    /// <param name="partialBytes">How many bytes of the first failing append still arrive; 0 for none.</param>
    public static InjectedFault DiskFull(int n = 1, int partialBytes = 0) => new()
    {
        Calls = StorageCalls.Put | StorageCalls.Append,
        FirstCall = n,
        Count = int.MaxValue,
        Fault = StorageFault.Full,
        Moment = partialBytes > 0 ? FaultMoment.During : FaultMoment.Before,
        PartialBytes = partialBytes,
    };

    /// <summary>The n-th sync fails: the bytes are written, but nobody knows whether they are on the medium.</summary>
    /// <param name="n">Which, counted from 1.</param>
    public static InjectedFault SyncFails(int n = 1) => new() { Calls = StorageCalls.Append, OnlySynced = true, FirstCall = n, Moment = FaultMoment.After };

    /// <summary>The n-th put takes effect, but its answer is lost.</summary>
    /// <param name="n">Which, counted from 1.</param>
    public static InjectedFault LostAnswer(int n = 1) =>
        new() { Calls = StorageCalls.Put, FirstCall = n, Moment = FaultMoment.After, Fault = StorageFault.Unavailable };

    /// <summary>Another writer seems to win the race of the n-th put or append: a conflict, nothing written.</summary>
    /// <param name="n">Which, counted from 1.</param>
    /// <param name="calls">The verbs counted.</param>
    public static InjectedFault Conflict(int n = 1, StorageCalls calls = StorageCalls.Put | StorageCalls.Append) =>
        new() { Calls = calls, FirstCall = n, Outcome = PutOutcome.Conflict };
}
