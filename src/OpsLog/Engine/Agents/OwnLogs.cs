using OpsLog.Format;
using OpsLog.Storage;

namespace OpsLog.Engine.Agents;

/// <summary>
/// The logs of this process, an agent: registers one in the manifest before it is created, ends one whose append failed, seals what is left on closing.
/// Nobody else ever appends to them but to seal them, and no earlier run's log is ever gone on with.
/// </summary>
internal sealed class OwnLogs(IOpsStorage storage, EngineSettings settings, Merger merger, int schema)
{
    private const int MostTries = 20;
    private readonly LogSealer _sealer = new(storage);

    private readonly string _agent = settings.AgentId!;
    private bool _isProbed = (storage.Capabilities & StorageCapabilities.HoldsWriters) != 0;

    /// <summary>Registers and creates a log that starts above everything the manifest covers and everything that was read here.</summary>
    /// <exception cref="OpsLogException">A single writer has the store (<see cref="OpsLogError.Locked"/>).</exception>
    public async ValueTask<PeerLog> RegisterAsync()
    {
        for (var tries = 0; tries < MostTries; tries++)
        {
            LogEntry entry = null!;
            if (merger.Manifest.Exclusive is not null) await merger.Register.RefreshAsync(CancellationToken.None).ConfigureAwait(false); // perhaps it has closed
            var manifest = await merger.Register.UpdateAsync(m =>
            {
                entry = NewLog(m);
                return m with { Logs = [.. m.Logs, entry], Package = NamingAgents(m.Package, [.. m.Logs, entry]) };
            }, CancellationToken.None, m => Names(m, entry.Name)).ConfigureAwait(false);
            entry = manifest.Logs.First(l => string.Equals(l.Name, entry.Name, StringComparison.Ordinal));
            if (await CreateAsync(entry).ConfigureAwait(false) is { } log) return log;
        }

        throw new OpsLogException(OpsLogError.Conflict, $"The agent's log was ended {MostTries} times before its first line. Try again.");
    }

