using System.Numerics;
using OpsLog.Engine.Agents;
using OpsLog.Storage;

namespace OpsLog.Engine;

/// <summary>
/// Where documents stay in the objects they are stored in: reads them in blocks, of which the ones used lately are kept. One for each state;
/// safe for concurrent calls.
/// </summary>
/// <param name="storage">Where the objects are.</param>
/// <param name="cacheBytes">How many bytes of blocks are kept.</param>
/// <param name="notes">Takes what has to be held in memory instead.</param>
internal sealed class DiskDocuments(IOpsStorage storage, long cacheBytes, DamageNotes notes)
{
    /// <summary>Fewer bytes of an object than these stay in memory: a log that grows line by line need not be looked at each time.</summary>
    public long Few { get; } = Math.Min(256 << 10, cacheBytes);

    /// <summary>How much is read at once on opening.</summary>
    public const int LoadWindow = 1 << 20;

    private readonly Block?[] _blocks = new Block?[BitOperations.RoundUpToPowerOf2((uint)Math.Clamp(cacheBytes / DiskObject.BlockSize, 1, 1 << 24))];

    /// <summary>Whether the storage hands out neither files nor memory: documents are held in memory there.</summary>
    public bool IsFar { get; set; }

    /// <summary>An object that lines are read from on demand.</summary>
    /// <returns>Null where that cannot be: offsets in a numbered log are those of many objects.</returns>
    public DiskObject? Open(string name, bool isLog = false) =>
        IsFar || (isLog && (storage.Capabilities & StorageCapabilities.Append) == 0) ? null : new DiskObject(this, storage, new StorageKey(name), isLog);

    /// <summary>What has to be held in memory, and why.</summary>
    public DamageNotes Notes => notes;

    /// <summary>A block of an object, at least up to an offset in it.</summary>
    public byte[] Get(DiskObject source, long number, int needed)
    {
        ref var slot = ref _blocks[(int)(((ulong)number * 0x9E3779B97F4A7C15) ^ ((uint)source.GetHashCode() * 0xC2B2AE3D27D4EB4F) >> 16) & (_blocks.Length - 1)];
        if (Volatile.Read(ref slot) is { } known && known.Number == number && known.Source == source && known.Bytes.Length >= needed) return known.Bytes;
        var bytes = source.Read(number * DiskObject.BlockSize, DiskObject.BlockSize);
        if (source.IsLeft) return bytes;
        source.HasBlocks = true;
        Volatile.Write(ref slot, new Block(source, number, bytes));
        Interlocked.MemoryBarrier(); // it may be left just now: either its blocks are looked for behind this one, or it is seen here
        if (source.IsLeft) Volatile.Write(ref slot, null);
        return bytes;
    }

    /// <summary>Forgets the blocks of an object that nothing new is read from. It stays open for who still reads it; with the last of them its file is closed.</summary>
    public void Forget(DiskObject source)
    {
        foreach (ref var slot in _blocks.AsSpan())
            if (Volatile.Read(ref slot)?.Source == source) Volatile.Write(ref slot, null);
    }

    private sealed record Block(DiskObject Source, long Number, byte[] Bytes);
}

/// <summary>The block that was read last, for who goes through objects once: in the cache it would only take the place of what is read again.</summary>
internal sealed class LastBlock
{
    private DiskObject? _source;
    private long _number;
    private byte[] _bytes = [];

    /// <summary>As that of <see cref="DiskDocuments"/>.</summary>
    public byte[] Get(DiskObject source, long number, int needed)
    {
        if (_source != source || _number != number || _bytes.Length < needed)
            (_source, _number, _bytes) = (source, number, source.Read(number * DiskObject.BlockSize, DiskObject.BlockSize));
        return _bytes;
    }
}

/// <summary>
/// A stored object whose lines are read when they are asked for. It is open from when bytes are first left to it, so that they can be read though the object
/// was deleted since. Each line is checked each time: what the disk made of it since it was written is never shown, nor written anew as if it were whole.
/// </summary>
internal sealed class DiskObject(DiskDocuments documents, IOpsStorage storage, StorageKey key, bool isLog)
{
    public const int BlockSize = 8 << 10;
    private const int LookGrowth = 4;
    private const int LargestLook = 1 << 20;
    private StoredObject? _open;
    private long _length;
    private bool _isNoted;
    private bool _isLeft;
    private bool _hasBlocks;

    /// <summary>No record lies in it any more.</summary>
    public bool IsLeft => Volatile.Read(ref _isLeft);

    /// <summary>A block of it may have been kept.</summary>
    public bool HasBlocks
    {
        get => Volatile.Read(ref _hasBlocks);
        set => Volatile.Write(ref _hasBlocks, value);
    }

    /// <summary>So many bytes are not worth leaving to it.</summary>
    public long Few => documents.Few;

    /// <summary>Makes sure that the bytes below an offset, which are stored, can be read from here on. False: they have to be held in memory.</summary>
    public bool TryHold(long below)
    {
        if (below > _length && (_open is null || _open.Memory is not null) && !TryOpen(below)) return false;
        Volatile.Write(ref _length, Math.Max(_length, below));
        return true;
    }

    /// <summary>No record lies in it any more: what is still read, by who has an older view, is not kept.</summary>
    public void Leave()
    {
        Volatile.Write(ref _isLeft, true);
        Interlocked.MemoryBarrier();
        if (HasBlocks) documents.Forget(this);
    }

