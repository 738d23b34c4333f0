using System.Diagnostics;
using OpsLog.Simulation.Programs;
using OpsLog.Simulation.Run;

namespace OpsLog.Simulation.Search;

/// <summary>Runs seeds: each is a program and a schedule.</summary>
internal static class SeedRunner
{
    public static SimResult Run(ulong seed, Mix mix, SimOptions? options = null)
    {
        if (mix == Mix.Beside) HeldPool.Hold();
        var program = ProgramGenerator.Make(seed, mix);
        return SimResult.Of(program, new RandomDecider(program), options ?? new SimOptions());
    }

    /// <summary>Runs a range of seeds on some threads, until one fails or the range ends.</summary>
    /// <param name="first">The first seed.</param>
    /// <param name="count">How many.</param>
    /// <param name="mix">Which programs.</param>
    /// <param name="workers">On how many threads; each run stays on one. One for <see cref="Mix.Beside"/>: there is one pool.</param>
    /// <param name="options">How the runs are looked at.</param>
    /// <param name="mostFailures">How many failures are collected before it stops.</param>
    /// <param name="progress">Told now and then how many seeds are done.</param>
    public static SeedReport RunRange(ulong first, long count, Mix mix, int workers, SimOptions? options = null, int mostFailures = 1, Action<long, TimeSpan>? progress = null)
    {
        if (mix == Mix.Beside) ArgumentOutOfRangeException.ThrowIfGreaterThan(workers, 1);
        var report = new SeedReport();
        var watch = Stopwatch.StartNew();
        var before = Environment.CpuUsage.TotalTime;
        long next = -1;
        var threads = Enumerable.Range(0, workers).Select(_ => new Thread(() =>
        {
            while (Interlocked.Increment(ref next) is var n && n < count && report.Failures.Count < mostFailures)
            {
                var result = Run(first + (ulong)n, mix, options);
                report.Add(result);
                if (report.Seeds % 10_000 == 0) progress?.Invoke(report.Seeds, watch.Elapsed);
            }
        })).ToList();
        threads.ForEach(t => t.Start());
        threads.ForEach(t => t.Join());
        (report.Elapsed, report.Cpu) = (watch.Elapsed, Environment.CpuUsage.TotalTime - before);
        return report;
    }
}

/// <summary>What running a range of seeds has shown.</summary>
internal sealed class SeedReport
{
    private readonly Lock _lock = new();

    public List<SimResult> Failures { get; } = [];

    public long Seeds { get; private set; }

    public long Calls { get; private set; }

    public long Operations { get; private set; }

    public long Swaps { get; private set; }

    public long Refusals { get; private set; }

    /// <summary>All runs as one number, whatever their order: code that only got faster gives the same.</summary>
    public ulong Digest { get; private set; }

    public TimeSpan Elapsed { get; set; }

    /// <summary>The time of all processors, compiling included: on a machine that does other things too, the fairer measure.</summary>
    public TimeSpan Cpu { get; set; }

    public void Add(SimResult result)
    {
        var digest = result.Digest();
        lock (_lock)
        {
            Digest += digest;
            Seeds++;
            Calls += result.Simulator.Calls;
            Operations += result.Simulator.Auditor.History.Operations.Count;
            Swaps += result.Simulator.Auditor.Swaps;
            Refusals += result.Simulator.Checker.Refusals;
            if (result.Violation is not null) Failures.Add(result);
        }
    }

    public override string ToString() =>
        $"{Seeds:N0} seeds in {Elapsed.TotalSeconds:N1} s ({Seeds / Math.Max(Elapsed.TotalSeconds, 0.001):N0} seeds/s, {Cpu.TotalSeconds:N1} s of CPU): {Operations:N0} operations, {Calls:N0} storage calls, {Swaps:N0} manifest swaps, {Refusals:N0} refusals, {Failures.Count} failed, digest {Digest:x16}";
}
