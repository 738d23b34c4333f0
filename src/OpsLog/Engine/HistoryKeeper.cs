using OpsLog.Format;
using OpsLog.Storage;

namespace OpsLog.Engine;

/// <summary>The logs kept for history.</summary>
/// <param name="Logs">Oldest first.</param>
/// <param name="Damage">What is wrong with the index, if they had to be found without it.</param>
/// <param name="IsWhole">These are all that the index listed.</param>
internal sealed record FoundHistory(IReadOnlyList<HistoryLog> Logs, Damage? Damage = null, bool IsWhole = true);

/// <summary>Which logs behind the snapshot are kept, by the retention setting, and the index object that lists them.</summary>
internal sealed class HistoryKeeper(IOpsStorage storage, EngineSettings settings)
{
    // An index never changes under its name, and whoever waits for operations asks for it again and again.
    private volatile Index _last = new("", []);

    /// <summary>The logs kept for history; without their index, if that is damaged or gone, as far as the manifest remembers them.</summary>
    /// <exception cref="OpsLogException">The index is damaged or gone, and recovery is strict.</exception>
    public async ValueTask<FoundHistory> FindAsync(Manifest manifest, CancellationToken ct) => (await FindAsync(manifest, () => new(true), ct).ConfigureAwait(false))!;

    /// <summary>The same, beside a writer.</summary>
    /// <param name="manifest">The manifest that names the index.</param>
    /// <param name="isCurrent">Whether it is still the manifest: asked if the index is damaged or gone, as it is for a good reason behind a checkpoint.</param>
    /// <param name="ct">Stops reading.</param>
    /// <returns>Null: it is not; look again.</returns>
    public async ValueTask<FoundHistory?> FindAsync(Manifest manifest, Func<ValueTask<bool>> isCurrent, CancellationToken ct)
    {
        try
        {
            return new FoundHistory(await ReadAsync(manifest, ct).ConfigureAwait(false));
        }
        catch (OpsLogException e) when (e.Damage is not null)
        {
            if (!await isCurrent().ConfigureAwait(false)) return null;
            if (settings.Recovery == Recovery.Strict) throw;
            var found = await new HistorySearch(storage).RunAsync(manifest, ct).ConfigureAwait(false);
            var (bytes, listed) = (found.Sum(l => l.Length), manifest.History!.Bytes);
            var outcome = bytes == listed
                ? "all logs that it listed were found without it"
                : $"of the {listed} bytes of logs that it listed, {bytes} were found without it: history begins there now";
            return new FoundHistory(found, e.Damage with { Detail = $"{e.Damage.Detail}; {outcome}" }, bytes == listed);
        }
    }

    /// <summary>The logs kept for history by their index, oldest first.</summary>
    /// <exception cref="OpsLogException">The index is damaged or gone.</exception>
    public async ValueTask<IReadOnlyList<HistoryLog>> ReadAsync(Manifest manifest, CancellationToken ct)
    {
        if (manifest.History is not { } reference) return [];
        if (_last is var last && string.Equals(last.Name, reference.Name, StringComparison.Ordinal)) return last.Logs;
        (byte[] Bytes, StorageVersion Version)? found;
        try
        {
            found = await ObjectReader.ReadAllAsync(storage, new StorageKey(reference.Name), ct).ConfigureAwait(false);
        }
        catch (StorageException e)
        {
            throw new OpsLogException(OpsLogError.StorageFailed, $"The history index '{reference.Name}' cannot be read: {e.Message}", e);
        }

        if (found is not { } index) throw LogScanner.Refused(new Damage(DamageKind.Missing, reference.Name, 0, 0, 0, "the manifest names this history index, but it is not there"));
        if (!HistoryIndexCodec.TryRead(index.Bytes, out var logs, out var fault))
            throw LogScanner.Refused(new Damage(DamageKind.CorruptObject, reference.Name, 1, 0, index.Bytes.Length, fault));
        _last = new Index(reference.Name, logs);
        return logs;
    }

    /// <summary>Divides logs into those that stay and those that go.</summary>
    public (List<HistoryLog> Kept, List<HistoryLog> Dropped) Divide(IReadOnlyList<HistoryLog> logs)
    {
        var now = settings.Time.GetUtcNow();
        DateTimeOffset? oldest = settings.Retention.Age is { } age && age <= now - DateTimeOffset.MinValue ? now - age : null; // longer than time is for ever
        var room = settings.Retention.Bytes ?? long.MaxValue;
        var kept = new List<HistoryLog>();
        var dropped = new List<HistoryLog>();
        // From the newest back: history has no holes, so the first log that goes takes all older ones with it.
        for (var i = logs.Count - 1; i >= 0; i--)
        {
            var log = logs[i];
            if (log.Operations == 0) dropped.Add(log);
            else if (dropped.Any(d => d.Operations > 0) || log.Length > room || (oldest is { } limit && IsoTime.TryRead(log.LastTime, out var last) && last < limit)) dropped.Add(log);
            else
            {
                kept.Insert(0, log);
                room -= log.Length;
            }
        }

        return (kept, dropped);
    }

    /// <summary>Writes the index; null if there is nothing to list.</summary>
    public async ValueTask<HistoryReference?> WriteAsync(IReadOnlyList<HistoryLog> logs, long revision, CancellationToken ct)
    {
        if (logs.Count == 0) return null;
        var key = await FreeName.FindAsync(storage, settings.Nonces, nonce => StoreKeys.History(revision, nonce), ct).ConfigureAwait(false);
        var bytes = HistoryIndexCodec.Write(logs);
        var stored = await storage.PutAsync(key, new ReadOnlyMemoryStream(bytes), PutCondition.IfAbsent, ct).ConfigureAwait(false);
        if (!stored.IsStored) throw new OpsLogException(OpsLogError.Conflict, $"The history index name '{key}' is taken. Try again.");
        return new HistoryReference(key.Value, logs.Sum(l => l.Length));
    }

    private sealed record Index(string Name, IReadOnlyList<HistoryLog> Logs);
}
