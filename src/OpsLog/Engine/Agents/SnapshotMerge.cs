namespace OpsLog.Engine.Agents;

/// <summary>
/// A snapshot taken into what is known already: of each record the larger stamp stays; a record that is the same lies in the snapshot from then on.
/// Afterwards what is not in the snapshot, and that nobody can have written without the snapshot's maker seeing it, is forgotten (docs/format.md, Tombstones).
/// Under the state's gate.
/// </summary>
internal sealed class SnapshotMerge
{
    // What the snapshot has too, but that does not lie in it.
    private readonly HashSet<string> _kept = new(StringComparer.Ordinal);
    private readonly HashSet<int> _extents = [];

    /// <summary>Takes a record or tombstone of the snapshot.</summary>
    public void Take(StoreState state, ReadOnlySpan<byte> id, RecordLocation location)
    {
        _extents.Add(location.Extent);
        if (!state.Records.TryGet(id, out var known, out _, out var handle))
        {
            state.Records.Set(id, location);
            return;
        }

        var order = state.Read(known).Stamp.CompareTo(state.Read(location).Stamp);
        if (order < 0) state.Records.Set(id, location);
        else if (order > 0 || known.IsTombstone) _kept.Add(handle.IdText());
        else if (location.IsTombstone) state.Records.Set(id, location); // archived: it ranks just above the stamp it moved
        else state.Records.Repoint(id, known, location);
    }

    /// <summary>Forgets what the snapshot has forgotten.</summary>
    /// <param name="state">The state.</param>
    /// <param name="floor">The snapshot's floor: its maker had seen every operation up to this clock.</param>
    public void Forget(StoreState state, long floor)
    {
        var gone = new List<byte[]>();
        foreach (var entry in state.Records.WithTombstones())
        {
            if (_extents.Contains(entry.Location.Extent) || state.Read(entry.Location).Clock > floor || _kept.Contains(entry.Handle.IdText())) continue;
            gone.Add(entry.Handle.Id.ToArray());
        }

        foreach (var id in gone) state.Records.Remove(id);
        state.Floor = Math.Max(state.Floor, floor); // at once: a write whose answer comes now is held against it
    }
}
