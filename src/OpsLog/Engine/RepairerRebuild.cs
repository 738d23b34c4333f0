using System.Globalization;
using OpsLog.Format;
using OpsLog.Storage;

namespace OpsLog.Engine;

/// <summary>
/// Rebuilds a store's state where the manifest or the snapshot it names is damaged, from what a listing shows: the newest sound snapshot,
/// and the operations behind it in all logs that are left, those kept for history included. What our lines' clocks tell is used to see
/// whether anything is missing in between; only then what is left of the damaged snapshot counts for more than an older sound one.
/// </summary>
internal sealed class RepairerRebuild(IOpsStorage source, EngineSettings settings, ProgressMeter progress, bool refusesDoubtful, long packageClock)
{
    private readonly List<(StoredName Name, DateTimeOffset Modified)> _snapshots = [];
    private readonly List<(StoredName Name, DateTimeOffset Modified)> _logs = [];
    private readonly List<string> _assumptions = [];
    private readonly List<Damage> _losses = [];
    private readonly RepairerClocks _clocks = new();
    private readonly Dictionary<string, int> _schemas = []; // of logs, as manifest and history say
    private readonly List<(long Revision, int Schema)> _headers = []; // of snapshots
    private int _schema = 1;
    private bool _oursAreNewer;
    private long _packageClock; // what the package wrote comes from this one: 0 where ours came behind it

    public async ValueTask<Salvage> RunAsync(StorePlan? plan, CancellationToken ct)
    {
        _schema = plan?.Base.Package.Version ?? 1;
        await ListAsync(ct).ConfigureAwait(false);
        foreach (var log in plan?.Base.Retired ?? []) _schemas[log.Name] = log.Schema;
        foreach (var log in plan?.Logs ?? []) _schemas[log.Entry.Name] = log.Entry.Schema;
        _oursAreNewer = OursAreNewer(plan);
        if (!_oursAreNewer) _packageClock = packageClock;
        AddMissing(plan);
        foreach (var log in OurLogs()) await _clocks.ReadAsync(source, Planned(log, plan), ct).ConfigureAwait(false);
        var (based, damaged) = await ChooseAsync(plan, ct).ConfigureAwait(false);
        if (plan is not null && plan.SnapshotIsVouched) _clocks.Expect(plan.Base.Snapshot.Clock);
        if (damaged is not null) _clocks.Expect(damaged.Floor);

        var floor = based?.Floor ?? 0;
        var isPackages = based is not null && !IsOurs(based.Snapshot);
        var isWhole = isPackages ? _logs.Any(l => !l.Name.IsOurs) : (based is not null || _clocks.Last > 0) && _clocks.HoldsAllAbove(floor);
        var result = based;
        if (!isWhole && damaged is { SnapshotRecords: > 0 })
        {
            result = damaged;
            var covered = Covered(damaged, plan);
            floor = _clocks.StartOfRunAcross(covered) - 1;
            ListGaps(damaged.Snapshot, Math.Max(covered, ShownBy(damaged)));
            _assumptions.Add($"What is left of the damaged snapshot '{damaged.Snapshot}' was taken, with the operations from clock {floor + 1} on: records whose lines are damaged are lost unless an operation shows them.");
        }
        else
        {
            // Its logs will say what they are of.
            result ??= new Salvage(source, settings, progress, refusesDoubtful) { Schema = damaged?.Schema ?? _schema, PackageClock = _packageClock };
            Explain(result.Snapshot, damaged, isWhole);
            ListGaps(damaged?.Snapshot ?? StoreKeys.Manifest.Value, floor);
        }

        result.Losses.Clear(); // they are among ours
        foreach (var log in Logs(result, isPackages && result == based, plan)) await TakeAsync(result, log, floor, ct).ConfigureAwait(false);
        result.Losses.InsertRange(0, _losses);
        result.Assumptions.AddRange(_assumptions);
        return result;
    }

    private async ValueTask ListAsync(CancellationToken ct)
    {
        await foreach (var entry in source.ListAsync(StorageKey.Root, null, ct).ConfigureAwait(false))
        {
            if (!StoreKeys.TryParse(entry.Key, out var name)) continue;
            if (name.Kind == StoredKind.Snapshot) _snapshots.Add((name, entry.LastModified));
            else if (name.Kind == StoredKind.History) await ReadHistoryAsync(entry.Key, ct).ConfigureAwait(false);
            else if (name.Kind is StoredKind.Log or StoredKind.AgentLog) _logs.Add((name, entry.LastModified));
        }
    }

