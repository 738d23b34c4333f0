using Azure.Core;
using Azure.Storage.Blobs;

namespace OpsLog.AzureBlobs;

/// <summary>The settings of an <see cref="AzureBlobStorage"/>. Read once, when the storage is made.</summary>
public sealed class AzureBlobStorageOptions
{
    /// <summary>What the names of all blobs begin with, inside the container: parts joined by <c>/</c>. Default: empty, the container is the store.</summary>
    public string Prefix { get; set; } = "";

    /// <summary>The storage account's name. Default: <see langword="null"/>, that of <c>AZURE_STORAGE_ACCOUNT</c>.</summary>
    public string? Account { get; set; }

    /// <summary>
    /// The address of the account's blob service, for an emulator or a sovereign cloud. Default: <see langword="null"/>,
    /// <c>https://ACCOUNT.blob.core.windows.net</c>.
    /// </summary>
    public string? Endpoint { get; set; }

    /// <summary>
    /// Everything needed to reach the account, in the client library's own form; used if neither account nor endpoint is given. Default:
    /// <see langword="null"/>, that of <c>AZURE_STORAGE_CONNECTION_STRING</c>, unless <see cref="Credential"/> is given.
    /// </summary>
    public string? ConnectionString { get; set; }

    /// <summary>
    /// Who asks, such as a <c>DefaultAzureCredential</c> of Azure.Identity. Default: <see langword="null"/>, the account's key in
    /// <c>AZURE_STORAGE_KEY</c>, or a shared access signature in <c>AZURE_STORAGE_SAS_TOKEN</c>.
    /// </summary>
    public TokenCredential? Credential { get; set; }

    /// <summary>
    /// For how long a request that failed in passing is sent again; the first time in any case. One under way is waited for, up to <see cref="RequestTimeout"/>. Default: 30 s;
    /// zero: one attempt only.
    /// </summary>
    public TimeSpan RetryBudget { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How long one request may take before it counts as unanswered; one that sends content has a second more for each MiB. Default: 60 s.</summary>
    public TimeSpan RequestTimeout { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>
    /// How many bytes one request carries at most; longer blobs are written in blocks and read in ranges. Default: 8 MiB; 64 KiB to 100 MiB.
    /// </summary>
    public int PartSize { get; set; } = 8 << 20;

    /// <summary>How many parts of one blob are on their way at once. Default: 4.</summary>
    public int Parallelism { get; set; } = 4;

    /// <summary>
    /// How many appends an append blob takes before the store is told to begin another log. Default: 45,000; the service's own limit is 50,000.
    /// </summary>
    public int AppendsPerBlob { get; set; } = 45_000;

    /// <summary>The clock that retries wait on. Default: the system's.</summary>
    public TimeProvider TimeProvider { get; set; } = TimeProvider.System;

    /// <summary>Where marks of puts and the jitter of retries come from, so that a run can be replayed; used under a lock. Default: the system's.</summary>
    public Random? Random { get; set; }

    /// <summary>
    /// The last word on the client's options: transport, proxies, API version. Retries are the storage's own; what is set for them here is set back.
    /// Default: <see langword="null"/>.
    /// </summary>
    public Action<BlobClientOptions>? ConfigureClient { get; set; }

    /// <summary>One's own, that may be changed.</summary>
    internal AzureBlobStorageOptions Copy() => (AzureBlobStorageOptions)MemberwiseClone();
}
