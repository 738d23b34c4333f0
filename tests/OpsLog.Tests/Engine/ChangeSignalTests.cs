using OpsLog.Engine;
using OpsLog.Storage;
using Xunit;

namespace OpsLog.Tests.Engine;

/// <summary>Goal: who waits for changes on a storage with notices is woken by each, and leaves nothing behind while none comes. Method: a storage whose notices the test gives.</summary>
public sealed class ChangeSignalTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    [Fact]
    public void Asking_again_and_again_while_no_notice_comes_takes_no_memory()
    {
        const int Times = 10_000;
        var storage = new NotifyingStorage();
        var signal = new ChangeSignal(storage, TimeProvider.System);
        _ = signal.Next();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < Times; i++) _ = signal.Next();
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < Times, $"{GC.GetAllocatedBytesForCurrentThread() - before} bytes");
        Assert.Equal(1, storage.Asked);
    }

    [Fact]
    public async Task Every_notice_and_every_change_here_wakes()
    {
        var storage = new NotifyingStorage();
        var signal = new ChangeSignal(storage, TimeProvider.System);
        for (var i = 0; i < 3; i++)
        {
            var (first, second) = (signal.Next(), signal.Next());
            Assert.False(first.IsCompleted || second.IsCompleted);
            storage.Tell();
            await Task.WhenAll(first, second).WaitAsync(s_patience);
            var third = signal.Next();
            signal.Raise();
            await third.WaitAsync(s_patience);
        }
    }

    private sealed class NotifyingStorage : IOpsStorage
    {
        private TaskCompletionSource _notice = new();

        public int Asked { get; private set; }

        public StorageCapabilities Capabilities => StorageCapabilities.Notify;

        public void Tell() => Interlocked.Exchange(ref _notice, new TaskCompletionSource()).SetResult();

        public Task NextChangeAsync()
        {
            Asked++;
            return _notice.Task;
        }

        public ValueTask<StoredObject?> ReadAsync(StorageKey key, ByteRange range, CancellationToken cancellationToken) => throw new NotSupportedException();

        public ValueTask<PutResult> PutAsync(StorageKey key, Stream content, PutCondition condition, CancellationToken cancellationToken) => throw new NotSupportedException();

        public ValueTask<PutResult> AppendAsync(StorageKey key, ReadOnlyMemory<byte> bytes, long expectedLength, Flush flush, CancellationToken cancellationToken) => throw new NotSupportedException();

        public IAsyncEnumerable<StorageEntry> ListAsync(StorageKey prefix, StorageKey? after, CancellationToken cancellationToken) => throw new NotSupportedException();

        public ValueTask DeleteAsync(StorageKey key, CancellationToken cancellationToken) => throw new NotSupportedException();

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
