using OpsLog.AzureBlobs;
using OpsLog.PostgreSql;
using OpsLog.S3;
using OpsLog.Storage;

namespace OpsLog.Cli;

/// <summary>Turns the STORE of a command line into a storage. The one place that knows what a STORE may be.</summary>
internal static class StoreLocation
{
    private const string Separator = "://";

    static StoreLocation()
    {
        // A client library is loaded by the first location that needs it, not by the tool's start.
        StorageSchemes.Register("s3", (location, time, random) => S3Storage.FromUri(location, new S3StorageOptions { TimeProvider = time, Random = random }));
        StorageSchemes.Register("azblob", (location, time, random) => AzureBlobStorage.FromUri(location, new AzureBlobStorageOptions { TimeProvider = time, Random = random }));
        StorageSchemes.Register("postgres", PostgreSql);
        StorageSchemes.Register("postgresql", PostgreSql);
    }

    /// <summary>The storage a text names: a folder, or a URI.</summary>
    /// <exception cref="UsageException">The text is empty, malformed, or a URI of a kind this tool does not know.</exception>
    public static IOpsStorage Open(string location)
    {
        if (location.Length == 0) throw new UsageException("STORE is empty: name a folder, or a URI such as s3://bucket/prefix.");
        try
        {
            return StorageSchemes.Open(location);
        }
        catch (ArgumentException e)
        {
            throw new UsageException($"{Shown(location)}: {ErrorReport.MessageOf(e)}", e);
        }
    }

    /// <summary>A location as it may be printed: without what is secret in it.</summary>
    public static string Shown(string location) => StorageSchemes.Redact(location);

    /// <summary>Whether it is no path.</summary>
    public static bool IsUri(string location) => location.IndexOf(Separator, StringComparison.Ordinal) is > 0 and var end && SchemeStart(location, end) == 0;

    /// <summary>The folder that a path or a <c>file://</c> URI names, as a full path; <see langword="null"/> for any other location.</summary>
    /// <exception cref="UsageException">It is malformed.</exception>
    public static string? Folder(string location) =>
        !IsUri(location) || location.StartsWith("file:", StringComparison.OrdinalIgnoreCase) ? (Open(location) as FileStorage)?.RootPath : null; // which touches nothing

    /// <summary>A message as it may be printed: without what is secret in the command line's URIs, wherever in an argument one begins.</summary>
    public static string Redact(string message, IReadOnlyList<string> arguments)
    {
        foreach (var argument in arguments)
        {
            for (var end = argument.IndexOf(Separator, StringComparison.Ordinal); end >= 0; end = argument.IndexOf(Separator, end + 1, StringComparison.Ordinal))
            {
                var start = SchemeStart(argument, end);
                if (start == end) continue;
                // A parser may quote all of '--to=URI', or what is behind the '='.
                var (uri, shown) = (argument[start..], Shown(argument[start..]));
                message = message.Replace(argument, argument[..start] + shown, StringComparison.Ordinal).Replace(uri, shown, StringComparison.Ordinal);
            }
        }

        return message;
    }

    /// <summary>Where the scheme that ends at a place begins; that place if none does.</summary>
    private static int SchemeStart(string text, int end)
    {
        var start = end;
        while (start > 0 && (char.IsAsciiLetterOrDigit(text[start - 1]) || text[start - 1] is '+' or '-' or '.')) start--;
        while (start < end && !char.IsAsciiLetter(text[start])) start++;
        return start;
    }

    private static PostgreSqlStorage PostgreSql(string location, TimeProvider time, Random? random) =>
        PostgreSqlStorage.FromUri(location, new PostgreSqlStorageOptions { TimeProvider = time, Random = random });
}
