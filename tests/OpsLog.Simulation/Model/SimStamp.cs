namespace OpsLog.Simulation.Model;

/// <summary>A stamp as docs/format.md orders it: by clock, then agent, then log, texts by UTF-16 code unit.</summary>
internal readonly record struct SimStamp(long Clock, string Agent, string Log) : IComparable<SimStamp>
{
    public int CompareTo(SimStamp other)
    {
        if (Clock != other.Clock) return Clock.CompareTo(other.Clock);
        var agents = string.CompareOrdinal(Agent, other.Agent);
        return agents != 0 ? agents : string.CompareOrdinal(Log, other.Log);
    }

    public override string ToString() => Agent.Length == 0 ? $"{Clock}" : $"{Clock}@{Agent}/{Log[(Log.LastIndexOf('-') + 1)..].Replace(".jsonl", "", StringComparison.Ordinal)}";
}

/// <summary>What decides between operations on one record: the stamp, or for an archiving delete the place just above the stamp it moves.</summary>
internal readonly record struct Rank(SimStamp Stamp, int Above) : IComparable<Rank>
{
    public int CompareTo(Rank other)
    {
        var stamps = Stamp.CompareTo(other.Stamp);
        return stamps != 0 ? stamps : Above.CompareTo(other.Above);
    }

    public static bool operator <(Rank left, Rank right) => left.CompareTo(right) < 0;

    public static bool operator >(Rank left, Rank right) => left.CompareTo(right) > 0;

    public static bool operator <=(Rank left, Rank right) => left.CompareTo(right) <= 0;

    public static bool operator >=(Rank left, Rank right) => left.CompareTo(right) >= 0;
}
