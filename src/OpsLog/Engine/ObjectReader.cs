using System.Buffers;
using System.Runtime.InteropServices;
using OpsLog.Storage;

namespace OpsLog.Engine;

/// <summary>A part of an object in memory, from <see cref="Start"/> on.</summary>
/// <param name="Start">The offset of the first byte in the log: for numbered logs counted over all pieces.</param>
/// <param name="ChecksumBase">What to take from an offset to get the one in the stored object that a checksum is seeded with.</param>
/// <param name="Memory">The bytes.</param>
/// <param name="IsLast">Whether nothing follows at the moment.</param>
/// <param name="Owner">What keeps the bytes alive.</param>
/// <param name="Key">The stored object they lie in: of a numbered log, the piece.</param>
internal readonly record struct ObjectPart(long Start, long ChecksumBase, ReadOnlyMemory<byte> Memory, bool IsLast, object? Owner, StorageKey Key)
{
    /// <summary>A copy of the next bytes of mapped memory, for the moment: reading it costs less than the first touch of the pages. Null: there is none.</summary>
    public ReadOnlyMemory<byte>? Copy { get; init; }

    /// <summary>Where in the memory the copied bytes lie; <see cref="Start"/> is that of the memory.</summary>
    public int CopyStart { get; init; }

    /// <summary>The next part overwrites the memory: who keeps it copies it.</summary>
    public bool IsReused { get; init; }

    /// <summary>The memory, and what keeps it: an array needs nobody; it is copied if it is a small part of what it would keep from being collected.</summary>
    public (ReadOnlyMemory<byte> Memory, object? Owner) ToKeep()
    {
        if (!MemoryMarshal.TryGetArray(Memory, out var segment)) return (Memory, Owner);
        return (segment.Array!.Length > 2 * segment.Count ? Memory.ToArray() : Memory, null);
    }
}

/// <summary>
/// Reads objects in windows that end at a line, so that no line is ever split and objects may be larger than an array. The consumer says
/// how much of a window it took; the next one begins there.
/// </summary>
internal static class ObjectReader
{
    public const long DefaultWindow = 256 << 20;

    /// <summary>The most bytes that can be looked at in one: as long as an array may be. A line, or a batch, that is longer cannot be read.</summary>
    public const int Most = 0x7FFFFFC7;

    private const int CopySize = 256 << 10;

    /// <summary>Reads an object's length and version; null if it is absent.</summary>
    public static async ValueTask<(long Length, StorageVersion Version)?> StatAsync(IOpsStorage storage, StorageKey key, CancellationToken ct)
    {
        var found = await storage.ReadAsync(key, new ByteRange(0, 0), ct).ConfigureAwait(false);
        if (found is null) return null;
        await using (found.ConfigureAwait(false)) return (found.Length, found.Version);
    }

    /// <summary>Reads all of a small object.</summary>
    /// <exception cref="OpsLogException">It is no small one: it is longer than an array may be (<see cref="OpsLogError.Damaged"/>).</exception>
    public static async ValueTask<(byte[] Bytes, StorageVersion Version)?> ReadAllAsync(IOpsStorage storage, StorageKey key, CancellationToken ct)
    {
        var found = await storage.ReadAsync(key, ByteRange.All, ct).ConfigureAwait(false);
        if (found is null) return null;
        await using (found.ConfigureAwait(false))
        {
            if (found.Length > Most) throw LogScanner.Refused(new Damage(DamageKind.CorruptObject, key.Value, 0, 0, found.Length, $"the object is read whole, and longer than {Most} bytes"));
            var bytes = await found.ReadToEndAsync(ct).ConfigureAwait(false);
            return (bytes.ToArray(), found.Version);
        }
    }

