using System.Text.Json;

namespace OpsLog.Simulation.Run;

/// <summary>What an open store shows, as far as the checks look at it.</summary>
internal interface IOpenStore
{
    int Count { get; }

    long Tombstones { get; }

    IReadOnlyCollection<string> Keys { get; }

    bool TryGet(string id, out Revision revision, out ReadOnlyMemory<byte> json);
}

/// <summary>A store that is open.</summary>
internal sealed class OpenStore(OpsStore<JsonElement> store) : IOpenStore
{
    public int Count => store.Count;

    public long Tombstones => store.Statistics.Tombstones;

    public IReadOnlyCollection<string> Keys => [.. store.Keys];

    public bool TryGet(string id, out Revision revision, out ReadOnlyMemory<byte> json)
    {
        json = default;
        return store.TryGet(id, out _, out revision) && store.TryGetJson(id, out json);
    }
}
