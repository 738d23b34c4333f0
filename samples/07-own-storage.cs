// dotnet run samples/07-own-storage.cs
#:project ../src/OpsLog/OpsLog.csproj
#:property PublishAot=false

using System.Runtime.CompilerServices;
using OpsLog;
using OpsLog.Storage;

var bytes = new ShelfStorage();
await using (var store = await OpsStore<Recipe>.OpenAsync(bytes))
{
    await store.SetAsync("bread", new Recipe(["flour", "water", "salt"]));
    await store.UpdateAsync("bread", recipe => new Recipe([.. recipe.Ingredients, "time"]));
}

await using (var again = await OpsStore<Recipe>.OpenAsync(bytes))
    Console.WriteLine($"bread: {string.Join(", ", again["bread"].Ingredients)}");

// Without append there is one numbered object for each group of writes, behind an empty one that names the log.
await foreach (var entry in bytes.ListAsync(new StorageKey("ops"), null, CancellationToken.None))
    Console.WriteLine($"{entry.Key.Value.Split('-')[^1]}: {entry.Length} bytes");

internal sealed record Recipe(string[] Ingredients);

/// <summary>
/// The least a storage can be: objects under names that are written whole, on a condition. Test one's own with the contract of OpsLog.Testing.
/// </summary>
internal sealed class ShelfStorage : IOpsStorage
{
    private readonly SortedDictionary<StorageKey, (byte[] Bytes, StorageVersion Version)> _shelf = [];
    private readonly Lock _lock = new();
    private int _puts;

    public StorageCapabilities Capabilities => StorageCapabilities.ListIsOrdered;

    public ValueTask<StoredObject?> ReadAsync(StorageKey key, ByteRange range, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (!_shelf.TryGetValue(key, out var found)) return new((StoredObject?)null);   // null says: absent, and nothing else
            var start = (int)Math.Min(range.Offset, found.Bytes.Length);
            var count = (int)Math.Min(range.Length ?? long.MaxValue, found.Bytes.Length - start);
            return new(new StoredObject(found.Bytes.AsMemory(start, count), found.Bytes.Length, found.Version));
        }
    }

    public async ValueTask<PutResult> PutAsync(StorageKey key, Stream content, PutCondition condition, CancellationToken cancellationToken)
    {
        using var buffer = new MemoryStream();
        await content.CopyToAsync(buffer, cancellationToken);
        lock (_lock)                                                        // the condition is checked by the write itself, never before it
        {
            var exists = _shelf.TryGetValue(key, out var found);
            if (condition.Kind == PutConditionKind.IfAbsent && exists) return new PutResult(PutOutcome.Conflict);
            if (condition.Kind == PutConditionKind.IfVersion && (!exists || found.Version != condition.Version)) return new PutResult(PutOutcome.Conflict);
            var version = new StorageVersion($"v{++_puts}");                // never the same twice
            _shelf[key] = (buffer.ToArray(), version);
            return new PutResult(PutOutcome.Stored, version);
        }
    }

    public ValueTask<PutResult> AppendAsync(StorageKey key, ReadOnlyMemory<byte> bytes, long expectedLength, Flush flush, CancellationToken cancellationToken) =>
        throw new NotSupportedException("Capabilities says so.");

    public async IAsyncEnumerable<StorageEntry> ListAsync(StorageKey prefix, StorageKey? after, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await Task.CompletedTask;
        List<StorageEntry> listed;
        lock (_lock) listed = [.. _shelf.Select(entry => new StorageEntry(entry.Key, entry.Value.Bytes.Length, default))];
        foreach (var entry in listed)
            if (entry.Key.Value.StartsWith(prefix.Value, StringComparison.Ordinal) && (after is not { } last || entry.Key > last)) yield return entry;
    }

    public ValueTask DeleteAsync(StorageKey key, CancellationToken cancellationToken)
    {
        lock (_lock) _shelf.Remove(key);                                    // absent is success
        return ValueTask.CompletedTask;
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}

// Prints:
// bread: flour, water, salt, time
// n000000000001.jsonl: * bytes
// n000000000002.jsonl: * bytes
// *: 0 bytes
