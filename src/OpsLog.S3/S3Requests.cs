using System.Globalization;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;
using OpsLog.Storage;

namespace OpsLog.S3;

/// <summary>How a server wants the entity tag in a condition.</summary>
internal enum EntityTagForm
{
    /// <summary>In quotes, as the standard and AWS have it.</summary>
    Quoted,

    /// <summary>Without: Ceph up to 16 takes the quotes for a part of the tag.</summary>
    Bare,
}

/// <summary>The requests of one bucket, each sent once.</summary>
internal sealed class S3Requests(IAmazonS3 client, string bucket)
{
    private const string MarksName = "x-amz-meta-" + PutMarks.Name;

    /// <summary>Looks at an object: no bytes; null if it is absent.</summary>
    public async Task<ObjectBytes?> HeadAsync(string name, CancellationToken ct)
    {
        try
        {
            var found = await client.GetObjectMetadataAsync(new GetObjectMetadataRequest { BucketName = bucket, Key = name }, ct).ConfigureAwait(false);
            return new ObjectBytes(default, found.ContentLength, VersionOf(found.ETag, found.Metadata));
        }
        catch (AmazonS3Exception e) when (S3Faults.IsAbsent(e))
        {
            return null;
        }
    }

    /// <summary>Reads a range that is not empty; null if the object is absent.</summary>
    public async Task<ObjectBytes?> GetAsync(string name, long offset, long count, CancellationToken ct)
    {
        var last = count - 1 > long.MaxValue - offset ? long.MaxValue : offset + count - 1;
        try
        {
            using var found = await client.GetObjectAsync(
                new GetObjectRequest { BucketName = bucket, Key = name, ByteRange = new Amazon.S3.Model.ByteRange(offset, last) }, ct).ConfigureAwait(false);
            var total = LengthOf(found.ContentRange) ?? found.ContentLength;
            var (start, wanted) = StorageGuard.Cut(new Storage.ByteRange(offset, count), total);
            if (found.ContentLength != wanted || start != offset) throw new IOException($"The server sent {found.ContentLength} bytes instead of {wanted}.");
            var bytes = GC.AllocateUninitializedArray<byte>(checked((int)wanted));
            await found.ResponseStream.ReadExactlyAsync(bytes, ct).ConfigureAwait(false);
            return new ObjectBytes(bytes, total, VersionOf(found.ETag, found.Metadata));
        }
        catch (AmazonS3Exception e) when (S3Faults.IsAbsent(e))
        {
            return null;
        }
        catch (AmazonS3Exception e) when (S3Faults.IsBehindEnd(e))
        {
            return await HeadAsync(name, ct).ConfigureAwait(false);
        }
    }

    /// <summary>Writes an object whose bytes are at hand, under a condition.</summary>
    public async Task<string> PutAsync(string name, Stream content, PutMarks marks, string? ifMatch, bool ifAbsent, CancellationToken ct)
    {
        content.Position = 0;
        var request = new PutObjectRequest
        {
            BucketName = bucket,
            Key = name,
            InputStream = content,
            AutoCloseStream = false,
            UseChunkEncoding = false,
            IfMatch = ifMatch,
            IfNoneMatch = ifAbsent ? "*" : null,
        };
        request.Metadata.Add(PutMarks.Name, marks.Text);
        return Bare((await client.PutObjectAsync(request, ct).ConfigureAwait(false)).ETag);
    }

    public async Task<string> BeginUploadAsync(string name, PutMarks marks, CancellationToken ct)
    {
        var request = new InitiateMultipartUploadRequest { BucketName = bucket, Key = name };
        request.Metadata.Add(PutMarks.Name, marks.Text);
        return (await client.InitiateMultipartUploadAsync(request, ct).ConfigureAwait(false)).UploadId;
    }

    public async Task<PartETag> UploadPartAsync(string name, string upload, int number, Stream content, CancellationToken ct)
    {
        content.Position = 0;
        var response = await client.UploadPartAsync(
            new UploadPartRequest { BucketName = bucket, Key = name, UploadId = upload, PartNumber = number, InputStream = content, PartSize = content.Length, UseChunkEncoding = false }, ct)
            .ConfigureAwait(false);
        return new PartETag(number, response.ETag);
    }

    public async Task<string> CompleteUploadAsync(string name, string upload, List<PartETag> parts, string? ifMatch, bool ifAbsent, CancellationToken ct)
    {
        var response = await client.CompleteMultipartUploadAsync(
            new CompleteMultipartUploadRequest
            {
                BucketName = bucket,
                Key = name,
                UploadId = upload,
                PartETags = parts,
                IfMatch = ifMatch,
                IfNoneMatch = ifAbsent ? "*" : null,
            },
            ct).ConfigureAwait(false);
        return Bare(response.ETag);
    }

    public async Task<bool> AbortUploadAsync(string name, string upload, CancellationToken ct)
    {
        await client.AbortMultipartUploadAsync(new AbortMultipartUploadRequest { BucketName = bucket, Key = name, UploadId = upload }, ct).ConfigureAwait(false);
        return true;
    }

    public async Task<bool> DeleteAsync(string name, CancellationToken ct)
    {
        try
        {
            await client.DeleteObjectAsync(new DeleteObjectRequest { BucketName = bucket, Key = name }, ct).ConfigureAwait(false);
        }
        catch (AmazonS3Exception e) when (S3Faults.IsAbsent(e))
        {
            // That is what was asked for.
        }

        return true;
    }

    /// <summary>One page of a listing, and what to go on with; null: it was the last.</summary>
    public async Task<(IReadOnlyList<S3Object> Objects, string? Next)> ListAsync(string prefix, string? after, string? next, int? most, CancellationToken ct)
    {
        var page = await client.ListObjectsV2Async(
            new ListObjectsV2Request { BucketName = bucket, Prefix = prefix, StartAfter = after, ContinuationToken = next, MaxKeys = most }, ct).ConfigureAwait(false);
        return (page.S3Objects ?? [], page.IsTruncated == true ? page.NextContinuationToken : null);
    }

    public static string Bare(string entityTag) => entityTag.Trim('"');

    private static StorageVersion VersionOf(string entityTag, MetadataCollection metadata) => new PutMarks(metadata[MarksName] ?? "").ToVersion(Bare(entityTag));

    // "bytes 0-9/100"
    private static long? LengthOf(string? contentRange)
    {
        var slash = contentRange?.LastIndexOf('/') ?? -1;
        return slash >= 0 && long.TryParse(contentRange.AsSpan(slash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var length) ? length : null;
    }
}
