using Amazon.S3.Model;
using OpsLog.Storage;

namespace OpsLog.S3;

/// <summary>A large object as a multipart upload: a few parts on their way at once, nothing visible before the end.</summary>
internal sealed class S3Upload(S3Requests requests, RetrySettings settings, GuardedPut put, string? ifMatch, StorageKey key, int parallel)
{
    private const int MostParts = 10_000;

    public async ValueTask<PutResult> SendAsync(ReadOnlyMemory<byte> first, PartSource source, CancellationToken ct)
    {
        var what = $"write '{key}'";
        var upload = await settings.RunAsync(what, token => requests.BeginUploadAsync(put.Name, put.Marks, token), S3Faults.Of, ct).ConfigureAwait(false);
        var parts = new List<Task<PartETag>>();
        var result = default(PutResult?);
        var isUnknown = false;
        using var gate = new SemaphoreSlim(parallel);
        try
        {
            for (var part = first; part.Length > 0; part = source.IsAtEnd ? default : await source.NextAsync(ct).ConfigureAwait(false))
            {
                if (parts.Count == MostParts)
                    throw new StorageException(StorageFault.Full, $"Could not {what}: an object has at most {MostParts} parts. Raise {nameof(S3StorageOptions.PartSize)}.");
                await gate.WaitAsync(ct).ConfigureAwait(false);
                if (parts.Exists(p => p.IsFaulted)) break;
                parts.Add(SendPartAsync(upload, parts.Count + 1, part, gate, what, ct));
            }

            var tags = await Task.WhenAll(parts).ConfigureAwait(false);
            result = await put.SendAsync(token => requests.CompleteUploadAsync(put.Name, upload, [.. tags], ifMatch, put.IfAbsent, token), readsBackAlways: true, ct).ConfigureAwait(false);
            return result.Value;
        }
        catch (StorageException e)
        {
            isUnknown = e.OutcomeUnknown;
            throw;
        }
        finally
        {
            await ((Task)Task.WhenAll(parts)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // what failed has been told
            if (result is not { IsStored: true } && !isUnknown) await TryAbortAsync(upload).ConfigureAwait(false);
        }
    }

    private async Task<PartETag> SendPartAsync(string upload, int number, ReadOnlyMemory<byte> part, SemaphoreSlim gate, string what, CancellationToken ct)
    {
        try
        {
            using var content = new ReadOnlyMemoryStream(part);
            return await settings.RunAsync(what, token => requests.UploadPartAsync(put.Name, upload, number, content, token), S3Faults.Of, ct, sent: part.Length).ConfigureAwait(false);
        }
        finally
        {
            gate.Release();
        }
    }

    private async ValueTask TryAbortAsync(string upload)
    {
        try
        {
            await settings.OnceAsync(token => requests.AbortUploadAsync(put.Name, upload, token), CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception e) when (S3Faults.Of(e) is not null)
        {
            // Its parts cost room until a lifecycle rule of the bucket clears them away (docs/storage.md); the put's own end is what the caller has to know.
        }
    }
}
