using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace OpsLog.Storage;

/// <summary>
/// The copies that a <see cref="CachedStorage"/> keeps: one object per name, the content followed by a seal that says of which version it is, how long, and its checksum. A failure of
/// the cache is never the caller's: it is as if there were no copy. Names are 32 hexadecimal digits; nothing else is counted or deleted.
/// </summary>
internal sealed class CacheEntries(IOpsStorage cache, long maxBytes) : IAsyncDisposable
{
    private const int SealLength = 56; // magic 8, length 8, checksum of the content 4, of the seal 4, SHA-256 of name and version 32
    private const int ChecksumAt = 20;
    private const int CopyBytes = 256 << 10;
    private const int NameLength = 32;
    private static readonly SearchValues<char> s_hex = SearchValues.Create("0123456789abcdef");

    private static ReadOnlySpan<byte> Magic => "opslogc1"u8;

    public long MaxBytes => maxBytes;

    /// <summary>A range of a copy; null if it is not there or not that version. Its checksum is not looked at.</summary>
    public async ValueTask<StoredObject?> ReadAsync(StorageKey key, ByteRange range, long length, StorageVersion version, CancellationToken ct)
    {
        var (offset, count) = StorageGuard.Cut(range, length);
        try
        {
            var name = NameOf(key);
            if (await SealAsync(name, key, length, version, ct).ConfigureAwait(false) is null) return null;
            if (await cache.ReadAsync(name, new ByteRange(offset, count), ct).ConfigureAwait(false) is not { } found) return null;
            if (found.Length == length + SealLength)
                return found.Memory is { } memory ? new StoredObject(memory, length, version, new Owner(found)) : new StoredObject(found.Content, length, version);
            await found.DisposeAsync().ConfigureAwait(false);
            return null;
        }
        catch (StorageException)
        {
            return null; // as if there were none
        }
    }

    /// <summary>Whether there is a copy of that version and its checksum holds.</summary>
    public async ValueTask<bool> HoldsAsync(StorageKey key, long length, StorageVersion version, CancellationToken ct)
    {
        try
        {
            var name = NameOf(key);
            if (await SealAsync(name, key, length, version, ct).ConfigureAwait(false) is not { } expected) return false;
            if (await cache.ReadAsync(name, new ByteRange(0, length), ct).ConfigureAwait(false) is not { } found) return false;
            await using (found.ConfigureAwait(false))
            {
                var checksum = Crc32C.Start();
                if (found.Memory is { } memory)
                {
                    checksum.Append(memory.Span);
                    return checksum.Value == expected;
                }

                var buffer = new byte[CopyBytes];
                while (await found.Content.ReadAsync(buffer, ct).ConfigureAwait(false) is var count and > 0) checksum.Append(buffer.AsSpan(0, count));
                return checksum.Value == expected;
            }
        }
        catch (StorageException)
        {
            return false;
        }
    }

    /// <summary>Keeps a copy; false if the cache cannot. What fails is the content's, and thrown.</summary>
    public async ValueTask<bool> TryWriteAsync(StorageKey key, StoredObject found, CancellationToken ct)
    {
        using var content = new SealedStream(found.Content, checksum => Seal(key, found.Length, found.Version, checksum));
        try
        {
            await MakeRoomAsync(NameOf(key), found.Length + SealLength, ct).ConfigureAwait(false);
            return (await cache.PutAsync(NameOf(key), content, PutCondition.Always, ct).ConfigureAwait(false)).IsStored && content.Count == found.Length;
        }
        catch (StorageException) when (!content.HasFailed)
        {
            return false;
        }
    }

    /// <summary>Drops a copy.</summary>
    public async ValueTask RemoveAsync(StorageKey key)
    {
        try
        {
            await cache.DeleteAsync(NameOf(key), CancellationToken.None).ConfigureAwait(false);
        }
        catch (StorageException)
        {
            // It stays until there is no room for it.
        }
    }

    public ValueTask DisposeAsync() => cache.DisposeAsync();

