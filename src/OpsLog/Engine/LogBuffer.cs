using OpsLog.Format;

namespace OpsLog.Engine;

/// <summary>
/// The lines this process writes to a log: encoded in place, appended to the storage from here, and kept as the log's bytes in memory until
/// a checkpoint has them. One group of lines at a time, by whoever leads.
/// </summary>
/// <param name="extent">Where the bytes are kept for readers.</param>
/// <param name="position">The log's length.</param>
/// <param name="limits">How much may lie in one.</param>
internal sealed class LogBuffer(Extent extent, long position, WriteLimits limits)
{
    private const int FirstSlab = 16 << 10;
    private const int LargestSlab = HugePages.Largest / 2; // one is made ahead, and may never be needed
    private byte[] _slab = [];
    private long _slabStart; // the log offset of _slab[0]
    private int _group;      // where the open group begins in _slab
    private int _used;
    private Task<byte[]>? _next;

    private bool _isFull;

    public Extent Extent { get; } = extent;

    /// <summary>The log offset behind the last line of the open group.</summary>
    public long Position => _used == 0 && _slab.Length == 0 ? position : _slabStart + _used;

    /// <summary>The open group's bytes.</summary>
    public ReadOnlyMemory<byte> Group => _slab.AsMemory(_group, _used - _group);

    public long GroupStart => _slab.Length == 0 ? position : _slabStart + _group;

    /// <summary>Encodes a line at the end of the open group.</summary>
    /// <param name="draft">The operation.</param>
    /// <param name="checksumBase">What to take from log offsets for the checksum's seed: the start of the numbered piece, else 0.</param>
    /// <returns>Where the record lies from now on.</returns>
    public RecordLocation Write(in OperationDraft draft, long checksumBase)
    {
        Reserve(OperationCodec.MaxLength(draft));
        var offset = _slabStart + _used;
        var length = OperationCodec.Write(_slab.AsSpan(_used), draft, offset - checksumBase, out var dataStart);
        var line = _slab.AsSpan(_used, length - 1);
        _used += length;
        var isDelete = draft.Kind == OperationKind.Delete;
        var start = isDelete ? JsonLines.TailStart(line) : dataStart;
        return RecordLocation.Create(Extent.Index, offset + start, length - 1 - start, isDelete);
    }

    /// <summary>Adds a line that stood elsewhere: as it is, but for the checksum, which depends on where it stands.</summary>
    public void WriteSealed(ReadOnlySpan<byte> line, long checksumOffset)
    {
        Reserve(line.Length + 1);
        var target = _slab.AsSpan(_used, line.Length + 1);
        line.CopyTo(target);
        target[^1] = (byte)'\n';
        if (JsonLines.HasChecksumTail(line)) JsonLines.Reseal(target[..^1], checksumOffset);
        _used += line.Length + 1;
    }

    /// <summary>Forgets the lines of the open group behind an offset.</summary>
    public void TakeBack(long position) => _used = (int)(position - _slabStart);

    /// <summary>The group is in the log: the next one begins.</summary>
    public void Close() => _group = _used;

    /// <summary>The log in the storage holds everything below an offset: memory that was filled since need not, where documents stay on disk.</summary>
    public void Stored(long below)
    {
        if (!_isFull) return;
        _isFull = false;
        Extent.Spill(below);
    }

    /// <summary>Forgets the open group from an offset on: what of it is in the log was voided there.</summary>
    /// <param name="standing">Up to where the group counts.</param>
    /// <param name="end">Where the next line will lie in the log.</param>
    public void Reset(long standing, long end)
    {
        if (end > standing)
        {
            // What lies between is a void line in the log; in memory it is one of the same length.
            var gap = new byte[end - standing];
            gap.AsSpan().Fill((byte)' ');
            var mark = Math.Min(gap.Length, Writer.Spoil.Length); // of a single byte, which nothing follows, an empty line is made
            Writer.Spoil.AsSpan(^mark..).CopyTo(gap.AsSpan(^mark..));
            Extent.Add(standing, gap);
        }

        StartSlab(end, FirstSlab); // what was encoded there keeps its memory; new lines lie elsewhere
    }

    /// <summary>The log has got bytes that are no line of ours (a mended end, a seal): the next line lies behind them.</summary>
    public void Skip(ReadOnlyMemory<byte> bytes)
    {
        var start = Position;
        Extent.Add(start, bytes);
        StartSlab(start + bytes.Length, FirstSlab);
    }

    private void Reserve(long bytes)
    {
        if (_slab.Length - _used >= bytes)
        {
            if (_next is null && _slab.Length >= HugePages.WorthIt / 2 && _used > _slab.Length / 4 * 3 && Extent.Disk is null) MakeNext(Math.Min(2 * _slab.Length, LargestSlab));
            return;
        }

        var open = _slab.AsSpan(_group, _used - _group);
        var start = _slab.Length == 0 ? position : _slabStart + _group;
        var needed = (long)open.Length + bytes;
        if (needed > limits.Memory) throw limits.Exceeded();
        var size = Math.Clamp(2L * _slab.Length, FirstSlab, LargestSlab);
        size = Math.Min(limits.Memory, size < needed ? needed + open.Length : size); // a long line takes what it needs, many of them together twice that
        var slab = _next is { IsCompletedSuccessfully: true, Result: var made } && made.Length >= needed ? made : HugePages.Bytes((int)size);
        _next = null;
        open.CopyTo(slab);
        var used = open.Length;
        _isFull = _slab.Length > 0 && Extent.Disk is not null;
        (_slab, _slabStart, _group, _used) = (slab, start, 0, used);
        Extent.Add(start, slab);
    }

    private void MakeNext(int length) => _next = HugePages.Ahead(() => HugePages.Bytes(length));

    private void StartSlab(long start, int size)
    {
        _slab = GC.AllocateUninitializedArray<byte>(size);
        (_slabStart, _group, _used) = (start, 0, 0);
        Extent.Add(start, _slab);
    }
}
