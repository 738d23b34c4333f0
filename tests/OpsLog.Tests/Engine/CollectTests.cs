using OpsLog.Storage;
using OpsLog.Testing;
using OpsLog.Tests.Faults;
using Xunit;

namespace OpsLog.Tests.Engine;

/// <summary>
/// Goal: what cannot be deleted (on Windows, a file that another process reads) keeps nothing else from being collected, and a checkpoint that came to nothing leaves nothing.
/// Method: a storage that refuses to delete the first snapshot, under many checkpoints; checkpoints that fail, or are cancelled, at each of their calls.
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

    [Theory]
    [InlineData(true, false)]
    [InlineData(true, true)]
    [InlineData(false, false)]
    [InlineData(false, true)]
    public async Task A_checkpoint_that_fails_or_is_cancelled_before_its_swap_leaves_nothing_behind(bool append, bool isCancelled)
    {
        for (var call = 1; ; call++)
        {
            var disk = new MemoryStorage(append);
            var hooked = new HookedStorage(disk);
            using var cancellation = new CancellationTokenSource();
            await using var store = await CheckpointFaultTests.PreparedAsync(hooked);
            var before = await Lab.NamesAsync(disk);
            var (calls, swaps) = (0, false);
            hooked.Before = (kind, key) =>
            {
                swaps |= kind == StorageCalls.Put && key == Lab.Manifest;
                if (swaps || kind == StorageCalls.Delete || ++calls != call) return Task.CompletedTask;
                return isCancelled ? cancellation.CancelAsync() : throw new StorageException(StorageFault.Full, "The disk is full.");
            };
            try
            {
                await store.CompactAsync(cancellation.Token);
            }
            catch (Exception e) when (e is OpsLogException or OperationCanceledException)
            {
                Assert.True(calls >= call);
            }

            hooked.Before = null;
            if (calls < call)
            {
                Assert.True(call > 4, "hardly any call was made");
                return;
            }

            if (!swaps) Assert.Equal(before, await Lab.NamesAsync(disk));
        }
    }

    [Fact]
    public async Task What_a_failed_checkpoint_cannot_delete_is_not_its_callers_failure()
    {
        var disk = new MemoryStorage();
        var hooked = new HookedStorage(disk);
        await using var store = await CheckpointFaultTests.PreparedAsync(hooked);
        hooked.Before = (kind, key) => kind switch
        {
            StorageCalls.Delete => throw new StorageException(StorageFault.Denied, "No."),
            StorageCalls.Put when key.Value.StartsWith("ops/history-", StringComparison.Ordinal) => throw new StorageException(StorageFault.Full, "The disk is full."),
            _ => Task.CompletedTask,
        };
        var failure = await Lab.RefusedAsync(OpsLogError.StorageFailed, () => store.CompactAsync());
        Assert.Contains("The disk is full.", failure.Message, StringComparison.Ordinal);
        hooked.Before = null;
        await store.CompactAsync();
        Assert.Single(await Lab.NamesAsync(disk, "snapshots/"), name => name == store.Statistics.Snapshot);
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
