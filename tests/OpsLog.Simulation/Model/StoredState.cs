namespace OpsLog.Simulation.Model;

/// <summary>
/// What a reader that follows docs/format.md finds in the stored bytes: the snapshot that the manifest names, and what the registered logs hold beyond their
/// covered positions.
/// </summary>
internal sealed class StoredState
{
    private Dictionary<string, SnapshotEntryModel> _records = new(StringComparer.Ordinal);

    public StoredState Copy() => new() { _records = new(_records, StringComparer.Ordinal) };

    public void Load(SnapshotModel snapshot)
    {
        _records.Clear();
        foreach (var (id, entry) in snapshot.Entries) _records.Add(id, entry);
    }

    public void Apply(LoggedOperation operation)
    {
        if (operation.IsNoop) return;
        if (_records.TryGetValue(operation.Id, out var known) && known.Rank >= operation.Rank) return;
        var rank = operation.Rank;
        _records[operation.Id] = new SnapshotEntryModel(rank.Stamp, operation.Data, !operation.IsSet);
    }

    /// <summary>Says what is wrong with a record; null: it is what the history says.</summary>
    public string? Difference(string id, OperationHistory history)
    {
        SnapshotEntryModel? stored = _records.TryGetValue(id, out var found) && !found.IsTombstone ? found : null;
        var winner = history.Winners.TryGetValue(id, out var operation) && operation.IsSet ? operation : null;
        if (stored is null && winner is null) return null;
        if (stored is { } s && winner is not null && s.Stamp == winner.Stamp && s.Data.Span.SequenceEqual(winner.Data.Span)) return null;
        var shows = stored is { } entry ? $"{entry.Stamp} {System.Text.Encoding.UTF8.GetString(entry.Data.Span)}" : "nothing";
        return $"the stored bytes show {shows} for {id}; of all operations decides: {(operation is null ? "none" : operation.ToString())}";
    }

    public IEnumerable<string> Ids => _records.Keys;
}
