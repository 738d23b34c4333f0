using OpsLog.Storage;

namespace OpsLog.Benchmarks;

/// <summary>Counts the calls and the bytes that go to a storage, and tells when a checkpoint runs.</summary>
internal sealed class CountingStorage(IOpsStorage inner) : IOpsStorage
{
    private long _putBytes;
    private long _appendedBytes;
    private int _checkpoint;
    private long _reads;

    public StorageCapabilities Capabilities => inner.Capabilities;

    public long PutBytes => Volatile.Read(ref _putBytes);

    /// <summary>Reads, those of no bytes (which ask for the version) included.</summary>
    public long Reads => Volatile.Read(ref _reads);

    public long AppendedBytes => Volatile.Read(ref _appendedBytes);

    /// <summary>From the first byte of a snapshot until what it supersedes has been looked through: the last thing a checkpoint does.</summary>
    public bool IsInCheckpoint => Volatile.Read(ref _checkpoint) != 0;

    public ValueTask<StoredObject?> ReadAsync(StorageKey key, ByteRange range, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _reads);
        return inner.ReadAsync(key, range, cancellationToken);
    }

    public async ValueTask<PutResult> PutAsync(StorageKey key, Stream content, PutCondition condition, CancellationToken cancellationToken)
    {
        if (key.Value.StartsWith("snapshots/", StringComparison.Ordinal)) Volatile.Write(ref _checkpoint, 1);
        var counted = new CountingStream(content);
        var result = await inner.PutAsync(key, counted, condition, cancellationToken);
        Interlocked.Add(ref _putBytes, counted.Bytes);
        return result;
    }

    public ValueTask<PutResult> AppendAsync(StorageKey key, ReadOnlyMemory<byte> bytes, long expectedLength, Flush flush, CancellationToken cancellationToken)
    {
        Interlocked.Add(ref _appendedBytes, bytes.Length);
        return inner.AppendAsync(key, bytes, expectedLength, flush, cancellationToken);
    }

    public async IAsyncEnumerable<StorageEntry> ListAsync(
        StorageKey prefix, StorageKey? after, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var entry in inner.ListAsync(prefix, after, cancellationToken)) yield return entry;
        Volatile.Write(ref _checkpoint, 0);
    }

    public ValueTask DeleteAsync(StorageKey key, CancellationToken cancellationToken) => inner.DeleteAsync(key, cancellationToken);

    public ValueTask ReleaseAsync(StorageKey key, CancellationToken cancellationToken) => inner.ReleaseAsync(key, cancellationToken);

    public ValueTask DisposeAsync() => inner.DisposeAsync();

    private sealed class CountingStream(Stream content) : Stream
    {
        public long Bytes { get; private set; }

        public override bool CanRead => true;
        public override bool CanSeek => false;
        public override bool CanWrite => false;
        public override long Length => throw new NotSupportedException();
        public override long Position { get => Bytes; set => throw new NotSupportedException(); }

        public override int Read(byte[] buffer, int offset, int count) => Count(content.Read(buffer, offset, count));

        public override int Read(Span<byte> buffer) => Count(content.Read(buffer));

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            Count(await content.ReadAsync(buffer, cancellationToken));

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        private int Count(int read)
        {
            Bytes += read;
            return read;
        }
    }
}
