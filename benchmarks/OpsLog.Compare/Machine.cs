using System.Runtime.InteropServices;

namespace OpsLog.Compare;

/// <summary>What the figures were made on, and how.</summary>
internal static class Machine
{
    public static string Describe(Settings settings)
    {
#if DEBUG
        Console.Error.WriteLine("This is a debug build: its figures mean nothing. Use -c Release.");
#endif
        var memory = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes >> 30;
        return $"""

            {RuntimeInformation.OSDescription}, {RuntimeInformation.OSArchitecture}, {Environment.ProcessorCount} cores ({Processor()}), {memory} GiB, {FileSystem(settings.Folder)}, {RuntimeInformation.FrameworkDescription}.
            {settings.Rounds} interleaved rounds, fewer where a table says so; the median counts. Load when it began: {Load():0.0}. Command: `dotnet run -c Release --project benchmarks/OpsLog.Compare -- {settings.CommandLine}`


            """;
    }

    private static string Processor()
    {
        if (!OperatingSystem.IsLinux()) return "unknown processor";
        var line = File.ReadLines("/proc/cpuinfo").FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal));
        return line?[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim() ?? "unknown processor";
    }

    // Above the number of cores the figures are those of a busy machine.
    public static double Load() => OperatingSystem.IsLinux() ? double.Parse(File.ReadAllText("/proc/loadavg").Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture) : double.NaN;

    private static string FileSystem(string folder)
    {
        var path = Path.GetFullPath(folder);
        var drive = DriveInfo.GetDrives().Where(d => path.StartsWith(d.Name, StringComparison.Ordinal)).MaxBy(d => d.Name.Length);
        return drive?.DriveFormat ?? "unknown file system";
    }
}
