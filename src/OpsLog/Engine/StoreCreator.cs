using OpsLog.Format;
using OpsLog.Storage;

namespace OpsLog.Engine;

/// <summary>Makes a new store: an empty snapshot, an empty log, and the manifest that names them. Until the manifest is there, there is no store.</summary>
internal static class StoreCreator
{
    /// <returns>False if somebody else made one meanwhile, or a name was taken by chance.</returns>
    public static async ValueTask<bool> TryCreateAsync(IOpsStorage storage, ManifestRegister register, EngineSettings settings, CancellationToken ct)
    {
        const long revision = 0;
        var nonce = settings.Nonces.Next();
        var schema = settings.SchemaVersion ?? 1;
        var now = IsoTime.ToText(settings.Time.GetUtcNow());
        var snapshot = StoreKeys.Snapshot(revision, nonce, settings.SnapshotFormat == SnapshotFormat.Json);
        var log = StoreKeys.Log("", revision, nonce);
        using var stream = new SnapshotStream(StoreView.Of(new StoreState(settings.Nonces.NextSeed())), schema, settings.SnapshotFormat, now);
        if (!(await storage.PutAsync(snapshot, stream, PutCondition.IfAbsent, ct).ConfigureAwait(false)).IsStored) return false;
        if (!(await storage.PutAsync(log, Stream.Null, PutCondition.IfAbsent, ct).ConfigureAwait(false)).IsStored) return false;
        var manifest = new Manifest
        {
            Package = new PackageMembers
            {
                Version = schema,
                CurrentSnapshot = snapshot.Value,
                ActiveOps = log.Value,
                Stats = new PackageStats(0, 0, 0, now, now),
            },
            Revision = revision + 1,
            Nonce = settings.Nonces.Next(),
            Incarnation = settings.Nonces.NextIncarnation(),
            Numbered = (storage.Capabilities & StorageCapabilities.Append) == 0,
            Snapshot = new SnapshotEntry(snapshot.Value, stream.BytesRead, stream.Checksum, 0, 0, 0),
            Logs = [new LogEntry(log.Value, "", 0, schema, 0, 0, false)],
        };
        if (await register.TryCreateAsync(manifest, ct).ConfigureAwait(false)) return true;

        // The winner's store is the store. These names were never in a manifest and cannot get into one.
        await storage.DeleteAsync(snapshot, CancellationToken.None).ConfigureAwait(false);
        await storage.DeleteAsync(log, CancellationToken.None).ConfigureAwait(false);
        return false;
    }
}
