using OpsLog.Format;
using OpsLog.Storage;

namespace OpsLog.Engine.Agents;

/// <summary>Turns a store from one writer to many and back, so that neither loses what the other acknowledged.</summary>
internal sealed class StoreConverter(IOpsStorage storage, EngineSettings settings)
{
    private const int MostTries = 100;
    private readonly LogSealer _sealer = new(storage);
    private readonly bool _numbered = (storage.Capabilities & StorageCapabilities.Append) == 0;

    /// <summary>
    /// An agent comes to a store of a single writer: its log is sealed, so that it acknowledges nothing more, and is read like one more agent's from then on. A
    /// store of the package is brought into our form first.
    /// </summary>
    /// <exception cref="OpsLogException">The single writer lives (<see cref="OpsLogError.Locked"/>).</exception>
    public async ValueTask ToManyAsync(ManifestRegister register, StorePlan plan, CancellationToken ct)
    {
        if (!plan.IsOurs)
        {
            var engine = await StoreEngine.OpenAsync(storage, ownsStorage: false, settings.AsSingleWriter(), ct).ConfigureAwait(false);
            await engine.DisposeAsync().ConfigureAwait(false);
            return;
        }

        // Only from the manifest that was read: a single writer that opens the store meanwhile swaps it before it writes behind a seal.
        foreach (var log in plan.Logs.Select(l => l.Entry).Where(l => l.Agent.Length == 0 && !l.Sealed))
        {
            if (!await SealAsync(log, register, ct).ConfigureAwait(false)) return; // the caller looks again
            var swapped = await register.TryUpdateAsync(
                m => m with
                {
                    Logs = [.. m.Logs.Select(l => IsThe(log, l) ? l with { Sealed = true } : l)],
                    Exclusive = string.Equals(m.Exclusive, log.Name, StringComparison.Ordinal) ? null : m.Exclusive,
                },
                ct,
                isAlone: true).ConfigureAwait(false);
            if (swapped is null) return;
        }
    }

    /// <summary>
    /// A single writer comes to a store of many: registers its log as the only one that may be written to, then seals all others. The checkpoint that folds them is
    /// the caller's.
    /// </summary>
    /// <returns>The log, claimed.</returns>
    /// <exception cref="OpsLogException">An agent lives (<see cref="OpsLogError.Locked"/>); where nobody can tell, it is fenced instead.</exception>
    public async ValueTask<LogTarget> ToExclusiveAsync(ManifestRegister register, CancellationToken ct)
    {
        await RefuseLivingAsync(register.Current, ct).ConfigureAwait(false);
        var (entry, target) = await RegisterAsync(register, ct).ConfigureAwait(false);
        var (registered, isClaimed) = (register.Current, false);
        try
        {
            var claimed = await target.ClaimAsync(ct).ConfigureAwait(false);
            if (!claimed.IsStored) throw new OpsLogException(OpsLogError.Conflict, "Another writer opened the store at the same moment. Open it again.");
            isClaimed = true;
            foreach (var log in register.Current.Logs)
                if (!IsThe(entry, log) && !log.Sealed) await SealAsync(log, register, ct).ConfigureAwait(false);
            return target;
        }
        catch
        {
            try
            {
                // Withdrawn while it is held, and only from the manifest that named it first: whoever came since may have taken it over, and written to it.
                if (isClaimed) await register.TryUpdateAsync(m => ReferenceEquals(m, registered) ? Without(entry, m) : null, CancellationToken.None).ConfigureAwait(false);
            }
            finally
            {
                await target.ReleaseAsync().ConfigureAwait(false);
            }

            throw;
        }
    }

    /// <summary>
    /// The package wrote to a store of agents, which it takes for closed: they are, or this fails; and none of their logs is written to any more.
    /// </summary>
    /// <returns>False: the manifest has changed meanwhile.</returns>
    /// <exception cref="OpsLogException">An agent lives (<see cref="OpsLogError.Locked"/>); where nobody can tell, it is fenced instead.</exception>
    public async ValueTask<bool> EndAgentsAsync(ManifestRegister register, CancellationToken ct)
    {
        await RefuseLivingAsync(register.Current, ct).ConfigureAwait(false);
        foreach (var log in register.Current.Logs)
            if (!log.Sealed && !await SealAsync(log, register, ct).ConfigureAwait(false)) return false;
        return true;
    }

    private static Manifest Without(LogEntry entry, Manifest manifest) => manifest with
    {
        Logs = [.. manifest.Logs.Where(l => !IsThe(entry, l))],
        Exclusive = string.Equals(manifest.Exclusive, entry.Name, StringComparison.Ordinal) ? null : manifest.Exclusive,
    };

