using System.Text;
using System.Text.Json;
using OpsLog.Simulation.Disk;
using OpsLog.Simulation.Run;

namespace OpsLog.Simulation.Model;

/// <summary>
/// Looks at every change of the stored bytes as it happens, reads them by docs/format.md alone, and says at once which invariant one breaks. Cheap: it looks
/// at what changed only.
/// </summary>
internal sealed class Auditor : IDiskWatcher
{
    private Dictionary<string, LogModel> _logs = new(StringComparer.Ordinal);
    private Dictionary<string, SnapshotModel> _snapshots = new(StringComparer.Ordinal);
    private StoredState _stored = new();
    private ArchiveModel _archives = new();
    private HashSet<string> _historyLogs = new(StringComparer.Ordinal);

    public OperationHistory History { get; private set; } = new();

    public required Func<SimDisk> Disk { get; set; }

    /// <summary>Keeps what was read in other runs of the same program; null: nothing is kept.</summary>
    public EngineRecords? Records { get; init; }

    public ManifestModel? Manifest { get; private set; }

    public ArchiveModel Archives => _archives;

    public IReadOnlyDictionary<string, LogModel> Logs => _logs;

    /// <summary>Changes of stored objects so far.</summary>
    public int Changes { get; private set; }

    /// <summary>Compactions and other swaps so far.</summary>
    public int Swaps { get; private set; }

    /// <summary>A copy, which looks at a copy of the disk.</summary>
    public Auditor Copy(Func<SimDisk> disk)
    {
        var copy = (Auditor)MemberwiseClone();
        copy._logs = new(StringComparer.Ordinal);
        foreach (var (name, log) in _logs) copy._logs.Add(name, log.Copy());
        (copy._snapshots, copy._historyLogs) = (new(_snapshots, StringComparer.Ordinal), new(_historyLogs, StringComparer.Ordinal));
        (copy._stored, copy._archives, copy.History, copy.Disk) = (_stored.Copy(), _archives.Copy(), History.Copy(), disk);
        return copy;
    }

    public void Created(SimObject stored, StorageCall call)
    {
        Note(call);
        switch (ObjectNames.KindOf(stored.Key))
        {
            case ObjectKind.Manifest:
                Swap(stored, call);
                break;
            case ObjectKind.Log:
                // A creation that lands when the log was folded and collected makes another object of its name, which is nobody's.
                if (_logs.TryGetValue(stored.Key, out var gone) && gone is not { Length: 0, Pieces: 0 })
                {
                    gone.IsReborn = true;
                    break;
                }

                var log = LogOf(stored.Key);
                log.Owner = call.Storage.Opening;
                log.Grow(stored.Slice(0, stored.Length));
                Count(log, call);
                break;
            case ObjectKind.Piece:
                AddPiece(stored, call);
                break;
            case ObjectKind.Archive or ObjectKind.Segment:
                _archives.Put(stored);
                break;
            case ObjectKind.Other:
                throw new InvariantViolation(Invariant.I8OneWriter, $"{call.Storage.Process.Name} made an object of an unknown name: {stored.Key}");
        }
    }

    public void Replaced(SimObject stored, SimObject before, StorageCall call)
    {
        Note(call);
        switch (ObjectNames.KindOf(stored.Key))
        {
            case ObjectKind.Manifest:
                Swap(stored, call);
                break;
            case ObjectKind.Archive:
                _archives.Put(stored);
                RequireArchived();
                break;
            default:
                throw new InvariantViolation(Invariant.I8OneWriter, $"{call.Storage.Process.Name} replaced {stored.Key}");
        }
    }

    public void Appended(SimObject stored, int from, StorageCall call)
    {
        Note(call);
        if (ObjectNames.KindOf(stored.Key) != ObjectKind.Log) throw new InvariantViolation(Invariant.I8OneWriter, $"{call.Storage.Process.Name} appended to {stored.Key}");
        var log = LogOf(stored.Key);
        RequireNoData(log, call, stored.Span[from..]);
        if (log.IsReborn) return;
        RequireWriter(log, call, stored.Span[from..]);
        log.Grow(stored.Slice(0, stored.Length));
        Count(log, call);
    }

