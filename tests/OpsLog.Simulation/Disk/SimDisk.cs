using OpsLog.Storage;

namespace OpsLog.Simulation.Disk;

/// <summary>
/// The stored bytes that all simulated processes share. Every method is one atomic step. Puts and deletes are durable at once; appended
/// bytes when they are synced.
/// </summary>
internal sealed class SimDisk(bool append, bool holdsWriters, DiskDefect defect = DiskDefect.None)
{
    private Dictionary<string, SimObject> _objects = new(StringComparer.Ordinal);
    private Dictionary<string, long> _versions = new(StringComparer.Ordinal);
    private Dictionary<string, SimStorage> _holders = new(StringComparer.Ordinal);
    private int _appends;

    public StorageCapabilities Capabilities => Mirror?.Capabilities ??
        ((append ? StorageCapabilities.Append : StorageCapabilities.None) | (holdsWriters ? StorageCapabilities.HoldsWriters : StorageCapabilities.None) | StorageCapabilities.ListIsOrdered);

    public required IDiskWatcher Watcher { get; set; }

    /// <summary>Where everything happens as well; null: nowhere.</summary>
    public IDiskMirror? Mirror { get; init; }

    /// <summary>The time of the disk's own clock.</summary>
    public DateTimeOffset Now { get; set; }

    public IEnumerable<SimObject> Objects => _objects.Values;

    public bool IsNumbered => !append;

    /// <summary>Who holds which lock.</summary>
    public IReadOnlyDictionary<string, SimStorage> Holders => _holders;

    public SimObject? Find(string key) => _objects.GetValueOrDefault(key);

    /// <summary>A copy, which somebody else watches. Its locks are the original's holders' until these are copied too (<see cref="Replace"/>).</summary>
    public SimDisk Copy(IDiskWatcher watcher)
    {
        var copy = (SimDisk)MemberwiseClone();
        (copy._objects, copy._versions, copy._holders) = (new(_objects, StringComparer.Ordinal), new(_versions, StringComparer.Ordinal), new(_holders, StringComparer.Ordinal));
        copy.Watcher = watcher;
        return copy;
    }

    /// <summary>What one held, another holds from now on.</summary>
    public void Replace(SimStorage holder, SimStorage by)
    {
        foreach (var (key, held) in _holders.ToList())
            if (ReferenceEquals(held, holder)) _holders[key] = by;
    }

    public StoredObject? Read(StorageCall call, ByteRange range)
    {
        var found = Slice(call.Key.Value, range);
        return Mirror is null ? found : Mirror.Read(call, range, found);
    }

    private StoredObject? Slice(string key, ByteRange range)
    {
        if (!_objects.TryGetValue(key, out var found)) return null;
        var offset = (int)Math.Min(range.Offset, found.Length);
        var count = (int)Math.Min(range.Length ?? long.MaxValue, found.Length - offset);
        return new StoredObject(found.Slice(offset, count), found.Length, found.Tag);
    }

    public PutResult Put(StorageCall call, byte[] bytes, PutCondition condition)
    {
        var result = Swap(call, bytes, condition);
        Mirror?.Put(call, bytes, condition, result);
        return result;
    }

    private PutResult Swap(StorageCall call, byte[] bytes, PutCondition condition)
    {
        var key = call.Key.Value;
        var before = _objects.GetValueOrDefault(key);
        if (condition.Kind == PutConditionKind.IfAbsent && before is not null && defect != DiskDefect.IgnoresAbsence) return new PutResult(PutOutcome.Conflict, Detail: "The object exists.");
        if (condition.Kind == PutConditionKind.IfVersion && before?.Tag != condition.Version && (defect != DiskDefect.IgnoresVersion || before is null))
            return new PutResult(PutOutcome.Conflict, Detail: "The object has another version.");
        if (HeldByAnother(key, call.Storage, appends: false) is { } holder) return new PutResult(PutOutcome.Held, Detail: $"Process {holder.Process.Name} holds the object.");
        var stored = new SimObject(key, bytes, NextVersion(key), Now, call.Storage.Opening);
        _objects[key] = stored;
        if (before is null) Watcher.Created(stored, call);
        else Watcher.Replaced(stored, before, call);
        return new PutResult(PutOutcome.Stored, stored.Tag);
    }

    /// <param name="call">Who appends to what.</param>
    /// <param name="bytes">The bytes; only the first of them if the append is torn.</param>
    /// <param name="expectedLength">The length the object must have.</param>
    /// <param name="flush">Whether they are synced.</param>
    public PutResult Append(StorageCall call, ReadOnlySpan<byte> bytes, long expectedLength, Flush flush)
    {
        var result = Extend(call, bytes, expectedLength, flush);
        Mirror?.Append(call, bytes, expectedLength, flush, result);
        return result;
    }

