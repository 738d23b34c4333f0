using System.Text;

namespace OpsLog.Simulation.Model;

/// <summary>
/// What a log holds, by docs/format.md alone: which of its lines count, where it ends, whether it is sealed. Positions are bytes, or pieces where
/// the storage cannot append.
/// </summary>
internal sealed class LogModel(string name, bool numbered)
{
    private List<LoggedOperation> _batch = [];
    private List<long> _boundaries = [0]; // in order
    private int _parsed;

    public string Name { get; } = name;

    public bool IsAgents { get; } = name.StartsWith("ops/agent-", StringComparison.Ordinal);

    /// <summary>The opening that created it; -1: nobody yet.</summary>
    public int Owner { get; set; } = -1;

    /// <summary>Whether the manifest names it now.</summary>
    public bool IsRegistered { get; set; }

    /// <summary>It was folded and collected, and somebody has made an object of its name again.</summary>
    public bool IsReborn { get; set; }

    /// <summary>The operations whose lines count, in order, and where each unit ends.</summary>
    public List<(LoggedOperation Operation, long End)> Operations { get; private set; } = [];

    /// <summary>How many of <see cref="Operations"/> the history has taken in.</summary>
    public int Counted { get; set; }

    /// <summary>Its length before the seal; null: not sealed.</summary>
    public long? SealedAt { get; private set; }

    /// <summary>A power loss has taken its end: what the manifest says it covers may be longer.</summary>
    public bool WasCut { get; private set; }

    public long Pieces { get; private set; }

    public long Length { get; private set; }

    /// <summary>The largest clock of a line that stands in it: of an agent's log also of one that does not count, for its clock must not come again.</summary>
    public long LastClock { get; private set; }

    public LogModel Copy()
    {
        var copy = (LogModel)MemberwiseClone();
        (copy._batch, copy._boundaries, copy.Operations) = ([.. _batch], [.. _boundaries], [.. Operations]);
        return copy;
    }

    /// <summary>The clock of the last line that counts before a position.</summary>
    public long ClockAt(long position)
    {
        long clock = 0;
        foreach (var (operation, end) in Operations)
            if (end <= position) clock = Math.Max(clock, operation.Stamp.Clock);
        return clock;
    }

    /// <summary>Whether a position is behind a whole line or batch.</summary>
    public bool IsBoundary(long position) => _boundaries.BinarySearch(position) >= 0;

    /// <summary>The log object has grown to these bytes.</summary>
    public void Grow(ReadOnlyMemory<byte> bytes)
    {
        Length = bytes.Length;
        while (bytes.Span[_parsed..].IndexOf((byte)'\n') is var length and >= 0)
        {
            var line = bytes.Slice(_parsed, length);
            _parsed += length + 1;
            Line(line, numbered ? Pieces : _parsed);
        }
    }

    /// <summary>A numbered log has got its next piece.</summary>
    public void AddPiece(long number, ReadOnlyMemory<byte> bytes)
    {
        if (number != Pieces + 1) throw new InvariantViolation(Invariant.I8OneWriter, $"piece {number} of {Name} was made, but it has {Pieces} pieces");
        Pieces = number;
        if (bytes.Length == 0 || bytes.Span[^1] != '\n') throw new InvariantViolation(Invariant.I5Whole, $"piece {number} of {Name} does not end in a newline");
        _parsed = 0;
        Grow(bytes);
        if (_batch.Count > 0) throw new InvariantViolation(Invariant.I5Whole, $"piece {number} of {Name} ends in an unfinished batch");
    }

    /// <summary>A power loss has cut the log object.</summary>
    public void Cut(int length)
    {
        WasCut = true;
        Operations.RemoveAll(o => o.End > length);
        _boundaries.RemoveAll(b => b > length);
        if (SealedAt >= length) SealedAt = null;
        Counted = Math.Min(Counted, Operations.Count);
        _batch.Clear();
        _parsed = (int)_boundaries[^1];
        Length = length;
        LastClock = Operations.Count > 0 ? Operations[^1].Operation.Stamp.Clock : 0;
    }

    private void Line(ReadOnlyMemory<byte> line, long end)
    {
        if (!IsAgents) SealedAt = null; // its writer may have ended it for a roll that failed, and goes on
        if (SealedAt is not null && !line.IsEmpty) throw new InvariantViolation(Invariant.I1Kept, $"a line stands behind the seal of {Name}: {Encoding.UTF8.GetString(line.Span)}");
        if (line.IsEmpty)
        {
            _batch.Clear(); // an unfinished batch before a seal was never acknowledged
            SealedAt ??= end - 1;
            _boundaries.Add(end);
            return;
        }

        if (line.Span[^1] == '#')
        {
            _batch.Clear();
            _boundaries.Add(end);
            return;
        }

        var operation = Parse(line);
        if (operation.Stamp.Clock <= LastClock) throw new InvariantViolation(Invariant.I4Clocks, $"{Name} has clock {LastClock} and then {operation}");
        if (IsAgents) LastClock = operation.Stamp.Clock;
        if (operation.BatchIndex != _batch.Count || (_batch.Count > 0 && operation.BatchSize != _batch[0].BatchSize))
            throw new InvariantViolation(Invariant.I5Whole, $"{Name} has line {operation} in the place of line {_batch.Count} of a batch");
        _batch.Add(operation);
        if (_batch.Count < operation.BatchSize) return;
        foreach (var complete in _batch)
        {
            Operations.Add((complete, end));
            LastClock = complete.Stamp.Clock;
        }

        _batch.Clear();
        _boundaries.Add(end);
    }

    private LoggedOperation Parse(ReadOnlyMemory<byte> line)
    {
        try
        {
            return LineParser.Parse(line, Name);
        }
        catch (FormatException e)
        {
            throw new InvariantViolation(Invariant.I5Whole, $"{Name} has a line that is no operation: {e.Message}");
        }
    }
}
