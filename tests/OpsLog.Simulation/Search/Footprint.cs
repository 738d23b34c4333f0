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
    private readonly List<(string Name, bool IsWritten, bool IsPrefix)> _touched = [];

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
                if ((mine.IsWritten || its.IsWritten) && (mine.Name == its.Name || Lists(mine, its.Name) || Lists(its, mine.Name))) return false;
        return true;
    }

    private static bool Lists((string Name, bool IsWritten, bool IsPrefix) listing, string name) =>
        listing.IsPrefix && !name.StartsWith('(') && name.StartsWith(listing.Name, StringComparison.Ordinal);

    private void Add(StorageCall call)
    {
        var key = call.Key.Value;
        _touched.Add((key, call.Changes, call.Kind == CallKind.List));
        if (call.Kind == CallKind.Append) Write(Lock + key); // who appends takes the lock
        if (call.Kind == CallKind.Put) Read(Lock + key);
        if (call.Changes && ObjectNames.KindOf(key) == ObjectKind.Piece) Write(ObjectNames.OfPiece(key).Log); // which piece is the next is asked of the log
    }

    // What a manifest names is held against it.
    private void Swapped(ManifestModel? before, ManifestModel after)
    {
        foreach (var name in before?.AllNames ?? []) Read(name);
        foreach (var name in after.AllNames) Read(name);
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

    private void Read(string name) => _touched.Add((name, false, false));

    private void Write(string name) => _touched.Add((name, true, false));
}
