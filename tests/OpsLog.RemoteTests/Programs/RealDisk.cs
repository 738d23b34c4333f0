using OpsLog.RemoteTests.Stores;
using OpsLog.Simulation.Disk;
using OpsLog.Simulation.Model;
using OpsLog.Storage;

namespace OpsLog.RemoteTests.Programs;

/// <summary>
/// The real server behind a simulated disk: each process has a client of its own, every call happens here at the moment it happens there, and must be answered alike:
/// won or lost, which bytes, which names.
/// </summary>
internal sealed class RealDisk(RemotePlace place) : IDiskMirror, IAsyncDisposable
{
    private readonly Dictionary<int, IOpsStorage> _clients = [];
    private readonly Dictionary<(string Key, string? Tag), StorageVersion> _versions = [];

    public StorageCapabilities Capabilities { get; } = place.Connect().Capabilities & ~(StorageCapabilities.Notify | StorageCapabilities.HoldsWriters);

    public StoredObject? Read(StorageCall call, ByteRange range, StoredObject? expected)
    {
        var found = Wait(ClientOf(call).ReadAsync(call.Key, range, default));
        if (found is null != expected is null) throw Differs(call, Say(found), Say(expected));
        if (found is null) return null;
        var bytes = Wait(found.ReadToEndAsync(default));
        if (found.Length != expected!.Length || !bytes.Span.SequenceEqual(expected.Memory!.Value.Span)) throw Differs(call, Say(found), Say(expected));
        _versions[(call.Key.Value, expected.Version.Tag)] = found.Version;
        return new StoredObject(bytes, found.Length, expected.Version);
    }

    public void Put(StorageCall call, byte[] bytes, PutCondition condition, PutResult expected)
    {
        var real = condition.Kind == PutConditionKind.IfVersion ? PutCondition.IfVersion(VersionOf(call.Key.Value, condition.Version.Tag)) : condition;
        using var content = new MemoryStream(bytes);
        var result = Wait(ClientOf(call).PutAsync(call.Key, content, real, default));
        if (result.Outcome != expected.Outcome) throw Differs(call, $"{result.Outcome}: {result.Detail}", expected.Outcome.ToString());
        if (result.IsStored) _versions[(call.Key.Value, expected.Version.Tag)] = result.Version;
    }

    public void Append(StorageCall call, ReadOnlySpan<byte> bytes, long expectedLength, Flush flush, PutResult expected)
    {
        var result = Wait(ClientOf(call).AppendAsync(call.Key, bytes.ToArray(), expectedLength, flush, default));
        if (result.Outcome != expected.Outcome) throw Differs(call, $"{result.Outcome}: {result.Detail}", expected.Outcome.ToString());
    }

    public List<StorageEntry> List(StorageCall call, StorageKey? after, List<StorageEntry> expected)
    {
        var found = Wait(new ValueTask<List<StorageEntry>>(Task.Run(async () => await ClientOf(call).ListAsync(call.Key, after, default).ToListAsync())));
        var known = expected.ToDictionary(entry => entry.Key);
        if (found.Count != expected.Count || !found.TrueForAll(entry => known.TryGetValue(entry.Key, out var same) && same.Length == entry.Length))
            throw Differs(call, string.Join(' ', found.Select(entry => $"{entry.Key}:{entry.Length}")), string.Join(' ', expected.Select(entry => $"{entry.Key}:{entry.Length}")));
        return [.. found.Select(entry => known[entry.Key])]; // in the server's order, with the simulation's times
    }

    public void Delete(StorageCall call) => Wait(new ValueTask<bool>(DeleteAsync(call)));

    public async ValueTask DisposeAsync()
    {
        foreach (var client in _clients.Values) await client.DisposeAsync();
    }

    private async Task<bool> DeleteAsync(StorageCall call)
    {
        await ClientOf(call).DeleteAsync(call.Key, default);
        return true;
    }

    // The condition that a storage must not take, when an opening probes whether it looks at conditions, is the manifest's version for another object.
    private StorageVersion VersionOf(string key, string? tag) => _versions.TryGetValue((key, tag), out var version) ? version : _versions[("manifest.json", tag)];

    private IOpsStorage ClientOf(StorageCall call)
    {
        if (!_clients.TryGetValue(call.Storage.Process.Index, out var client)) _clients[call.Storage.Process.Index] = client = place.Connect();
        return client;
    }

    // A simulated call happens in one step, on one thread.
    private static T Wait<T>(ValueTask<T> call) => call.AsTask().GetAwaiter().GetResult();

    private static string Say(StoredObject? found) => found is null ? "nothing" : $"an object of {found.Length} bytes";

    private static InvariantViolation Differs(StorageCall call, string found, string expected) =>
        new("R1 the server does as the model", $"{call.Storage.Process.Name}'s {call}: {found}; it should have been {expected}");
}