    // The log is there before the manifest names it: with a single writer a missing log is damage. Its name is based on the very revision that is swapped.
    private async ValueTask<(LogEntry Entry, LogTarget Target)> RegisterAsync(ManifestRegister register, CancellationToken ct)
    {
        for (var tries = 0; tries < MostTries; tries++)
        {
            var manifest = register.Current;
            var start = OwnLogs.ClockOf(manifest);
            var entry = new LogEntry(StoreKeys.Log("", manifest.Revision, settings.Nonces.Next()).Value, "", start, settings.SchemaVersion ?? manifest.Package.Version, 0, start, false);
            var key = new StorageKey(entry.Name);
            if (!(await storage.PutAsync(key, Stream.Null, PutCondition.IfAbsent, ct).ConfigureAwait(false)).IsStored) continue;
            // With no log to fold, snapshot and log are the state from here on: for the package too.
            var package = manifest.Logs.Count == 0 ? manifest.Package with { ActiveOps = entry.Name } : manifest.Package;
            var swapped = await register.TryUpdateAsync(
                m => ReferenceEquals(m, manifest) ? m with { Logs = [.. m.Logs, entry], Exclusive = entry.Name, Package = package } : null,
                ct,
                m => m.Logs.Any(l => IsThe(entry, l))).ConfigureAwait(false);
            if (swapped is not null) return (entry, new LogTarget(storage, key, 0, 0));
        }

        throw new OpsLogException(OpsLogError.Conflict, $"The store's manifest changed {MostTries} times while it was being opened. Try again.");
    }

    private static bool IsThe(LogEntry entry, LogEntry other) => string.Equals(entry.Name, other.Name, StringComparison.Ordinal);

    // Before anything is changed: in a folder a living agent holds the lock of its log.
    private async ValueTask RefuseLivingAsync(Manifest manifest, CancellationToken ct)
    {
        if ((storage.Capabilities & StorageCapabilities.HoldsWriters) == 0) return;
        foreach (var log in manifest.Logs)
        {
            var key = new StorageKey(log.Name);
            if (LivingLogs.On(storage)?.Has(key) == true) throw Locked(log, "Held by this process.");
            if (await ObjectReader.StatAsync(storage, key, ct).ConfigureAwait(false) is not { } stat) continue;
            var target = new LogTarget(storage, key, stat.Length, 0);
            var claim = await target.ClaimAsync(ct).ConfigureAwait(false);
            if (claim.Outcome == PutOutcome.Held) throw Locked(log, claim.Detail);
            if (claim.IsStored) await target.ReleaseAsync().ConfigureAwait(false);
        }
    }

    // The length is read anew before each try: a seal never lies anywhere but behind all that was acknowledged.
    // False: it is not there, and the manifest that names it is no longer the stored one. Made then, it would mislead whoever still goes by an older manifest.
    private async ValueTask<bool> SealAsync(LogEntry entry, ManifestRegister register, CancellationToken ct)
    {
        for (var tries = 0; tries < MostTries; tries++)
        {
            var log = new PeerLog(entry, new Extent(entry.Name, []));
            if (await ReadEndAsync(log, ct).ConfigureAwait(false)) return true;
            if (!log.Exists && !await register.IsCurrentAsync(ct).ConfigureAwait(false)) return false;
            var outcome = await _sealer.SealAsync(log, ct).ConfigureAwait(false);
            if (outcome == PutOutcome.Stored) return true;
            if (outcome == PutOutcome.Held) throw Locked(entry, null);
        }

        throw new OpsLogException(OpsLogError.Conflict, $"The log '{entry.Name}' grew {MostTries} times while it was being ended. Try again.");
    }

    // Finds the log's end, and where its last whole line or batch does; true: it is an agent's and lies sealed.
    private async ValueTask<bool> ReadEndAsync(PeerLog log, CancellationToken ct)
    {
        if (_numbered)
        {
            var pieces = 0L;
            long last = 0;
            while (await ObjectReader.StatAsync(storage, StoreKeys.Piece(log.Key, pieces + 1), ct).ConfigureAwait(false) is { } piece) (pieces, last) = (pieces + 1, piece.Length);
            log.Read = new LogExtent(0, pieces);
            log.Exists = pieces > 0 || await ObjectReader.StatAsync(storage, log.Key, ct).ConfigureAwait(false) is not null;
            return last == 1 && log.Entry.Agent.Length > 0;
        }

        var scanner = new LogScanner(new LogSource(log.Entry.Name, log.Entry.Start, log.Entry.Agent), Recovery.SkipCorrupt) { WaitsForMore = true, EndsWithSeal = log.Entry.Agent.Length > 0 };
        var read = await LogReader.ReadAsync(storage, log.Key, 0, null, part => scanner.Scan(part, NoOperations.Instance), ct).ConfigureAwait(false);
        if (read is not { } end) return false;
        (log.Exists, log.Read, log.Observed) = (true, new LogExtent(scanner.Position, 0), end.Length);
        return scanner.IsSealed;
    }

    private static OpsLogException Locked(LogEntry log, string? holder) => new(
        OpsLogError.Locked,
        log.Agent.Length == 0
            ? $"The store is open for writing elsewhere, by a single writer{(holder is null ? "" : $": {holder.TrimEnd('.')}")}. Close it there, or open it read-only."
            : $"Agent '{log.Agent}' has the store open{(holder is null ? "" : $": {holder.TrimEnd('.')}")}. Close it there, open the store with an agent id, or open it read-only.");
}
