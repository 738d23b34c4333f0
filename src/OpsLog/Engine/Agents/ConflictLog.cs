namespace OpsLog.Engine.Agents;

/// <summary>
/// Writes that were overwritten by an author who had not seen them, as they were found out while operations were merged: the newest few thousand. Under the state's gate.
/// </summary>
internal sealed class ConflictLog
{
    private const int Most = 4096;
    private readonly Dictionary<Revision, Revision> _overwrittenBy = [];
    private readonly Dictionary<Revision, Revision> _overwrote = [];
    private readonly Queue<Revision> _order = new();

    public void Add(Revision loser, Revision winner)
    {
        if (!_overwrittenBy.TryAdd(loser, winner)) return;
        _overwrote[winner] = loser;
        _order.Enqueue(loser);
        if (_order.Count <= Most) return;
        if (_overwrittenBy.Remove(_order.Dequeue(), out var old)) _overwrote.Remove(old);
    }

    /// <summary>The write that won over this one, and the one that it won over.</summary>
    public (Revision OverwrittenBy, Revision Overwrote) Of(Revision revision) =>
        (_overwrittenBy.GetValueOrDefault(revision), _overwrote.GetValueOrDefault(revision));
}
