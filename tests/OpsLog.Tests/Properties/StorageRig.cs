using System.Runtime.CompilerServices;
using OpsLog.Storage;

namespace OpsLog.Tests.Properties;

/// <summary>What has happened of the storage call at which a process dies or a fault strikes.</summary>
public enum Cut
{
    /// <summary>Nothing.</summary>
    Before,

    /// <summary>Half of the appended bytes.</summary>
    Half,

    /// <summary>All of it, only the answer is missing.</summary>
    After,
}

/// <summary>
/// A storage in memory under which a process can die at any call, or one call can fail, and of which a power loss keeps only what was
/// synced. Calls are counted from 1, in the order in which they arrive.
/// </summary>
internal sealed class StorageRig(bool append) : IOpsStorage
{
    private readonly MemoryStorage _inner = new(append);
    private readonly Dictionary<StorageKey, long> _synced = [];
    private readonly List<string> _calls = [];
    private readonly Lock _lock = new();
    private int _strikeAt;
    private Cut _cut;
    private StorageException? _fault;
    private bool _isDead;

    public StorageCapabilities Capabilities => _inner.Capabilities;

    /// <summary>Looks at every deletion before it happens.</summary>
    public Func<StorageKey, Task>? Deleting { get; set; }

    /// <summary>The calls so far, in words.</summary>
    public IReadOnlyList<string> Calls => _calls;

    /// <summary>Every point at which a process with these calls can die: the call, and how much of it has happened.</summary>
    public IEnumerable<(int Call, Cut Cut)> Points => _calls.SelectMany((call, index) => Cuts(call).Select(cut => (index + 1, cut)));

    /// <summary>Lets the process die at a call: that call and all later ones never return anything.</summary>
    public void CrashAt(int call, Cut cut) => (_strikeAt, _cut, _fault) = (call, cut, null);

    /// <summary>Lets one call fail.</summary>
    public void FailAt(int call, Cut cut, StorageFault fault) => (_strikeAt, _cut, _fault) = (
        call, cut, new StorageException(fault, $"Call {call} was made to fail.") { OutcomeUnknown = cut == Cut.After });

    /// <summary>What the next process finds: a copy. With a power loss, bytes that were appended and not synced are gone.</summary>
    public async Task<StorageRig> SurvivorAsync(bool powerLoss)
    {
        var survivor = new StorageRig(append);
        await foreach (var entry in _inner.ListAsync(StorageKey.Root, null, default))
        {
            var bytes = await BytesAsync(entry.Key);
            var kept = powerLoss && _synced.TryGetValue(entry.Key, out var synced) ? bytes[..(int)synced] : bytes;
            await survivor.WriteAsync(entry.Key, kept);
        }

        return survivor;
    }

    /// <summary>All bytes of an object, behind the rig's back.</summary>
    public async Task<byte[]> BytesAsync(StorageKey key)
    {
        await using var read = await _inner.ReadAsync(key, ByteRange.All, default);
        return (await read!.ReadToEndAsync(default)).ToArray();
    }

    /// <summary>Replaces an object, behind the rig's back.</summary>
    public async Task WriteAsync(StorageKey key, byte[] bytes)
    {
        using var content = new MemoryStream(bytes);
        await _inner.PutAsync(key, content, PutCondition.Always, default);
    }

    /// <summary>The names and lengths of all objects, behind the rig's back.</summary>
    public async Task<SortedDictionary<string, long>> LengthsAsync()
    {
        var result = new SortedDictionary<string, long>(StringComparer.Ordinal);
        await foreach (var entry in _inner.ListAsync(StorageKey.Root, null, default)) result.Add(entry.Key.Value, entry.Length);
        return result;
    }

    public async ValueTask<StoredObject?> ReadAsync(StorageKey key, ByteRange range, CancellationToken cancellationToken)
    {
        if (Strikes($"read {key}")) throw Failure();
        return await _inner.ReadAsync(key, range, cancellationToken);
    }

    public async ValueTask<PutResult> PutAsync(StorageKey key, Stream content, PutCondition condition, CancellationToken cancellationToken)
    {
        var strikes = Strikes($"put {key}");
        if (strikes && _cut != Cut.After) throw Failure();
        var result = await _inner.PutAsync(key, content, condition, cancellationToken);
        if (result.IsStored) _synced.Remove(key);
        return strikes ? throw Failure() : result;
    }

    public async ValueTask<PutResult> AppendAsync(
        StorageKey key, ReadOnlyMemory<byte> bytes, long expectedLength, Flush flush, CancellationToken cancellationToken)
    {
        var strikes = Strikes($"append {key}");
        if (strikes && _cut == Cut.Before) throw Failure();
        _synced.TryAdd(key, expectedLength);
        var written = strikes && _cut == Cut.Half ? bytes[..(bytes.Length / 2)] : bytes;
        var result = await _inner.AppendAsync(key, written, expectedLength, flush, cancellationToken);
        if (result.IsStored && flush == Flush.Synced && !strikes) _synced[key] = expectedLength + written.Length;
        return strikes ? throw Failure() : result;
    }

    public async IAsyncEnumerable<StorageEntry> ListAsync(
        StorageKey prefix, StorageKey? after, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (Strikes($"list {prefix}")) throw Failure();
        await foreach (var entry in _inner.ListAsync(prefix, after, cancellationToken)) yield return entry;
    }

    public async ValueTask DeleteAsync(StorageKey key, CancellationToken cancellationToken)
    {
        var strikes = Strikes($"delete {key}");
        if (strikes && _cut != Cut.After) throw Failure();
        if (Deleting is { } look) await look(key);
        await _inner.DeleteAsync(key, cancellationToken);
        if (strikes) throw Failure();
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private static Cut[] Cuts(string call) => call.Split(' ')[0] switch
    {
        "append" => [Cut.Before, Cut.Half, Cut.After],
        "put" or "delete" => [Cut.Before, Cut.After],
        _ => [Cut.Before],
    };

    private bool Strikes(string call)
    {
        lock (_lock)
        {
            if (_isDead)
            {
                // The dead do nothing more, whatever the fatal call still did.
                _cut = Cut.Before;
                return true;
            }

            _calls.Add(call);
            if (_calls.Count != _strikeAt) return false;
            _isDead = _fault is null;
            return true;
        }
    }

    private StorageException Failure() => _fault ?? new StorageException(StorageFault.Broken, "The process is dead.");
}