    private async ValueTask ReadHistoryAsync(StorageKey key, CancellationToken ct)
    {
        if (await ObjectReader.ReadAllAsync(source, key, ct).ConfigureAwait(false) is not { } found || !HistoryIndexCodec.TryRead(found.Bytes, out var logs, out _)) return;
        foreach (var log in logs) _schemas[log.Name] = log.Schema;
    }

    // What nothing names was begun with the newest snapshot that is not above it.
    private int SchemaOf(StoredName log)
    {
        if (_schemas.TryGetValue(log.Key.Value, out var schema)) return schema;
        if (!log.IsOurs || _headers.Count == 0) return _schema;
        return _headers.Where(h => h.Revision <= log.Revision).DefaultIfEmpty(_headers.MinBy(h => h.Revision)).MaxBy(h => h.Revision).Schema;
    }

    // The newest sound snapshot, and the newest of all if that is not it.
    private async ValueTask<(Salvage? Based, Salvage? Damaged)> ChooseAsync(StorePlan? plan, CancellationToken ct)
    {
        Salvage? damaged = null;
        foreach (var name in NewestFirst(plan))
        {
            var isNamed = plan is not null && string.Equals(name, plan.Snapshot, StringComparison.Ordinal);
            var salvage = new Salvage(source, settings, progress, refusesDoubtful) { PackageClock = _packageClock };
            var isSound = await salvage.TrySnapshotAsync(name, isNamed && plan!.SnapshotIsVouched ? plan.Base.Snapshot : null, _schema, merges: true, ct).ConfigureAwait(false);
            if (StorageKey.IsValid(name) && StoreKeys.IsOurs(new StorageKey(name))) _headers.Add((StoreKeys.RevisionOf(new StorageKey(name)), salvage.Schema));
            if (isSound) return (salvage, damaged);
            if (damaged is null) _losses.AddRange(salvage.Losses); // an older one that is damaged too is no loss of its own
            damaged ??= salvage;
        }

        return (null, damaged);
    }

    private IEnumerable<string> NewestFirst(StorePlan? plan)
    {
        var names = _snapshots
            .OrderByDescending(s => s.Name.IsOurs == _oursAreNewer)
            .ThenByDescending(s => Age(s.Name))
            .ThenByDescending(s => s.Name.Key)
            .Select(s => s.Name.Key.Value);
        // What the manifest names comes first, there or not.
        return plan is null ? names : names.Where(n => !string.Equals(n, plan.Snapshot, StringComparison.Ordinal)).Prepend(plan.Snapshot);
    }

    private bool OursAreNewer(StorePlan? plan)
    {
        if (plan is not null) return IsOurs(plan.Snapshot);
        if (!_snapshots.Concat(_logs).Any(o => o.Name.IsOurs)) return false;
        var ours = _snapshots.Where(s => s.Name.IsOurs).Select(s => s.Modified).DefaultIfEmpty().Max();
        var theirs = _snapshots.Where(s => !s.Name.IsOurs).Select(s => s.Modified).DefaultIfEmpty().Max();
        return ours >= theirs;
    }

    private IEnumerable<StoredName> OurLogs() => _logs.Where(l => l.Name.IsOurs).OrderBy(l => l.Name.Revision).ThenBy(l => l.Name.Key).Select(l => l.Name);

    // The logs behind a base, oldest first. The package's lines have no clocks: those that come before ours get none that could win over ours.
    private IEnumerable<PlannedLog> Logs(Salvage salvage, bool isPackages, StorePlan? plan)
    {
        var from = isPackages ? Number(salvage.Snapshot) : IsoTime.TryRead(salvage.Timestamp, out var time) ? time.ToUnixTimeMilliseconds() : 0;
        var theirs = _logs.Select(l => l.Name)
            .Where(l => !l.IsOurs && (isPackages || !_oursAreNewer ? Age(l) >= from : IsNamed(plan, l)))
            .OrderBy(l => l.Kind).ThenBy(Age).ThenBy(l => l.Key)
            .Select(l => new PlannedLog(new LogEntry(l.Key.Value, AgentOf(l), _packageClock, SchemaOf(l), 0, 0, false), isPackages && l.Kind == StoredKind.Log) { ClockOffset = _packageClock });
        var ours = OurLogs().Select(l => Planned(l, plan));
        if (!isPackages) return ours.Concat(theirs);
        return _oursAreNewer ? theirs.Concat(ours) : theirs;
    }

