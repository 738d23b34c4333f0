using OpsLog.Format;

namespace OpsLog.Engine;

/// <summary>
/// The bytes of one stored object as the store holds them: whole lines, in one or more chunks of memory (read, mapped, or written by this
/// process). A record's location is an extent and an offset in it, so "where the bytes lie" and "what is on disk" are the same number.
/// Chunks are added by one writer and never change below the published length; readers need no lock.
/// </summary>
internal sealed class Extent(string name, StampSource[] sources)
{
    private Chunk[] _chunks = [];
    private int _count;

    /// <summary>The stored object's name; empty for bytes that lie in memory only (another program's records, brought into our form).</summary>
    public string Name { get; } = name;

    /// <summary>Where the stamps of this extent's lines come from: one entry for a log, the log table for a snapshot.</summary>
    public StampSource[] Sources { get; set; } = sources;

    public int Index { get; set; }

    public long Bytes { get; private set; }

    /// <summary>Adds a chunk behind the ones there are.</summary>
    public void Add(long start, ReadOnlyMemory<byte> memory, object? owner = null)
    {
        var chunks = _chunks;
        if (_count > 0 && chunks[_count - 1].Start == start)
        {
            // The same place read again, or written anew: what lay there before is not referred to.
            chunks = (Chunk[])chunks.Clone();
            Bytes += memory.Length - chunks[_count - 1].Memory.Length;
            chunks[_count - 1] = new Chunk(start, memory, owner);
            Volatile.Write(ref _chunks, chunks);
            return;
        }

        if (_count == chunks.Length)
        {
            chunks = new Chunk[Math.Max(4, _count * 2)];
            Array.Copy(_chunks, chunks, _count);
        }

        chunks[_count] = new Chunk(start, memory, owner);
        Volatile.Write(ref _chunks, chunks);
        Volatile.Write(ref _count, _count + 1);
        Bytes += memory.Length;
    }

    /// <summary>The bytes from an offset to the end of the line it lies in, without the newline.</summary>
    public ReadOnlySpan<byte> LineFrom(long offset)
    {
        var rest = From(offset);
        var end = rest.IndexOf((byte)'\n');
        return end < 0 ? rest : rest[..end];
    }

    /// <summary>The whole line around an offset, if the extent is a log's: what lies in a snapshot is no operation.</summary>
    public bool TryLineAround(long offset, out ReadOnlySpan<byte> line)
    {
        line = default;
        if (Sources.Length != 1 || Name.Length == 0) return false;
        var before = offset == 0 ? [] : Before(offset, out _);
        var start = before.LastIndexOf((byte)'\n') + 1;
        line = LineFrom(offset - before.Length + start);
        return true;
    }

    /// <summary>The bytes from an offset on that lie in one piece: to the end of its chunk, or to where the next one takes over.</summary>
    public ReadOnlySpan<byte> From(long offset)
    {
        var (chunks, index, count) = Find(offset);
        var bytes = chunks[index].Memory.Span[(int)(offset - chunks[index].Start)..];
        if (index + 1 == count) return bytes;
        var length = chunks[index + 1].Start - offset;
        return length < bytes.Length ? bytes[..(int)length] : bytes;
    }

    /// <summary>The chunk that holds the byte before an offset, cut at that offset: for walking backwards.</summary>
    public ReadOnlySpan<byte> Before(long offset, out long start)
    {
        var (chunks, index, _) = Find(offset - 1);
        start = chunks[index].Start;
        return chunks[index].Memory.Span[..(int)(offset - start)];
    }

    // A later chunk takes over from an earlier one where they overlap (a group that was moved, an end that was voided).
    private (Chunk[] Chunks, int Index, int Count) Find(long offset)
    {
        var count = Volatile.Read(ref _count);
        var chunks = Volatile.Read(ref _chunks);
        int low = 0, high = count - 1;
        if (chunks[high].Start <= offset) return (chunks, high, count);
        while (low < high)
        {
            var middle = (low + high + 1) >> 1;
            if (chunks[middle].Start <= offset) low = middle;
            else high = middle - 1;
        }

        return (chunks, low, count);
    }

    private readonly record struct Chunk(long Start, ReadOnlyMemory<byte> Memory, object? Owner);
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
