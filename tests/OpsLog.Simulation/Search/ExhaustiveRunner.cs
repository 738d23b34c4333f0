using System.Diagnostics;
using OpsLog.Simulation.Programs;
using OpsLog.Simulation.Run;

namespace OpsLog.Simulation.Search;

/// <summary>Searches many small programs, each wholly, on some threads.</summary>
/// <param name="limits">How far each search goes.</param>
/// <param name="goesOn">Whether it goes on after a failure.</param>
/// <param name="searched">Told of each program when it has been searched; one call at a time.</param>
internal sealed class ExhaustiveRunner(ExploreLimits limits, bool goesOn, Action<SimProgram, Explorer> searched)
{
    private readonly Lock _lock = new();
    private long _programs;
    private long _states;
    private long _runs;
    private long _endings;
    private long _lost;
    private long _incomplete;
    private TimeSpan _elapsed;

    /// <summary>The first failure.</summary>
    public SimResult? Failure { get; private set; }

    /// <summary>Whether every program was searched to its end without a failure.</summary>
    public bool IsClean => Failure is null && _incomplete == 0;

    public void Run(IEnumerable<SimProgram> programs, int workers)
    {
        var watch = Stopwatch.StartNew();
        using var source = programs.GetEnumerator();
        var threads = Enumerable.Range(0, workers).Select(_ => new Thread(() =>
        {
            while (Next(source) is { } program)
            {
                var explorer = new Explorer(program, limits);
                explorer.Run();
                Add(program, explorer);
            }
        })).ToList();
        threads.ForEach(t => t.Start());
        threads.ForEach(t => t.Join());
        _elapsed = watch.Elapsed;
    }

    public override string ToString() =>
        $"{_programs:N0} programs: {_states:N0} states, {_runs:N0} schedules, {_endings:N0} ends, {(limits.Races == int.MaxValue ? "" : $"{_lost:N0} states not followed (more than {limits.Races} lost races in one step), ")}{_incomplete} programs cut off, {(Failure is null ? "no" : "a")} violation, {_elapsed.TotalSeconds:N1} s";

    private SimProgram? Next(IEnumerator<SimProgram> source)
    {
        lock (_lock) return (goesOn || Failure is null) && source.MoveNext() ? source.Current : null;
    }

    private void Add(SimProgram program, Explorer explorer)
    {
        lock (_lock)
        {
            (_programs, _states, _runs, _endings, _lost) = (_programs + 1, _states + explorer.States, _runs + explorer.Runs, _endings + explorer.Ends.Count, _lost + explorer.Cut);
            Failure ??= explorer.Failure;
            if (!explorer.IsComplete && explorer.Failure is null) _incomplete++;
            searched(program, explorer);
        }
    }
}