    // What the manifest registers is judged as every reader does: by the clock that it starts from, and with its seal.
    private PlannedLog Planned(StoredName log, StorePlan? plan) =>
        plan?.Logs.FirstOrDefault(l => l.MayEndInSeal && string.Equals(l.Entry.Name, log.Key.Value, StringComparison.Ordinal))
            ?? new PlannedLog(new LogEntry(log.Key.Value, "", 0, SchemaOf(log), 0, 0, false));

    private static bool IsNamed(StorePlan? plan, StoredName log) => plan is not null && plan.Logs.Any(l => string.Equals(l.Entry.Name, log.Key.Value, StringComparison.Ordinal));

    private void AddMissing(StorePlan? plan)
    {
        foreach (var log in plan?.Logs ?? [])
            if (!plan!.MayLack(log) && !_logs.Any(l => string.Equals(l.Name.Key.Value, log.Entry.Name, StringComparison.Ordinal)))
                _losses.Add(new Damage(DamageKind.Missing, log.Entry.Name, 0, 0, 0, "the manifest names this log, but it is not there"));
    }

    private static async ValueTask TakeAsync(Salvage salvage, PlannedLog log, long floor, CancellationToken ct)
    {
        var isTheirs = !IsOurs(log.Entry.Name);
        if (!log.IsTimeless && log.Entry.Agent.Length == 0) log = log with { Entry = log.Entry with { Start = Math.Max(Math.Max(log.Entry.Start, floor), salvage.State.Clock) } };
        var (losses, notes, clock) = (salvage.Losses.Count, salvage.Notes.Count, salvage.State.Clock);
        var last = await salvage.LogAsync(log, isTheirs ? -1 : floor, mayLack: false, ct).ConfigureAwait(false);
        if (isTheirs || last > floor || salvage.State.Clock > clock) return;

        // All of it lies before the base: what is wrong there is no loss.
        salvage.Losses.RemoveRange(losses, salvage.Losses.Count - losses);
        salvage.Notes.RemoveRange(notes, salvage.Notes.Count - notes);
    }

    // Nothing above this clock is left to the snapshot: the logs have to give it, holes or not.
    private long Covered(Salvage damaged, StorePlan? plan)
    {
        if (plan is not null && plan.SnapshotIsVouched && string.Equals(damaged.Snapshot, plan.Snapshot, StringComparison.Ordinal)) return plan.Base.Snapshot.Floor;
        if (damaged.Floor > 0) return damaged.Floor;
        // Its header is lost too. Of many writers any clock may be missing; of a single one, it covers what its records show.
        return _logs.Any(l => l.Name.Kind == StoredKind.AgentLog) ? 0 : ShownBy(damaged);
    }

    // The clocks of the package's records are none that lines of ours had.
    private static long ShownBy(Salvage damaged) => IsOurs(damaged.Snapshot) ? damaged.State.Clock : 0;

    private void Explain(string snapshot, Salvage? damaged, bool isWhole)
    {
        var origin = snapshot.Length > 0 ? $"the snapshot '{snapshot}'" : "an empty store";
        _assumptions.Add($"The state was rebuilt from {origin} and the operations behind it in the logs that are left.");
        if (isWhole && damaged is not null)
        {
            for (var i = 0; i < _losses.Count; i++)
                _losses[i] = _losses[i] with { Detail = $"{_losses[i].Detail} (what it held was rebuilt from older objects)" };
        }
    }

    private void ListGaps(string file, long floor)
    {
        foreach (var (first, last) in _clocks.GapsAbove(floor))
            _losses.Add(new Damage(DamageKind.Missing, file, 0, 0, 0, $"the operations with the clocks {first} to {last} are in no snapshot or log that can be read"));
    }

    private static bool IsOurs(string name) => StorageKey.IsValid(name) && StoreKeys.IsOurs(new StorageKey(name));

    private static long Age(StoredName name) => name.IsOurs ? name.Revision : Number(name.Key.Value);

    // The package names an object by the millisecond it was made in, at the name's end.
    private static long Number(string name)
    {
        var stem = name[(name.LastIndexOf('-') + 1)..];
        var dot = stem.IndexOf('.', StringComparison.Ordinal);
        return long.TryParse(dot < 0 ? stem : stem[..dot], NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 0;
    }

    private static string AgentOf(StoredName name)
    {
        if (name.Kind != StoredKind.AgentLog) return "";
        var stem = name.Key.Value["ops/agent-".Length..];
        var end = stem.LastIndexOf('-');
        return end > 0 ? stem[..end] : stem;
    }
}
