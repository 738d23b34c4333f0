namespace OpsLog.Simulation.Disk;

/// <summary>
/// The clock of one opening of one process: virtual time, plus how wrong this process's clock is. Timers fire when the simulator says so.
/// </summary>
internal sealed class SimClock(SimTime time, TimeSpan skew) : TimeProvider
{
    private readonly List<SimTimer> _timers = [];

    /// <summary>The timer that is due next, if any is running.</summary>
    public SimTimer? Next { get; private set; }

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override DateTimeOffset GetUtcNow() => time.Now + skew;

    public override long GetTimestamp() => time.Now.Ticks;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new SimTimer(this, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>The time goes on to the next timer, and it fires.</summary>
    public void Fire()
    {
        var timer = Next!;
        if (timer.Due > time.Now && !time.StandsStill) time.Now = timer.Due;
        timer.Stop();
        timer.Run();
    }

    private void FindNext()
    {
        Next = null;
        foreach (var timer in _timers)
            if (Next is null || timer.Due < Next.Due) Next = timer;
    }

    internal sealed class SimTimer(SimClock clock, TimerCallback callback, object? state) : ITimer
    {
        public DateTimeOffset Due { get; private set; }

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            if (period != Timeout.InfiniteTimeSpan && period != TimeSpan.Zero) throw new NotSupportedException("The simulation has no periodic timers.");
            Stop();
            if (dueTime == Timeout.InfiniteTimeSpan) return true;
            Due = clock.Time.Now + dueTime;
            clock._timers.Add(this);
            clock.FindNext();
            return true;
        }

        public void Run() => callback(state);

        public void Stop()
        {
            if (clock._timers.Remove(this)) clock.FindNext();
        }

        public void Dispose() => Stop();

        public ValueTask DisposeAsync()
        {
            Stop();
            return ValueTask.CompletedTask;
        }
    }

    private SimTime Time => time;
}

/// <summary>Virtual time, the same for all.</summary>
internal sealed class SimTime
{
    public static DateTimeOffset Start { get; } = new(2026, 11, 23, 6, 0, 0, TimeSpan.Zero);

    public DateTimeOffset Now { get; set; } = Start;

    /// <summary>Timers fire and it is no later: for telling states apart, where only the order matters.</summary>
    public bool StandsStill { get; init; }

    public SimTime Copy() => new() { Now = Now, StandsStill = StandsStill };
}
