using OpsLog.Simulation.Model;
using OpsLog.Simulation.Programs;

namespace OpsLog.Simulation.Run;

internal enum StepEnd
{
    /// <summary>It has not ended.</summary>
    Running,

    /// <summary>It returned: what it wrote is acknowledged.</summary>
    Done,

    /// <summary>It failed, and says that nothing was written.</summary>
    Rejected,

    /// <summary>It failed, and says that its outcome is unknown.</summary>
    Unknown,

    /// <summary>Its process died.</summary>
    Died,
}

/// <summary>One run of a step: what it has written, and how it ended.</summary>
internal sealed class StepRun(Step step, SimProcess process, int opening)
{
    public Step Step { get; } = step;

    public SimProcess Process { get; private set; } = process;

    public int Opening { get; } = opening;

    public Task Task { get; set; } = Task.CompletedTask;

    public StepEnd End { get; set; }

    public Exception? Failure { get; set; }

    /// <summary>What it returned: a revision, a flag, a count.</summary>
    public object? Result { get; set; }

    /// <summary>The operations it has written that came to count, whoever counted them and when.</summary>
    public List<LoggedOperation> Lines { get; private set; } = [];

    /// <summary>Another call of its process was under way at some time of its own.</summary>
    public bool IsOverlapped { get; set; }

    /// <summary>Its opening was being closed before it had ended.</summary>
    public bool WasClosedOver { get; set; }

    /// <summary>The largest clock that its process had written when it began, and the newest operation it had seen.</summary>
    public long ClockBefore { get; set; }

    public LoggedOperation? SeenBefore { get; set; }

    /// <summary>The operations that decided when it began. Never changed then.</summary>
    public Dictionary<string, LoggedOperation> Before { get; set; } = [];

    /// <summary>What other calls of its process had written when it began, without an answer yet: nothing has to show it.</summary>
    public IReadOnlyList<LoggedOperation> Unanswered { get; set; } = [];

    /// <summary>How many operations there were when it began.</summary>
    public int OperationsBefore { get; set; }

    /// <summary>How many changes of stored objects there had been when it began, and how many it has made.</summary>
    public int ChangesBefore { get; set; }

    public int Changes { get; set; }

    /// <summary>How often somebody else was first: has swapped the manifest, or ended the log that it was about to write to.</summary>
    public int LostRaces { get; set; }

    /// <summary>It stopped reading a feed before its end.</summary>
    public bool StoppedFeed { get; set; }

    /// <summary>A call of it was made to fail.</summary>
    public bool WasHit { get; set; }

    /// <summary>A copy, of a copy of its process. Nothing carries it out yet.</summary>
    public StepRun Copy(SimProcess process)
    {
        var copy = (StepRun)MemberwiseClone();
        (copy.Process, copy.Lines, copy.Task) = (process, [.. Lines], Task.CompletedTask);
        return copy;
    }

    public override string ToString() => $"{Process.Name} {Step}";
}
