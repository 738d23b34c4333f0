using System.Buffers;
using OpsLog.Format;
using OpsLog.Storage;

namespace OpsLog.Engine;

/// <summary>
/// Checks of an operation what its checksum cannot tell, before the state takes it in: that clocks rise, and that the value it says it
/// replaced is the one that was there. Only lines of ours are held to this; another program's follow rules of their own.
/// </summary>
/// <param name="state">What the operations so far made; <paramref name="builder"/> writes to it.</param>
/// <param name="builder">Takes every operation in.</param>
/// <param name="scanner">Tells which line it is.</param>
/// <param name="checksPrevious">Whether the lines are those of one sequence: among many writers' a previous value is only what its writer had seen.</param>
internal sealed class VerifierLines(StoreState state, StateBuilder builder, LogScanner scanner, bool checksPrevious) : IOperationSink
{
    private readonly ArrayBufferWriter<byte> _previous = new();
    private byte[] _id = new byte[256];
    private long _clock;
    private long _unsureUpTo = -1;
    private int _damages;

    /// <summary>What does not fit.</summary>
    public List<Damage> Damages { get; } = [];

    /// <summary>Not every record before this log is known: one that is not there may have been.</summary>
    public bool IsPartial { get; set; }

    /// <summary>Where the lines lie that come next.</summary>
    public ObjectPart Part { get; set; }

    /// <summary>The clock before the first line.</summary>
    public long Start { init => _clock = value; }

    public void Operation(in OperationLine line, long offset, long clock, long next)
    {
        if (scanner.Skipped.Count > _damages)
        {
            // A line that is lost may have changed any record: only what was written since is known for sure.
            _damages = scanner.Skipped.Count;
            _unsureUpTo = _clock;
            IsPartial = true;
        }

        if (line.HasChecksum)
        {
            if (clock <= _clock) Add(line, offset, $"the clock is {clock}, but that of the line before it is {_clock}");
            else if (checksPrevious && !line.Noop && Misfit(line) is { } fault) Add(line, offset, fault);
        }

        _clock = Math.Max(_clock, clock);
        builder.Operation(line, offset, clock, next);
    }

    private string? Misfit(in OperationLine line)
    {
        if (_id.Length < line.RawId.Length) _id = new byte[line.RawId.Length];
        var isThere = state.Records.TryGet(_id.AsSpan(0, line.CopyId(_id)), out var location, out _, out _) && !location.IsTombstone;
        if (!isThere) return IsPartial || !line.HasPrev ? null : "it says that it replaces a value, but there was none";
        var record = StoreState.Read(state.Extents.Current, location);
        if (record.Clock <= _unsureUpTo) return null;
        if (!line.HasPrev) return record.Document.SequenceEqual("null"u8) ? null : "it says that there was no value, but there was one"; // the package's stores hold such values
        if (!line.PrevIsDelta) return line.Prev.SequenceEqual(record.Document) ? null : "the value it says it replaces is not the one that was there";
        _previous.ResetWrittenCount();
        return ReversePatch.TryApply(line.Data, line.Prev, _previous) && IsSame(_previous.WrittenSpan, record.Document)
            ? null
            : "its patch does not give back the value that was there";
    }

    // Former versions stored the whitespace that a converter of the application's wrote; what a patch gives back has none.
    private static bool IsSame(ReadOnlySpan<byte> minified, ReadOnlySpan<byte> document)
    {
        if (minified.SequenceEqual(document)) return true;
        if (JsonLines.IsMinified(document)) return false;
        var bytes = document.ToArray();
        return minified.SequenceEqual(bytes.AsSpan(0, JsonLines.Minify(bytes, bytes)));
    }

    private void Add(in OperationLine line, long offset, string detail) =>
        Damages.Add(new Damage(DamageKind.CorruptLine, Part.Key.Value, scanner.Line, offset - Part.ChecksumBase, line.Line.Length, detail));
}
