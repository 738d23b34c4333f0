using OpsLog.Format;
using OpsLog.Storage;

namespace OpsLog.Engine;

/// <summary>A log to be read on opening.</summary>
/// <param name="Entry">What the manifest says of it, or what follows from the package's members.</param>
/// <param name="IsTimeless">Its lines carry no clock and come before every agent's: the single writer's log of a store that agents took over.</param>
internal sealed record PlannedLog(LogEntry Entry, bool IsTimeless = false)
{
    /// <summary>What a clock in a line of the package is above: it counted from nothing over our snapshot or archives, which have clocks that it cannot see.</summary>
    public long ClockOffset { get; init; }

    /// <summary>Our manifest registers it.</summary>
    public bool IsRegistered { get; init; }

    /// <summary>An empty last line of it is its seal (docs/format.md, Seals): in the package's logs empty lines mean nothing.</summary>
    public bool MayEndInSeal => IsRegistered && (Entry.Agent.Length > 0 || Entry.Sealed);

    /// <summary>The package wrote it over all that our logs hold: what of it has no clock comes behind that.</summary>
    public bool ComesBehindOurs { get; init; }

    /// <summary>How far it was read, once it was.</summary>
    public long Length { get; init; }

    /// <summary>It is damaged: its doubtful lines were not taken.</summary>
    public bool RefuseDoubtful { get; init; }

    public StampSource Source => StampSource.Of(Entry.Agent, Entry.Name);
}

/// <summary>
/// What a manifest asks a reader to read, whoever wrote it: our own, the package's, or ours with the package's changes on top
/// (docs/format.md, Manifest: the echo).
/// </summary>
internal sealed record StorePlan(Manifest Base, string Snapshot, bool SnapshotIsVouched, IReadOnlyList<PlannedLog> Logs, bool IsOurs)
{
    /// <summary>Several logs are merged by stamp; a single one is a sequence.</summary>
    public bool Merges => IsMany || Logs.Count > 1 || Logs.Any(l => l.Entry.Agent.Length > 0);

    /// <summary>A store of many writers, by our own manifest: no log that a single writer could go on in.</summary>
    public bool IsMany => IsOurs && (TakesOver || Logs is not [{ Entry: { Agent.Length: 0, Sealed: false, Covered: 0 } }]);

    /// <summary>A log that is not there is an empty one: it is registered before it is created.</summary>
    public bool MayLack(PlannedLog log) => (IsMany || log.MayEndInSeal) && log.Entry.Covered == 0;

    /// <summary>The package wrote since to a store of agents, which have closed: nobody of ours goes on in their logs.</summary>
    public bool EndsAgents => !IsOurs && Logs.Any(l => l.MayEndInSeal);

    /// <summary>An agent can join: no log of a single writer is open.</summary>
    public bool IsShared => IsOurs && Logs.All(l => l.Entry.Agent.Length > 0 || l.Entry.Sealed);

    /// <summary>A single writer takes a store of many writers over: its own log is registered, and the others have ended.</summary>
    public bool TakesOver { get; init; }

    /// <summary>The clock that what the package wrote comes from, over archives with stamps up to this one.</summary>
    public static long ClockAbove(long archived) => archived == 0 ? 0 : Math.Min(archived + 1, Stamp.MaxClock);

    /// <summary>The snapshot is the package's: it, and what the package wrote behind it, comes above a clock that ours has had (docs/format.md, Compatibility).</summary>
    public StorePlan Above(long clock)
    {
        if (clock < Base.Snapshot.Clock || clock == 0) return this;
        clock = ClockAbove(clock);
        return this with
        {
            Base = Base with { Snapshot = Base.Snapshot with { Clock = clock } },
            Logs = [.. Logs.Select(l => l with { ClockOffset = clock, Entry = l.Entry with { Start = clock, Clock = clock } })],
        };
    }