    public void Deleted(SimObject stored, StorageCall call)
    {
        Note(call);
        var kind = ObjectNames.KindOf(stored.Key);
        var name = kind == ObjectKind.Piece ? ObjectNames.OfPiece(stored.Key).Log : stored.Key;
        if (kind is ObjectKind.Manifest or ObjectKind.Other || (Manifest?.Names(name) ?? false) || _historyLogs.Contains(name))
            throw new InvariantViolation(Invariant.V11Collected, $"{call.Storage.Process.Name} deleted {stored.Key}, which the manifest (revision {Manifest?.Revision}) names");
        if (kind == ObjectKind.Piece && stored.Span is [(byte)'\n'])
            throw new InvariantViolation(Invariant.V11Collected, $"{call.Storage.Process.Name} deleted {stored.Key}, which seals its log");
    }

    /// <summary>A power loss: what is left, and which operations are gone for good.</summary>
    public void PowerLost(IReadOnlyList<SimObject> cut)
    {
        foreach (var stored in cut)
            if (_logs.TryGetValue(stored.Key, out var log)) log.Cut(stored.Length);
        History.Forget(operation => !operation.IsInSnapshotOnly && !History.PlacesOf(operation).Any(place => Survives(operation, _logs[place.Log], place.End)));
        foreach (var operation in History.Operations)
            operation.IsInSnapshotOnly |= !Disk().IsNumbered && History.PlacesOf(operation).All(place => place.End > _logs[place.Log].Length);
        Reload();
        RequireAgreement("a power loss");
    }

    /// <summary>Whether an operation is on stable storage.</summary>
    public bool IsDurable(LoggedOperation operation) =>
        Disk().IsNumbered || History.PlacesOf(operation).Any(p => Disk().Find(p.Log) is not { } stored || stored.Durable >= p.End);

    private void Note(StorageCall call)
    {
        Changes++;
        foreach (var run in call.Steps) run.Changes++;
    }

    private bool Survives(LoggedOperation operation, LogModel log, long end)
    {
        if (Manifest?.Logs.Find(l => l.Name == log.Name) is { } entry) return end <= entry.Covered || end <= log.Length || Disk().IsNumbered;
        return log.IsAgents || operation.Stamp.Clock <= Manifest?.Snapshot.Clock; // folded into the snapshot, which is durable
    }

    private void AddPiece(SimObject stored, StorageCall call)
    {
        var (name, number) = ObjectNames.OfPiece(stored.Key);
        var log = LogOf(name);
        if (number <= log.Pieces && !log.IsRegistered && Disk().Find(name) is null) log.IsReborn = true; // its pieces are collected; only a seal may come back
        RequireNoData(log, call, stored.Span);
        if (log.IsReborn && number != log.Pieces + 1) return;
        RequireWriter(log, call, stored.Span);
        log.AddPiece(number, stored.Slice(0, stored.Length));
        Count(log, call);
    }

    // Of a single writer a write that was shut out may come when the mark in its place was collected with its log: nobody reads it, and it was said not to be there.
    private static void RequireNoData(LogModel log, StorageCall call, ReadOnlySpan<byte> bytes)
    {
        if (log.IsReborn && log.IsAgents && bytes.IndexOfAnyExcept((byte)'\n', (byte)'#') >= 0)
            throw new InvariantViolation(Invariant.I1Kept, $"{call.Storage.Process.Name} wrote to {log.Name}, which was folded and collected: {Encoding.UTF8.GetString(bytes)}");
    }

    private static void RequireWriter(LogModel log, StorageCall call, ReadOnlySpan<byte> bytes)
    {
        if (!log.IsAgents || call.Storage.Opening == log.Owner) return;
        if (bytes.IndexOfAnyExcept((byte)'\n', (byte)'#') < 0 && bytes.Length <= 3) return;
        throw new InvariantViolation(Invariant.I8OneWriter, $"{call.Storage.Process.Name} wrote to {log.Name}, which is another's: {Encoding.UTF8.GetString(bytes)}");
    }

    private LogModel LogOf(string name)
    {
        if (_logs.TryGetValue(name, out var log)) return log;
        log = new LogModel(name, Disk().IsNumbered) { IsRegistered = Manifest?.Logs.Exists(l => l.Name == name) ?? false };
        _logs.Add(name, log);
        return log;
    }

