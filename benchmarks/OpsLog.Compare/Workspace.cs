using System.Diagnostics;
using System.Globalization;

namespace OpsLog.Compare;

/// <summary>A folder for stores and files, deleted in the end.</summary>
internal sealed class Workspace : IDisposable
{
    private int _next;

    /// <param name="parent">Where it is made.</param>
    /// <param name="shared">The folder of the process that this one measures for; null: it is one of its own.</param>
    public Workspace(string parent, string? shared = null)
    {
        Root = Path.Join(Path.GetFullPath(shared ?? parent), $"opslog-compare-{Environment.ProcessId}");
        Shared = shared ?? Root;
        Directory.CreateDirectory(Root);
    }

    public string Root { get; }

    /// <summary>Where stores are that more than one workload uses.</summary>
    public string Shared { get; }

    /// <summary>A path that nothing lies at.</summary>
    public string Fresh() => Path.Join(Root, (++_next).ToString(CultureInfo.InvariantCulture));

    public static void Delete(string path)
    {
        if (Directory.Exists(path)) Directory.Delete(path, recursive: true);
        else if (File.Exists(path)) File.Delete(path);
    }

    public static void Copy(string source, string target)
    {
        foreach (var file in Directory.EnumerateFiles(source, "*", SearchOption.AllDirectories))
        {
            var copy = Path.Join(target, Path.GetRelativePath(source, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }
    }

    /// <summary>The bytes of all files below a folder, however it changes meanwhile.</summary>
    public static long Size(string folder)
    {
        long bytes = 0;
        foreach (var file in new DirectoryInfo(folder).EnumerateFiles("*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = 0 }))
        {
            try
            {
                bytes += file.Length;
            }
            catch (FileNotFoundException)
            {
                // Deleted since it was listed: it takes no room any more.
            }
        }

        return bytes;
    }

    public void Dispose() => Delete(Root);
}

/// <summary>Other processes.</summary>
internal static class Child
{
    public const string Verb = "child";

    /// <summary>A job in a fresh process of this program, or of a copy of it.</summary>
    public static async Task<Outcome> RunAsync(string peer, Job job, string? folder = null)
    {
        var assembly = Path.Join(folder ?? AppContext.BaseDirectory, typeof(Child).Assembly.GetName().Name + ".dll");
        var output = await OutputAsync("dotnet", [assembly, Verb, peer, job.ToJson()]);
        return Outcome.FromJson(output.Split('\n', StringSplitOptions.RemoveEmptyEntries)[^1]);
    }

    /// <summary>Such a process: does the job and prints what it gives.</summary>
    public static async Task<int> ServeAsync(string peer, Job job)
    {
        var found = Peers.AllPeers.Find(peer)!;
        if (job.WarmUp)
        {
            var copy = job with { Folder = job.Folder + ".warm" };
            if (Directory.Exists(job.Folder)) Workspace.Copy(job.Folder, copy.Folder);
            await found.RunAsync(copy);
            Workspace.Delete(copy.Folder);
        }

        Console.WriteLine((await found.RunAsync(job)).ToJson());
        return 0;
    }

    /// <summary>What a program prints. One that killed itself after printing has done what it was to do.</summary>
    public static async Task<string> OutputAsync(string program, IEnumerable<string> arguments, bool mustSucceed = false)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        if (process.ExitCode != 0 && (mustSucceed || output.Length == 0))
            throw new InvalidOperationException($"{program} failed with exit code {process.ExitCode}: {(await errors).Trim()} {(mustSucceed ? output : "")}");
        return output;
    }
}

/// <summary>Where this program's source is.</summary>
internal static class Project
{
    public static string File
    {
        get
        {
            const string Name = "OpsLog.Compare.csproj";
            for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
                if (System.IO.File.Exists(Path.Join(folder.FullName, Name))) return Path.Join(folder.FullName, Name);
            throw new InvalidOperationException($"'{Name}' is not above '{AppContext.BaseDirectory}': run the program from its build folder.");
        }
    }
}
