using System.Diagnostics;
using System.Globalization;

namespace OpsLog.Compare.Peers;

/// <summary>The timed loops of reads.</summary>
internal static class Reading
{
    public static Outcome Gets(string[] order, double seconds, Func<string, Item?> get)
    {
        long sum = 0, done = 0;
        var bytes = GC.GetAllocatedBytesForCurrentThread();
        var start = Stopwatch.GetTimestamp();
        do
        {
            for (var i = 0; i < order.Length; i++)
            {
                sum += get(order[i])!.Priority;
                if ((i & 63) == 63 && Stopwatch.GetElapsedTime(start).TotalSeconds > seconds)
                {
                    done += i + 1 - order.Length;
                    break;
                }
            }

            done += order.Length;
        }
        while (Stopwatch.GetElapsedTime(start).TotalSeconds < seconds);
        var time = Figures.Nanoseconds(done, start);
        if (sum == 0) throw new InvalidDataException("Nothing was read.");
        return new Outcome(time) { More = { ["allocated, B/op"] = (double)(GC.GetAllocatedBytesForCurrentThread() - bytes) / done } };
    }

    /// <summary>The first scan, which makes what a store keeps, is not timed.</summary>
    public static Outcome Scans(Job job, Func<int> scan)
    {
        if (scan() == 0) throw new InvalidDataException("Nothing was found.");
        var (bytes, start, done) = (GC.GetAllocatedBytesForCurrentThread(), Stopwatch.GetTimestamp(), 0L);
        do
        {
            scan();
            done += job.Records;
        }
        while (Stopwatch.GetElapsedTime(start).TotalSeconds < job.Seconds);
        var rate = Figures.Rate(done, start);
        return new Outcome(rate) { More = { ["allocated, B/op"] = (double)(GC.GetAllocatedBytesForCurrentThread() - bytes) / done } };
    }
}

/// <summary>What the kernel counts for this process.</summary>
internal static class ProcessFigures
{
    public static void AddMemory(Outcome outcome)
    {
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        outcome.More["memory, MiB"] = Status("VmRSS:");
        outcome.More["private, MiB"] = Status("RssAnon:");
    }

    public static double PeakMemory() => Status("VmHWM:");

    /// <summary>Bytes given to write calls, whether they have reached the disk or not.</summary>
    public static long WrittenBytes() => (long)Number("/proc/self/io", "wchar:");

    private static double Status(string name) => Number("/proc/self/status", name) / 1024;

    private static double Number(string file, string name)
    {
        if (!OperatingSystem.IsLinux()) return double.NaN;
        var line = File.ReadLines(file).First(l => l.StartsWith(name, StringComparison.Ordinal));
        return double.Parse(line[name.Length..].Replace("kB", "", StringComparison.Ordinal), CultureInfo.InvariantCulture);
    }
}
