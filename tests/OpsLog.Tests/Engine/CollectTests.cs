using OpsLog.Storage;
using OpsLog.Tests.Faults;
using Xunit;

namespace OpsLog.Tests.Engine;

/// <summary>
/// Goal: what cannot be deleted (on Windows, a file that another process reads) keeps nothing else from being collected. Method: a storage that refuses to delete the
/// first snapshot, under many checkpoints.
/// </summary>
public sealed class CollectTests
{
    [Theory]
    [InlineData(null)]
    [InlineData("A")]
    public async Task An_object_that_cannot_be_deleted_keeps_no_other_from_going(string? agent)
    {
        var disk = new MemoryStorage();
        await using (var first = await Lab.OpenAsync(disk)) await first.SetAsync("k", Lab.Doc(0));
        var kept = await Lab.OnlyAsync(disk, "snapshots/");
        var storage = new KeepingStorage(disk, kept);
        await using var store = await Lab.OpenAsync(storage, Lab.Options(o =>
        {
            (o.AgentId, o.HistoryRetention) = (agent, HistoryRetention.None);
            o.Checkpoint.GracePeriod = TimeSpan.Zero;
        }));
        for (var i = 0; i < 10; i++)
        {
            await store.SetAsync("k", Lab.Doc(i));
            await store.CompactAsync();
        }

        var left = await Lab.NamesAsync(disk, "snapshots/");
        Assert.True(storage.Refused > 0);
        Assert.Contains(kept.Value, left);
        Assert.InRange(left.Count, 2, 3);
    }

    private sealed class KeepingStorage(IOpsStorage inner, StorageKey kept) : IOpsStorage
    {
        public int Refused { get; private set; }

        public StorageCapabilities Capabilities => inner.Capabilities;

        public ValueTask<StoredObject?> ReadAsync(StorageKey key, ByteRange range, CancellationToken cancellationToken) => inner.ReadAsync(key, range, cancellationToken);

        public ValueTask<PutResult> PutAsync(StorageKey key, Stream content, PutCondition condition, CancellationToken cancellationToken) =>
            inner.PutAsync(key, content, condition, cancellationToken);

        public ValueTask<PutResult> AppendAsync(StorageKey key, ReadOnlyMemory<byte> bytes, long expectedLength, Flush flush, CancellationToken cancellationToken) =>
            inner.AppendAsync(key, bytes, expectedLength, flush, cancellationToken);

        public IAsyncEnumerable<StorageEntry> ListAsync(StorageKey prefix, StorageKey? after, CancellationToken cancellationToken) => inner.ListAsync(prefix, after, cancellationToken);

        public ValueTask DeleteAsync(StorageKey key, CancellationToken cancellationToken)
        {
            if (key != kept) return inner.DeleteAsync(key, cancellationToken);
            Refused++;
            throw new StorageException(StorageFault.Denied, $"'{key}' is in use.");
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
