using System.CommandLine;

namespace OpsLog.Cli.Verbs;

/// <summary>The <c>--to</c> of the verbs that write a new store: it is never the store they read.</summary>
internal static class CopyTarget
{
    public static Option<string> Option(string description) => new("--to") { Description = description, HelpName = "DIR", Required = true };

    /// <summary>The target, if it is another place than the source and not inside it.</summary>
    /// <exception cref="UsageException">It is the same folder, or one within it.</exception>
    public static string Check(string source, string target)
    {
        if (source.Length == 0 || target.Length == 0) throw new UsageException("STORE and --to must not be empty.");
        var from = Path.TrimEndingDirectorySeparator(Path.GetFullPath(source));
        var to = Path.TrimEndingDirectorySeparator(Path.GetFullPath(target));
        if (to.Equals(from, StringComparison.Ordinal) || to.StartsWith(from + Path.DirectorySeparatorChar, StringComparison.Ordinal))
            throw new UsageException($"--to '{target}' lies in the store itself: name another folder.");
        return target;
    }
}
