using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using Azure.Storage.Blobs.Specialized;
using OpsLog.Storage;

namespace OpsLog.AzureBlobs;

/// <summary>The requests of one container, each sent once.</summary>
internal sealed class AzureRequests(BlobContainerClient container)
{
    /// <summary>Looks at a blob: no bytes; null if it is absent.</summary>
    public async Task<ObjectBytes?> LookAsync(string name, CancellationToken ct)
    {
        try
        {
            var found = (await container.GetBlobClient(name).GetPropertiesAsync(cancellationToken: ct).ConfigureAwait(false)).Value;
            return Bytes(default, found.ContentLength, found.ETag, found.Metadata, found.BlobType);
        }
        catch (RequestFailedException e) when (AzureFaults.IsAbsent(e))
        {
            return null;
        }
    }

    /// <summary>Reads a range that is not empty; null if the blob is absent.</summary>
    public async Task<ObjectBytes?> GetAsync(string name, long offset, long count, CancellationToken ct)
    {
        try
        {
            var response = await container.GetBlobClient(name).DownloadStreamingAsync(
                new BlobDownloadOptions { Range = new HttpRange(offset, count) }, ct).ConfigureAwait(false);
            using var found = response.Value;
            var details = found.Details;
            var slash = details.ContentRange?.LastIndexOf('/') ?? -1;
            var total = slash < 0 ? details.ContentLength : long.Parse(details.ContentRange.AsSpan(slash + 1), System.Globalization.CultureInfo.InvariantCulture);
            var (start, wanted) = StorageGuard.Cut(new Storage.ByteRange(offset, count), total);
            if (details.ContentLength != wanted || start != offset) throw new IOException($"The server sent {details.ContentLength} bytes instead of {wanted}.");
            var bytes = GC.AllocateUninitializedArray<byte>(checked((int)wanted));
            await found.Content.ReadExactlyAsync(bytes, ct).ConfigureAwait(false);
            return Bytes(bytes, total, details.ETag, details.Metadata, details.BlobType);
        }
        catch (RequestFailedException e) when (AzureFaults.IsAbsent(e))
        {
            return null;
        }
        catch (RequestFailedException e) when (AzureFaults.IsBehindEnd(e))
        {
            return await LookAsync(name, ct).ConfigureAwait(false);
        }
    }

    /// <summary>Makes an empty blob that can be appended to.</summary>
    public async Task<string> CreateAsync(string name, PutMarks marks, ETag? ifMatch, bool ifAbsent, CancellationToken ct)
    {
        var conditions = new AppendBlobRequestConditions { IfMatch = ifMatch, IfNoneMatch = ifAbsent ? ETag.All : null };
        return Bare((await container.GetAppendBlobClient(name).CreateAsync(
            new AppendBlobCreateOptions { Conditions = conditions, Metadata = Metadata(marks) }, ct).ConfigureAwait(false)).Value.ETag);
    }

    /// <summary>Writes a blob whose bytes are at hand.</summary>
    public async Task<string> PutAsync(string name, Stream content, PutMarks marks, ETag? ifMatch, bool ifAbsent, CancellationToken ct)
    {
        content.Position = 0;
        return Bare((await container.GetBlockBlobClient(name).UploadAsync(
            content, new BlobUploadOptions { Conditions = Conditions(ifMatch, ifAbsent), Metadata = Metadata(marks) }, ct).ConfigureAwait(false)).Value.ETag);
    }

    public async Task<bool> StageAsync(string name, string block, Stream content, CancellationToken ct)
    {
        content.Position = 0;
        await container.GetBlockBlobClient(name).StageBlockAsync(block, content, cancellationToken: ct).ConfigureAwait(false);
        return true;
    }

    /// <summary>Makes a blob of blocks.</summary>
    public async Task<string> CommitAsync(string name, IEnumerable<string> blocks, PutMarks marks, ETag? ifMatch, bool ifAbsent, CancellationToken ct) =>
        Bare((await container.GetBlockBlobClient(name).CommitBlockListAsync(
            blocks, new CommitBlockListOptions { Conditions = Conditions(ifMatch, ifAbsent), Metadata = Metadata(marks) }, ct).ConfigureAwait(false)).Value.ETag);

    /// <summary>The blocks a blob was made of.</summary>
    public async Task<IReadOnlyList<(string Id, long Length)>> BlocksAsync(string name, CancellationToken ct)
    {
        var list = await container.GetBlockBlobClient(name).GetBlockListAsync(BlockListTypes.Committed, cancellationToken: ct).ConfigureAwait(false);
        return [.. list.Value.CommittedBlocks.Select(block => (block.Name, block.SizeLong))];
    }

    /// <summary>Appends to a blob of that length; gives how many blocks it has then.</summary>
    public async Task<int> AppendAsync(string name, Stream content, long expectedLength, CancellationToken ct)
    {
        content.Position = 0;
        var response = await container.GetAppendBlobClient(name).AppendBlockAsync(
            content, new AppendBlobAppendBlockOptions { Conditions = new AppendBlobRequestConditions { IfAppendPositionEqual = expectedLength } }, ct).ConfigureAwait(false);
        return response.Value.BlobCommittedBlockCount;
    }

    public async Task<bool> DeleteAsync(string name, CancellationToken ct)
    {
        try
        {
            await container.GetBlobClient(name).DeleteAsync(DeleteSnapshotsOption.IncludeSnapshots, cancellationToken: ct).ConfigureAwait(false);
        }
        catch (RequestFailedException e) when (AzureFaults.IsAbsent(e))
        {
            // That is what was asked for.
        }

        return true;
    }

    /// <summary>One page of a listing, and what to go on with; null: it was the last.</summary>
    public async Task<(IReadOnlyList<BlobItem> Blobs, string? Next)> ListAsync(string prefix, string? next, CancellationToken ct)
    {
        await foreach (var page in container.GetBlobsAsync(BlobTraits.None, BlobStates.None, prefix, ct).AsPages(next).ConfigureAwait(false))
            return (page.Values, string.IsNullOrEmpty(page.ContinuationToken) ? null : page.ContinuationToken);
        return ([], null);
    }

    private static string Bare(ETag tag) => tag.ToString().Trim('"');

    private static BlobRequestConditions Conditions(ETag? ifMatch, bool ifAbsent) => new() { IfMatch = ifMatch, IfNoneMatch = ifAbsent ? ETag.All : null };

    private static Dictionary<string, string> Metadata(PutMarks marks) => new(StringComparer.Ordinal) { [PutMarks.Name] = marks.Text };

    // An append blob's tag changes with each append, its marks only with a put.
    private static ObjectBytes Bytes(ReadOnlyMemory<byte> bytes, long length, ETag tag, IDictionary<string, string> metadata, BlobType type)
    {
        var marks = new PutMarks(metadata.FirstOrDefault(m => string.Equals(m.Key, PutMarks.Name, StringComparison.OrdinalIgnoreCase)).Value ?? "");
        var found = new ObjectBytes(bytes, length, marks.ToVersion(Bare(tag)));
        return type == BlobType.Append && marks.Text.Length > 0 ? found with { Identity = marks.Text } : found;
    }
}
