using System.Runtime.CompilerServices;
using Amazon;
using Amazon.Runtime;
using Amazon.S3;
using OpsLog.Storage;

namespace OpsLog.S3;

/// <summary>
/// A bucket of S3-compatible object storage, or the part of it below a prefix: an object is an object, its key the rest of its name.
/// </summary>
/// <remarks>
/// <para>Safe for concurrent calls, and for any number of instances, processes and machines on one bucket. There is no append: the engine writes a log
/// as numbered objects, each created only if it is absent, and that condition is the fence.</para>
/// <para>The server must honour <c>If-Match</c> and <c>If-None-Match</c> on <c>PutObject</c>. Whether it does is found out once, on an object of the
/// storage's own, before the first write on a condition (about six requests); one that doesn't is refused with
/// <see cref="StorageFault.Unsupported"/>. Reading needs no such proof, and no permission to write.</para>
/// <para>Each object carries the random marks of the puts that made it as user metadata (<c>opslogputs</c>), so that a put whose answer was lost is told
/// from another writer's. Requests that failed in passing are repeated within <see cref="S3StorageOptions.RetryBudget"/>; the client library's own
/// retries are off. Objects longer than <see cref="S3StorageOptions.PartSize"/> are written as multipart uploads and read in ranges, a few at a time.</para>
/// <para>A version is the entity tag and the marks. A listing is complete, in the server's order.</para>
/// </remarks>
public sealed class S3Storage : IOpsStorage
{
    private const string DefaultRegion = "us-east-1";

    private readonly AmazonS3Client _client;
    private readonly S3Requests _requests;
    private readonly S3Probe _probe;
    private readonly PutCalls _calls;
    private readonly KeyMap _names;
    private readonly RetrySettings _settings;
    private readonly BucketReader _reader;
    private readonly int _partSize;
    private readonly int _parallel;
    private volatile bool _disposed;