    private PutResult Extend(StorageCall call, ReadOnlySpan<byte> bytes, long expectedLength, Flush flush)
    {
        var key = call.Key.Value;
        if (!_objects.TryGetValue(key, out var stored)) return new PutResult(PutOutcome.Conflict, Detail: "There is no such object.");
        if (HeldByAnother(key, call.Storage, appends: true) is { } holder) return new PutResult(PutOutcome.Held, Detail: $"Process {holder.Process.Name} holds the object.");
        if (stored.Length != expectedLength && defect != DiskDefect.IgnoresAppendCondition)
            return new PutResult(PutOutcome.Conflict, Detail: $"The object is {stored.Length} bytes long, not {expectedLength}.");
        // A claim is a first append that succeeds.
        if (holdsWriters && call.Storage.IsAlive) Hold(key, call.Storage);
        if (bytes.Length > 0 && defect == DiskDefect.LosesAppends && ++_appends % 4 == 0) return default;
        var from = stored.Length;
        if (bytes.Length > 0) stored = stored.Append(bytes, NextVersion(key), Now);
        if (flush == Flush.Synced && defect != DiskDefect.IgnoresSync) stored = stored.Sync();
        _objects[key] = stored;
        if (bytes.Length > 0) Watcher.Appended(stored, from, call);
        return default;
    }

    public List<StorageEntry> List(StorageCall call, StorageKey? after)
    {
        var entries = new List<StorageEntry>();
        foreach (var stored in _objects.Values)
        {
            if (!stored.Key.StartsWith(call.Key.Value, StringComparison.Ordinal)) continue;
            var key = new StorageKey(stored.Key);
            if (after is not { } last || key > last) entries.Add(new StorageEntry(key, stored.Length, stored.Modified));
        }

        entries.Sort(static (a, b) => a.Key.CompareTo(b.Key));
        return Mirror is null ? entries : Mirror.List(call, after, entries);
    }

    public bool Delete(StorageCall call)
    {
        Mirror?.Delete(call);
        if (defect == DiskDefect.KeepsDeleted || !_objects.Remove(call.Key.Value, out var stored)) return false;
        Watcher.Deleted(stored, call);
        return true;
    }

    public void Release(SimStorage storage, string key)
    {
        if (!_holders.TryGetValue(key, out var holder) || !ReferenceEquals(holder, storage)) return;
        _holders.Remove(key);
        if (IsSingleWriterLog(key) && !_holders.Any(h => ReferenceEquals(h.Value, storage) && IsSingleWriterLog(h.Key))) _holders.Remove(StoreLock);
    }

    /// <summary>The locks of a process that died are free.</summary>
    public void ReleaseAll(SimStorage storage)
    {
        foreach (var (key, holder) in _holders)
            if (ReferenceEquals(holder, storage)) _holders.Remove(key);
    }

    /// <summary>Whether a living process holds the object.</summary>
    public bool IsHeld(string key) => _holders.ContainsKey(key);

    /// <summary>A power loss: each object keeps what is durable, and of the rest a beginning.</summary>
    public void LosePower(ref SimRandom random, Action<SimObject> cut)
    {
        foreach (var stored in _objects.Values.ToList())
        {
            if (stored.Durable == stored.Length) continue;
            var kept = stored.Durable + random.Next(stored.Length - stored.Durable + 1);
            if (random.Next(3) == 0) kept = stored.Durable;
            if (kept == stored.Length)
            {
                _objects[stored.Key] = stored.Sync();
                continue;
            }

            _objects[stored.Key] = stored.Cut(kept, NextVersion(stored.Key));
            cut(_objects[stored.Key]);
        }
    }

    /// <summary>All of the disk as one number, for telling states apart.</summary>
    /// <param name="without">Whose locks do not count.</param>
    public ulong Fingerprint(SimStorage? without = null)
    {
        ulong sum = 0;
        foreach (var stored in _objects.Values) sum += stored.Fingerprint;
        foreach (var (key, holder) in _holders)
            if (!ReferenceEquals(holder, without)) sum += Hashing.Add(Hashing.Of(key), (ulong)holder.Opening);
        return sum;
    }

    private SimStorage? HeldByAnother(string key, SimStorage storage, bool appends)
    {
        if (!holdsWriters) return null;
        if (_holders.TryGetValue(key, out var holder) && !ReferenceEquals(holder, storage)) return holder;
        return appends && IsSingleWriterLog(key) && _holders.TryGetValue(StoreLock, out holder) && !ReferenceEquals(holder, storage) ? holder : null;
    }

    // As in a folder: the logs of a single writer are under the lock of the whole store too.
    private void Hold(string key, SimStorage storage)
    {
        _holders[key] = storage;
        if (IsSingleWriterLog(key)) _holders[StoreLock] = storage;
    }

    private const string StoreLock = ".lock";

    private static bool IsSingleWriterLog(string key) => key.StartsWith("ops/ops-", StringComparison.Ordinal);

    private long NextVersion(string key) => _versions[key] = _versions.GetValueOrDefault(key) + 1;
}
