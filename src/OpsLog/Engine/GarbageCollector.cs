using OpsLog.Format;
using OpsLog.Storage;

namespace OpsLog.Engine;

/// <summary>
/// Deletes what a manifest of ours stopped naming, after the grace period that readers get, or sooner when it would outweigh half the store itself;
/// and what never got into a manifest. Only names of our own pattern, and never on the word of a listing alone.
/// </summary>
internal sealed class GarbageCollector(IOpsStorage storage, EngineSettings settings)
{
    // The piece that seals a log is its writer's fence, for as long as that writer may be paused: it is never collected.
    private const int SealLength = 1;

    private const long AlwaysAllowed = 1 << 20;

    /// <summary>Deletes what is due; returns what is gone, to be struck off the manifest's list at the next swap.</summary>
    /// <param name="manifest">The manifest that lists the garbage.</param>
    /// <param name="allowed">Garbage up to that many bytes may wait out the grace period.</param>
    /// <param name="ct">Cancels between two deletes.</param>
    /// <remarks>What cannot be deleted stays on the list (on Windows: a file that another process reads), and keeps nothing else from going.</remarks>
    public async ValueTask<List<string>> CollectAsync(Manifest manifest, long allowed, CancellationToken ct)
    {
        var gone = new List<string>();
        var now = settings.Time.GetUtcNow();
        allowed = Math.Max(allowed, AlwaysAllowed);
        var waiting = manifest.Garbage.Sum(g => g.Bytes);
        foreach (var entry in manifest.Garbage.OrderBy(g => g.Since))
        {
            if (now - entry.Since < settings.GracePeriod && waiting <= allowed) continue;
            waiting -= entry.Bytes;
            if (await TryDeleteAsync(new StorageKey(entry.Name), ct).ConfigureAwait(false)) gone.Add(entry.Name);
        }

        return gone;
    }

    /// <summary>
    /// Deletes objects that no manifest ever named: a commit swaps the manifest only from the revision in its objects' names, so what is based
    /// on an older revision and is not named now can never be committed, however long its writer was paused.
    /// </summary>
    public async ValueTask CollectOrphansAsync(Manifest manifest, IReadOnlyList<HistoryLog> history, CancellationToken ct)
    {
        if (manifest.Adopted) return; // leftovers of the package's time may be the only trace of acknowledged work
        var named = Named(manifest, history);
        var orphans = new List<StorageKey>();
        await foreach (var entry in storage.ListAsync(StorageKey.Root, null, ct).ConfigureAwait(false))
        {
            if (!StoreKeys.TryParse(entry.Key, out var name) || !name.IsOurs || name.Revision >= manifest.Revision) continue;
            if (!named.Contains(name.LogKey.Value) && !(name.Kind == StoredKind.Piece && entry.Length <= SealLength)) orphans.Add(entry.Key);
        }

        foreach (var orphan in orphans) await TryAsync(() => storage.DeleteAsync(orphan, ct)).ConfigureAwait(false);
    }

    /// <summary>Deletes what was made for a manifest that was never tried to be written. What cannot be deleted is left to <see cref="CollectOrphansAsync"/>.</summary>
    public async ValueTask DiscardAsync(IEnumerable<StorageKey> keys)
    {
        foreach (var key in keys) await TryDeleteAsync(key, CancellationToken.None).ConfigureAwait(false);
    }

    private static HashSet<string> Named(Manifest manifest, IReadOnlyList<HistoryLog> history)
    {
        var named = new HashSet<string>(StringComparer.Ordinal) { manifest.Snapshot.Name, manifest.Package.CurrentSnapshot, manifest.Package.ActiveOps };
        named.UnionWith(manifest.Logs.Select(l => l.Name));
        named.UnionWith(manifest.Reserved);
        named.UnionWith(manifest.Garbage.Select(g => g.Name));
        named.UnionWith(manifest.Archives.SelectMany(a => a.Objects).Select(o => o.Name));
        named.UnionWith(history.Select(l => l.Name));
        if (manifest.History is { } index) named.Add(index.Name);
        return named;
    }

    private async ValueTask<bool> TryDeleteAsync(StorageKey key, CancellationToken ct) =>
        !StoreKeys.IsOurs(key) || await TryAsync(() => DeleteAsync(key, ct)).ConfigureAwait(false);

    private async ValueTask<bool> TryAsync(Func<ValueTask> delete)
    {
        try
        {
            await delete().ConfigureAwait(false);
            return true;
        }
        catch (StorageException e)
        {
            EngineLog.CollectFailed(settings.Logger, settings.Telemetry.LogName, e);
            return false;
        }
    }

    private async ValueTask DeleteAsync(StorageKey key, CancellationToken ct)
    {
        await storage.DeleteAsync(key, ct).ConfigureAwait(false);
        if (StoreKeys.IsLog(key) && (storage.Capabilities & StorageCapabilities.Append) == 0)
        {
            for (long number = 1; ; number++)
            {
                var piece = StoreKeys.Piece(key, number);
                if (await ObjectReader.StatAsync(storage, piece, ct).ConfigureAwait(false) is not { } stat) break;
                if (stat.Length > SealLength) await storage.DeleteAsync(piece, ct).ConfigureAwait(false);
            }
        }
    }
}
