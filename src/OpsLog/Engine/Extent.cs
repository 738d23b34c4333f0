using OpsLog.Format;

namespace OpsLog.Engine;

/// <summary>
/// The bytes of one stored object as the store holds them: whole lines, in one or more chunks of memory (read, mapped, or written by this
/// process), or left in the object itself. A record's location is an extent and an offset in it, so "where the bytes lie" and "what is on disk" are the same number.
/// Chunks are added by one writer and never change below the published length; readers need no lock.
/// </summary>
internal sealed class Extent(string name, StampSource[] sources)
{
    private Chunks _chunks = new([], 0);

    /// <summary>The stored object's name; empty for bytes that lie in memory only (another program's records, brought into our form).</summary>
    public string Name { get; } = name;

    /// <summary>Where the stamps of this extent's lines come from: one entry for a log, the log table for a snapshot.</summary>
    public StampSource[] Sources { get; set; } = sources;

    public int Index { get; set; }

    /// <summary>A number that no other extent of the state has or had.</summary>
    public long Serial { get; set; }

    /// <summary>How many bytes are held in memory, or mapped.</summary>
    public long Bytes { get; private set; }

    /// <summary>Its lines are records as a snapshot of ours has them.</summary>
    public bool HoldsRecords { get; init; }

    /// <summary>Where bytes can be left; null: all are held.</summary>
    public DiskObject? Disk { get; init; }

    /// <summary>Adds a chunk behind the ones there are.</summary>
    public void Add(long start, ReadOnlyMemory<byte> memory, object? owner = null)
    {
        var (items, count) = _chunks;
        if (count > 0 && items[count - 1].Start == start)
        {
            // The same place read again, or written anew: what lay there before is not referred to.
            items = (Chunk[])items.Clone();
            Bytes -= items[--count].Memory.Length;
        }
        else if (count == items.Length)
        {
            Array.Resize(ref items, Math.Max(4, count * 2));
        }

        items[count] = new Chunk(start, memory, owner);
        Volatile.Write(ref _chunks, new Chunks(items, count + 1));
        Bytes += memory.Length;
    }

    /// <summary>
    /// Leaves what is stored below an offset to the object, where it can be: what was mapped stays so. Bytes handed out before stay valid.
    /// </summary>
    /// <returns>False: all is held as before.</returns>
    public bool Spill(long below)
    {
        if (Disk is null || Bytes <= Disk.Few || !Disk.TryHold(below)) return false;
        var (items, count) = _chunks;
        var kept = new List<Chunk>(count);
        long bytes = 0;
        for (var i = 0; i < count; i++)
        {
            var chunk = items[i];
            var end = i + 1 < count ? items[i + 1].Start : chunk.Start + chunk.Memory.Length;
            if (!chunk.IsOnDisk && (chunk.Owner is not null || end > below)) bytes += chunk.Memory.Length;
            else if (kept.Count > 0 && kept[^1].IsOnDisk) continue; // one goes on where the other ends
            else chunk = new Chunk(chunk.Start, default, null);
            kept.Add(chunk);
        }

        (_chunks, Bytes) = (new Chunks([.. kept], kept.Count), bytes);
        return true;
    }

    /// <summary>Leaves what is stored below an offset to the object though it was never held, where all that was held last is left to it.</summary>
    public bool TryLeaveRest(long below)
    {
        var (items, count) = _chunks;
        return count > 0 && items[count - 1].IsOnDisk && Disk!.TryHold(below);
    }

    /// <summary>The bytes from an offset to the end of the line it lies in, without the newline.</summary>
    public ReadOnlySpan<byte> LineFrom(long offset)
    {
        var (items, index, count) = Find(offset);
        if (items[index].IsOnDisk) return Disk!.LineFrom(offset);
        var rest = From(items, index, count, offset);
        var end = rest.IndexOf((byte)'\n');
        return end < 0 ? rest : rest[..end];
    }

    /// <summary>
    /// The same for what goes into another line, which gets a checksum of its own: what was mapped may be another than was checked when it was opened, and is
    /// checked again. What is left to the object always is.
    /// </summary>
    /// <param name="offset">The offset.</param>
    /// <param name="last">Keeps what is read from the object, instead of the cache.</param>
    /// <exception cref="OpsLogException">The line is damaged.</exception>
    public ReadOnlySpan<byte> CheckedLineFrom(long offset, LastBlock? last = null)
    {
        var (items, index, _) = Find(offset);
        if (items[index].IsOnDisk) return Disk!.WholeLine(offset, out var behind, last)[behind..];
        if (items[index].Owner is null || !HoldsRecords || !TryWholeLine(offset, out var line, out var before)) return LineFrom(offset);
        StoredLine.Check(Name, line, offset - before, isLog: false);
        return line[before..];
    }

