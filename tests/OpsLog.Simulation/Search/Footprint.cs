using OpsLog.Simulation.Disk;
using OpsLog.Simulation.Model;
using OpsLog.Simulation.Programs;
using OpsLog.Simulation.Run;

namespace OpsLog.Simulation.Search;

/// <summary>
/// What a transition of a process touches: stored objects, locks, and what the checks look at. Two that have nothing in common but what both only read are independent: in
/// either order they lead to the same state, and break the same invariants (P. Godefroid, Partial-Order Methods for the Verification of Concurrent Systems, 1996, chapter 3).
/// </summary>
internal sealed class Footprint
{
    // Names that no object has.
    private const string History = "(history)";
    private const string Openings = "(openings)";
    private const string Lock = "(lock) ";
    private const string Naming = "(naming) ";
    private readonly List<Touch> _touched = [];

    private enum How
    {
        Reads,
        Writes,

        /// <summary>Twice is the same as once: who deletes is not told whether there was anything.</summary>
        Deletes,
    }

    /// <summary>Lets a transition happen, and notes what it touches.</summary>
    /// <param name="simulator">Where.</param>
    /// <param name="process">Whose it is.</param>
    /// <param name="mayDie">Whether the process may die here: its locks are touched then.</param>
    /// <param name="transition">Lets it happen.</param>
    public static Footprint Of(Simulator simulator, SimProcess process, bool mayDie, Action transition)
    {
        var footprint = new Footprint();
        var call = process.Storage is { Pending: [var first, ..] } ? first : null;
        var (auditor, holders) = (simulator.Auditor, simulator.Disk.Holders);
        var (running, runs, operations, manifest, held) = (process.Running, process.Runs.Count, auditor.History.Operations.Count, auditor.Manifest, holders.ToArray());
        if (mayDie) footprint.Locks(held, process);
        transition();
        if (call is not null) footprint.Add(call);
        if (!ReferenceEquals(auditor.Manifest, manifest)) footprint.Swapped(manifest, auditor.Manifest!);
        if (auditor.History.Operations.Count != operations) footprint.Write(History);
        if (process.Runs.Count != runs) footprint.Begun(running = process.Runs[^1]);
        if (running is not { End: StepEnd.Running }) footprint.Read(History); // what it shows is held against it
        foreach (var (key, _) in held.Except(holders).Concat(holders.Except(held))) footprint.Write(Lock + key);
        if (mayDie) footprint.Locks(holders, process);
        return footprint;
    }

    public bool IsIndependentOf(Footprint other)
    {
        foreach (var mine in _touched)
            foreach (var its in other._touched)
                if ((mine.How != its.How || mine.How == How.Writes) && (mine.Name == its.Name || mine.Lists(its.Name) || its.Lists(mine.Name))) return false;
        return true;
    }

    private void Add(StorageCall call)
    {
        var key = call.Key.Value;
        if (key == ObjectNames.Manifest && (call.IsConflict || call.IsStaleLook)) return; // nobody makes an old version the newest again
        switch (call.Kind)
        {
            case CallKind.Read:
                Read(key);
                return;
            case CallKind.List:
                _touched.Add(new Touch(key, How.Reads, IsPrefix: true));
                return;
            case CallKind.Delete:
                _touched.Add(new Touch(key, How.Deletes));
                _touched.Add(new Touch(Naming + key, How.Deletes));
                break;
            case CallKind.Put:
                Write(key);
                Read(Lock + key);
                break;
            case CallKind.Append:
                Write(key);
                Write(Lock + key); // who appends takes the lock
                break;
        }

        if (ObjectNames.KindOf(key) == ObjectKind.Piece) Write(ObjectNames.OfPiece(key).Log); // which piece is the next is asked of the log
    }

    // What a manifest says of a log is held against it when it says something new, and all of them with a new snapshot: its floor is. What it names must not be deleted.
    private void Swapped(ManifestModel? before, ManifestModel after)
    {
        foreach (var name in (before?.AllNames ?? []).Concat(after.AllNames)) Read(Naming + name);
        var isNew = before is null || before.Snapshot.Name != after.Snapshot.Name;
        if (isNew) Read(after.Snapshot.Name);
        foreach (var log in after.Logs.Where(l => isNew || !before!.Logs.Contains(l))) Read(log.Name);
        foreach (var log in before?.Logs.Where(l => !after.Logs.Contains(l)) ?? []) Read(log.Name);
        foreach (var log in after.Retired.Where(l => isNew || !before!.Retired.Contains(l))) Read(log.Name);
    }

    // A step that takes in everything must show what decided when it began. Openings are numbered.
    private void Begun(StepRun run)
    {
        if (run.Step.Kind is not (StepKind.Set or StepKind.Delete or StepKind.Batch or StepKind.Close)) Read(History);
        if (run.Step.Kind == StepKind.Open) Write(Openings);
    }

    private void Locks(IEnumerable<KeyValuePair<string, SimStorage>> holders, SimProcess process)
    {
        foreach (var (key, holder) in holders)
            if (holder.Process == process) Write(Lock + key);
    }

    private void Read(string name) => _touched.Add(new Touch(name, How.Reads));

    private void Write(string name) => _touched.Add(new Touch(name, How.Writes));

    private readonly record struct Touch(string Name, How How, bool IsPrefix = false)
    {
        public bool Lists(string name) => IsPrefix && !name.StartsWith('(') && name.StartsWith(Name, StringComparison.Ordinal);
    }
}
