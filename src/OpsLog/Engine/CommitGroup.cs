using OpsLog.Format;

namespace OpsLog.Engine;

/// <summary>
/// The lines of one group, and what they make of the state before it is the state: requests later in the group see what earlier ones
/// did, readers see nothing until the lines are in the log.
/// </summary>
internal sealed class CommitGroup(StoreState state, TimeProvider time)
{
    private readonly List<Line> _lines = [];
    private readonly Dictionary<string, int> _latest = new(StringComparer.Ordinal);
    private byte[] _agent = [];
    private byte[] _patch = new byte[256];
    private readonly byte[] _timestamp = new byte[24];
    private byte[] _ids = new byte[4096];
    private int _idsUsed;
    private long _timestampMilliseconds = -1;
    private int _indexed;

    /// <summary>One encoded line: where its record lies, and where the line ends in the log.</summary>
    public readonly record struct Line(string Id, int IdStart, int IdLength, RecordLocation Location, long End, long Clock, bool IsUnitEnd, bool Noop);

    public LogBuffer Buffer { get; set; } = null!;

    /// <summary>Who writes: the part of the lines' stamps that is the same for all.</summary>
    public StampSource Source
    {
        get;
        set
        {
            field = value;
            _agent = System.Text.Encoding.UTF8.GetBytes(value.Agent);
        }
    } = StampSource.SingleWriter;

    /// <summary>The stamp of the line encoded last.</summary>
    public Revision Revision => new(Clock, Source.Agent, Source.Log);

    /// <summary>The log offset that checksums count from: the start of the numbered piece, else 0.</summary>
    public long ChecksumBase { get; set; }

    public ReadOnlySpan<Line> Lines => System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_lines);

    /// <summary>When the group was begun, as its lines say it.</summary>
    public string Timestamp => System.Text.Encoding.ASCII.GetString(_timestamp);

    /// <summary>The clock of the last line encoded.</summary>
    public long Clock { get; private set; }

    /// <summary>The id of a line as bytes.</summary>
    public ReadOnlySpan<byte> IdOf(in Line line) => _ids.AsSpan(line.IdStart, line.IdLength);

    public void Begin()
    {
        _lines.Clear();
        _idsUsed = 0;
        if (_indexed > 0) _latest.Clear();
        _indexed = 0;
        Clock = state.Clock;
        Stamp();
    }

    /// <summary>Forgets the lines of a request that failed half-way.</summary>
    public void TakeBack(int lines, long position)
    {
        if (_lines.Count == lines) return;
        Clock = lines == 0 ? state.Clock : _lines[lines - 1].Clock;
        _lines.RemoveRange(lines, _lines.Count - lines);
        _latest.Clear();
        _indexed = 0;
        Buffer.TakeBack(position);
    }

    /// <summary>What a record will be once the lines so far are in; false if there will be none.</summary>
    public bool TryFind(string id, out RecordLocation location)
    {
        if (TryFindInGroup(id, out location)) return !location.IsTombstone;
        return state.Records.TryGet(id, out location, out _, out _) && !location.IsTombstone;
    }

    public Revision RevisionOf(string id)
    {
        if (!TryRead(id, out var record, out var extent)) return Revision.None;
        var revision = record.Revision;
        GC.KeepAlive(extent);
        return revision;
    }

    /// <summary>Encodes a line. <see cref="LineDraft.Data"/> is ignored for a delete; the previous value comes from the state.</summary>
    public void Write(in LineDraft line)
    {
        var idStart = _idsUsed;
        var idLength = EncodeId(line.Id);
        var previous = ReadOnlySpan<byte>.Empty;
        var exists = TryRead(line.Id, out var record, out var extent);
        if (exists) previous = record.Document;
        var draft = new OperationDraft
        {
            Timestamp24 = _timestamp,
            Kind = line.Kind,
            IdWtf8 = _ids.AsSpan(idStart, idLength),
            Data = line.Data.Span,
            Clock = ++Clock,
            AgentWtf8 = _agent,
            BatchIndex = line.BatchIndex,
            BatchSize = line.BatchSize,
            Mark = line.Mark,
            MarkOf = line.MarkOf,
            MarkTo = line.MarkTo,
            Noop = line.Noop,
            Segment = line.Segment,
            Moved = line.Moved,
        };
        if (!exists) draft.Prev = line.Noop ? "{}"u8 : "null"u8; // a mark where there is nothing is a delete of nothing
        else if (line.Kind == OperationKind.Set && ReversePatch.TryWrite(previous, line.Data.Span, PatchBuffer(previous.Length), out var written))
        {
            draft.Prev = _patch.AsSpan(0, written);
            draft.PrevIsDelta = true;
        }
        else
        {
            draft.Prev = previous;
        }

        var at = Buffer.Write(draft, ChecksumBase);
        GC.KeepAlive(extent); // the previous value may lie in memory that is mapped
        _lines.Add(new Line(line.Id, idStart, idLength, at, Buffer.Position, Clock, line.BatchIndex == line.BatchSize - 1, line.Noop));
    }

    // A checkpoint that tidies up may move a record between the two reads; its old extent may be gone then.
    private bool TryRead(string id, out StoredRecord record, out Extent? extent)
    {
        while (TryFind(id, out var location))
        {
            extent = state.Extents.Current[location.Extent];
            if (extent is null || !TryFind(id, out var again) || again != location) continue;
            record = StoredRecord.Parse(extent, extent.LineFrom(location.Offset));
            return true;
        }

        record = default;
        extent = null;
        return false;
    }

    private bool TryFindInGroup(string id, out RecordLocation location)
    {
        location = default;
        if (_lines.Count == 0) return false;
        for (; _indexed < _lines.Count; _indexed++)
            if (!_lines[_indexed].Noop) _latest[_lines[_indexed].Id] = _indexed;
        if (!_latest.TryGetValue(id, out var index)) return false;
        location = _lines[index].Location;
        return true;
    }

    private Span<byte> PatchBuffer(int length)
    {
        if (_patch.Length < length) _patch = new byte[Math.Max(length, _patch.Length * 2)];
        return _patch;
    }

    private int EncodeId(string id)
    {
        var most = JsonText.MaxWtf8(id.Length);
        if (_ids.Length - _idsUsed < most) Array.Resize(ref _ids, Math.Max(_idsUsed + most, _ids.Length * 2));
        var length = JsonText.ToWtf8(id, _ids.AsSpan(_idsUsed));
        _idsUsed += length;
        return length;
    }

    private void Stamp()
    {
        var now = time.GetUtcNow();
        var milliseconds = now.ToUnixTimeMilliseconds();
        if (milliseconds == _timestampMilliseconds) return;
        IsoTime.Write(now, _timestamp);
        _timestampMilliseconds = milliseconds;
    }
}

/// <summary>A line to encode, before it has a clock and a previous value.</summary>
internal readonly struct LineDraft
{
    public LineDraft()
    {
    }

    public required string Id { get; init; }

    public OperationKind Kind { get; init; }

    public ReadOnlyMemory<byte> Data { get; init; }

    public int BatchIndex { get; init; }

    public int BatchSize { get; init; } = 1;

    public UndoMark Mark { get; init; }

    public Stamp MarkOf { get; init; }

    public Stamp? MarkTo { get; init; }

    /// <summary>The line is only a mark: it changes nothing that shows.</summary>
    public bool Noop { get; init; }

    public string? Segment { get; init; }

    public Stamp? Moved { get; init; }
}

