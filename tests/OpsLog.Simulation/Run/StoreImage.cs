using System.Text;
using OpsLog.Simulation.Model;

namespace OpsLog.Simulation.Run;

/// <summary>What a store showed at one time.</summary>
internal sealed class StoreImage : IOpenStore
{
    private readonly SortedDictionary<string, (Revision Revision, byte[] Json)> _records = new(StringComparer.Ordinal);

    public StoreImage(IOpenStore store)
    {
        (Count, Tombstones) = (store.Count, store.Tombstones);
        foreach (var key in store.Keys)
            if (store.TryGet(key, out var revision, out var json)) _records.Add(key, (revision, json.ToArray()));
            else throw new InvariantViolation(Invariant.I2Agree, $"a store lists {key}, but does not find it");
    }

    public int Count { get; }

    public long Tombstones { get; }

    public IReadOnlyCollection<string> Keys => _records.Keys;

    public bool TryGet(string id, out Revision revision, out ReadOnlyMemory<byte> json)
    {
        var found = _records.TryGetValue(id, out var record);
        (revision, json) = (record.Revision, record.Json);
        return found;
    }

    public override string ToString() => $"{Count} records, {Tombstones} tombstones: {string.Join(", ", _records.Select(r => $"{r.Key} = {Encoding.UTF8.GetString(r.Value.Json)} ({r.Value.Revision})"))}";
}
