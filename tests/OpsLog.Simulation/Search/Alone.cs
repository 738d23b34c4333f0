namespace OpsLog.Simulation.Search;

/// <summary>What a process would touch, one transition after the other, if it went on alone from some state: up to its end, or as far as is known.</summary>
/// <param name="Transitions">What each touches.</param>
/// <param name="From">The next one.</param>
/// <param name="To">Behind the last one that is known.</param>
/// <param name="IsWhole">Whether the last one that is known is the process's last.</param>
internal sealed record Alone(IReadOnlyList<Footprint> Transitions, int From, int To, bool IsWhole)
{
    public Footprint Next => Transitions[From];

    /// <summary>The process has made the next one: what comes then, if that is known.</summary>
    public Alone? Rest => From + 1 < To || IsWhole ? this with { From = From + 1 } : null;

    /// <summary>Whether one of those that are known depends on another process's transition.</summary>
    public bool Meets(Footprint other) => FirstThatMeets(other) < To;

    /// <summary>Another process has made a transition: what is still true of this one, if anything.</summary>
    public Alone? After(Footprint other) => FirstThatMeets(other) switch
    {
        var met when met == To => this,
        var met when met == From => null,
        var met => this with { To = met, IsWhole = false },
    };

    private int FirstThatMeets(Footprint other)
    {
        var at = From;
        while (at < To && Transitions[at].IsIndependentOf(other)) at++;
        return at;
    }
}