    private static StorageKey NameOf(StorageKey key) => new(Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key.Value)).AsSpan(0, NameLength / 2)));

    // Whatever else lies there is somebody's.
    private static bool IsOwn(StorageKey name) => name.Value.Length == NameLength && !name.Value.AsSpan().ContainsAnyExcept(s_hex);

    private static byte[] Seal(StorageKey key, long length, StorageVersion version, uint checksum)
    {
        var seal = new byte[SealLength];
        Magic.CopyTo(seal);
        BinaryPrimitives.WriteInt64LittleEndian(seal.AsSpan(8), length);
        BinaryPrimitives.WriteUInt32LittleEndian(seal.AsSpan(16), checksum);
        SHA256.HashData(Encoding.UTF8.GetBytes($"{key}\n{version}"), seal.AsSpan(ChecksumAt + 4));
        BinaryPrimitives.WriteUInt32LittleEndian(seal.AsSpan(ChecksumAt), Crc32C.Of(seal.AsSpan(ChecksumAt + 4)) ^ checksum);
        return seal;
    }

    // The checksum of the content of a copy; null if it is no copy of that version.
    private async ValueTask<uint?> SealAsync(StorageKey name, StorageKey key, long length, StorageVersion version, CancellationToken ct)
    {
        if (await cache.ReadAsync(name, new ByteRange(length, SealLength), ct).ConfigureAwait(false) is not { } found) return null;
        await using (found.ConfigureAwait(false))
        {
            if (found.Length != length + SealLength) return null;
            var seal = await found.ReadToEndAsync(ct).ConfigureAwait(false);
            if (seal.Length != SealLength) return null;
            var checksum = BinaryPrimitives.ReadUInt32LittleEndian(seal.Span[16..]);
            return seal.Span.SequenceEqual(Seal(key, length, version, checksum)) ? checksum : null;
        }
    }

    private async ValueTask MakeRoomAsync(StorageKey wanted, long bytes, CancellationToken ct)
    {
        var there = new List<StorageEntry>();
        await foreach (var entry in cache.ListAsync(StorageKey.Root, null, ct).ConfigureAwait(false))
            if (entry.Key != wanted && IsOwn(entry.Key)) there.Add(entry);
        var sum = bytes + there.Sum(e => e.Length);
        foreach (var old in there.OrderBy(e => e.LastModified))
        {
            if (sum <= maxBytes + SealLength) return;
            await cache.DeleteAsync(old.Key, ct).ConfigureAwait(false);
            sum -= old.Length;
        }
    }

    /// <summary>Keeps what was read from the cache alive as long as the bytes that are handed out.</summary>
    private sealed class Owner(StoredObject found) : IDisposable
    {
        // Bytes at hand: nothing is waited for.
        public void Dispose() => found.DisposeAsync().AsTask().GetAwaiter().GetResult();
    }

    /// <summary>A content with its seal behind it.</summary>
    private sealed class SealedStream(Stream inner, Func<uint, byte[]> seal) : Stream
    {
        private Crc32C _checksum = Crc32C.Start();
        private byte[]? _seal;
        private int _sealRead;

        /// <summary>How many bytes the content had.</summary>
        public long Count { get; private set; }

        /// <summary>Whether the content broke off.</summary>
        public bool HasFailed { get; private set; }

        public override bool CanRead => true;
        public override bool CanSeek => false;
        public override bool CanWrite => false;
        public override long Length => throw new NotSupportedException();
        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (_seal is null)
            {
                HasFailed = true;
                var count = await inner.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
                HasFailed = false;
                _checksum.Append(buffer.Span[..count]);
                Count += count;
                if (count > 0 || buffer.IsEmpty) return count;
                _seal = seal(_checksum.Value);
            }

            var rest = Math.Min(buffer.Length, _seal.Length - _sealRead);
            _seal.AsSpan(_sealRead, rest).CopyTo(buffer.Span);
            _sealRead += rest;
            return rest;
        }

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override int Read(byte[] buffer, int offset, int count) => ReadAsync(buffer.AsMemory(offset, count)).AsTask().GetAwaiter().GetResult();

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
