using System.Collections.Immutable;

namespace OpsLog.Simulation.Model;

/// <summary>
/// Every operation whose line ever counted, and the state that follows from them: for each record the one with the largest rank. It knows nothing of
/// snapshots and compactions: whatever the engine does, this must be what it shows.
/// </summary>
internal sealed class OperationHistory
{
    private Dictionary<SimStamp, LoggedOperation> _byStamp = [];
    private Dictionary<SimStamp, ImmutableArray<(string Log, long End)>> _places = [];

    public List<LoggedOperation> Operations { get; private set; } = [];

    /// <summary>The operation that decides, for each record that was ever written.</summary>
    public Dictionary<string, LoggedOperation> Winners { get; private set; } = new(StringComparer.Ordinal);

    public OperationHistory Copy() => new()
    {
        _byStamp = new(_byStamp),
        _places = new(_places),
        Operations = [.. Operations],
        Winners = new(Winners, StringComparer.Ordinal),
    };

    public LoggedOperation? Find(SimStamp stamp) => _byStamp.GetValueOrDefault(stamp);

    /// <summary>Where its line ends, in each log that holds it: a copy of a single writer's line has the same stamp.</summary>
    public ImmutableArray<(string Log, long End)> PlacesOf(LoggedOperation operation) => _places[operation.Stamp];

    /// <summary>Takes an operation in; returns the one that has been known by its stamp, if it is a copy.</summary>
    /// <param name="operation">The operation.</param>
    /// <param name="log">The log that holds its line.</param>
    /// <param name="end">Where that ends.</param>
    public LoggedOperation Add(LoggedOperation operation, string log, long end)
    {
        if (_byStamp.TryGetValue(operation.Stamp, out var known))
        {
            if ((operation.Stamp.Log.Length > 0 && !known.IsInSnapshotOnly) || !known.SaysTheSame(operation))
                throw new InvariantViolation(Invariant.I4Clocks, $"two operations share a stamp: {known}, {operation}");
            _places[operation.Stamp] = _places[operation.Stamp].Add((log, end));
            known.IsInSnapshotOnly = false; // who sealed its log has put back the newline that it lacked
            return known;
        }

        _byStamp.Add(operation.Stamp, operation);
        _places[operation.Stamp] = [(log, end)];
        Operations.Add(operation);
        Decide(operation);
        return operation;
    }

    /// <summary>A power loss has taken operations.</summary>
    public void Forget(Predicate<LoggedOperation> isLost)
    {
        var lost = Operations.FindAll(isLost);
        if (lost.Count == 0) return;
        foreach (var operation in lost)
        {
            operation.IsLost = true;
            _byStamp.Remove(operation.Stamp);
        }

        Operations.RemoveAll(o => o.IsLost);
        Winners.Clear();
        foreach (var operation in Operations) Decide(operation);
    }

    private void Decide(LoggedOperation operation)
    {
        if (operation.IsNoop) return;
        if (!Winners.TryGetValue(operation.Id, out var winner) || operation.Rank > winner.Rank) Winners[operation.Id] = operation;
    }
}