    /// <summary>
    /// After an append that failed or went unanswered: what of it is there is found out by sealing the log behind it. It is not appended to again.
    /// </summary>
    /// <returns>The offset up to which lines stand; null if that is not known.</returns>
    public async ValueTask<long?> EndAsync(PeerLog log, ReadOnlyMemory<byte> sent)
    {
        var (start, pieces) = (log.Target!.Length, log.Target.Pieces);
        for (var tries = 0; tries < MostTries; tries++)
        {
            try
            {
                var (length, isEnded) = await ReadBackAsync(log, sent, start, pieces).ConfigureAwait(false);
                if (length is { } there && !isEnded)
                {
                    var whole = there == 0 || sent.Span[there - 1] == '\n';
                    var seal = await _sealer.SealOwnAsync(log.Key, start + there, pieces + (there > 0 ? 1 : 0), whole).ConfigureAwait(false);
                    var isThere = there == sent.Length; // then it counts, whoever ended the log behind it
                    if (seal != PutOutcome.Stored && !isThere) continue; // sealed by another at this moment, or the append arrived only now
                    if (!isThere && log.Target.IsNumbered && !await IsRegisteredAsync(log).ConfigureAwait(false)) continue; // the append arrived, and was folded and collected: so there was room for the seal
                }

                if (length is not { } stands) break;
                log.Target.EndAt(start + stands, pieces + (stands > 0 ? 1 : 0));
                log.IsSealed = true;
                return start + stands;
            }
            catch (StorageException e) when (tries < MostTries - 1 && e.Fault != StorageFault.Broken)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(1 << Math.Min(tries, 6)), settings.Time).ConfigureAwait(false);
            }
            catch (StorageException)
            {
                break;
            }
        }

        Abandon(log);
        return null;
    }

    /// <summary>Gives up a log whose end is not known: from here on it is read like another agent's, and has to be sealed before it is folded.</summary>
    public void Abandon(PeerLog log)
    {
        lock (merger.State.Gate)
        {
            log.IsActive = false;
            if (!merger.Logs.Contains(log)) return; // it has been retired
            var extent = merger.State.Extents.Add(merger.State.LogExtent(log.Entry.Name, log.Source));
            merger.Add(new PeerLog(log.Entry with { Clock = log.Clock }, extent)
            {
                Entry = log.Entry,
                Read = new LogExtent(log.Standing, log.Read.Pieces),
                Standing = log.Standing,
                Observed = -1,
                Operations = log.Operations,
                LastTime = log.LastTime,
                MovedAt = log.MovedAt,
                IsAbandoned = true,
                Exists = true,
            });
        }
    }

    /// <summary>Seals the logs that were given up, so that what stands in them is on stable storage.</summary>
    /// <exception cref="OpsLogException">The storage is out of reach (<see cref="OpsLogError.StorageFailed"/>).</exception>
    public async ValueTask SealAbandonedAsync()
    {
        try
        {
            for (var tries = 0; merger.Logs.Any(l => l is { IsAbandoned: true, IsSealed: false }); tries++)
            {
                if (tries == MostTries) throw new OpsLogException(OpsLogError.Conflict, "A log that was given up could not be sealed: others kept writing to it. Flush again.");
                if (tries > 0) // where it was read to
                    foreach (var log in merger.Logs.Where(l => l is { IsAbandoned: true, IsSealed: false })) await _sealer.SealAsync(log, CancellationToken.None).ConfigureAwait(false);
                await merger.RefreshAsync(CancellationToken.None).ConfigureAwait(false);
            }
        }
        catch (StorageException e)
        {
            throw new OpsLogException(OpsLogError.StorageFailed, $"A log that was given up holds what was acknowledged, but could not be brought onto stable storage: {e.Message} Flush again.", e);
        }
    }

    /// <summary>Seals every log of this process that the manifest still has: the next checkpoint by anyone folds them.</summary>
    public async ValueTask SealAllAsync()
    {
        foreach (var log in merger.Logs)
        {
            if (log.IsSealed) continue;
            if (log.Target is { } target)
            {
                if (await _sealer.SealOwnAsync(log.Key, target.Length, target.Pieces, isWhole: true).ConfigureAwait(false) == PutOutcome.Stored) log.IsSealed = true;
                await target.ReleaseAsync().ConfigureAwait(false);
            }
            else if (log.IsAbandoned)
            {
                await _sealer.SealAsync(log, CancellationToken.None).ConfigureAwait(false);
            }
        }
    }

    /// <summary>The package's members with the newest log of each agent; absent if there is no agent.</summary>
    public static PackageMembers NamingAgents(PackageMembers package, IReadOnlyList<LogEntry> logs)
    {
        var newest = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var log in logs)
            if (log.Agent.Length > 0) newest[log.Agent] = log.Name;
        return package with { ActiveAgentOps = newest.Count == 0 ? null : [.. newest.Select(n => new AgentOps(n.Key, n.Value))] };
    }

    /// <summary>The largest clock a manifest knows of.</summary>
    public static long ClockOf(Manifest manifest) =>
        manifest.Logs.Select(l => Math.Max(l.Start, l.Clock)).Concat(manifest.Retired.Select(r => r.Clock)).Append(manifest.Snapshot.Clock).Max();

    private static bool Names(Manifest manifest, string log) => manifest.Logs.Any(l => string.Equals(l.Name, log, StringComparison.Ordinal));

    /// <summary>While a single writer has the store, nobody else may swap the manifest: it would be fenced.</summary>
    /// <exception cref="OpsLogException">A single writer has it (<see cref="OpsLogError.Locked"/>).</exception>
    public static void RefuseSingleWriter(Manifest manifest)
    {
        if (manifest.Exclusive is { } single)
            throw new OpsLogException(OpsLogError.Locked, $"A single writer has the store ('{single}'). Close it there, then open the store again.");
    }

    private LogEntry NewLog(Manifest manifest)
    {
        RefuseSingleWriter(manifest);
        var start = Math.Max(ClockOf(manifest), merger.State.Clock);
        return new LogEntry(StoreKeys.Log(_agent, manifest.Revision, settings.Nonces.Next()).Value, _agent, start, schema, 0, start, false);
    }

    // Null: it was ended before it began.
    private async ValueTask<PeerLog?> CreateAsync(LogEntry entry)
    {
        var key = new StorageKey(entry.Name);
        var created = await storage.PutAsync(key, Stream.Null, PutCondition.IfAbsent, CancellationToken.None).ConfigureAwait(false);
        if (!created.IsStored) return null;
        if (!await ProbeAsync(entry.Name).ConfigureAwait(false)) return null;
        var target = new LogTarget(storage, key, 0, 0);
        if (!(await target.ClaimAsync(CancellationToken.None).ConfigureAwait(false)).IsStored) return null;
        var isRegistered = false;
        try
        {
            await merger.Register.RefreshAsync(CancellationToken.None).ConfigureAwait(false);
            isRegistered = Names(merger.Manifest, entry.Name);
        }
        finally
        {
            if (!isRegistered) await target.ReleaseAsync().ConfigureAwait(false);
        }

        if (!isRegistered) return null;

        lock (merger.State.Gate)
        {
            var extent = merger.State.Extents.Add(merger.State.LogExtent(entry.Name, StampSource.Of(entry.Agent, entry.Name)));
            var log = new PeerLog(entry, extent) { Target = target, IsActive = true, IsWritten = true, Exists = true, MovedAt = settings.Time.GetTimestamp() };
            merger.State.Clock = Math.Max(merger.State.Clock, entry.Start);
            merger.Add(log);
            return log;
        }
    }

    // Nothing could fence anybody on a storage that takes conditional puts as if there were no condition. The log is the same afterwards: empty.
    // False: it was ended before it began, and collected.
    private async ValueTask<bool> ProbeAsync(string log)
    {
        if (_isProbed) return true;
        foreach (var condition in (PutCondition[])[PutCondition.IfVersion(merger.Register.Version), PutCondition.IfAbsent])
        {
            if (!(await storage.PutAsync(new StorageKey(log), Stream.Null, condition, CancellationToken.None).ConfigureAwait(false)).IsStored) continue;
            await merger.Register.RefreshAsync(CancellationToken.None).ConfigureAwait(false);
            if (condition.Kind == PutConditionKind.IfAbsent && !Names(merger.Manifest, log)) return false;
            throw new OpsLogException(OpsLogError.StorageFailed, $"The storage ignores the condition of a put ({condition.Kind}): many writers would overwrite each other there. Nothing was written; open the store without an agent id, from one process at a time.");
        }

        return _isProbed = true;
    }

    private async ValueTask<bool> IsRegisteredAsync(PeerLog log)
    {
        await merger.Register.RefreshAsync(CancellationToken.None).ConfigureAwait(false);
        return Names(merger.Manifest, log.Entry.Name);
    }

    // How many of the bytes sent are there, and whether the log ends behind them.
    private async ValueTask<(int? Length, bool IsEnded)> ReadBackAsync(PeerLog log, ReadOnlyMemory<byte> sent, long start, long pieces)
    {
        var numbered = log.Target!.IsNumbered;
        var found = numbered
            ? await storage.ReadAsync(StoreKeys.Piece(log.Key, pieces + 1), ByteRange.All, CancellationToken.None).ConfigureAwait(false)
            : await storage.ReadAsync(log.Key, new ByteRange(start, sent.Length + 3L), CancellationToken.None).ConfigureAwait(false);
        if (found is not null)
        {
            await using (found.ConfigureAwait(false))
            {
                var bytes = await found.ReadToEndAsync(CancellationToken.None).ConfigureAwait(false);
                if (numbered && bytes.Span.SequenceEqual(sent.Span)) return (sent.Length, false);
                var there = bytes.Span.CommonPrefixLength(sent.Span);
                if (!numbered) return (there, bytes.Length > there);
            }
        }

        if (await IsRegisteredAsync(log).ConfigureAwait(false)) return numbered ? (0, found is not null) : (null, false);
        // Others sealed it, folded and deleted it. The manifest remembers for a while how long it was.
        if (merger.Manifest.Retired.FirstOrDefault(r => string.Equals(r.Name, log.Entry.Name, StringComparison.Ordinal)) is not { } retired) return (null, true);
        var length = numbered ? (retired.Length > pieces ? sent.Length : 0) : (int)Math.Clamp(retired.Length - start, 0, sent.Length);
        return (length, true);
    }
}
