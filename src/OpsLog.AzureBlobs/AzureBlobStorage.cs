using System.Runtime.CompilerServices;
using Azure;
using OpsLog.Storage;

namespace OpsLog.AzureBlobs;

/// <summary>A container of Azure Blob Storage, or the part of it below a prefix: an object is a blob, its key the rest of its name.</summary>
/// <remarks>
/// <para>Safe for concurrent calls, and for any number of instances, processes and machines on one container.</para>
/// <para>What is written empty becomes an append blob, everything else a block blob; appending works to both, to the first with one request. The position
/// is the condition of an append, and so the fence against other writers. An append blob takes 50,000 appends: behind
/// <see cref="AzureBlobStorageOptions.AppendsPerBlob"/> of them the results say so, and the store goes on in another log.</para>
/// <para>Each blob carries the random marks of the puts that made it as metadata (<c>opslogputs</c>), so that a put whose answer was lost is told from
/// another writer's. Requests that failed in passing are repeated within <see cref="AzureBlobStorageOptions.RetryBudget"/>; the client library's own
/// retries are off. Blobs longer than <see cref="AzureBlobStorageOptions.PartSize"/> are written in blocks and read in ranges, a few at a time.</para>
/// <para>A version is the entity tag and the marks. A listing is complete, in the server's order. No part of a name may end with a dot.</para>
/// </remarks>
public sealed class AzureBlobStorage : IOpsStorage
{
    private readonly AzureRequests _requests;
    private readonly AzureAppend _append;
    private readonly PutCalls _calls;
    private readonly KeyMap _names;
    private readonly RetrySettings _settings;
    private readonly BucketReader _reader;
    private readonly int _partSize;
    private readonly int _parallel;
    private volatile bool _disposed;

