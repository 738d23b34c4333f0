namespace OpsLog.Storage;

/// <summary>Some bytes of an object as one request gave them.</summary>
/// <param name="Bytes">The bytes of the range, cut at the object's end.</param>
/// <param name="Length">The object's whole length.</param>
/// <param name="Version">Its version.</param>
internal readonly record struct ObjectBytes(ReadOnlyMemory<byte> Bytes, long Length, StorageVersion Version)
{
    /// <summary>What stays while bytes that were once there stay: the version, or less for an object that is appended to.</summary>
    public string Identity { get; init; } = Version.Tag ?? "";
}

/// <summary>Reads ranges of objects in parts, a few at a time, all of one version.</summary>
/// <param name="read">One request: null if there is no such object.</param>
/// <param name="partSize">How many bytes one request asks for at most.</param>
/// <param name="parallel">How many requests run at once.</param>
internal sealed class PartReader(Func<StorageKey, long, long, CancellationToken, ValueTask<ObjectBytes?>> read, int partSize, int parallel)
{
    private const long LargestArray = 256 << 20;
    private const int MostTries = 5;

    /// <summary>Reads a range: up to 256 MiB as an array, more as a stream.</summary>
    public async ValueTask<StoredObject?> ReadAsync(StorageKey key, ByteRange range, CancellationToken ct)
    {
        for (var tries = 1; ; tries++)
        {
            if (await read(key, range.Offset, Math.Min(range.Length ?? long.MaxValue, partSize), ct).ConfigureAwait(false) is not { } first) return null;
            var (offset, count) = StorageGuard.Cut(range, first.Length);
            if (count == first.Bytes.Length) return new StoredObject(first.Bytes, first.Length, first.Version);
            if (count > LargestArray) return new StoredObject(new PartStream(this, key, offset, count, first), first.Length, first.Version);
            var bytes = GC.AllocateUninitializedArray<byte>((int)count);
            first.Bytes.CopyTo(bytes);
            if (await TryFillAsync(key, offset, bytes, first, ct).ConfigureAwait(false)) return new StoredObject(bytes, first.Length, first.Version);
            if (tries == MostTries) throw Replaced(key);
        }
    }

    private async ValueTask<bool> TryFillAsync(StorageKey key, long offset, byte[] bytes, ObjectBytes first, CancellationToken ct)
    {
        var same = true;
        var parts = (bytes.Length - first.Bytes.Length + partSize - 1) / partSize;
        await System.Threading.Tasks.Parallel.ForAsync(0, parts, new ParallelOptions { MaxDegreeOfParallelism = parallel, CancellationToken = ct }, async (i, token) =>
        {
            var start = first.Bytes.Length + (i * partSize);
            var count = Math.Min(partSize, bytes.Length - start);
            var part = await PartAsync(key, offset + start, count, first.Identity, token).ConfigureAwait(false);
            if (part is { } found) found.CopyTo(bytes.AsMemory(start));
            else same = false;
        }).ConfigureAwait(false);
        return same;
    }

    // Null: the object is no longer the one that was begun with.
    private async ValueTask<ReadOnlyMemory<byte>?> PartAsync(StorageKey key, long offset, int count, string identity, CancellationToken ct)
    {
        var part = await read(key, offset, count, ct).ConfigureAwait(false);
        return part is { } found && string.Equals(found.Identity, identity, StringComparison.Ordinal) && found.Bytes.Length == count ? found.Bytes : null;
    }

    private static StorageException Replaced(StorageKey key) =>
        new(StorageFault.Unavailable, $"'{key}' was replaced while it was being read. Read it again.");

    /// <summary>The parts one behind the other, the next ones already under way.</summary>
    private sealed class PartStream : Stream
    {
        private readonly PartReader _reader;
        private readonly StorageKey _key;
        private readonly string _identity;
        private readonly long _end;
        private readonly CancellationTokenSource _stopped = new();
        private readonly Queue<Task<ReadOnlyMemory<byte>?>> _coming = new();
        private ReadOnlyMemory<byte> _current;
        private long _next;

        public PartStream(PartReader reader, StorageKey key, long offset, long count, ObjectBytes first)
        {
            (_reader, _key, _identity, _current) = (reader, key, first.Identity, first.Bytes);
            (_next, _end) = (offset + first.Bytes.Length, offset + count);
        }

        public override bool CanRead => true;
        public override bool CanSeek => false;
        public override bool CanWrite => false;
        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (_current.IsEmpty)
            {
                for (; _coming.Count < _reader.Parallel && _next < _end; _next += _reader.PartSize)
                    _coming.Enqueue(_reader.PartAsync(_key, _next, (int)Math.Min(_reader.PartSize, _end - _next), _identity, _stopped.Token).AsTask());
                if (!_coming.TryPeek(out var part)) return 0;
                _current = await part.WaitAsync(cancellationToken).ConfigureAwait(false) ?? throw Replaced(_key);
                _ = _coming.Dequeue(); // not before: a read that was cancelled has taken nothing
            }

            var count = Math.Min(buffer.Length, _current.Length);
            _current[..count].CopyTo(buffer);
            _current = _current[count..];
            return count;
        }

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override int Read(byte[] buffer, int offset, int count) => ReadAsync(buffer, offset, count, CancellationToken.None).GetAwaiter().GetResult();

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing && !_stopped.IsCancellationRequested) _stopped.Cancel(); // what is under way ends unobserved
            base.Dispose(disposing);
        }
    }

    private int PartSize => partSize;

    private int Parallel => parallel;
}
