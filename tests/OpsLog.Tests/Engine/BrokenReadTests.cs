using OpsLog.Storage;
using OpsLog.Testing;
using OpsLog.Tests.Faults;
using Xunit;

namespace OpsLog.Tests.Engine;

/// <summary>
/// Goal: a read that breaks off, or is cancelled, gives back what it held: a stream may hold a pooled connection, as PostgreSQL's large reads do. Method: a storage whose objects all come
/// as streams, which counts those that are open and ends them in the middle.
/// </summary>
public sealed class BrokenReadTests
{
    [Theory]
    [InlineData(true, false)]
    [InlineData(true, true)]
    [InlineData(false, false)]
    [InlineData(false, true)]
    public async Task A_read_of_history_that_ends_in_the_middle_closes_its_stream(bool appends, bool isCancelled)
    {
        var disk = new MemoryStorage(appends);
        var streams = new Streams();
        await using var store = await Lab.OpenAsync(new HookedStorage(disk) { Reading = streams.Open }, Lab.Options(o => o.Checkpoint.Automatic = false));
        for (var i = 0; i < 3; i++) await store.SetAsync("k", Lab.Doc(i));
        using var source = new CancellationTokenSource();
        streams.Break = isCancelled ? source.Cancel : () => throw new StorageException(StorageFault.Unavailable, "The connection broke.");
        if (isCancelled) await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await store.HistoryAsync("k", source.Token).ToListAsync(CancellationToken.None));
        else await Assert.ThrowsAsync<OpsLogException>(async () => await store.HistoryAsync("k").ToListAsync());
        Assert.True(streams.Opened > 0);
        Assert.Equal(0, streams.Living);
        streams.Break = null;
        Assert.Equal(3, (await store.HistoryAsync("k").ToListAsync()).Count);
        Assert.Equal(0, streams.Living);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_opening_that_cannot_read_the_snapshot_closes_its_stream(bool appends)
    {
        var disk = new MemoryStorage(appends);
        await using (var store = await Lab.OpenAsync(disk))
        {
            await store.SetAsync("k", Lab.Doc(1));
            await store.CompactAsync();
        }

        var snapshot = await Lab.SnapshotAsync(disk);
        var streams = new Streams();
        var storage = new HookedStorage(disk) { Reading = streams.Open };
        storage.Before = (call, key) =>
        {
            streams.Break = call == StorageCalls.Read && key == snapshot ? () => throw new StorageException(StorageFault.Unavailable, "The connection broke.") : null;
            return Task.CompletedTask;
        };
        await Assert.ThrowsAsync<OpsLogException>(async () => await Lab.OpenAsync(storage));
        Assert.Equal(0, streams.Living);
    }

    private sealed class Streams
    {
        private int _opened;
        private int _closed;

        /// <summary>Called with each part that is read; null: nothing is.</summary>
        public Action? Break { get; set; }

        public int Opened => Volatile.Read(ref _opened);

        public int Living => Opened - Volatile.Read(ref _closed);

        public StoredObject Open(StoredObject found) => new(new Counted(this, found.Content), found.Length, found.Version);

        private sealed class Counted : Stream
        {
            private readonly Streams _streams;
            private readonly Stream _inner;
            private bool _isClosed;

            public Counted(Streams streams, Stream inner)
            {
                (_streams, _inner) = (streams, inner);
                Interlocked.Increment(ref streams._opened);
            }

            public override bool CanRead => true;
            public override bool CanSeek => false;
            public override bool CanWrite => false;
            public override long Length => throw new NotSupportedException();
            public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

            public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
            {
                _streams.Break?.Invoke();
                cancellationToken.ThrowIfCancellationRequested();
                return _inner.ReadAsync(buffer, cancellationToken);
            }

            public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

            public override int Read(byte[] buffer, int offset, int count) => ReadAsync(buffer.AsMemory(offset, count)).AsTask().GetAwaiter().GetResult();

            public override void Flush()
            {
            }

            public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
            public override void SetLength(long value) => throw new NotSupportedException();
            public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

            protected override void Dispose(bool disposing)
            {
                if (disposing && !_isClosed) Interlocked.Increment(ref _streams._closed);
                _isClosed = true;
                base.Dispose(disposing);
            }
        }
    }
}
