using OpsLog.Storage;

namespace OpsLog.Cli;

/// <summary>Turns the STORE of a command line into a storage. The one place that knows what a STORE may be.</summary>
internal static class StoreLocation
{
    /// <summary>The storage a text names: a folder, as a path or a <c>file://</c> URI.</summary>
    /// <exception cref="UsageException">The text is empty, or a URI of a kind this tool does not know.</exception>
    public static IOpsStorage Open(string location)
    {
        if (location.Length == 0) throw new UsageException("STORE is empty: name a folder.");
        if (location.StartsWith("file://", StringComparison.OrdinalIgnoreCase) && Uri.TryCreate(location, UriKind.Absolute, out var uri))
            return new FileStorage(uri.LocalPath);
        if (location.Contains("://", StringComparison.Ordinal))
            throw new UsageException($"'{location}' is no folder, and this opslog knows no other kind of store.");
        return new FileStorage(location);
    }
}
