namespace OpsLog.Tests.Properties;

/// <summary>What a store must show: a dictionary, with the units that undo and redo walk over. Immutable.</summary>
internal sealed class StoreModel
{
    private readonly SortedDictionary<string, string> _records;
    private readonly IReadOnlyList<Unit> _done;
    private readonly IReadOnlyList<Unit> _undone;

    private StoreModel(SortedDictionary<string, string> records, IReadOnlyList<Unit> done, IReadOnlyList<Unit> undone) =>
        (_records, _done, _undone) = (records, done, undone);

    public static StoreModel Empty { get; } = new(new SortedDictionary<string, string>(StringComparer.Ordinal), [], []);

    public int Count => _records.Count;

    /// <summary>The whole state as one text: equal texts are equal states, byte for byte.</summary>
    public string Text => TextOf(_records);

    public static string TextOf(IEnumerable<KeyValuePair<string, string>> records) =>
        string.Join('\n', records.OrderBy(r => r.Key, StringComparer.Ordinal).Select(r => $"{r.Key} = {r.Value}"));

    /// <summary>The model behind a command.</summary>
    public StoreModel After(Command command)
    {
        switch (command)
        {
            case Command.Set or Command.Delete:
                return AfterChanges([command]);
            case Command.Batch batch:
                return AfterChanges(batch.Parts);
            case Command.Archive archive:
                return AfterChanges([.. archive.Ids.Distinct(StringComparer.Ordinal).Select(id => new Command.Delete(id))]);
            case Command.Undo when _done.Count > 0:
                return new StoreModel(With(_done[^1].Before), [.. _done.SkipLast(1)], [.. _undone, _done[^1]]);
            case Command.Redo when _undone.Count > 0:
                return new StoreModel(With(_undone[^1].After), [.. _done, _undone[^1]], [.. _undone.SkipLast(1)]);
            default:
                return this;
        }
    }

    private StoreModel AfterChanges(IReadOnlyList<Command> changes)
    {
        var before = new Dictionary<string, string?>(StringComparer.Ordinal);
        var records = new SortedDictionary<string, string>(_records, StringComparer.Ordinal);
        foreach (var change in changes)
        {
            var id = change is Command.Set set ? set.Id : ((Command.Delete)change).Id;
            if (change is Command.Delete && !records.ContainsKey(id)) continue;
            before.TryAdd(id, _records.GetValueOrDefault(id));
            if (change is Command.Set { Json: var json }) records[id] = json;
            else records.Remove(id);
        }

        if (before.Count == 0) return this;
        var after = before.Keys.ToDictionary(id => id, string? (id) => records.GetValueOrDefault(id), StringComparer.Ordinal);
        return new StoreModel(records, [.. _done, new Unit(before, after)], []);
    }

    private SortedDictionary<string, string> With(IReadOnlyDictionary<string, string?> changes)
    {
        var records = new SortedDictionary<string, string>(_records, StringComparer.Ordinal);
        foreach (var (id, json) in changes)
        {
            if (json is null) records.Remove(id);
            else records[id] = json;
        }

        return records;
    }

    private sealed record Unit(IReadOnlyDictionary<string, string?> Before, IReadOnlyDictionary<string, string?> After);
}
