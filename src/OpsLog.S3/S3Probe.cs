using Amazon.S3;
using OpsLog.Storage;

namespace OpsLog.S3;

/// <summary>
/// Finds out, once, what a server makes of conditions: on an object of its own, before the first write that has one. A server that ignores them is
/// refused, for on it writers would overwrite each other without anybody noticing.
/// </summary>
internal sealed class S3Probe(S3Requests requests, RetrySettings settings, string prefix)
{
    private const string Wanted = "OpsLog writes to AWS S3, Ceph RADOS Gateway 16 or later, and other servers that honour If-Match and If-None-Match on PutObject";

    private readonly SemaphoreSlim _one = new(1, 1);
    private EntityTagForm? _form;
    private bool? _uploadsHonour;

    /// <summary>How entity tags are written in conditions.</summary>
    /// <exception cref="StorageException">The server does not honour conditions (<see cref="StorageFault.Unsupported"/>), or cannot be asked.</exception>
    public async ValueTask<EntityTagForm> FormAsync(CancellationToken ct)
    {
        if (_form is { } known) return known;
        await _one.WaitAsync(ct).ConfigureAwait(false);
        try
        {
            _form ??= await settings.RunAsync("find out whether the server honours conditions", ProbePutsAsync, S3Faults.Of, ct).ConfigureAwait(false);
            return _form.Value;
        }
        finally
        {
            _one.Release();
        }
    }

    /// <summary>Whether conditions hold for multipart uploads too: older servers check them for simple puts only.</summary>
    public async ValueTask<bool> UploadsHonourAsync(CancellationToken ct)
    {
        if (_uploadsHonour is { } known) return known;
        await _one.WaitAsync(ct).ConfigureAwait(false);
        try
        {
            _uploadsHonour ??= await settings.RunAsync("find out whether the server honours conditions of uploads", ProbeUploadsAsync, S3Faults.Of, ct).ConfigureAwait(false);
            return _uploadsHonour.Value;
        }
        finally
        {
            _one.Release();
        }
    }

    private async Task<EntityTagForm> ProbePutsAsync(CancellationToken ct)
    {
        var (name, mark) = (prefix + KeyMap.Own + settings.NextNonce(), settings.NextNonce());
        var marks = default(PutMarks).Add(mark);
        await IsStoredAsync(() => requests.PutAsync(name, Content(1), marks, null, ifAbsent: true, ct)).ConfigureAwait(false); // refused if what carries requests has sent it twice
        try
        {
            var found = await requests.HeadAsync(name, ct).ConfigureAwait(false);
            if (found is null || PutMarks.Of(found.Value.Version) is not { } version || !version.Marks.EndsWith(mark))
                throw Refuse("does not keep the metadata of objects");
            var tag = version.EntityTag;
            if (await IsStoredAsync(() => requests.PutAsync(name, Content(2), marks, null, ifAbsent: true, ct)).ConfigureAwait(false)) throw Refuse("ignores If-None-Match on writes");
            var wrong = new string('0', tag.Length);
            if (await IsStoredAsync(() => requests.PutAsync(name, Content(3), marks, Quoted(wrong), false, ct)).ConfigureAwait(false)) throw Refuse("ignores If-Match on writes");
            if (await IsStoredAsync(() => requests.PutAsync(name, Content(1), marks, Quoted(tag), false, ct)).ConfigureAwait(false)) return EntityTagForm.Quoted;
            if (await IsStoredAsync(() => requests.PutAsync(name, Content(1), marks, tag, false, ct)).ConfigureAwait(false)) return EntityTagForm.Bare;
            throw Refuse("refuses If-Match with the very entity tag it gave");
        }
        finally
        {
            await TryDeleteAsync(name, ct).ConfigureAwait(false);
        }
    }

    private async Task<bool> ProbeUploadsAsync(CancellationToken ct)
    {
        var name = prefix + KeyMap.Own + settings.NextNonce();
        await IsStoredAsync(() => requests.PutAsync(name, Content(1), default, null, ifAbsent: true, ct)).ConfigureAwait(false);
        try
        {
            var upload = await requests.BeginUploadAsync(name, default, ct).ConfigureAwait(false);
            var part = await requests.UploadPartAsync(name, upload, 1, Content(2), ct).ConfigureAwait(false);
            var isStored = await IsStoredAsync(() => requests.CompleteUploadAsync(name, upload, [part], null, ifAbsent: true, ct)).ConfigureAwait(false);
            if (!isStored) await requests.AbortUploadAsync(name, upload, ct).ConfigureAwait(false);
            return !isStored;
        }
        finally
        {
            await TryDeleteAsync(name, ct).ConfigureAwait(false);
        }
    }

    private async ValueTask TryDeleteAsync(string name, CancellationToken ct)
    {
        try
        {
            await requests.DeleteAsync(name, ct).ConfigureAwait(false);
        }
        catch (Exception e) when (S3Faults.Of(e) is not null)
        {
            // What is left is a few bytes under a name that no listing yields.
        }
    }

    private static async ValueTask<bool> IsStoredAsync(Func<Task<string>> put)
    {
        try
        {
            await put().ConfigureAwait(false);
            return true;
        }
        catch (AmazonS3Exception e) when (S3Faults.IsRefused(e))
        {
            return false;
        }
    }

    private static MemoryStream Content(byte value) => new([value]);

    private static string Quoted(string tag) => $"\"{tag}\"";

    private static StorageException Refuse(string what) =>
        new(StorageFault.Unsupported, $"The server {what}: writers would overwrite each other unseen, so nothing is written. {Wanted}.");
}
