using System.Buffers;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace OpsLog.Compare.Peers;

/// <summary>What the machine allows: a log without a store, a dictionary without a disk, a copy without a format.</summary>
internal sealed class LimitPeer : Peer
{
    private const int LineBytes = 340;
    private const int UpdateLineBytes = 430;
    private static (int Records, bool LongIds, Dictionary<string, Item> Dictionary)? s_dictionary;

    public override string Name => "limit";

    public override string Version => "write, fsync, Dictionary<string, T>, a scan for newlines, lines parsed into a dictionary, a copied file";

    public override string? Mode(Promise promise) => promise switch
    {
        Promise.Disk => "write + fsync",
        Promise.Os => "one write call each",
        _ => "serialising the line",
    };

    public override bool Can(JobKind kind) => kind is not (JobKind.Killed or JobKind.Fill);

    public override async Task<Outcome> RunAsync(Job job) => job.Kind switch
    {
        JobKind.Put when job.Promise == Promise.Buffered => Serialise(job),
        JobKind.Put when job.Callers > 1 => await SharedSyncsAsync(job),
        JobKind.Put => Writes(job, job.Promise == Promise.Disk),
        JobKind.Update => Writes(job with { Records = 1000, Update = true }, sync: false),
        JobKind.Get => await GetsAsync(job),
        JobKind.Scan => Scan(job),
        JobKind.Open => job.Update ? Parse(job) : FindLines(job),
        JobKind.Churn => Churn(job),
        JobKind.Refresh => ReadNews(job),
        JobKind.Merge => FindLinesOfLogs(job),
        JobKind.Checkpoint => Copy(job),
        _ => throw new NotSupportedException(),
    };

    public static Dictionary<string, Item> Dictionary(Job job)
    {
        if (s_dictionary is { } kept && (kept.Records, kept.LongIds) == (job.Records, job.LongIds)) return kept.Dictionary;
        s_dictionary = null;
        var dictionary = Load.Dictionary(job);
        s_dictionary = (job.Records, job.LongIds, dictionary);
        return dictionary;
    }

    private static Outcome Writes(Job job, bool sync)
    {
        using var log = new RawLog(job.Folder);
        var line = new byte[(job.Update ? UpdateLineBytes : LineBytes) * job.Batch];
        var start = Stopwatch.GetTimestamp();
        var done = 0;
        for (; done < job.Records && (done % 16 != 0 || Stopwatch.GetElapsedTime(start).TotalSeconds <= job.Seconds); done += job.Batch)
        {
            log.Write(line);
            if (sync) log.Sync();
        }

        return new Outcome(Figures.Rate(done, start));
    }

    private static async Task<Outcome> SharedSyncsAsync(Job job)
    {
        using var log = new SharedSyncLog(job.Folder, LineBytes);
        var start = Stopwatch.GetTimestamp();
        var callers = Enumerable.Range(0, job.Callers).Select(_ => Task.Run(async () =>
        {
            var done = 0;
            for (; done < job.Records / job.Callers && (done % 16 != 0 || Stopwatch.GetElapsedTime(start).TotalSeconds <= job.Seconds); done++) await log.WriteAsync();
            return done;
        }));
        var written = (await Task.WhenAll(callers)).Sum();
        var rate = Figures.Rate(written, start);
        return new Outcome(rate) { More = { ["operations a sync"] = (double)written / log.Syncs, [StoreJobs.Appending] = 100 * log.Appending.TotalSeconds / (written / rate) } };
    }

    // The line of an operation, with the document by the generated serialiser and all else by hand.
    private static Outcome Serialise(Job job)
    {
        var load = Load.Of(job);
        var line = new ArrayBufferWriter<byte>(4096);
        using var json = new Utf8JsonWriter(line, new JsonWriterOptions { SkipValidation = true });
        var start = Stopwatch.GetTimestamp();
        for (var i = 0; i < load.Ids.Length; i++)
        {
            line.ResetWrittenCount();
            line.Write("{\"ts\":\"2026-11-23T06:16:05.123Z\",\"op\":\"set\",\"id\":\""u8);
            Encoding.UTF8.GetBytes(load.Ids[i], line);
            line.Write("\",\"data\":"u8);
            json.Reset(line);
            JsonSerializer.Serialize(json, load.Items[i], ItemJson.Default.Item);
            line.Write(",\"prev\":null,\"clock\":"u8);
            i.TryFormat(line.GetSpan(16), out var digits, provider: CultureInfo.InvariantCulture);
            line.Advance(digits);
            line.Write(",\"crc\":\"01234567\"}\n"u8);
        }

        return new Outcome(Figures.Rate(load.Ids.Length, start));
    }

    private static async Task<Outcome> GetsAsync(Job job)
    {
        using var stop = new CancellationTokenSource();
        var writer = job.BesideWriter ? Task.Run(() => WriteLines(job.Folder + ".beside", stop.Token)) : Task.CompletedTask;
        var outcome = Reading.Gets(Load.RandomIds(job), job.Seconds, Dictionary(job).GetValueOrDefault);
        await stop.CancelAsync();
        await writer;
        return outcome;
    }

    // What a writer costs the caches and the other processor; it does not touch the dictionary, which would not bear it.
    private static void WriteLines(string path, CancellationToken stop)
    {
        using var log = new RawLog(path);
        var items = Items.Make(1000, 0, 0);
        for (var i = 0; !stop.IsCancellationRequested; i = (i + 1) % items.Length) log.Write(Items.Json(items[i]));
    }

