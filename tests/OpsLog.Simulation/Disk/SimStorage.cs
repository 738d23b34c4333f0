using System.Runtime.CompilerServices;
using OpsLog.Simulation.Run;
using OpsLog.Storage;

namespace OpsLog.Simulation.Disk;

/// <summary>
/// The shared disk as one opening of one process sees it. Its calls wait until the simulator lets them happen; a call of a dead process is never answered.
/// </summary>
internal sealed class SimStorage(SimDisk disk, SimProcess process, int opening) : IOpsStorage
{
    private readonly int _thread = Environment.CurrentManagedThreadId;

    public SimProcess Process { get; } = process;

    /// <summary>The number of the opening, over all processes.</summary>
    public int Opening { get; } = opening;

    /// <summary>Whether the process has not crashed since.</summary>
    public bool IsAlive { get; private set; } = true;

    /// <summary>The calls that wait.</summary>
    public List<StorageCall> Pending { get; } = [];

    /// <summary>A copy, on a copy of the disk, with the same locks there. Nothing waits on it yet.</summary>
    public SimStorage Copy(SimDisk disk, SimProcess process)
    {
        var copy = new SimStorage(disk, process, Opening) { IsAlive = IsAlive };
        disk.Replace(this, by: copy);
        return copy;
    }

    public long? Version(string key) => disk.Find(key)?.Version;

    /// <summary>The state of an object as one number; 0: absent.</summary>
    public ulong StateOf(string key) => disk.Find(key)?.State ?? 0;

    public StorageCapabilities Capabilities => disk.Capabilities;

    public void Die()
    {
        IsAlive = false;
        Pending.Clear();
        disk.ReleaseAll(this);
    }

    public ValueTask<StoredObject?> ReadAsync(StorageKey key, ByteRange range, CancellationToken cancellationToken) =>
        Park(new StorageCall<StoredObject?>(this, CallKind.Read, key, default, (call, _) => disk.Read(call, range),
            found => found is null ? "absent" : $"{(range.Length == 0 ? "" : $"{range.Offset}+{found.Memory!.Value.Length} of ")}{found.Length} bytes, version {found.Version}")
        {
            IsLook = range.Length == 0,
        });

    public ValueTask<PutResult> PutAsync(StorageKey key, Stream content, PutCondition condition, CancellationToken cancellationToken)
    {
        var bytes = All(content);
        return Park(new StorageCall<PutResult>(this, CallKind.Put, key, bytes, (call, _) => disk.Put(call, bytes, condition), Describe));
    }

    public ValueTask<PutResult> AppendAsync(StorageKey key, ReadOnlyMemory<byte> bytes, long expectedLength, Flush flush, CancellationToken cancellationToken)
    {
        if (disk.IsNumbered) throw new NotSupportedException("This storage cannot append.");
        var sent = bytes.ToArray(); // a call that lands late must not see what its caller has put into the buffer since
        return Park(new StorageCall<PutResult>(
            this, CallKind.Append, key, sent,
            (call, count) => disk.Append(call, sent.AsSpan(0, Math.Min(count, sent.Length)), expectedLength, count >= sent.Length ? flush : Flush.Written),
            result => $"{Describe(result)}, at {expectedLength}{(flush == Flush.Synced ? ", synced" : "")}"));
    }

    public async IAsyncEnumerable<StorageEntry> ListAsync(StorageKey prefix, StorageKey? after, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var call = new StorageCall<List<StorageEntry>>(this, CallKind.List, prefix, default, (call, _) => disk.List(call, after), found => $"{found.Count} objects");
        foreach (var entry in await Park(call).ConfigureAwait(false)) yield return entry;
    }

    public async ValueTask DeleteAsync(StorageKey key, CancellationToken cancellationToken) =>
        await Park(new StorageCall<bool>(this, CallKind.Delete, key, default, (call, _) => disk.Delete(call), found => found ? "deleted" : "absent")).ConfigureAwait(false);

    public ValueTask ReleaseAsync(StorageKey key, CancellationToken cancellationToken)
    {
        disk.Release(this, key.Value);
        return ValueTask.CompletedTask;
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private static byte[] All(Stream content)
    {
        if (content.CanSeek)
        {
            var bytes = new byte[content.Length - content.Position];
            content.ReadExactly(bytes);
            return bytes;
        }

        using var buffer = new MemoryStream();
        content.CopyTo(buffer);
        return buffer.ToArray();
    }

    private static string Describe(PutResult result) => result.IsStored ? "stored" : $"{result.Outcome}: {result.Detail}";

    private ValueTask<T> Park<T>(StorageCall<T> call)
    {
        if (Environment.CurrentManagedThreadId != _thread && !HeldPool.IsRunning)
            throw new InvalidOperationException($"{Process.Name} makes a storage call on another thread than the simulator's: the run is not deterministic.");
        if (!IsAlive) throw new InvalidOperationException($"{Process.Name} makes a storage call after its crash.");
        Pending.Add(call);
        return new ValueTask<T>(call.Task);
    }
}
