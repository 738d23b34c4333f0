using Azure;
using OpsLog.Storage;

namespace OpsLog.AzureBlobs;

/// <summary>A large blob in blocks: a few on their way at once, nothing visible before they are committed. Blocks never committed are forgotten by the service.</summary>
internal sealed class AzureUpload(AzureRequests requests, RetrySettings settings, GuardedPut put, ETag? ifMatch, StorageKey key, int parallel)
{
    private const int MostBlocks = 50_000;

    public async ValueTask<PutResult> SendAsync(ReadOnlyMemory<byte> first, PartSource source, CancellationToken ct)
    {
        var (ids, blocks) = (new List<string>(), new List<Task>());
        using var gate = new SemaphoreSlim(parallel);
        try
        {
            for (var part = first; part.Length > 0; part = source.IsAtEnd ? default : await source.NextAsync(ct).ConfigureAwait(false))
            {
                if (ids.Count == MostBlocks)
                    throw new StorageException(StorageFault.Full, $"Could not write '{key}': a blob has at most {MostBlocks} blocks. Raise {nameof(AzureBlobStorageOptions.PartSize)}.");
                await gate.WaitAsync(ct).ConfigureAwait(false);
                if (blocks.Exists(b => b.IsFaulted)) break;
                ids.Add(AzureAppend.BlockId(settings));
                blocks.Add(SendBlockAsync(ids[^1], part, gate, ct));
            }

            await Task.WhenAll(blocks).ConfigureAwait(false);
            return await put.SendAsync(token => requests.CommitAsync(put.Name, ids, put.Marks, ifMatch, put.IfAbsent, token), readsBackAlways: true, ct).ConfigureAwait(false);
        }
        finally
        {
            await Task.WhenAll(blocks).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // what failed has been told
        }
    }

    private async Task SendBlockAsync(string id, ReadOnlyMemory<byte> part, SemaphoreSlim gate, CancellationToken ct)
    {
        try
        {
            using var content = new ReadOnlyMemoryStream(part);
            await settings.RunAsync($"write '{key}'", token => requests.StageAsync(put.Name, id, content, token), AzureFaults.Of, ct, sent: part.Length).ConfigureAwait(false);
        }
        finally
        {
            gate.Release();
        }
    }
}
