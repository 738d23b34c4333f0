using OpsLog.Format;
using OpsLog.Storage;

namespace OpsLog.Engine;

/// <summary>What the names in a storage tell. A listing informs; the manifest is the truth wherever there is one.</summary>
internal static class StoreListing
{
    public static OpsLogException NoStore() => new(OpsLogError.NotFound, "There is no store here: no manifest.json. Check the folder or the URI.");

    /// <summary>Where there is no manifest: a store is new only if no log holds a line. Failing to find the manifest must never turn a store into an empty one.</summary>
    /// <exception cref="OpsLogException">Something holds data.</exception>
    public static async ValueTask RefuseLeftoversAsync(IOpsStorage storage, CancellationToken ct)
    {
        foreach (var folder in (StorageKey[])[StoreKeys.Logs, StoreKeys.ArchiveFolder, StoreKeys.Snapshots])
        {
            await foreach (var entry in storage.ListAsync(folder, null, ct).ConfigureAwait(false))
            {
                if (entry.Length == 0 || !StoreKeys.TryParse(entry.Key, out var name)) continue;
                if (name.Kind == StoredKind.Snapshot && !await HasRecordsAsync(storage, entry.Key, ct).ConfigureAwait(false)) continue;
                throw LogScanner.Refused(new Damage(
                    DamageKind.Missing, StoreKeys.Manifest.Value, 0, 0, 0, $"there is no manifest, but '{entry.Key}' holds data"));
            }
        }
    }

    private static async ValueTask<bool> HasRecordsAsync(IOpsStorage storage, StorageKey snapshot, CancellationToken ct)
    {
        if (await ObjectReader.ReadAllAsync(storage, snapshot, ct).ConfigureAwait(false) is not { } found) return false;
        if (SnapshotCodec.IsJsonLayout(found.Bytes, isWhole: true) == true)
            return !JsonSnapshotReader.TryOpen(found.Bytes, out var reader, out _) || reader.Read(out _);
        var newline = found.Bytes.AsSpan().IndexOf((byte)'\n');
        return newline >= 0 && !JsonLines.IsBlank(found.Bytes.AsSpan(newline));
    }

    /// <summary>The highest revision in any name: a package's manifest has none.</summary>
    public static async ValueTask<long> HighestRevisionAsync(IOpsStorage storage, CancellationToken ct)
    {
        long highest = 0;
        await foreach (var entry in storage.ListAsync(StorageKey.Root, null, ct).ConfigureAwait(false))
            highest = Math.Max(highest, StoreKeys.RevisionOf(entry.Key));
        return highest;
    }
}
