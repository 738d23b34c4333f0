using Amazon.Runtime;
using Amazon.S3;

namespace OpsLog.S3;

/// <summary>The settings of an <see cref="S3Storage"/>. Read once, when the storage is made.</summary>
public sealed class S3StorageOptions
{
    /// <summary>What the names of all objects begin with, inside the bucket: parts joined by <c>/</c>. Default: empty, the bucket is the store.</summary>
    public string Prefix { get; set; } = "";

    /// <summary>The server's address (<c>https://host:port</c>), for anything but AWS itself. Default: <see langword="null"/>, the region's.</summary>
    public string? Endpoint { get; set; }

    /// <summary>
    /// The region, also the one that requests are signed for. Default: <see langword="null"/>, what the client library finds in the environment;
    /// <c>us-east-1</c> where an endpoint is given and nothing is found.
    /// </summary>
    public string? Region { get; set; }

    /// <summary>Who asks. Default: <see langword="null"/>, the client library's own chain: environment variables, profiles, the machine's role.</summary>
    public AWSCredentials? Credentials { get; set; }

    /// <summary>
    /// Whether the bucket stands in the path rather than in the host's name. Default: <see langword="null"/>: yes where an endpoint is given.
    /// </summary>
    public bool? ForcePathStyle { get; set; }

    /// <summary>
    /// For how long a request that failed in passing is sent again; the first time in any case. One under way is waited for, up to <see cref="RequestTimeout"/>. Default: 30 s;
    /// zero: one attempt only.
    /// </summary>
    public TimeSpan RetryBudget { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How long one request may take before it counts as unanswered; one that sends content has a second more for each MiB. Default: 60 s.</summary>
    public TimeSpan RequestTimeout { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>
    /// How many bytes one request carries at most; longer objects are written as multipart uploads and read in ranges. Default: 8 MiB; at least 5 MiB.
    /// To a server that does not honour conditions of multipart uploads, a longer object with a condition goes in one request all the same.
    /// </summary>
    public int PartSize { get; set; } = 8 << 20;

    /// <summary>How many parts of one object are on their way at once. Default: 4.</summary>
    public int Parallelism { get; set; } = 4;

    /// <summary>The clock that retries wait on. Default: the system's.</summary>
    public TimeProvider TimeProvider { get; set; } = TimeProvider.System;

    /// <summary>Where marks of puts and the jitter of retries come from, so that a run can be replayed; used under a lock. Default: the system's.</summary>
    public Random? Random { get; set; }

    /// <summary>
    /// The last word on the client's configuration: proxies, TLS, HTTP clients. Retries are the storage's own; what is set for them here is set back.
    /// Default: <see langword="null"/>.
    /// </summary>
    public Action<AmazonS3Config>? ConfigureClient { get; set; }

    /// <summary>One's own, that may be changed.</summary>
    internal S3StorageOptions Copy() => (S3StorageOptions)MemberwiseClone();
}