    /// <summary>The bytes from an offset to the end of the line it lies in, without the newline.</summary>
    /// <exception cref="OpsLogException">The object cannot be read (<see cref="OpsLogError.StorageFailed"/>), or the line is damaged.</exception>
    public ReadOnlySpan<byte> LineFrom(long offset) => WholeLine(offset, out var before)[before..];

    /// <summary>The whole line around an offset.</summary>
    /// <param name="offset">The offset.</param>
    /// <param name="before">How far behind its beginning the offset is.</param>
    /// <param name="last">Keeps the block, instead of the cache.</param>
    /// <returns>The line, without the newline.</returns>
    /// <exception cref="OpsLogException">As for <see cref="LineFrom"/>.</exception>
    public ReadOnlySpan<byte> WholeLine(long offset, out int before, LastBlock? last = null)
    {
        var (number, needed) = (offset / BlockSize, (int)(offset % BlockSize) + 1);
        var block = (last?.Get(this, number, needed) ?? documents.Get(this, number, needed)).AsSpan();
        var at = (int)(offset % BlockSize);
        var start = block[..at].LastIndexOf((byte)'\n') + 1;
        var length = block[at..].IndexOf((byte)'\n');
        before = at - start;
        var line = (start > 0 || offset == at) && length >= 0 ? block[start..(at + length)] : LongLine(offset, out before);
        StoredLine.Check(key.Value, line, offset - before, isLog);
        return line;
    }

    /// <summary>What lies before an offset, from the start of a line on: at least the last line.</summary>
    /// <param name="from">Where a line begins, before which is not read.</param>
    /// <param name="to">The offset.</param>
    /// <param name="start">Where what is returned begins.</param>
    public ReadOnlySpan<byte> LinesBefore(long from, long to, out long start)
    {
        for (var size = (long)BlockSize; ; size *= 2)
        {
            start = Math.Max(from, to - size);
            var bytes = Read(start, checked((int)(to - start))).AsSpan();
            if (start == from) return bytes;
            var whole = bytes[..^1].IndexOf((byte)'\n') + 1;
            if (whole == 0) continue;
            start += whole;
            return bytes[whole..];
        }
    }

    /// <summary>Bytes of the object, fewer at its end.</summary>
    public byte[] Read(long offset, int count)
    {
        var bytes = GC.AllocateUninitializedArray<byte>((int)Math.Clamp(Volatile.Read(ref _length) - offset, 0, count));
        var open = Volatile.Read(ref _open)!;
        try
        {
            if (open.Memory is { } memory) memory.Span.Slice((int)offset, bytes.Length).CopyTo(bytes);
            else ((FileRangeStream)open.Content).ReadAt(offset, bytes); // a log's file has grown since it was opened
            GC.KeepAlive(open);
            return bytes;
        }
        catch (StorageException e)
        {
            throw new OpsLogException(OpsLogError.StorageFailed, $"A document in '{key}' cannot be read: {e.Message}", e);
        }
    }

    // A line that lies in more than one block, or at the end without its newline.
    private ReadOnlySpan<byte> LongLine(long offset, out int before)
    {
        var start = StartOf(offset);
        before = checked((int)(offset - start));
        return Read(start, checked((int)(EndOf(offset) - start)));
    }

    private long StartOf(long offset)
    {
        for (long size = BlockSize; offset > 0; size = Math.Min(LookGrowth * size, LargestLook))
        {
            var from = Math.Max(0, offset - size);
            var newline = Read(from, (int)(offset - from)).AsSpan().LastIndexOf((byte)'\n');
            if (newline >= 0) return from + newline + 1;
            offset = from;
        }

        return 0;
    }

    private long EndOf(long offset)
    {
        for (int size = BlockSize; ; size = Math.Min(LookGrowth * size, LargestLook))
        {
            var bytes = Read(offset, size);
            var newline = bytes.AsSpan().IndexOf((byte)'\n');
            if (newline >= 0) return offset + newline;
            if (bytes.Length < size) return offset + bytes.Length;
            offset += bytes.Length;
        }
    }

    // What cannot be opened stays in memory: nothing is lost by it. Files and memory are handed out at once, so that nothing is waited for.
    private bool TryOpen(long below)
    {
        StoredObject? open;
        try
        {
            var call = storage.ReadAsync(key, ByteRange.All, CancellationToken.None);
            open = call.IsCompletedSuccessfully ? call.Result : call.AsTask().GetAwaiter().GetResult();
        }
        catch (StorageException e)
        {
            return HeldInMemory(e.Message);
        }

        if (open is null) return HeldInMemory("it is not there");
        if (open.Length < below)
        {
            _ = open.DisposeAsync().AsTask();
            return HeldInMemory($"it has {open.Length} bytes, not the {below} that were stored");
        }

        if (open.Memory is null && open.Content is not FileRangeStream)
        {
            documents.IsFar = true;
            _ = open.DisposeAsync().AsTask();
            return false;
        }

        Volatile.Write(ref _open, open);
        return true;
    }

    // Told once for each object: a log is tried again as it grows.
    private bool HeldInMemory(string why)
    {
        if (!_isNoted) documents.Notes.Add([new Damage(DamageKind.Unreadable, key.Value, 0, 0, 0, $"its documents are held in memory, not left on disk, for it cannot be read: {why}")]);
        _isNoted = true;
        return false;
    }
}