    /// <summary>Makes the storage. Sends nothing: a container that is not there shows at the first call.</summary>
    /// <param name="container">The container's name. It must exist.</param>
    /// <param name="options">The settings; <see langword="null"/> for the defaults: account and credential come from the environment.</param>
    /// <exception cref="ArgumentException">A setting is out of its range, or it is not known which account, or who asks.</exception>
    public AzureBlobStorage(string container, AzureBlobStorageOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(container);
        options ??= new AzureBlobStorageOptions();
        ArgumentNullException.ThrowIfNull(options.TimeProvider, "options.TimeProvider");
        ArgumentOutOfRangeException.ThrowIfLessThan(options.PartSize, 64 << 10, "options.PartSize");
        ArgumentOutOfRangeException.ThrowIfGreaterThan(options.PartSize, 100 << 20, "options.PartSize");
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Parallelism, 1, "options.Parallelism");
        ArgumentOutOfRangeException.ThrowIfLessThan(options.AppendsPerBlob, 1, "options.AppendsPerBlob");
        ArgumentOutOfRangeException.ThrowIfGreaterThan(options.AppendsPerBlob, 49_000, "options.AppendsPerBlob");
        ArgumentOutOfRangeException.ThrowIfLessThan(options.RetryBudget, TimeSpan.Zero, "options.RetryBudget");
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(options.RequestTimeout, TimeSpan.Zero, "options.RequestTimeout");
        LocationUri.RequireEndpoint(options.Endpoint, "options.Endpoint");
        (Container, _partSize, _parallel) = (container, options.PartSize, options.Parallelism);
        _names = new KeyMap(options.Prefix, "options.Prefix", dotsMayEndParts: false);
        _settings = new RetrySettings(options.TimeProvider, options.RetryBudget, options.RequestTimeout, options.Random);
        _requests = new AzureRequests(AzureClient.ContainerOf(container, options));
        _calls = new PutCalls(AzureFaults.Of, AzureFaults.IsRefused, _requests.LookAsync);
        _append = new AzureAppend(_requests, _settings, options.AppendsPerBlob, _partSize);
        var reads = new ReadCalls($"the container '{container}'", AzureFaults.Of, _requests.LookAsync, _requests.GetAsync, async ct =>
        {
            await _requests.ListAsync(_names.Prefix, null, ct).ConfigureAwait(false);
            return true;
        });
        _reader = new BucketReader(_names, _settings, reads, _partSize, _parallel);
    }

    /// <summary>The container.</summary>
    public string Container { get; }

    /// <summary>What all names begin with: empty, or parts that each end in <c>/</c>.</summary>
    public string Prefix => _names.Prefix;

    /// <inheritdoc/>
    public StorageCapabilities Capabilities => StorageCapabilities.Append;

    /// <summary>Makes the storage that a URI names: <c>azblob://container/prefix?account=name</c>, or <c>?endpoint=https://host:port/account</c>.</summary>
    /// <param name="uri">
    /// The URI. The prefix and both settings may be left out; what is special in a URI is percent-encoded. It never holds credentials: they come from
    /// <paramref name="options"/>, or from the environment (<see cref="AzureBlobStorageOptions.Credential"/>).
    /// </param>
    /// <param name="options">Further settings; what the URI says goes before. Left as it is. <see langword="null"/> for the defaults.</param>
    /// <exception cref="ArgumentException">The URI is malformed, has a setting that is not known, or leaves open which account or who asks.</exception>
    public static AzureBlobStorage FromUri(string uri, AzureBlobStorageOptions? options = null)
    {
        var location = new LocationUri(uri, "azblob", "account", "endpoint");
        LocationUri.RequireEndpoint(location["endpoint"], nameof(uri));
        var settings = options?.Copy() ?? new AzureBlobStorageOptions();
        if (location.Prefix.Length > 0) settings.Prefix = location.Prefix;
        settings.Endpoint = location["endpoint"] ?? settings.Endpoint;
        settings.Account = location["account"] ?? settings.Account;
        return new AzureBlobStorage(location.Container, settings);
    }

    /// <summary>Makes <c>azblob://</c> known to <see cref="StorageSchemes"/>. May be called more than once.</summary>
    public static void Register() =>
        StorageSchemes.Register("azblob", (location, time, random) => FromUri(location, new AzureBlobStorageOptions { TimeProvider = time, Random = random }));

    /// <inheritdoc/>
    /// <remarks>Up to 256 MiB come as an array, more as a stream. A range of no bytes is a look at the blob: one small request.</remarks>
    public ValueTask<StoredObject?> ReadAsync(StorageKey key, ByteRange range, CancellationToken cancellationToken)
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
        var put = new GuardedPut(_calls, _settings, key, name, condition);
        ETag? ifMatch = put.EntityTag is { } tag ? new ETag(tag) : null;
        var source = new PartSource(content, _partSize);
        var first = await source.NextAsync(cancellationToken).ConfigureAwait(false);
        if (!source.IsAtEnd) return await new AzureUpload(_requests, _settings, put, ifMatch, key, _parallel).SendAsync(first, source, cancellationToken).ConfigureAwait(false);
        using var bytes = new ReadOnlyMemoryStream(first);
        return await put.SendAsync(
            ct => first.IsEmpty ? _requests.CreateAsync(name, put.Marks, ifMatch, put.IfAbsent, ct) : _requests.PutAsync(name, bytes, put.Marks, ifMatch, put.IfAbsent, ct),
            readsBackAlways: false, cancellationToken, sent: first.Length).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    /// <remarks>Each 4 MiB are one request. Both levels of <see cref="Flush"/> are the same: what the service has answered for is durable.</remarks>
    public ValueTask<PutResult> AppendAsync(
        StorageKey key, ReadOnlyMemory<byte> bytes, long expectedLength, Flush flush, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        StorageGuard.RequireName(key);
        if (cancellationToken.IsCancellationRequested) return ValueTask.FromCanceled<PutResult>(cancellationToken);
        return _append.RunAsync(key, _names.NameOf(key), bytes, expectedLength, cancellationToken);
    }

    /// <inheritdoc/>
    /// <remarks>Pages of up to 5,000 names, one request each. Blobs whose names are not keys are left out.</remarks>
    public async IAsyncEnumerable<StorageEntry> ListAsync(
        StorageKey prefix, StorageKey? after, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        cancellationToken.ThrowIfCancellationRequested();
        var next = default(string);
        do
        {
            var token = next;
            var (blobs, more) = await _settings.RunAsync(
                $"list '{prefix}'", ct => _requests.ListAsync(_names.Prefix + prefix.Value, token, ct), AzureFaults.Of, cancellationToken).ConfigureAwait(false);
            foreach (var blob in blobs)
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (_names.KeyOf(blob.Name) is { } key && KeyMap.IsWanted(key, prefix, after))
                    yield return new StorageEntry(key, blob.Properties.ContentLength ?? 0, blob.Properties.LastModified ?? default);
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
        await _settings.RunAsync($"delete '{key}'", ct => _requests.DeleteAsync(name, ct), AzureFaults.Of, cancellationToken, writes: true).ConfigureAwait(false);
    }

    /// <summary>Takes no more calls. Nothing stored changes; the client library shares its connections and keeps them.</summary>
    public ValueTask DisposeAsync()
    {
        _disposed = true;
        return ValueTask.CompletedTask;
    }
}
