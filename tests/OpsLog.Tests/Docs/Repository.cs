namespace OpsLog.Tests.Docs;

/// <summary>The files of the repository these tests were built from.</summary>
internal static class Repository
{
    private static readonly string[] s_leftOut = [".git", "bin", "obj", "node_modules", ".demo", "artifacts", "TestResults", "BenchmarkDotNet.Artifacts"];

    /// <summary>The folder with the solution.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>Every file that belongs to the repository, as a path relative to <see cref="Root"/> with forward slashes.</summary>
    public static IEnumerable<string> Files(string folder = "") => new DirectoryInfo(Path.Combine(Root, folder)).EnumerateFileSystemInfos()
        .Where(entry => !s_leftOut.Contains(entry.Name, StringComparer.Ordinal))
        .OrderBy(entry => entry.Name, StringComparer.Ordinal)
        .SelectMany(entry => entry is DirectoryInfo
            ? Files(Path.Combine(folder, entry.Name))
            : [Path.Combine(folder, entry.Name).Replace('\\', '/')]);

    /// <summary>The pages that people read: the root's and those below <c>docs/</c>.</summary>
    public static IEnumerable<string> Pages() =>
        Files().Where(f => f.EndsWith(".md", StringComparison.Ordinal) && (!f.Contains('/', StringComparison.Ordinal) || f.StartsWith("docs/", StringComparison.Ordinal)));

    /// <summary>The pages that packages carry.</summary>
    public static IEnumerable<string> PackagePages() => Files("src").Where(f => f.EndsWith("/README.md", StringComparison.Ordinal));

    public static string Read(string file) => File.ReadAllText(Path.Combine(Root, file));

    public static bool Has(string path) => Path.Exists(Path.Combine(Root, path));

    private static string FindRoot()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "OpsLog.slnx")))
            folder = Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("These tests run from their build folder inside the repository.");
        return folder;
    }
}
