using OpsLog.Format;
using OpsLog.Storage;

namespace OpsLog.Engine;

internal sealed partial class StoreEngine
{
    public async ValueTask BackupAsync(IOpsStorage target, IProgress<StoreProgress>? progress, CancellationToken ct)
    {
        ObjectDisposedException.ThrowIf(Volatile.Read(ref _disposed) != 0, typeof(OpsStore<>));
        try
        {
            var meter = new ProgressMeter(progress);
            if (_agents?.Writer is { } writer) await writer.FlushAsync(Flush.Synced, ct).ConfigureAwait(false);
            if (_writer is null || _agents is not null) await BackupCopy.CopyStoredAsync(_storage, target, m => m, meter, ct).ConfigureAwait(false);
            else await BackupOpenAsync(target, meter, ct).ConfigureAwait(false);
        }
        catch (StorageException e)
        {
            throw new OpsLogException(OpsLogError.StorageFailed, $"The backup failed; what was copied is no store. {e.Message}", e);
        }
    }

    // Writers go on meanwhile, checkpoints wait: nothing that is being copied goes away.
    private async ValueTask BackupOpenAsync(IOpsStorage target, ProgressMeter progress, CancellationToken ct)
    {
        await BackupCopy.RequireEmptyAsync(target, ct).ConfigureAwait(false);
        using (await _checkpointer!.HoldAsync(ct).ConfigureAwait(false))
        {
            await _writer!.FlushAsync(Flush.Synced, ct).ConfigureAwait(false);
            long length;
            using (await _writer.HoldFlushesAsync(ct).ConfigureAwait(false)) length = Math.Min(_writer.Flushed, _writer.Acknowledged);
            var manifest = _register.Current; // after the log's end was fixed: archives that its last deletes moved records to are listed
            var read = new ManifestReadResult(ManifestVerdict.Ours) { Manifest = manifest, Package = manifest.Package };
            var contents = new BackupContents(read, [], StorePlan.Of(read, 0, _settings.Nonces), [(_writer.Target.Key, new LogExtent(length, 0))]);
            var writer = new BackupWriter(_storage, target, progress, []);
            await writer.WriteManifestAsync(await writer.WriteAsync(contents, m => m, ct).ConfigureAwait(false), ct).ConfigureAwait(false);
        }
    }
}
