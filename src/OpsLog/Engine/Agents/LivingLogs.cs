using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using OpsLog.Storage;

namespace OpsLog.Engine.Agents;

/// <summary>
/// The logs that the openings of one storage object in this process write to. A folder's locks tell processes and storage objects apart; of two openings that share
/// an object, the storage holds the locks of both. Thread-safe.
/// </summary>
internal sealed class LivingLogs
{
    private static readonly ConditionalWeakTable<IOpsStorage, LivingLogs> s_of = [];
    private readonly ConcurrentDictionary<StorageKey, bool> _keys = new();

    /// <summary>Those of a storage object; null where no storage object holds anything, and silence is all there is to go by.</summary>
    public static LivingLogs? On(IOpsStorage storage) =>
        (storage.Capabilities & StorageCapabilities.HoldsWriters) == 0 ? null : s_of.GetValue(storage, _ => new LivingLogs());

    public bool Has(StorageKey key) => _keys.ContainsKey(key);

    public void Add(StorageKey key) => _keys[key] = true;

    public void Remove(StorageKey key) => _keys.TryRemove(key, out _);
}
