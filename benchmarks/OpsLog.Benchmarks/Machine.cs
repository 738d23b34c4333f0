using System.Runtime.InteropServices;

namespace OpsLog.Benchmarks;

/// <summary>What the figures were made on.</summary>
internal static class Machine
{
    public static void Print(Settings settings)
    {
        var memory = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes >> 30;
#if DEBUG
        Console.WriteLine("This is a debug build: its figures mean nothing. Use -c Release.\n");
#endif
        Console.WriteLine(
            $"{RuntimeInformation.OSDescription}, {RuntimeInformation.OSArchitecture}, {Environment.ProcessorCount} cores ({Processor()}), {memory} GiB, " +
            $"{FileSystem(settings.Folder)}, {RuntimeInformation.FrameworkDescription}; {settings.Rounds} rounds{(settings.Quick ? ", quick" : "")}");
    }

    private static string Processor()
    {
        if (!OperatingSystem.IsLinux()) return "unknown processor";
        var line = File.ReadLines("/proc/cpuinfo").FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal));
        return line?[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim() ?? "unknown processor";
    }

    private static string FileSystem(string folder)
    {
        var path = Path.GetFullPath(folder);
        var drive = DriveInfo.GetDrives().Where(d => path.StartsWith(d.Name, StringComparison.Ordinal)).MaxBy(d => d.Name.Length);
        return drive?.DriveFormat ?? "unknown file system";
    }
}
