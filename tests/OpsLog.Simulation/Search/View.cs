namespace OpsLog.Simulation.Search;

/// <summary>What is known, at a state of two processes, of what each would do alone, and which of them need not go on from here.</summary>
/// <param name="First">The first process, if it is known.</param>
/// <param name="Second">The second one.</param>
/// <param name="Asleep">
/// Whose next transition was gone by from an earlier state, and nothing since then depends on it: what is behind it is reached from there (a sleep set, Godefroid, chapter 5);
/// <see cref="Nobody"/>: both are awake.
/// </param>
internal sealed record View(Alone? First, Alone? Second, int Asleep)
{
    public const int Nobody = -1;

    public static View Unknown { get; } = new(null, null, Nobody);

    public Alone? this[int process] => process == 0 ? First : Second;

    public View With(int process, Alone? alone) => process == 0 ? this with { First = alone } : this with { Second = alone };

    /// <summary>A process has made a transition.</summary>
    public View After(int process, Footprint touched)
    {
        var other = 1 - process;
        var sleeps = Asleep == other && this[other]!.Next.IsIndependentOf(touched);
        return With(process, this[process]?.Rest).With(other, this[other]?.After(touched)) with { Asleep = sleeps ? other : Nobody };
    }

    /// <summary>
    /// Whether it is enough that a process goes on: what it is about to do is nothing that the other could ever tell, however far that goes while this one stands still (a
    /// persistent set, Godefroid, chapter 4). Null: not known yet.
    /// </summary>
    public bool? IsEnough(int process)
    {
        if (this[process] is not { } mine || this[1 - process] is not { } others) return null;
        if (others.Meets(mine.Next)) return false;
        return others.IsWhole ? true : null;
    }
}
