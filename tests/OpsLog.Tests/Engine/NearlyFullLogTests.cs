using OpsLog.Storage;
using Xunit;

namespace OpsLog.Tests.Engine;

/// <summary>
/// Goal: a log in an object that takes only so many appends is ended in time, and nothing is lost. Method: a storage in memory that counts appends to each
/// object, says when there are few left, and takes no more behind the last.
/// </summary>
public sealed class NearlyFullLogTests
{
    [Theory]
    [InlineData(null, Durability.Disk)]
    [InlineData("a", Durability.Disk)]
    [InlineData("a", Durability.Os)]
    [InlineData(null, Durability.Buffered)]
    [InlineData("a", Durability.Buffered)]
    public async Task A_store_goes_on_in_another_log_before_one_is_full(string? agent, Durability durability)
    {
        var storage = new CountingAppends(nearly: 20, most: 60);
        var options = new OpsStoreOptions { AgentId = agent, Durability = durability, Checkpoint = { Automatic = false }, HistoryRetention = HistoryRetention.Forever };
        await using (var store = await OpsStore<Item>.OpenAsync(storage, options))
        {
            for (var i = 0; i < 300; i++)
            {
                await store.SetAsync($"id{i % 17}", new Item(i));
                // A single writer's checkpoint runs beside the writer; here it is not let lag.
                while (agent is null && store.Statistics.Checkpoints < storage.NearlyFull && store.Statistics.CheckpointFailure is null) await Task.Yield();
                if (durability == Durability.Buffered) await store.FlushAsync();
            }

            Assert.InRange(storage.Appended, 4, 300);
            Assert.Equal(300, await store.OperationsAsync().CountAsync());
        }

        await using var again = await OpsStore<Item>.OpenAsync(storage, new OpsStoreOptions { ReadOnly = true });
        Assert.Equal(Enumerable.Range(283, 17), again.Values.Select(v => v.Number).Order());
    }

    private sealed record Item(int Number);

    private sealed class CountingAppends(int nearly, int most) : IOpsStorage
    {
        private readonly MemoryStorage _inner = new();
        private readonly Dictionary<StorageKey, int> _appends = [];

        public StorageCapabilities Capabilities => _inner.Capabilities;

        /// <summary>How many objects were appended to.</summary>
        public int Appended => Locked(() => _appends.Count);

        /// <summary>How many objects take only few more appends.</summary>
        public int NearlyFull => Locked(() => _appends.Values.Count(count => count >= nearly));

        private T Locked<T>(Func<T> look)
        {
            lock (_appends) return look();
        }

        public async ValueTask<PutResult> AppendAsync(StorageKey key, ReadOnlyMemory<byte> bytes, long expectedLength, Flush flush, CancellationToken cancellationToken)
        {
            int count;
            lock (_appends) count = _appends[key] = _appends.GetValueOrDefault(key) + (bytes.IsEmpty ? 0 : 1);
            if (count > most) throw new StorageException(StorageFault.Full, "The object takes no more appends.");
            return await _inner.AppendAsync(key, bytes, expectedLength, flush, cancellationToken) with { IsNearlyFull = count >= nearly };
        }

        public ValueTask<StoredObject?> ReadAsync(StorageKey key, ByteRange range, CancellationToken cancellationToken) => _inner.ReadAsync(key, range, cancellationToken);

        public ValueTask<PutResult> PutAsync(StorageKey key, Stream content, PutCondition condition, CancellationToken cancellationToken) =>
            _inner.PutAsync(key, content, condition, cancellationToken);

        public IAsyncEnumerable<StorageEntry> ListAsync(StorageKey prefix, StorageKey? after, CancellationToken cancellationToken) =>
            _inner.ListAsync(prefix, after, cancellationToken);

        public ValueTask DeleteAsync(StorageKey key, CancellationToken cancellationToken) => _inner.DeleteAsync(key, cancellationToken);

        public ValueTask DisposeAsync() => _inner.DisposeAsync();
    }
}
