using OpsLog.Simulation.Disk;
using OpsLog.Simulation.Model;
using OpsLog.Storage;

namespace OpsLog.Simulation.Run;

/// <summary>
/// What the engine did next, for each place where one of a program's processes was found (<see cref="SimProcess.Standing"/>). An exhaustive search comes through the same
/// places over and over: the engine itself runs only where nobody was before. Not thread-safe: each search has its own.
/// </summary>
internal sealed class EngineRecords
{
    private readonly Dictionary<ulong, EngineMove> _moves = [];
    private readonly Dictionary<ulong, ManifestModel> _manifests = [];
    private readonly Dictionary<(ulong, SnapshotReference), SnapshotModel> _snapshots = [];

    /// <summary>How many moves are known.</summary>
    public int Count => _moves.Count;

    public EngineMove? Find(ulong standing) => _moves.GetValueOrDefault(standing);

    /// <summary>What a manifest says.</summary>
    public ManifestModel Read(SimObject manifest)
    {
        if (!_manifests.TryGetValue(manifest.State, out var model)) _manifests.Add(manifest.State, model = ManifestModel.Read(manifest.Slice(0, manifest.Length)));
        return model;
    }

    /// <summary>What a snapshot holds, if it is what a manifest says of it.</summary>
    public SnapshotModel Read(SimObject snapshot, SnapshotReference reference)
    {
        if (!_snapshots.TryGetValue((snapshot.State, reference), out var model))
            _snapshots.Add((snapshot.State, reference), model = SnapshotModel.Read(snapshot.Slice(0, snapshot.Length), reference));
        return model;
    }

    /// <summary>Takes in what the engine did.</summary>
    /// <exception cref="InvariantViolation">It did something else here before: what tells places apart is wrong, or the engine is not deterministic.</exception>
    public EngineMove Add(ulong standing, EngineMove move)
    {
        if (_moves.TryAdd(standing, move)) return move;
        var known = _moves[standing];
        return known.IsSameAs(move) ? known : throw new InvariantViolation(Invariant.L3Deterministic, $"the engine does two things at one place: {known}; {move}");
    }
}

/// <summary>What the engine does next.</summary>
/// <param name="Releases">The locks that it gives up.</param>
/// <param name="Calls">The storage calls that it makes then.</param>
/// <param name="Due">If it waits for no call: for how long, unless it has ended its step.</param>
/// <param name="End">How it ended its step; null: it goes on.</param>
internal sealed record EngineMove(IReadOnlyList<StorageKey> Releases, IReadOnlyList<RecordedCall> Calls, TimeSpan? Due, StepOutcome? End)
{
    /// <summary>Whether nobody can tell the two apart.</summary>
    public bool IsSameAs(EngineMove other) => string.Equals(ToString(), other.ToString(), StringComparison.Ordinal);

    public override string ToString() => string.Join(", ", Releases.Select(key => $"gives up {key}").Concat(Calls.Select(call => call.ToString())).Append($"waits {Due}").Append($"ends {End}"));
}

/// <summary>How a step ended: what it returned or how it failed, and what the store shows then, if it is open.</summary>
internal sealed record StepOutcome(object? Result, Exception? Failure, StoreImage? Store)
{
    public override string ToString() => $"{Result} {Failure?.GetType().Name} {Failure?.Message} {Store}";
}
