using Azure.Core.Pipeline;
using Azure.Storage.Blobs;
using OpsLog.AzureBlobs;
using OpsLog.RemoteTests.Servers;

namespace OpsLog.RemoteTests.Azure;

/// <summary>A prefix of its own in a container on the emulator.</summary>
internal sealed class AzureRig
{
    public const string Container = "opslog-tests";

    /// <summary>The key of the emulator's one account, as its documentation publishes it.</summary>
    public const string PublishedKey = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

    private static readonly Lazy<Task<string>> s_container = new(() => Task.Run(MakeContainerAsync));
    private static int s_rigs;

    private readonly string _connection;

    private AzureRig(string connection, string prefix) => (_connection, Prefix) = (connection, prefix);

    public string Prefix { get; }

    public static async Task<AzureRig> CreateAsync()
    {
        await TestServer.Azurite.RequireAsync();
        return new AzureRig(await s_container.Value, $"run-{Environment.ProcessId}/{Interlocked.Increment(ref s_rigs)}");
    }

    /// <summary>A client of its own of the same blobs.</summary>
    public AzureBlobStorage Connect(Action<AzureBlobStorageOptions>? change = null, FaultyHttp? http = null)
    {
        var options = new AzureBlobStorageOptions { Prefix = Prefix, ConnectionString = _connection };
        change?.Invoke(options);
        if (http is not null)
        {
            options.ConfigureClient = client =>
            {
                client.Transport = new HttpClientTransport(new HttpClient(http, disposeHandler: false));
                client.Retry.MaxRetries = 10; // the storage has to set it back
            };
        }

        return new AzureBlobStorage(Container, options);
    }

    /// <summary>The library's client, to see what is really there.</summary>
    public BlobContainerClient Raw() => new(_connection, Container);

    public async Task CleanAsync()
    {
        var client = Raw();
        await foreach (var blob in client.GetBlobsAsync(default, default, Prefix + "/", default)) await client.DeleteBlobAsync(blob.Name);
    }

    private static async Task<string> MakeContainerAsync()
    {
        var connection = $"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey={PublishedKey};BlobEndpoint={await TestServer.Azurite.RequireAsync()};";
        await new BlobContainerClient(connection, Container).CreateIfNotExistsAsync();
        return connection;
    }
}