    /// <summary>Makes the storage. Sends nothing: a bucket that is not there shows at the first call.</summary>
    /// <param name="bucket">The bucket's name. It must exist.</param>
    /// <param name="options">The settings; <see langword="null"/> for the defaults.</param>
    /// <exception cref="ArgumentException">A setting is out of its range, or no region is known.</exception>
    public S3Storage(string bucket, S3StorageOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(bucket);
        options ??= new S3StorageOptions();
        ArgumentNullException.ThrowIfNull(options.TimeProvider, "options.TimeProvider");
        ArgumentOutOfRangeException.ThrowIfLessThan(options.PartSize, 5 << 20, "options.PartSize");
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Parallelism, 1, "options.Parallelism");
        ArgumentOutOfRangeException.ThrowIfLessThan(options.RetryBudget, TimeSpan.Zero, "options.RetryBudget");
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(options.RequestTimeout, TimeSpan.Zero, "options.RequestTimeout");
        LocationUri.RequireEndpoint(options.Endpoint, "options.Endpoint");
        (Bucket, _partSize, _parallel) = (bucket, options.PartSize, options.Parallelism);
        _names = new KeyMap(options.Prefix, "options.Prefix");
        _settings = new RetrySettings(options.TimeProvider, options.RetryBudget, options.RequestTimeout, options.Random);
        _client = ClientOf(options);
        _requests = new S3Requests(_client, bucket);
        _calls = new PutCalls(S3Faults.Of, S3Faults.IsRefused, _requests.HeadAsync);
        _probe = new S3Probe(_requests, _settings, _names.Prefix);
        var reads = new ReadCalls($"the bucket '{bucket}'", S3Faults.Of, _requests.HeadAsync, _requests.GetAsync, async ct =>
        {
            await _requests.ListAsync(_names.Prefix, null, null, 1, ct).ConfigureAwait(false);
            return true;
        });
        _reader = new BucketReader(_names, _settings, reads, _partSize, _parallel);
    }

    /// <summary>The bucket.</summary>
    public string Bucket { get; }

    /// <summary>What all names begin with: empty, or parts that each end in <c>/</c>.</summary>
    public string Prefix => _names.Prefix;

    /// <inheritdoc/>
    public StorageCapabilities Capabilities => StorageCapabilities.None;

    /// <summary>Makes the storage that a URI names: <c>s3://bucket/prefix?endpoint=https://host:port&amp;region=name</c>.</summary>
    /// <param name="uri">
    /// The URI. The prefix and both settings may be left out; what is special in a URI is percent-encoded. It never holds credentials: they come from
    /// <paramref name="options"/>, or from the client library's own chain.
    /// </param>
    /// <param name="options">Further settings; what the URI says goes before. Left as it is. <see langword="null"/> for the defaults.</param>
    /// <exception cref="ArgumentException">The URI is malformed, or has a setting that is not known.</exception>
    public static S3Storage FromUri(string uri, S3StorageOptions? options = null)
    {
        var location = new LocationUri(uri, "s3", "endpoint", "region");
        LocationUri.RequireEndpoint(location["endpoint"], nameof(uri));
        var settings = options?.Copy() ?? new S3StorageOptions();
        if (location.Prefix.Length > 0) settings.Prefix = location.Prefix;
        settings.Endpoint = location["endpoint"] ?? settings.Endpoint;
        settings.Region = location["region"] ?? settings.Region;
        return new S3Storage(location.Container, settings);
    }

    /// <summary>Makes <c>s3://</c> known to <see cref="StorageSchemes"/>. May be called more than once.</summary>
    public static void Register() =>
        StorageSchemes.Register("s3", (location, time, random) => FromUri(location, new S3StorageOptions { TimeProvider = time, Random = random }));

    /// <inheritdoc/>
    /// <remarks>Up to 256 MiB come as an array, more as a stream. A range of no bytes is a look at the object: one small request.</remarks>
    public ValueTask<StoredObject?> ReadAsync(StorageKey key, Storage.ByteRange range, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        return _reader.ReadAsync(key, range, cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask<PutResult> PutAsync(StorageKey key, Stream content, PutCondition condition, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (GuardedPut.Check(key, content, condition, cancellationToken) is { } refused) return refused;
        var name = _names.NameOf(key);
        var isConditional = condition.Kind != PutConditionKind.Always;
        var form = isConditional ? await _probe.FormAsync(cancellationToken).ConfigureAwait(false) : EntityTagForm.Quoted;
        var put = new GuardedPut(_calls, _settings, key, name, condition);
        var ifMatch = form == EntityTagForm.Quoted && put.EntityTag is { } tag ? $"\"{tag}\"" : put.EntityTag;
        var source = new PartSource(content, _partSize);
        var first = await source.NextAsync(cancellationToken).ConfigureAwait(false);
        if (source.IsAtEnd) return await PutWholeAsync(put, ifMatch, new ReadOnlyMemoryStream(first), cancellationToken).ConfigureAwait(false);
        if (!isConditional || await _probe.UploadsHonourAsync(cancellationToken).ConfigureAwait(false))
            return await new S3Upload(_requests, _settings, put, ifMatch, key, _parallel).SendAsync(first, source, cancellationToken).ConfigureAwait(false);
        return await PutWholeAsync(put, ifMatch, new ReadOnlyMemoryStream(await PartSequence.CollectAsync(first, source, cancellationToken).ConfigureAwait(false)), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Object storage has no append.</summary>
    /// <exception cref="NotSupportedException">Always.</exception>
    public ValueTask<PutResult> AppendAsync(
        StorageKey key, ReadOnlyMemory<byte> bytes, long expectedLength, Flush flush, CancellationToken cancellationToken) =>
        throw new NotSupportedException("Object storage has no append; the engine writes numbered objects.");

    /// <inheritdoc/>
    /// <remarks>Pages of up to 1,000 names, one request each. Objects whose names are not keys are left out.</remarks>
    public async IAsyncEnumerable<StorageEntry> ListAsync(
        StorageKey prefix, StorageKey? after, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        cancellationToken.ThrowIfCancellationRequested();
        var start = after is { } last && KeyMap.OrdersAlike(last) ? _names.Prefix + last.Value : null;
        var next = default(string);
        do
        {
            var token = next;
            var (objects, more) = await _settings.RunAsync(
                $"list '{prefix}'", ct => _requests.ListAsync(_names.Prefix + prefix.Value, start, token, null, ct), S3Faults.Of, cancellationToken).ConfigureAwait(false);
            foreach (var entry in objects)
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (_names.KeyOf(entry.Key) is { } key && KeyMap.IsWanted(key, prefix, after))
                    yield return new StorageEntry(key, entry.Size ?? 0, new DateTimeOffset((entry.LastModified ?? default).ToUniversalTime()));
            }

            next = more;
        }
        while (next is not null);
    }

    /// <inheritdoc/>
    public async ValueTask DeleteAsync(StorageKey key, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        StorageGuard.RequireName(key);
        cancellationToken.ThrowIfCancellationRequested();
        if (!_names.CanName(key)) return;
        var name = _names.NameOf(key);
        await _settings.RunAsync($"delete '{key}'", ct => _requests.DeleteAsync(name, ct), S3Faults.Of, cancellationToken, writes: true).ConfigureAwait(false);
    }

    /// <summary>Closes the connections. Nothing stored changes.</summary>
    public ValueTask DisposeAsync()
    {
        if (!_disposed) _client.Dispose();
        _disposed = true;
        return ValueTask.CompletedTask;
    }

    private static AmazonS3Client ClientOf(S3StorageOptions options)
    {
        var config = new AmazonS3Config
        {
            // Checksums are the format's own, in every line. Trailing ones, the client library's default, are refused by many servers.
            RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
            ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,
            ForcePathStyle = options.ForcePathStyle ?? options.Endpoint is not null,
            Timeout = Timeout.InfiniteTimeSpan, // each request's time is its own
        };
        if (options.Endpoint is { } endpoint)
        {
            config.ServiceURL = endpoint;
            config.AuthenticationRegion = options.Region ?? RegionOfEnvironment() ?? DefaultRegion;
        }
        else if (options.Region is { } region)
        {
            config.RegionEndpoint = RegionEndpoint.GetBySystemName(region);
        }

        options.ConfigureClient?.Invoke(config);
        config.MaxErrorRetry = 0; // retries hidden in the client would turn one's own success into a conflict
        try
        {
            return options.Credentials is { } credentials ? new AmazonS3Client(credentials, config) : new AmazonS3Client(config);
        }
        catch (AmazonClientException)
        {
            throw new ArgumentException("No region is known. Give it ('region=…' in a URI), or set AWS_REGION.", nameof(options));
        }
    }

    private static string? RegionOfEnvironment()
    {
        try
        {
            return FallbackRegionFactory.GetRegionEndpoint(includeInstanceMetadata: false)?.SystemName;
        }
        catch (AmazonClientException)
        {
            return null; // none is set
        }
    }

    private ValueTask<PutResult> PutWholeAsync(GuardedPut put, string? ifMatch, Stream content, CancellationToken ct) =>
        put.SendAsync(token => _requests.PutAsync(put.Name, content, put.Marks, ifMatch, put.IfAbsent, token), readsBackAlways: false, ct, sent: content.Length);
}