    private static Outcome Scan(Job job)
    {
        var dictionary = Dictionary(job);
        if (job.Linq) return Reading.Scans(job, () => dictionary.Values.Count(Load.IsAbove));
        return Reading.Scans(job, () =>
        {
            var count = 0;
            foreach (var item in dictionary.Values)
                if (item.Priority > Load.Above) count++;
            return count;
        });
    }

    private static Outcome FindLines(Job job)
    {
        var start = Stopwatch.GetTimestamp();
        if (Lines(Snapshot(job)) < job.Records) throw new InvalidDataException("There are too few lines.");
        return new Outcome(Figures.Milliseconds(start));
    }

    private static Outcome FindLinesOfLogs(Job job)
    {
        var start = Stopwatch.GetTimestamp();
        var lines = Directory.EnumerateFiles(job.Folder, "*.jsonl", SearchOption.AllDirectories).Sum(Lines);
        return lines >= 2L * job.Records ? new Outcome(Figures.Rate(lines, start)) : throw new InvalidDataException("There are too few lines.");
    }

    private static long Lines(string path)
    {
        using var file = File.OpenHandle(path);
        var buffer = new byte[256 << 10];
        long lines = 0;
        int read;
        for (long at = 0; (read = RandomAccess.Read(file, buffer, at)) > 0; at += read) lines += buffer.AsSpan(0, read).Count((byte)'\n');
        return lines;
    }

    // The bytes of what another one appended, and where there is nothing new, one look at the file.
    private static Outcome ReadNews(Job job)
    {
        const int News = 100, WarmUp = 500, Times = 100, Idle = 20_000;
        var path = job.Folder + ".news";
        using var log = new RawLog(path);
        var news = new byte[News * LineBytes];
        var times = new List<double>();
        for (var time = -WarmUp; time < Times; time++)
        {
            for (var i = 0; i < News; i++) log.Write(news.AsSpan(0, LineBytes));
            var start = Stopwatch.GetTimestamp();
            if (log.ReadLast(news) != news.Length) throw new InvalidDataException("The file is too short.");
            if (time >= 0) times.Add(Stopwatch.GetElapsedTime(start).TotalMicroseconds);
        }

        var file = new FileInfo(path);
        var idle = Stopwatch.GetTimestamp();
        for (var i = 0; i < Idle; i++)
        {
            file.Refresh();
            if (file.Length == 0) throw new InvalidDataException("The file is empty.");
        }

        return new Outcome(Figures.Median(times)) { More = { ["nothing new, µs"] = Figures.Nanoseconds(Idle, idle) / 1000 } };
    }

    // What somebody without a store does: read all, keep all.
    private static Outcome Parse(Job job)
    {
        var start = Stopwatch.GetTimestamp();
        var dictionary = ReadAll(Snapshot(job));
        if (dictionary.Count != job.Records) throw new InvalidDataException($"{dictionary.Count} records instead of {job.Records}.");
        var above = 0;
        foreach (var item in dictionary.Values)
            if (item.Priority > Load.Above) above++;
        if (above == 0) throw new InvalidDataException("Nothing was found.");
        var outcome = new Outcome(Figures.Milliseconds(start));
        ProcessFigures.AddMemory(outcome);
        GC.KeepAlive(dictionary);
        return outcome;
    }

    private static Dictionary<string, Item> ReadAll(string snapshot)
    {
        var dictionary = new Dictionary<string, Item>();
        var bytes = File.ReadAllBytes(snapshot).AsSpan();
        for (var rest = bytes[(bytes.IndexOf((byte)'\n') + 1)..]; rest.Length > 0;)
        {
            var end = rest.IndexOf((byte)'\n');
            var record = JsonSerializer.Deserialize(rest[..end], ItemJson.Default.SnapshotLine)!;
            dictionary[record.Id] = record.Data;
            rest = rest[(end + 1)..];
        }

        return dictionary;
    }

    // The same documents, written to nothing but a file.
    private static Outcome Churn(Job job)
    {
        var before = ProcessFigures.WrittenBytes();
        long logical = 0;
        var sets = 0;
        using (var log = new RawLog(job.Folder))
        {
            for (; sets < job.Records * 10; sets++)
            {
                var json = Items.Json(Items.Make(sets % job.Records, sets / job.Records));
                logical += json.Length;
                log.Write(json);
            }
        }

        return new Outcome((double)(ProcessFigures.WrittenBytes() - before) / logical) { More = { ["sets"] = sets, ["peak memory, MiB"] = ProcessFigures.PeakMemory() } };
    }

    // The one before it may still be there.
    private static string Snapshot(Job job) => Directory.GetFiles(Path.Join(job.Folder, "snapshots")).MaxBy(file => new FileInfo(file).Length)!;

    /// <summary>The bytes of the snapshot once more, synced.</summary>
    public static Outcome Copy(Job job)
    {
        var source = Snapshot(job);
        var target = job.Folder + ".copy";
        var start = Stopwatch.GetTimestamp();
        File.Copy(source, target);
        using (var file = File.OpenHandle(target, FileMode.Open, FileAccess.ReadWrite)) RandomAccess.FlushToDisk(file);
        var outcome = new Outcome(Figures.Milliseconds(start));
        File.Delete(target);
        return outcome;
    }
}
