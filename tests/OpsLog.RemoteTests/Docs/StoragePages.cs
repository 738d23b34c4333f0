using Amazon.Runtime;
using Azure.Core;
using OpsLog.AzureBlobs;
using OpsLog.PostgreSql;
using OpsLog.S3;
using OpsLog.Storage;

namespace OpsLog.RemoteTests.Docs;

/// <summary>The blocks of docs/storage.md and of the storages' READMEs, so that they are compiled.</summary>
internal static class StoragePages
{
    public static async Task S3ReadmeAsync()
    {
        S3Storage.Register(); // once, at the program's start
        await using var store = await OpsStore<TaskItem>.OpenAsync(
            "s3://my-bucket/stores/tasks?region=eu-central-1", new OpsStoreOptions { AgentId = "web-1" });
    }

    public static async Task AzureReadmeAsync()
    {
        AzureBlobStorage.Register(); // once, at the program's start
        await using var store = await OpsStore<TaskItem>.OpenAsync(
            "azblob://my-container/stores/tasks?account=myaccount", new OpsStoreOptions { AgentId = "web-1" });
    }

    public static async Task PostgreSqlReadmeAsync()
    {
        PostgreSqlStorage.Register(); // once, at the program's start
        await using var store = await OpsStore<TaskItem>.OpenAsync(
            "postgres://db.example:5432/app?store=tasks", new OpsStoreOptions { AgentId = "web-1" });
    }

    public static async Task OptionsAsync(AWSCredentials credentials, TokenCredential credential, Func<CancellationToken, ValueTask<string>> askForToken)
    {
        var bucket = new S3Storage("my-bucket", new S3StorageOptions { Prefix = "stores/tasks", Region = "eu-central-1", Credentials = credentials });
        var container = AzureBlobStorage.FromUri("azblob://my-container/stores/tasks?account=myaccount", new AzureBlobStorageOptions { Credential = credential });
        var database = PostgreSqlStorage.FromUri("postgres://db.example/app?store=tasks", new PostgreSqlStorageOptions { PasswordProvider = askForToken });
        await using var store = await OpsStore<TaskItem>.OpenAsync(bucket);
        await container.DisposeAsync();
        await database.DisposeAsync();
    }

    public static async Task SchemeAsync()
    {
        StorageFactory ours = (location, time, random) => new CachedStorage(
            S3Storage.FromUri($"s3://our-bucket/{new Uri(location).Host}?endpoint=https://ceph.example:7480", new S3StorageOptions { TimeProvider = time, Random = random }),
            new FileStorage($"/var/cache/stores/{new Uri(location).Host}"));
        StorageSchemes.Register("ours", ours);
        await using var store = await OpsStore<TaskItem>.OpenAsync("ours://tasks", new OpsStoreOptions { AgentId = "web-1" });
    }

    internal sealed record TaskItem(string Title, string Status);
}
