using System.Text;

namespace OpsLog.Simulation.Programs;

internal enum Role
{
    Agent,
    Single,
    Reader,
}

/// <summary>The storage and the options under which a program runs.</summary>
internal sealed record SimSettings
{
    /// <summary>Whether the storage can append; if not, logs are numbered objects.</summary>
    public bool Append { get; init; } = true;

    /// <summary>Whether it tells if a writer lives, as a folder does by its locks.</summary>
    public bool HoldsWriters { get; init; }

    public Durability Durability { get; init; } = Durability.Disk;

    public TimeSpan SilentAfter { get; init; } = TimeSpan.FromMinutes(10);

    public TimeSpan GracePeriod { get; init; } = TimeSpan.Zero;

    /// <summary>Whether checkpoints are made by themselves, beside everything else, every few operations.</summary>
    public bool AutomaticCheckpoints { get; init; }

    /// <summary>0: none is kept; 1: for an hour; 2: for ever.</summary>
    public int Retention { get; init; } = 2;

    /// <summary>Whether feeds are read at the end.</summary>
    public bool HasFeeds { get; init; } = true;

    /// <summary>Whether consumers stop in the middle of a feed now and then, and go on from there the next time.</summary>
    public bool StopsFeeds { get; init; }

    public HistoryRetention HistoryRetention => Retention switch
    {
        0 => HistoryRetention.None,
        1 => HistoryRetention.ForAge(TimeSpan.FromHours(1)),
        _ => HistoryRetention.Forever,
    };

    public override string ToString() =>
        $"{(Append ? "append" : "numbered")}{(HoldsWriters ? ", locks" : "")}, {Durability}, silent after {SilentAfter}, grace {GracePeriod}, retention {Retention}{(AutomaticCheckpoints ? ", automatic checkpoints" : "")}";
}

/// <summary>What one process does.</summary>
/// <param name="AgentId">Its agent id.</param>
/// <param name="Role">How it opens the store at first.</param>
/// <param name="SkewSeconds">How wrong its clock is.</param>
/// <param name="Steps">Its operations, one after the other.</param>
internal sealed record ProcessPlan(string AgentId, Role Role, int SkewSeconds, IReadOnlyList<Step> Steps);

/// <summary>What is run: the processes, what each does, and where. Everything else is the schedule's.</summary>
internal sealed record SimProgram(ulong Seed, SimSettings Settings, IReadOnlyList<ProcessPlan> Processes)
{
    /// <summary>
    /// Of a program of the exhaustive search: each process opens the store, and the first does these steps, before anything is interleaved. Time stands still, and who
    /// crashes does not come back.
    /// </summary>
    public IReadOnlyList<Step>? Prelude { get; init; }

    /// <summary>Whether a process makes several calls at once.</summary>
    public bool HasCallsBeside => Processes.Any(p => p.Steps.Any(s => s.IsBeside));

    public int StepCount => Processes.Sum(p => p.Steps.Count);

    public override string ToString()
    {
        var text = new StringBuilder($"{Settings}\n");
        if (Prelude is not null) text.AppendLine($"all open the store one after the other; P0 before: {string.Join("; ", Prelude)}");
        for (var i = 0; i < Processes.Count; i++)
        {
            var process = Processes[i];
            text.Append($"P{i} ({process.Role.ToString().ToLowerInvariant()} {process.AgentId}{(process.SkewSeconds != 0 ? $", clock {process.SkewSeconds:+0;-0} s" : "")}): ").AppendLine(string.Join("; ", process.Steps));
        }

        return text.ToString();
    }
}