    /// <summary>Whether the byte at an offset is left to the object.</summary>
    public bool IsOnDisk(long offset)
    {
        var (items, index, _) = Find(offset);
        return items[index].IsOnDisk;
    }

    /// <summary>The whole line around an offset, if it lies in one piece.</summary>
    /// <param name="offset">The offset.</param>
    /// <param name="line">The line, without the newline.</param>
    /// <param name="before">How far behind its beginning the offset is.</param>
    /// <param name="last">Keeps what is read from the object, instead of the cache.</param>
    public bool TryWholeLine(long offset, out ReadOnlySpan<byte> line, out int before, LastBlock? last = null)
    {
        var (items, index, count) = Find(offset);
        if (items[index].IsOnDisk)
        {
            line = Disk!.WholeLine(offset, out before, last);
            return true;
        }

        var start = items[index].Memory.Span[..(int)(offset - items[index].Start)].LastIndexOf((byte)'\n') + 1 + items[index].Start;
        before = (int)(offset - start);
        line = From(items, index, count, start);
        var end = line[before..].IndexOf((byte)'\n');
        if (end >= 0) line = line[..(before + end)];
        return end >= 0;
    }

    /// <summary>The whole line around an offset, if the extent is a log's: what lies in a snapshot is no operation.</summary>
    public bool TryLineAround(long offset, out ReadOnlySpan<byte> line)
    {
        line = default;
        if (Sources.Length != 1 || Name.Length == 0) return false;
        var before = offset == 0 ? [] : Before(offset, out _);
        line = LineFrom(offset - before.Length + before.LastIndexOf((byte)'\n') + 1);
        return true;
    }

    /// <summary>The bytes held from an offset on that lie in one piece: to the end of its chunk, or to where the next one takes over.</summary>
    public ReadOnlySpan<byte> From(long offset)
    {
        var (items, index, count) = Find(offset);
        return From(items, index, count, offset);
    }

    /// <summary>The same as memory, at most up to an end.</summary>
    public ReadOnlyMemory<byte> MemoryFrom(long offset, long end)
    {
        var (items, index, count) = Find(offset);
        if (index + 1 < count) end = Math.Min(end, items[index + 1].Start);
        var memory = items[index].Memory[(int)(offset - items[index].Start)..];
        return memory[..(int)Math.Min(memory.Length, end - offset)];
    }

    /// <summary>What lies before an offset, from the start of a line on: for walking backwards.</summary>
    public ReadOnlySpan<byte> Before(long offset, out long start)
    {
        var (items, index, _) = Find(offset - 1);
        start = items[index].Start;
        return items[index].IsOnDisk ? Disk!.LinesBefore(start, offset, out start) : items[index].Memory.Span[..(int)(offset - start)];
    }

    private static ReadOnlySpan<byte> From(Chunk[] items, int index, int count, long offset)
    {
        var bytes = items[index].Memory.Span[(int)(offset - items[index].Start)..];
        if (index + 1 == count) return bytes;
        var length = items[index + 1].Start - offset;
        return length < bytes.Length ? bytes[..(int)length] : bytes;
    }

    // A later chunk takes over from an earlier one where they overlap (a group that was moved, an end that was voided).
    private (Chunk[] Items, int Index, int Count) Find(long offset)
    {
        var (items, count) = Volatile.Read(ref _chunks);
        int low = 0, high = count - 1;
        if (items[high].Start <= offset) return (items, high, count);
        while (low < high)
        {
            var middle = (low + high + 1) >> 1;
            if (items[middle].Start <= offset) low = middle;
            else high = middle - 1;
        }

        return (items, low, count);
    }

    // Without memory: it lies in the object.
    private readonly record struct Chunk(long Start, ReadOnlyMemory<byte> Memory, object? Owner)
    {
        public bool IsOnDisk => Memory.IsEmpty;
    }

    private sealed record Chunks(Chunk[] Items, int Count);
}

/// <summary>Who wrote the lines of a log: the part of a stamp that is the same for all of them.</summary>
/// <param name="Agent">The agent; empty with one writer.</param>
/// <param name="Log">The log's name; empty with one writer, whose clock alone is unique.</param>
internal sealed record StampSource(string Agent, string Log)
{
    /// <summary>The source of every line of a single writer.</summary>
    public static StampSource SingleWriter { get; } = new("", "");

    public static StampSource Of(string agent, string log) => agent.Length == 0 ? SingleWriter : new StampSource(agent, log);
}