    // Takes in the lines that have come to count.
    private void Count(LogModel log, StorageCall call)
    {
        if (log.Counted == log.Operations.Count) return;
        if (!log.IsRegistered)
        {
            if (!log.IsAgents) return; // a roll copies lines before the swap; they count with it
            throw new InvariantViolation(Invariant.I1Kept, $"{call.Storage.Process.Name} wrote an operation to {log.Name}, which the manifest (revision {Manifest?.Revision}) does not name");
        }

        var agent = Manifest!.Logs.Find(l => l.Name == log.Name)!;
        var first = log.Counted;
        for (; log.Counted < log.Operations.Count; log.Counted++)
        {
            var (operation, end) = log.Operations[log.Counted];
            if (operation.Stamp.Agent != agent.Agent) throw new InvariantViolation(Invariant.V10Manifest, $"{log.Name} is registered for '{agent.Agent}' and holds {operation}");
            if (operation.Stamp.Clock <= agent.Start) throw new InvariantViolation(Invariant.I4Clocks, $"{log.Name} starts above clock {agent.Start} and holds {operation}");
            var known = History.Add(operation, log.Name, end);
            if (ReferenceEquals(known, operation)) WriterOf(operation, call.Steps)?.Lines.Add(operation);
            _stored.Apply(operation);
            if (operation.Moved is { } moved) _archives.Require(operation, moved);
        }

        for (var i = first; i < log.Counted; i++) RequireAgreement(log.Operations[i].Operation.Id, log.Operations[i].Operation);
    }

    // Of several calls at once all but one only set (ProgramGenerator), and what a step sets carries its number.
    private static StepRun? WriterOf(LoggedOperation operation, IReadOnlyList<StepRun> runs)
    {
        if (runs.Count <= 1) return runs is [var only] ? only : null;
        StepRun? other = null;
        foreach (var run in runs)
        {
            if (!run.Step.IsWrite) continue;
            if (operation.IsPlainSet && run.Step.Writes(operation.Data.Span)) return run;
            if (!run.Step.OnlySets) other = run;
        }

        return other;
    }

    private void Swap(SimObject stored, StorageCall call)
    {
        var next = Records?.Read(stored) ?? ManifestModel.Read(stored.Slice(0, stored.Length));
        if (next.Revision != (Manifest?.Revision ?? next.Revision - 1) + 1) throw new InvariantViolation(Invariant.V10Manifest, $"revision {next.Revision} follows {Manifest?.Revision}");
        Swaps++;
        var before = Manifest;
        Manifest = next;
        foreach (var log in before?.Logs ?? []) LogOf(log.Name).IsRegistered = false;
        foreach (var entry in next.Logs)
        {
            var log = LogOf(entry.Name);
            log.IsRegistered = true;
            RequireTruth(entry, log, before);
        }

        foreach (var entry in next.Retired)
        {
            if (_logs.TryGetValue(entry.Name, out var log) && log is { IsAgents: true, WasCut: false, SealedAt: { } end } && entry.Length > end)
                throw new InvariantViolation(Invariant.V10Manifest, $"{entry.Name} was retired with length {entry.Length}, but it ends at {end}");
        }

        if (before is not null && next.Snapshot.Name != before.Snapshot.Name) RequireFloor(next, before.Snapshot);
        Reload();
        foreach (var entry in next.Logs) Count(LogOf(entry.Name), call);
        RequireAgreement(next);
        _archives.List(next);
        RequireArchived();
        if (next.History != before?.History) ReadHistory(next.History);
        foreach (var name in next.Archives.SelectMany(a => a.Objects))
            if (Disk().Find(name) is null) throw Missing(name);
    }

