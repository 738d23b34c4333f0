namespace OpsLog.Format;

/// <summary>
/// Which operation a value comes from. The order decides the winner among operations on a record: clock, then agent, then log, texts
/// by UTF-16 code unit. No two operations of a store share a stamp (invariant I4).
/// </summary>
/// <param name="Clock">The operation's Lamport clock, 0 to 2^53-1.</param>
/// <param name="Agent">The agent that wrote it; empty with a single writer.</param>
/// <param name="Log">The object key of the log that holds it.</param>
internal readonly record struct Stamp(long Clock, string Agent, string Log) : IComparable<Stamp>
{
    /// <summary>The largest clock: beyond it a JavaScript reader would lose digits.</summary>
    public const long MaxClock = (1L << 53) - 1;

    /// <inheritdoc/>
    public int CompareTo(Stamp other)
    {
        var order = Clock.CompareTo(other.Clock);
        if (order == 0) order = string.CompareOrdinal(Agent, other.Agent);
        return order != 0 ? order : string.CompareOrdinal(Log, other.Log);
    }

    public static bool operator <(Stamp left, Stamp right) => left.CompareTo(right) < 0;

    public static bool operator <=(Stamp left, Stamp right) => left.CompareTo(right) <= 0;

    public static bool operator >(Stamp left, Stamp right) => left.CompareTo(right) > 0;

    public static bool operator >=(Stamp left, Stamp right) => left.CompareTo(right) >= 0;
}