    /// <summary>
    /// Reads an object from an offset to its end (or to <paramref name="limit"/>). <paramref name="take"/> gets each window and returns how many bytes
    /// of it it took; bytes it leaves come again at the start of a longer window, unless the window was the last. With <paramref name="copiesMapped"/> mapped windows come
    /// in copied parts (<see cref="ObjectPart.Copy"/>), with <paramref name="reusesMemory"/> all that are read into memory come in the same (<see cref="ObjectPart.IsReused"/>).
    /// </summary>
    /// <returns>The object's length; null if it is absent.</returns>
    public static async ValueTask<long?> ReadAsync(
        IOpsStorage storage, StorageKey key, long from, long? limit, long checksumBase, Func<ObjectPart, int> take, long window, CancellationToken ct, bool oneWindow = false,
        bool copiesMapped = false, bool reusesMemory = false, int most = Most)
    {
        var position = from;
        var size = window;
        byte[]? buffer = null;
        while (true)
        {
            var wanted = limit is { } l ? Math.Min(size, l - (position - checksumBase)) : size;
            var found = await storage.ReadAsync(key, new ByteRange(position - checksumBase, wanted), ct).ConfigureAwait(false);
            if (found is null) return null;
            var isReused = reusesMemory && found.Memory is null && found.Content.CanSeek;
            if (isReused && (buffer is null || buffer.Length < found.Content.Length)) buffer = HugePages.Bytes(checked((int)found.Content.Length));
            var bytes = await BytesAsync(found, isReused ? buffer : null, ct).ConfigureAwait(false);
            var end = limit is { } cut ? Math.Min(cut, found.Length) : found.Length;
            var isLast = position - checksumBase + bytes.Length >= end;
            var part = new ObjectPart(position, checksumBase, bytes, isLast, found.Memory is null ? null : found, key) { IsReused = isReused };
            var taken = copiesMapped && found.Content is FileRangeStream file && found.Memory is not null ? TakeCopies(part, file, take) : take(part);
            if (found.Memory is not null) await found.CloseContentAsync().ConfigureAwait(false);
            if (isLast || (oneWindow && taken > 0)) return found.Length;
            if (taken == 0)
            {
                if (size >= most) throw new OpsLogException(OpsLogError.Damaged, $"A line or batch of '{key}' at offset {position} is longer than {most} bytes.");
                size = Math.Min(2 * size, most); // a line longer than the window
            }

            position += taken;
        }
    }

    /// <summary>The same of an object of which the first window has been read.</summary>
    public static async ValueTask ReadAsync(
        IOpsStorage storage, StorageKey key, StoredObject first, long from, long? limit, long checksumBase, Func<ObjectPart, int> take, long window, CancellationToken ct)
    {
        if (first.Length > window)
        {
            await first.DisposeAsync().ConfigureAwait(false);
            await ReadAsync(storage, key, from, limit, checksumBase, take, window, ct).ConfigureAwait(false);
            return;
        }

        var bytes = await BytesAsync(first, null, ct).ConfigureAwait(false);
        var (start, end) = ((int)(from - checksumBase), (int)Math.Min(limit ?? long.MaxValue, first.Length));
        take(new ObjectPart(from, checksumBase, bytes[start..Math.Max(start, end)], IsLast: true, first.Memory is null ? null : first, key));
    }

    private static int TakeCopies(in ObjectPart part, FileRangeStream file, Func<ObjectPart, int> take)
    {
        var (position, size, length) = (0, CopySize, part.Memory.Length);
        var buffer = ArrayPool<byte>.Shared.Rent(size);
        try
        {
            while (true)
            {
                var count = Math.Min(buffer.Length, length - position);
                file.ReadAt(position, buffer.AsSpan(0, count));
                var isEnd = position + count == length;
                var taken = take(part with { Copy = buffer.AsMemory(0, count), CopyStart = position, IsLast = part.IsLast && isEnd });
                position += taken;
                if (isEnd) return position;
                if (taken > 0) continue;
                var larger = ArrayPool<byte>.Shared.Rent(size = (int)Math.Min(length, 2L * size)); // for a longer line
                ArrayPool<byte>.Shared.Return(buffer);
                buffer = larger;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    // Memory lives as long as its owner. A stream is copied and closed, also if it breaks off: it may hold a connection. Into an array of the right size at once: growing one would
    // copy a large log several times over.
    private static async ValueTask<ReadOnlyMemory<byte>> BytesAsync(StoredObject found, byte[]? buffer, CancellationToken ct)
    {
        if (found.Memory is { } memory) return memory;
        await using (found.ConfigureAwait(false))
        {
            if (!found.Content.CanSeek) return await found.ReadToEndAsync(ct).ConfigureAwait(false);
            var length = checked((int)found.Content.Length);
            var bytes = buffer ?? HugePages.Bytes(length);
            var read = await found.Content.ReadAtLeastAsync(bytes.AsMemory(0, length), length, throwOnEndOfStream: false, ct).ConfigureAwait(false);
            return bytes.AsMemory(0, read);
        }
    }
}