    private void RequireTruth(RegisteredLog entry, LogModel log, ManifestModel? before)
    {
        var length = Disk().IsNumbered ? log.Pieces : log.Length;
        if ((entry.Covered > length || !log.IsBoundary(entry.Covered)) && !log.WasCut)
            throw new InvariantViolation(Invariant.V10Manifest, $"{entry.Name} is said to be covered to {entry.Covered}, which is not behind a whole line or batch of its {length}");
        var clock = Math.Max(entry.Start, log.ClockAt(entry.Covered));
        if (entry.Clock > clock && !log.WasCut) throw new InvariantViolation(Invariant.V10Manifest, $"{entry.Name} is said to have clock {entry.Clock} at its covered position {entry.Covered}; it is {clock}");
        if (before is null || !log.IsAgents || before.Logs.Exists(l => l.Name == entry.Name)) return;
        if (entry.Start < before.Snapshot.Floor) throw new InvariantViolation(Invariant.V10Manifest, $"{entry.Name} is registered to start at clock {entry.Start}, below the floor {before.Snapshot.Floor}");
        if (log.Length > 0 || log.Pieces > 0 || Disk().Find(entry.Name) is not null) throw new InvariantViolation(Invariant.I8OneWriter, $"{entry.Name} was made before it was registered");
    }

    // Whatever a log may still bring is above the floor, or a deleted record could return. What a snapshot has said it stays true.
    private void RequireFloor(ManifestModel manifest, SnapshotReference before)
    {
        if (manifest.Snapshot.Clock < before.Clock || manifest.Snapshot.Floor < before.Floor)
            throw new InvariantViolation(Invariant.V10Manifest, $"{manifest.Snapshot} falls behind {before}, which it replaces");
        foreach (var entry in manifest.Logs)
        {
            var log = LogOf(entry.Name);
            var least = Math.Max(entry.Start, log.LastClock);
            if (least < manifest.Snapshot.Floor && log.SealedAt is null && !log.WasCut)
                throw new InvariantViolation(Invariant.I3Deleted, $"the floor of {manifest.Snapshot.Name} is {manifest.Snapshot.Floor}, but {entry.Name} has only got to clock {least}");
        }
    }

    private void Reload()
    {
        if (Manifest is not { } manifest) return;
        _stored.Load(SnapshotOf(manifest.Snapshot));
        foreach (var entry in manifest.Logs)
        {
            var log = LogOf(entry.Name);
            for (var i = 0; i < log.Counted; i++)
                if (log.Operations[i].End > entry.Covered) _stored.Apply(log.Operations[i].Operation);
        }
    }

    private SnapshotModel SnapshotOf(SnapshotReference reference)
    {
        var stored = Disk().Find(reference.Name) ?? throw Missing(reference.Name);
        if (!_snapshots.TryGetValue(reference.Name, out var snapshot))
            _snapshots.Add(reference.Name, snapshot = Records?.Read(stored, reference) ?? SnapshotModel.Read(stored.Slice(0, stored.Length), reference));
        return snapshot;
    }

    private void ReadHistory(string? name)
    {
        _historyLogs.Clear();
        if (name is null) return;
        var stored = Disk().Find(name) ?? throw Missing(name);
        using var index = JsonDocument.Parse(stored.Slice(0, stored.Length));
        foreach (var log in index.RootElement.GetProperty("logs").EnumerateArray())
        {
            var kept = log.GetProperty("name").GetString()!;
            _historyLogs.Add(kept);
            if (Disk().Find(kept) is null) throw Missing(kept);
        }
    }

    private void RequireArchived()
    {
        foreach (var operation in History.Operations)
            if (operation.Moved is { } moved) _archives.Require(operation, moved);
    }

    private void RequireAgreement(object behind)
    {
        if (Manifest is null) return;
        foreach (var id in History.Winners.Keys) RequireAgreement(id, behind);
        foreach (var id in _stored.Ids)
            if (!History.Winners.ContainsKey(id)) RequireAgreement(id, behind);
    }

    // Behind what it is looked at (an operation, a manifest, a power loss) is put into words only if something is wrong.
    private void RequireAgreement(string id, object behind)
    {
        if (_stored.Difference(id, History) is not { } difference) return;
        var winner = History.Winners.GetValueOrDefault(id);
        throw new InvariantViolation(winner is null or { IsSet: true } ? Invariant.I1Kept : Invariant.I3Deleted, $"after {(behind is ManifestModel manifest ? $"revision {manifest.Revision}" : behind)}: {difference}");
    }

    private InvariantViolation Missing(string name) => new(Invariant.V10Manifest, $"the manifest (revision {Manifest?.Revision}) names {name}, which is not there");
}
