using Amazon.Runtime;
using Azure.Storage.Blobs;
using OpsLog.AzureBlobs;
using OpsLog.PostgreSql;
using OpsLog.S3;
using OpsLog.Storage;

namespace OpsLog.AotSmoke;

/// <summary>The storages of other packages: the one that a location names, if a server is there, and the error that each gives if none is.</summary>
internal static class Remote
{
    // Port 9, where nobody listens; nothing is tried twice.
    private static readonly (string Name, Func<IOpsStorage> Make)[] s_absent =
    [
        ("s3", () => S3Storage.FromUri(
            "s3://bucket/smoke?endpoint=http://127.0.0.1:9&region=nowhere",
            new S3StorageOptions { Credentials = new BasicAWSCredentials("user", "secret"), RetryBudget = TimeSpan.Zero })),
        ("azblob", () => AzureBlobStorage.FromUri(
            "azblob://container/smoke",
            new AzureBlobStorageOptions
            {
                ConnectionString = "DefaultEndpointsProtocol=http;AccountName=account;AccountKey=c2VjcmV0;BlobEndpoint=http://127.0.0.1:9/account",
                RetryBudget = TimeSpan.Zero,
            })),
        ("postgres", () => PostgreSqlStorage.FromUri("postgres://user:secret@127.0.0.1:9/database?store=smoke", new PostgreSqlStorageOptions { RetryFor = TimeSpan.Zero })),
    ];

    public static async Task OpenWithoutServersAsync()
    {
        foreach (var (name, make) in s_absent)
        {
            try
            {
                await using var store = await OpsStore<TaskItem>.OpenAsync(make(), new OpsStoreOptions { JsonTypeInfo = SmokeJson.Default.TaskItem });
                Console.WriteLine($"{name}: opened, though nobody is there");
            }
            catch (OpsLogException e)
            {
                Console.WriteLine($"{name}: {e.Error}, {(e.InnerException as StorageException)?.Fault}");
            }
        }
    }

    /// <summary>Writes, reads back, compacts and lists on a real server.</summary>
    /// <param name="location">Where: a URI of one of the three.</param>
    public static async Task UseAsync(string location)
    {
        S3Storage.Register();
        AzureBlobStorage.Register();
        PostgreSqlStorage.Register();
        if (Environment.GetEnvironmentVariable("AZURE_STORAGE_CONNECTION_STRING") is { Length: > 0 } azure && location.StartsWith("azblob://", StringComparison.Ordinal))
            await new BlobContainerClient(azure, new Uri(location).Host).CreateIfNotExistsAsync();
        var options = new OpsStoreOptions { JsonTypeInfo = SmokeJson.Default.TaskItem };
        await using (var store = await OpsStore<TaskItem>.OpenAsync(location, options))
        {
            await store.SetAsync("task-1", new TaskItem("Afar", "active", ["a"], null));
            await store.CompactAsync();
            await store.SetAsync("task-2", new TaskItem("Afar too", "active", [], null));
            await store.UndoAsync();
        }

        await using var again = await OpsStore<TaskItem>.OpenAsync(location, options);
        Console.WriteLine($"{new Uri(location).Scheme}: {string.Join(", ", again.Keys.Order(StringComparer.Ordinal))}, {again["task-1"].Title}, clean: {again.RecoveryReport.IsClean}");
    }
}
