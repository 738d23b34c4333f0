using OpsLog.Format;

namespace OpsLog.Engine;

/// <summary>
/// The lines of one group, and what they make of the state before it is the state: requests later in the group see what earlier ones
/// did, readers see nothing until the lines are in the log.
/// </summary>
internal sealed class CommitGroup(StoreState state, TimeProvider time)
{
    private const int FewestPlaces = 256;
    private const int FewestBytes = 4096;
    private const int MostKept = 8 << 20; // bytes; what only a large document or batch needed goes behind it
    private List<Line> _lines = [];
    private int[] _latest = new int[FewestPlaces]; // the newest line of each id, plus 1, where the id's hash says or behind
    private byte[] _agent = [];
    private byte[] _patch = new byte[FewestBytes];
    private readonly byte[] _timestamp = new byte[24];
    private byte[] _ids = new byte[FewestBytes];
    private int _idsUsed;
    private long _timestampMilliseconds = -1;
    private int _indexed;

    /// <summary>One encoded line: where its record lies, and where the line ends in the log.</summary>
    public readonly record struct Line(RecordKey Key, int IdStart, int IdLength, RecordLocation Location, long End, long Clock, bool IsUnitEnd, bool Noop);

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
        if (_lines.Capacity > MostKept / System.Runtime.CompilerServices.Unsafe.SizeOf<Line>()) _lines = [];
        else _lines.Clear();
        if (_ids.Length > MostKept) _ids = new byte[FewestBytes];
        _idsUsed = 0;
        ForgetIndex();
        Clock = state.Clock;
        Stamp();
    }

    /// <summary>Forgets the lines of a request that failed half-way.</summary>
    public void TakeBack(int lines, long position)
    {
        if (_lines.Count == lines) return;
        Clock = lines == 0 ? state.Clock : _lines[lines - 1].Clock;
        _lines.RemoveRange(lines, _lines.Count - lines);
        ForgetIndex();
        Buffer.TakeBack(position);
    }

    /// <summary>Whether a record will be there once the lines so far are in.</summary>
    public bool Exists(string id)
    {
        var bytes = IdBytes(id);
        return TryFind(state.Records.KeyOf(bytes), bytes, out _);
    }

    /// <summary>The stamp of what is known of a record, deleted or not, before the group; null: nothing is.</summary>
    public Stamp? StampOf(string id)
    {
        var bytes = IdBytes(id);
        return state.Records.TryGet(state.Records.KeyOf(bytes), bytes, out var location) ? state.Read(location).Stamp : null;
    }

    public Revision RevisionOf(string id)
    {
        var bytes = IdBytes(id);
        if (!TryRead(state.Records.KeyOf(bytes), bytes, out var record, out var extent)) return Revision.None;
        var revision = record.Revision;
        GC.KeepAlive(extent);
        return revision;
    }

    /// <summary>Encodes a line. <see cref="LineDraft.Data"/> is ignored for a delete; the previous value comes from the state.</summary>
    public void Write(in LineDraft line)
    {
        var idStart = _idsUsed;
        var id = IdBytes(line.Id);
        _idsUsed += id.Length;
        var key = state.Records.KeyOf(id);
        var previous = ReadOnlySpan<byte>.Empty;
        var exists = TryRead(key, id, out var record, out var extent);
        if (exists) previous = record.Document;
        Clock = Math.Max(Clock, state.Clock); // what others wrote may have come in since the group was begun: what is seen of it has the smaller stamp
        if (Clock >= Format.Stamp.MaxClock)
            throw new OpsLogException(OpsLogError.ReadOnly, $"The store's clock has reached its largest value, {Format.Stamp.MaxClock}: nothing more can be written. Export it into a new store.");
        var draft = new OperationDraft
        {
            Timestamp24 = _timestamp,
            Kind = line.Kind,
            IdWtf8 = id,
            Data = line.Data,
            Clock = ++Clock,
            AgentWtf8 = _agent,
            BatchIndex = line.BatchIndex,
            BatchSize = line.BatchSize,
        };
        if (line.Origin is { } origin)
        {
            (draft.Mark, draft.MarkOf, draft.MarkTo, draft.Noop) = (origin.Mark, origin.MarkOf, origin.MarkTo, origin.Noop);
            (draft.Segment, draft.Moved) = (origin.Segment, origin.Moved);
        }

        if (!exists) draft.Prev = draft.Noop ? "{}"u8 : "null"u8; // a mark where there is nothing is a delete of nothing
        else if (line.Kind == OperationKind.Set && ReversePatch.TryWrite(previous, line.Data, PatchBuffer(previous.Length), out var written))
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
        if (_patch.Length > MostKept) _patch = new byte[FewestBytes];
        _lines.Add(new Line(key, idStart, id.Length, at, Buffer.Position, Clock, line.BatchIndex == line.BatchSize - 1, draft.Noop));
    }

    // A checkpoint that tidies up may move a record between the two reads; its old extent may be gone then.
    private bool TryRead(scoped in RecordKey key, scoped ReadOnlySpan<byte> id, out StoredRecord record, out Extent? extent)
    {
        var missed = default(RecordLocation);
        while (TryFind(key, id, out var location))
        {
            extent = state.ExtentOf(location, ref missed);
            if (extent is null || !TryFind(key, id, out var again) || again != location) continue;
            record = StoredRecord.Parse(extent, extent.CheckedLineFrom(location.Offset));
            return true;
        }

        record = default;
        extent = null;
        return false;
    }

    private bool TryFind(in RecordKey key, ReadOnlySpan<byte> id, out RecordLocation location)
    {
        if (TryFindInGroup(key, id, out location)) return !location.IsTombstone;
        return state.Records.TryGet(key, id, out location) && !location.IsTombstone;
    }

    private bool TryFindInGroup(in RecordKey key, ReadOnlySpan<byte> id, out RecordLocation location)
    {
        location = default;
        if (_lines.Count == 0) return false;
        for (; _indexed < _lines.Count; _indexed++)
            if (!_lines[_indexed].Noop) Index(_indexed);
        var found = _latest[PlaceOf(key, id)] - 1;
        if (found < 0) return false;
        location = _lines[found].Location;
        return true;
    }

    private void Index(int line)
    {
        if (2 * line >= _latest.Length)
        {
            _latest = new int[2 * _latest.Length];
            for (var earlier = 0; earlier < line; earlier++)
                if (!_lines[earlier].Noop) Index(earlier);
        }

        var added = _lines[line];
        _latest[PlaceOf(added.Key, IdOf(added))] = line + 1;
    }

    // The place of an id's newest line, or the free one where it would be: at most half are taken.
    private int PlaceOf(in RecordKey key, ReadOnlySpan<byte> id)
    {
        var mask = _latest.Length - 1;
        var lines = Lines;
        for (var place = (int)key.Hash & mask; ; place = (place + 1) & mask)
        {
            var line = _latest[place] - 1;
            if (line < 0 || (lines[line].Key.Hash == key.Hash && IdOf(lines[line]).SequenceEqual(id))) return place;
        }
    }

    private void ForgetIndex()
    {
        if (_indexed == 0) return;
        _indexed = 0;
        if (_latest.Length > FewestPlaces) _latest = new int[FewestPlaces];
        else Array.Clear(_latest);
    }

    private Span<byte> PatchBuffer(int length)
    {
        if (_patch.Length < length) _patch = new byte[length > MostKept ? length : Math.Max(length, _patch.Length * 2)];
        return _patch;
    }

    // Behind the ids of the lines so far; to be kept there by whoever adds a line.
    private ReadOnlySpan<byte> IdBytes(string id)
    {
        var most = JsonText.MaxWtf8(id.Length);
        if (_ids.Length - _idsUsed < most)
        {
            var needed = (long)_idsUsed + most;
            if (needed > Array.MaxLength) throw WriteLimits.Default.Exceeded();
            Array.Resize(ref _ids, (int)Math.Min(Array.MaxLength, Math.Max(needed, 2L * _ids.Length)));
        }

        return _ids.AsSpan(_idsUsed, JsonText.ToWtf8(id, _ids.AsSpan(_idsUsed)));
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

    public ArraySegment<byte> Data { get; init; }

    public int BatchIndex { get; init; }

    public int BatchSize { get; init; } = 1;

    /// <summary>What the line says besides, if it is no plain write.</summary>
    public BatchOrigin? Origin { get; init; }
}
