using System.CommandLine;

namespace OpsLog.Cli.Verbs;

/// <summary>The <c>--to</c> of the verbs that write a new store: it is never the store they read.</summary>
internal static class CopyTarget
{
    public static Option<string> Option(string description) => new("--to") { Description = description, HelpName = "PLACE", Required = true };

    /// <summary>The target, if it is another place than the source and not inside it.</summary>
    /// <exception cref="UsageException">It is the same folder, or one within it.</exception>
    public static string Check(string source, string target, string name = "--to")
    {
        if (source.Length == 0 || target.Length == 0) throw new UsageException($"STORE and {name} must not be empty.");
        if (StoreLocation.Folder(source) is not { } from || StoreLocation.Folder(target) is not { } to)
        {
            // Two texts may still be one place: that the target must be empty says so then.
            return source.Equals(target, StringComparison.Ordinal) ? throw new UsageException($"{name} is the store itself: name another place.") : target;
        }

        if (to.Equals(from, StringComparison.Ordinal) || to.StartsWith(from + Path.DirectorySeparatorChar, StringComparison.Ordinal))
            throw new UsageException($"{name} '{target}' lies in the store itself: name another folder.");
        return target;
    }
}