    public static StorePlan Of(ManifestReadResult read, long highestRevision, NonceSource nonces)
    {
        return read.Verdict switch
        {
            ManifestVerdict.Ours => OfOurs(read.Manifest!),
            ManifestVerdict.PeerWroteSince => OfChanged(read.Manifest!, read.Package!),
            _ => OfPeer(read.Package!, highestRevision, nonces),
        };
    }

    /// <summary>A single writer has registered its log, and sealed all others: an empty line at their end is no line of theirs.</summary>
    public static StorePlan OfTakeover(Manifest manifest, string own)
    {
        var plan = OfOurs(manifest);
        return plan with
        {
            TakesOver = true,
            Logs = [.. plan.Logs.Select(l => string.Equals(l.Entry.Name, own, StringComparison.Ordinal) ? l : l with { Entry = l.Entry with { Sealed = true } })],
        };
    }

    private static StorePlan OfOurs(Manifest manifest) =>
        new(manifest, manifest.Snapshot.Name, true, Registered(manifest), true);

    private static List<PlannedLog> Registered(Manifest manifest) => [.. manifest.Logs.Select(l => new PlannedLog(l) { IsRegistered = true })];

    private static StorePlan OfChanged(Manifest ours, PackageMembers package)
    {
        var isOurSnapshot = string.Equals(ours.Snapshot.Name, package.CurrentSnapshot, StringComparison.Ordinal);
        var clock = ours.Logs.Select(l => l.Clock).Append(ours.Snapshot.Clock).Max();
        var logs = isOurSnapshot ? Registered(ours) : [];
        foreach (var log in PackageLogs(package, clock))
        {
            if (logs.Any(l => string.Equals(l.Entry.Name, log.Entry.Name, StringComparison.Ordinal))) continue;
            // The idle log that a store of agents leaves to the package: it was empty when our manifest was written.
            var isIdle = isOurSnapshot && log.Entry.Agent.Length == 0;
            logs.Add(log with { ClockOffset = isOurSnapshot ? clock : 0, ComesBehindOurs = isIdle, IsTimeless = log.IsTimeless && !isIdle });
        }

        var plan = new StorePlan(ours with { Package = package, Adopted = true }, package.CurrentSnapshot, isOurSnapshot, logs, false);
        return isOurSnapshot ? plan : plan.Above(clock);
    }

    private static StorePlan OfPeer(PackageMembers package, long highestRevision, NonceSource nonces)
    {
        var manifest = new Manifest
        {
            Package = package,
            Revision = highestRevision,
            Incarnation = nonces.NextIncarnation(),
            Snapshot = new SnapshotEntry(package.CurrentSnapshot, 0, 0, 0, 0, 0),
            Archives = PackageArchives(package),
            Adopted = true,
        };
        return new StorePlan(manifest, package.CurrentSnapshot, false, PackageLogs(package, 0), false);
    }

    private static List<PlannedLog> PackageLogs(PackageMembers package, long startClock)
    {
        var logs = new List<PlannedLog>();
        foreach (var agent in package.ActiveAgentOps ?? [])
            logs.Add(new PlannedLog(new LogEntry(agent.Log, agent.Agent, startClock, package.Version, 0, startClock, false)));
        if (logs.Any(l => string.Equals(l.Entry.Name, package.ActiveOps, StringComparison.Ordinal))) return logs;
        logs.Insert(0, new PlannedLog(new LogEntry(package.ActiveOps, "", startClock, package.Version, 0, startClock, false), logs.Count > 0));
        return logs;
    }

    // The package names a segment archive/archive-<period>.json; the period is what it was given, unencoded. What it archived it takes for documents of its version, whenever that was.
    private static List<ArchiveEntry> PackageArchives(PackageMembers package)
    {
        var archives = new List<ArchiveEntry>();
        foreach (var name in package.ArchiveSegments)
        {
            var file = name[(name.LastIndexOf('/') + 1)..];
            if (file.StartsWith("archive-", StringComparison.Ordinal) && file.EndsWith(".json", StringComparison.Ordinal))
                archives.Add(new ArchiveEntry(file["archive-".Length..^".json".Length], [new ArchiveObject(name, 0, package.Version)]));
        }

        return archives;
    }
}
