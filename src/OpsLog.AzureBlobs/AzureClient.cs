using Azure;
using Azure.Storage;
using Azure.Storage.Blobs;

namespace OpsLog.AzureBlobs;

/// <summary>Finds out how to reach a container: from the options first, then from the environment variables that Azure's own command line knows.</summary>
internal static class AzureClient
{
    public const string ConnectionStringVariable = "AZURE_STORAGE_CONNECTION_STRING";
    public const string AccountVariable = "AZURE_STORAGE_ACCOUNT";
    public const string KeyVariable = "AZURE_STORAGE_KEY";
    public const string SignatureVariable = "AZURE_STORAGE_SAS_TOKEN";

    /// <exception cref="ArgumentException">It is not known which account, or who asks. No value is repeated: it may be a secret.</exception>
    public static BlobContainerClient ContainerOf(string container, AzureBlobStorageOptions options)
    {
        var client = new BlobClientOptions();
        client.Retry.NetworkTimeout = Timeout.InfiniteTimeSpan; // each request's time is its own
        options.ConfigureClient?.Invoke(client);
        client.Retry.MaxRetries = 0; // retries hidden in the client would turn one's own success into a conflict
        try
        {
            return ServiceOf(options, client).GetBlobContainerClient(container);
        }
        catch (FormatException)
        {
            throw new ArgumentException("The connection string, key or signature is malformed.", nameof(options));
        }
    }

    private static BlobServiceClient ServiceOf(AzureBlobStorageOptions options, BlobClientOptions client)
    {
        var isNamed = options.Account is not null || options.Endpoint is not null;
        // A connection string says who asks: that of the environment gives way to a credential of the program.
        if (!isNamed && (options.ConnectionString ?? (options.Credential is null ? Variable(ConnectionStringVariable) : null)) is { } connection) return new BlobServiceClient(connection, client);
        var account = options.Account ?? Variable(AccountVariable);
        var address = options.Endpoint ?? (account is null ? null : $"https://{account}.blob.core.windows.net");
        if (address is null)
            throw new ArgumentException($"No storage account is known. Give it ('account=…' in a URI), or set {AccountVariable}, or {ConnectionStringVariable} without a credential in the options.", nameof(options));
        // A name that is none may also lead to another host.
        if (!Uri.TryCreate(address, UriKind.Absolute, out var endpoint) || (options.Endpoint is null && !string.Equals(endpoint.IdnHost, $"{account}.blob.core.windows.net", StringComparison.OrdinalIgnoreCase)))
            throw new ArgumentException("The storage account's name is malformed: it is made of lower-case letters and digits.", nameof(options));
        if (options.Credential is { } credential) return new BlobServiceClient(endpoint, credential, client);
        if (Variable(KeyVariable) is { } key)
        {
            // An emulator's account is the last part of its address.
            account ??= endpoint.Segments.Length > 1 ? endpoint.Segments[^1].Trim('/') : endpoint.Host.Split('.')[0];
            return new BlobServiceClient(endpoint, new StorageSharedKeyCredential(account, key), client);
        }

        if (Variable(SignatureVariable) is { } signature) return new BlobServiceClient(endpoint, new AzureSasCredential(signature), client);
        throw new ArgumentException(
            $"No credential is known. Give one in the options, or set {KeyVariable}, {SignatureVariable}, or {ConnectionStringVariable} without naming an account.", nameof(options));
    }

    private static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;
}
