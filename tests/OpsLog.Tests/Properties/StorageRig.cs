using OpsLog.Storage;
using OpsLog.Testing;

namespace OpsLog.Tests.Properties;

/// <summary>
/// A faulty storage over a crashable one, with a list of the calls made, so that a property can go through all of them: let the process die
/// at each, or let each fail. Calls are counted from 1, in the order in which they arrive.
/// </summary>
internal sealed class StorageRig : IOpsStorage
{
    private const StorageCalls Counted = StorageCalls.All & ~StorageCalls.Release;

    private readonly CrashableStorage _disk;
    private readonly FaultyStorage _faults;
    private readonly List<string> _calls = [];
    private readonly Lock _lock = new();

    public StorageRig(bool append)
        : this(new CrashableStorage(append))
    {
    }

    private StorageRig(CrashableStorage disk) => (_disk, _faults) = (disk, new FaultyStorage(disk));

    public StorageCapabilities Capabilities => _faults.Capabilities;

    /// <summary>Looks at every deletion before it happens.</summary>
    public Func<StorageKey, Task>? Deleting { get; set; }

    /// <summary>The calls so far, in words.</summary>
    public IReadOnlyList<string> Calls => _calls;

    /// <summary>Every point at which something can go wrong in these calls: the call, and how much of it has happened.</summary>
    public IEnumerable<(int Call, FaultMoment Moment)> Points => _calls.SelectMany((call, index) => Moments(call).Select(moment => (index + 1, moment)));

    /// <summary>Lets the process die at a call: neither that call nor a later one returns anything.</summary>
    public void CrashAt(int call, FaultMoment moment) => _disk.CrashAtCall(call, moment);

    /// <summary>From here on nothing fails: for looking at what is there.</summary>
    public StorageRig Healed() => new(_disk);

    /// <summary>Lets one call fail.</summary>
    public void FailAt(int call, FaultMoment moment, StorageFault fault) =>
        _faults.Inject(InjectedFault.AtCall(call - _calls.Count, Counted, moment, fault));

    /// <summary>Lets the process die here, and gives what the next one finds.</summary>
    public StorageRig Survivor(CrashLoss loss, int seed = 0) => new(_disk.Reopen(loss, seed));

    /// <summary>All bytes of an object, behind the faults.</summary>
    public async Task<byte[]> BytesAsync(StorageKey key)
    {
        await using var read = await Alive().ReadAsync(key, ByteRange.All, default);
        return (await read!.ReadToEndAsync(default)).ToArray();
    }

    /// <summary>Replaces an object, behind the faults.</summary>
    public async Task WriteAsync(StorageKey key, byte[] bytes)
    {
        using var content = new MemoryStream(bytes);
        await _disk.PutAsync(key, content, PutCondition.Always, default);
    }

    /// <summary>The names and lengths of all objects, behind the faults.</summary>
    public async Task<SortedDictionary<string, long>> LengthsAsync()
    {
        var result = new SortedDictionary<string, long>(StringComparer.Ordinal);
        await foreach (var entry in Alive().ListAsync(StorageKey.Root, null, default)) result.Add(entry.Key.Value, entry.Length);
        return result;
    }

    public ValueTask<StoredObject?> ReadAsync(StorageKey key, ByteRange range, CancellationToken cancellationToken)
    {
        Note($"read {key}");
        return _faults.ReadAsync(key, range, cancellationToken);
    }

    public ValueTask<PutResult> PutAsync(StorageKey key, Stream content, PutCondition condition, CancellationToken cancellationToken)
    {
        Note($"put {key}");
        return _faults.PutAsync(key, content, condition, cancellationToken);
    }

    public ValueTask<PutResult> AppendAsync(StorageKey key, ReadOnlyMemory<byte> bytes, long expectedLength, Flush flush, CancellationToken cancellationToken)
    {
        Note($"append {key}");
        return _faults.AppendAsync(key, bytes, expectedLength, flush, cancellationToken);
    }

    public IAsyncEnumerable<StorageEntry> ListAsync(StorageKey prefix, StorageKey? after, CancellationToken cancellationToken)
    {
        Note($"list {prefix}");
        return _faults.ListAsync(prefix, after, cancellationToken);
    }

    public async ValueTask DeleteAsync(StorageKey key, CancellationToken cancellationToken)
    {
        Note($"delete {key}");
        if (Deleting is { } look) await look(key);
        await _faults.DeleteAsync(key, cancellationToken);
    }

    public ValueTask ReleaseAsync(StorageKey key, CancellationToken cancellationToken) => _faults.ReleaseAsync(key, cancellationToken);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private static FaultMoment[] Moments(string call) => call.Split(' ')[0] switch
    {
        "append" => [FaultMoment.Before, FaultMoment.During, FaultMoment.After],
        "put" or "delete" => [FaultMoment.Before, FaultMoment.After],
        _ => [FaultMoment.Before],
    };

    private CrashableStorage Alive() => _disk.IsCrashed ? _disk.Reopen(CrashLoss.Nothing) : _disk;

    private void Note(string call)
    {
        lock (_lock)
        {
            // The calls of the dead are not among those at which something can go wrong.
            if (!_disk.IsCrashed) _calls.Add(call);
        }
    }
}
