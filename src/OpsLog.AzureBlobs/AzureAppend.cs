using System.Text;
using Azure;
using OpsLog.Storage;

namespace OpsLog.AzureBlobs;

/// <summary>
/// Appends on the condition of a length. To an append blob: one request, the position is its condition. To a blob that was written whole (a log that came
/// out of a backup): its blocks and one more are committed on the condition of the entity tag. After an attempt without a clear answer the bytes are read back.
/// </summary>
internal sealed class AzureAppend(AzureRequests requests, RetrySettings settings, int appendsPerBlob, int partSize)
{
    private const int LargestBlock = 4 << 20; // what every version of the service takes
    private const int MostCommitted = 1000; // each commit lists all blocks

    /// <summary>An id for a block: all have one length, as the service demands, and none comes twice.</summary>
    public static string BlockId(RetrySettings settings) => Convert.ToBase64String(Encoding.ASCII.GetBytes($"opslog{settings.NextNonce()}{settings.NextNonce()}"));

    public async ValueTask<PutResult> RunAsync(StorageKey key, string name, ReadOnlyMemory<byte> bytes, long expectedLength, CancellationToken ct)
    {
        if (bytes.IsEmpty)
        {
            var found = await settings.RunAsync($"look at '{key}'", token => requests.LookAsync(name, token), AzureFaults.Of, ct).ConfigureAwait(false);
            return found?.Length == expectedLength ? new PutResult(PutOutcome.Stored) : Conflict;
        }

        ct.ThrowIfCancellationRequested(); // from here on it is brought to its end
        var result = default(PutResult);
        for (var done = 0; done < bytes.Length;)
        {
            var block = bytes.Slice(done, Math.Min(LargestBlock, bytes.Length - done));
            result = await AppendBlockAsync(key, name, block, expectedLength + done).ConfigureAwait(false);
            if (!result.IsStored)
            {
                if (done == 0) return result;
                throw new StorageException(StorageFault.Unavailable, $"Another writer appended to '{key}' while bytes were being appended: the first {done} of {bytes.Length} are there.") { OutcomeUnknown = true };
            }

            done += block.Length;
        }

        return result;
    }

    private static PutResult Conflict => new(PutOutcome.Conflict, Detail: "The blob has another length, or is gone.");

    private async ValueTask<PutResult> AppendBlockAsync(StorageKey key, string name, ReadOnlyMemory<byte> block, long position)
    {
        var budget = new CallBudget(settings);
        var (isUnknown, isWhole) = (false, false);
        while (true)
        {
            CallFailure failure;
            try
            {
                var blocks = await settings.OnceAsync(token => isWhole ? ExtendAsync(name, block, position, token) : SendAsync(name, block, position, token), CancellationToken.None, isWhole ? position + block.Length : block.Length).ConfigureAwait(false);
                if (blocks is { } count) return new PutResult(PutOutcome.Stored) { IsNearlyFull = count >= (isWhole ? MostCommitted : appendsPerBlob) };
                if (!isUnknown) return Conflict;
                failure = Doubtful;
            }
            catch (RequestFailedException e) when (AzureFaults.IsNotMet(e) || AzureFaults.IsAbsent(e))
            {
                if (!isUnknown) return Conflict;
                failure = Doubtful;
            }
            catch (RequestFailedException e) when (!isWhole && AzureFaults.IsOtherType(e))
            {
                isWhole = true;
                continue;
            }
            catch (Exception e) when (AzureFaults.Of(e) is { } known)
            {
                failure = known;
                isUnknown |= known.IsOutcomeUnknown;
            }

            if (isUnknown && await ReadBackAsync(key, name, block, position).ConfigureAwait(false) is { } result) return result;
            if (!failure.IsTransient || !await budget.PauseAsync(CancellationToken.None).ConfigureAwait(false)) throw failure.ToException($"append to '{key}'", isUnknown);
        }
    }

    private static CallFailure Doubtful => new(StorageFault.Unavailable, "it is not known which of several attempts was carried out.");

    private async Task<int?> SendAsync(string name, ReadOnlyMemory<byte> block, long position, CancellationToken ct)
    {
        using var content = new ReadOnlyMemoryStream(block);
        return await requests.AppendAsync(name, content, position, ct).ConfigureAwait(false);
    }

    // A blob that was written whole. Null: it has another length.
    private async Task<int?> ExtendAsync(string name, ReadOnlyMemory<byte> block, long position, CancellationToken ct)
    {
        if (await requests.LookAsync(name, ct).ConfigureAwait(false) is not { } found || found.Length != position || PutMarks.Of(found.Version) is not { } version) return null;
        var blocks = await requests.BlocksAsync(name, ct).ConfigureAwait(false);
        var id = BlockId(settings);
        List<string> ids = blocks.Sum(b => b.Length) == position && blocks.All(b => b.Id.Length == id.Length)
            ? [.. blocks.Select(b => b.Id)]
            : await CutAsync(name, position, ct).ConfigureAwait(false);
        using var content = new ReadOnlyMemoryStream(block);
        await requests.StageAsync(name, id, content, ct).ConfigureAwait(false);
        ids.Add(id);
        await requests.CommitAsync(name, ids, version.Marks, new ETag(version.EntityTag), ifAbsent: false, ct).ConfigureAwait(false);
        return ids.Count;
    }

    // What was sent in one request has no blocks of ours: it is sent again as blocks, which the commit takes only if it is still the same.
    private async ValueTask<List<string>> CutAsync(string name, long length, CancellationToken ct)
    {
        var ids = new List<string>();
        for (long at = 0; at < length;)
        {
            var part = await requests.GetAsync(name, at, Math.Min(partSize, length - at), ct).ConfigureAwait(false);
            if (part is not { Bytes.Length: > 0 } found) throw new IOException("The blob changed while it was being read.");
            using var content = new ReadOnlyMemoryStream(found.Bytes);
            ids.Add(BlockId(settings));
            await requests.StageAsync(name, ids[^1], content, ct).ConfigureAwait(false);
            at += found.Bytes.Length;
        }

        return ids;
    }

    // Null: it has not happened (yet). A block is appended whole or not at all.
    private async ValueTask<PutResult?> ReadBackAsync(StorageKey key, string name, ReadOnlyMemory<byte> block, long position)
    {
        ObjectBytes? found;
        try
        {
            found = await settings.RunAsync($"append to '{key}'", token => requests.GetAsync(name, position, block.Length, token), AzureFaults.Of, CancellationToken.None).ConfigureAwait(false);
        }
        catch (StorageException e)
        {
            throw new StorageException(e.Fault, e.Message, e) { OutcomeUnknown = true };
        }

        if (found is not { } there || there.Length < position)
            throw new StorageException(StorageFault.Unavailable, $"Bytes were appended to '{key}', but the answer was lost, and the blob was replaced or deleted since.") { OutcomeUnknown = true };
        if (there.Length == position) return null;
        return there.Bytes.Span.SequenceEqual(block.Span) ? new PutResult(PutOutcome.Stored) : Conflict;
    }
}
