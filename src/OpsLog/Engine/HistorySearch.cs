using OpsLog.Format;
using OpsLog.Storage;

namespace OpsLog.Engine;

/// <summary>
/// Finds the logs kept for history without their index: those the manifest remembers as retired, as far back as they are there without a
/// hole. What stands in an index besides is read from the logs themselves.
/// </summary>
internal sealed class HistorySearch(IOpsStorage storage)
{
    private const long Window = 4 << 20;
    private const int ShortestOperation = 40; // its members ts, op and id, with nothing in them

    private readonly bool _numbered = (storage.Capabilities & StorageCapabilities.Append) == 0;

    /// <summary>The logs that were found, oldest first.</summary>
    public async ValueTask<List<HistoryLog>> RunAsync(Manifest manifest, CancellationToken ct)
    {
        var found = new List<HistoryLog>();
        var garbage = manifest.Garbage.Select(g => g.Name).ToHashSet(StringComparer.Ordinal);
        for (var i = manifest.Retired.Count - 1; i >= 0; i--)
        {
            var retired = manifest.Retired[i];
            var start = i > 0 ? manifest.Retired[i - 1].Clock : 0;
            if (manifest.History is { } index && found.Sum(l => l.Length) >= index.Bytes) break; // these are all it listed: what is older was not kept
            if (HoldsNothing(manifest, i)) continue; // and was not kept
            if (garbage.Contains(retired.Name) || await ReadAsync(retired, start, ct).ConfigureAwait(false) is not { } log) break;
            if (log.Operations > 0) found.Insert(0, log);
        }

        return found;
    }

    /// <summary>Whether there is no operation in a retired log, as far as can be told without reading it.</summary>
    public static bool HoldsNothing(Manifest manifest, int index)
    {
        var retired = manifest.Retired;
        var log = retired[index];
        if (log.Length == 0 || (!manifest.Numbered && log.Length < ShortestOperation)) return true; // what ends or voids a line, at most
        if (log.Agent.Length > 0) return false;
        // A single writer has read all that came before its first operation, which has a larger clock than any of it.
        var before = log.Clock == 0;
        for (var i = 0; i < index && !before; i++)
            before = retired[i].Clock >= log.Clock && (retired[i].Agent.Length == 0 || IsOlder(retired[i], log));
        return before;
    }

    /// <summary>
    /// How long a single writer's retired log was, in bytes; null if that is not known, or the log is an agent's. Where logs are numbered, one that agents folded counts
    /// objects: no more than it had operations, of which each has many bytes.
    /// </summary>
    public static long? BytesOf(Manifest manifest, int index)
    {
        var (retired, log) = (manifest.Retired, manifest.Retired[index]);
        if (log.Agent.Length > 0) return null;
        if (!manifest.Numbered || log.Length == 0) return log.Length;
        if (index == 0 ? retired.Count >= Agents.Compactor.MostRetired : retired[index - 1].Agent.Length > 0) return null; // the clock before it is not known
        var operations = log.Clock - (index == 0 ? 0 : retired[index - 1].Clock); // or fewer
        return operations > 0 && log.Length / ShortestOperation >= operations ? log.Length : null;
    }

    private static bool IsOlder(RetiredLog log, RetiredLog than) => StoreKeys.RevisionOf(new StorageKey(log.Name)) < StoreKeys.RevisionOf(new StorageKey(than.Name));

    // Null if it is gone, or shorter than it was. A numbered log counts objects: it ends, as far as it was kept, with the clock that it was retired with.
    private async ValueTask<HistoryLog?> ReadAsync(RetiredLog retired, long start, CancellationToken ct)
    {
        var source = new LogSource(retired.Name, retired.Agent.Length == 0 ? start : 0, retired.Agent);
        var scanner = new LogScanner(source, Recovery.SkipCorrupt) { IsClosed = true };
        var range = new OperationRange(_numbered || retired.Agent.Length > 0 ? retired.Clock : Stamp.MaxClock);
        var pieces = new SortedSet<long>();
        var read = await LogReader.ReadAsync(storage, new StorageKey(retired.Name), 0, _numbered ? null : retired.Length, part =>
        {
            pieces.Add(part.ChecksumBase);
            return scanner.Scan(part, range);
        }, ct, Window).ConfigureAwait(false);
        if (read is not { } extent || (!_numbered && extent.Length < retired.Length)) return null;
        var length = _numbered ? range.End : retired.Length;
        var operations = range.Operations + scanner.Skipped.Count; // a damaged line was one: its log is no empty one
        return new HistoryLog(
            retired.Name, retired.Agent, length, retired.Schema, range.StartClock < 0 ? start : range.StartClock, retired.Clock, operations, range.FirstTime, range.LastTime,
            _numbered ? pieces.Count(p => p < length) : 0);
    }

    // When the first and the last operation were written, and the clock before the first.
    private sealed class OperationRange(long lastClock) : IOperationSink
    {
        private readonly byte[] _last = new byte[OperationCodec.TimestampLength];
        private byte[]? _first;

        public long StartClock { get; private set; } = -1;

        public string FirstTime => _first is null ? "" : TextOf(_first);

        public string LastTime => _first is null ? "" : TextOf(_last);

        public long Operations { get; private set; }

        /// <summary>The offset behind the last.</summary>
        public long End { get; private set; }

        public void Operation(in OperationLine line, long offset, long clock, long next)
        {
            if (clock > lastClock) return; // it stands in the next log as well, or never counted
            (Operations, End) = (Operations + 1, next);
            if (StartClock < 0) StartClock = Math.Max(0, clock - 1);
            if (line.Timestamp.Length != _last.Length) return;
            _first ??= line.Timestamp.ToArray();
            line.Timestamp.CopyTo(_last);
        }

        private static string TextOf(byte[] time) => System.Text.Encoding.ASCII.GetString(time);
    }
}
