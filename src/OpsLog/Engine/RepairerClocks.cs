using OpsLog.Format;
using OpsLog.Storage;

namespace OpsLog.Engine;

/// <summary>Which clocks the lines of logs of ours hold: with one writer they have no holes, so a hole is something lost.</summary>
internal sealed class RepairerClocks : IOperationSink
{
    private readonly SortedDictionary<long, long> _runs = [];
    private long _first;
    private long _last = -1;

    /// <summary>The largest clock known of, whether a line holds it or not.</summary>
    public long Last { get; private set; }

    /// <summary>Where the unbroken run of clocks begins that reaches to a clock, or begins right behind it; behind it if no line holds either.</summary>
    public long StartOfRunAcross(long clock)
    {
        foreach (var (first, last) in Merged())
            if (first <= clock + 1 && last >= clock) return first;
        return clock + 1;
    }

    public async ValueTask ReadAsync(IOpsStorage storage, PlannedLog log, CancellationToken ct)
    {
        var scanner = new LogScanner(new LogSource(log.Entry.Name, log.Entry.Start, log.Entry.Agent), Recovery.SkipCorrupt) { TakesGluedLines = true, EndsWithSeal = log.MayEndInSeal };
        await LogReader.ReadAsync(storage, new StorageKey(log.Entry.Name), 0, null, part => scanner.Scan(part, this), ct).ConfigureAwait(false);
        Close();
    }

    /// <summary>There were operations up to this clock.</summary>
    public void Expect(long clock) => Last = Math.Max(Last, clock);

    public void Operation(in OperationLine line, long offset, long clock, long next)
    {
        Last = Math.Max(Last, clock);
        if (clock != _last + 1)
        {
            Close();
            _first = clock;
        }

        _last = clock;
    }

    public bool HoldsAllAbove(long floor) => !GapsAbove(floor).Any();

    /// <summary>The clocks above a floor that no line holds.</summary>
    public IEnumerable<(long First, long Last)> GapsAbove(long floor)
    {
        var next = floor + 1;
        foreach (var (first, last) in Merged())
        {
            if (last < next) continue;
            if (first > next) yield return (next, first - 1);
            next = last + 1;
        }

        if (next <= Last) yield return (next, Last);
    }

    private List<(long First, long Last)> Merged()
    {
        var merged = new List<(long First, long Last)>();
        foreach (var (first, last) in _runs)
        {
            if (merged.Count > 0 && first <= merged[^1].Last + 1) merged[^1] = (merged[^1].First, Math.Max(merged[^1].Last, last));
            else merged.Add((first, last));
        }

        return merged;
    }

    private void Close()
    {
        if (_last >= 0) _runs[_first] = Math.Max(_last, _runs.GetValueOrDefault(_first));
        _last = -1;
    }
}
