using OpsLog.AzureBlobs;
using OpsLog.PostgreSql;
using OpsLog.S3;
using OpsLog.Storage;

namespace OpsLog.Cli;

/// <summary>Turns the STORE of a command line into a storage. The one place that knows what a STORE may be.</summary>
internal static class StoreLocation
{
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
    public static bool IsUri(string location) => location.Contains("://", StringComparison.Ordinal);

    private static PostgreSqlStorage PostgreSql(string location, TimeProvider time, Random? random) =>
        PostgreSqlStorage.FromUri(location, new PostgreSqlStorageOptions { TimeProvider = time, Random = random });
}
