using System.Diagnostics;
using System.Text.Json;

namespace OpsLog.Compare.Peers;

/// <summary>The jobs, for any store inside this process.</summary>
internal static class StoreJobs
{
    /// <summary>The share of the time in which bytes are written and synced.</summary>
    public const string Appending = "writing and syncing, % of the time";

    private const int FillBatch = 1000;
    private const int LookEvery = 16;

    public static Task<Outcome> RunAsync(StorePeer peer, Job job) => job.Kind switch
    {
        JobKind.Put or JobKind.Update => PutAsync(peer, job),
        JobKind.Fill => FillAsync(peer, job),
        JobKind.Get => GetAsync(peer, job),
        JobKind.Scan => ScanAsync(peer, job),
        JobKind.Open => OpenAsync(peer, job),
        JobKind.Killed => KilledAsync(peer, job),
        JobKind.Churn => ChurnAsync(peer, job),
        _ => throw new NotSupportedException($"{peer.Name} has no {job.Kind}."),
    };

    public static async Task FillAsync(IStore store, Job job)
    {
        var batch = new KeyValuePair<string, Item>[FillBatch];
        for (var first = 0; first < job.Records; first += FillBatch)
        {
            var count = Math.Min(FillBatch, job.Records - first);
            for (var i = 0; i < count; i++) batch[i] = new(job.Id(first + i), Items.Make(first + i));
            await store.SetAllAsync(batch.AsMemory(0, count));
        }
    }

    private static async Task<Outcome> FillAsync(StorePeer peer, Job job)
    {
        var start = Stopwatch.GetTimestamp();
        await using var store = await peer.OpenAsync(job);
        await FillAsync(store, job);
        return new Outcome(Figures.Rate(job.Records, start));
    }

    private static async Task<Outcome> PutAsync(StorePeer peer, Job job)
    {
        var load = Load.Of(job);
        await using var store = await peer.OpenAsync(job);
        if (job is { Kind: JobKind.Put, Update: true }) await FillAsync(store, job);
        if (job.Kind == JobKind.Update) await CallerAsync(store, job, load, 0, 1, Stopwatch.GetTimestamp()); // the first touch of a record after opening is not what is compared
        var (bytes, start, done) = (GC.GetTotalAllocatedBytes(), Stopwatch.GetTimestamp(), 0L);
        if (job.Batch > 1) done = await BatchesAsync(store, job, load);
        else if (job.Callers == 1) done = await CallerAsync(store, job, load, 0, 1, start);
        else
        {
            var callers = Enumerable.Range(0, job.Callers).Select(i => Task.Run(() => CallerAsync(store, job, load, i, job.Callers, start)));
            done = (await Task.WhenAll(callers)).Sum();
        }

        var rate = Figures.Rate(done, start);
        return new Outcome(rate) { More = { ["allocated, B/op"] = (double)(GC.GetTotalAllocatedBytes() - bytes) / done } };
    }

    private static async Task<long> CallerAsync(IStore store, Job job, Load load, int first, int step, long start)
    {
        var done = 0L;
        for (var i = first; i < load.Ids.Length; i += step)
        {
            await store.SetAsync(load.Ids[i], load.Items[i]);
            if (++done % LookEvery == 0 && Stopwatch.GetElapsedTime(start).TotalSeconds > job.Seconds) break;
        }

        return done;
    }

    private static async Task<long> BatchesAsync(IStore store, Job job, Load load)
    {
        var records = load.Pairs;
        var start = Stopwatch.GetTimestamp();
        var done = 0;
        for (; done + job.Batch <= records.Length && Stopwatch.GetElapsedTime(start).TotalSeconds <= job.Seconds; done += job.Batch)
            await store.SetAllAsync(records.AsMemory(done, job.Batch));
        return done;
    }

    private static async Task<Outcome> GetAsync(StorePeer peer, Job job)
    {
        await using var store = await peer.OpenAsync(job);
        var order = Load.RandomIds(job);
        var first = Stopwatch.GetTimestamp();
        var read = 0;
        foreach (var id in order)
        {
            if (store.Get(id) is null) throw new InvalidDataException($"{peer.Name} lost {id}.");
            if (++read % 64 == 0 && Stopwatch.GetElapsedTime(first).TotalSeconds > 2 * job.Seconds) break;
        }

        var firstRead = Figures.Nanoseconds(read, first);
        order = order[..read];
        using var stop = new CancellationTokenSource();
        var writer = job.BesideWriter ? Task.Run(() => WriteOthersAsync(store, job, stop.Token)) : Task.CompletedTask;
        var outcome = Reading.Gets(order, job.Seconds, store.Get);
        await stop.CancelAsync();
        await writer;
        outcome.More["first read, ns"] = firstRead;
        return outcome;
    }

    // Records that are not read, so that what is measured stays the read of a document that is there.
    private static async Task WriteOthersAsync(IStore store, Job job, CancellationToken stop)
    {
        var items = Items.Make(1000, job.Records, 0);
        for (var i = 0; !stop.IsCancellationRequested; i = (i + 1) % items.Length) await store.SetAsync(job.Id(job.Records + i), items[i]);
    }

    private static async Task<Outcome> ScanAsync(StorePeer peer, Job job)
    {
        await using var store = await peer.OpenAsync(job);
        return Reading.Scans(job, job.Linq ? () => store.Documents!.Count(Load.IsAbove) : () => store.CountAbove(Load.Above));
    }

    private static async Task<Outcome> OpenAsync(StorePeer peer, Job job)
    {
        var start = Stopwatch.GetTimestamp();
        await using var store = await peer.OpenAsync(job);
        var lost = 0;
        if (store.Get(job.Id(0)) is null || store.Get(job.Id(job.Records - 1)) is null) lost = -1;
        var outcome = new Outcome(Figures.Milliseconds(start));
        if (lost != 0) lost = Enumerable.Range(0, job.Records).Count(i => store.Get(job.Id(i)) is null);
        outcome.More["lost"] = lost;
        if (job.Reads > 0)
        {
            var random = new Random(job.Records);
            var ids = Enumerable.Range(0, job.Reads).Select(_ => job.Id(random.Next(job.Records))).ToArray();
            var reads = Stopwatch.GetTimestamp();
            foreach (var id in ids)
                if (store.Get(id) is null) throw new InvalidDataException($"{peer.Name} lost {id}.");
            outcome.More["a read, ns"] = Figures.Nanoseconds(job.Reads, reads);
        }

        if (job.Update)
        {
            var scan = Stopwatch.GetTimestamp();
            store.CountAbove(Load.Above);
            outcome.More["first scan, ms"] = Figures.Milliseconds(scan);
        }

        ProcessFigures.AddMemory(outcome);
        return outcome;
    }

    private static async Task<Outcome> KilledAsync(StorePeer peer, Job job)
    {
        var store = await peer.OpenAsync(job);
        for (var i = 0; i < job.Records; i++) await store.SetAsync(job.Id(i), Items.Make(i));
        Console.WriteLine(new Outcome(job.Records).ToJson());
        await Console.Out.FlushAsync();
        Process.GetCurrentProcess().Kill();
        return new Outcome(0);
    }

    private static async Task<Outcome> ChurnAsync(StorePeer peer, Job job)
    {
        var before = ProcessFigures.WrittenBytes();
        long logical = 0;
        var sets = 0;
        long managed = 0;
        await using (var store = await peer.OpenAsync(job))
        {
            var start = Stopwatch.GetTimestamp();
            for (; sets < job.Records * 10 && (sets % LookEvery != 0 || Stopwatch.GetElapsedTime(start).TotalSeconds <= job.Seconds); sets++)
            {
                var item = Items.Make(sets % job.Records, sets / job.Records);
                logical += Items.Json(item).Length;
                await store.SetAsync(job.Id(sets % job.Records), item);
                if (sets % 1024 == 0) managed = Math.Max(managed, GC.GetTotalMemory(forceFullCollection: false));
            }
        }

        var live = logical / (double)sets * Math.Min(sets, job.Records);

        var outcome = new Outcome((double)(ProcessFigures.WrittenBytes() - before) / logical);
        outcome.More["folder / live"] = Workspace.Size(job.Folder) / live;
        outcome.More["sets"] = sets;
        outcome.More["peak memory, MiB"] = ProcessFigures.PeakMemory();
        outcome.More["largest .NET heap, MiB"] = managed / (double)(1 << 20);
        return outcome;
    }
}

/// <summary>Ids and documents, made before any timer starts, and kept for the next round.</summary>
internal sealed class Load
{
    public const int Above = 3;
    public static readonly Func<Item, bool> IsAbove = item => item.Priority > Above;
    private static (Job Job, Load Load)? s_last;

    private Load(Job job)
    {
        var count = job.Records;
        if (job.Kind == JobKind.Update)
        {
            // Over a filled store: random records, each time changed.
            var random = new Random(count);
            var numbers = Enumerable.Range(0, Math.Min(count, 1000)).Select(_ => random.Next(count)).ToArray();
            Ids = [.. numbers.Select(job.Id)];
            Items = [.. numbers.Select(n => Documents.Items.Make(n, Environment.TickCount % 1000))];
        }
        else
        {
            Ids = [.. Enumerable.Range(0, count).Select(job.Id)];
            Items = Documents.Items.Make(count, 0, job.Update ? 1 : 0);
        }

        Pairs = [.. Ids.Zip(Items, KeyValuePair.Create)];
    }

    public string[] Ids { get; }

    public Item[] Items { get; }

    public KeyValuePair<string, Item>[] Pairs { get; }

    public static Load Of(Job job)
    {
        if (s_last is { } last && job.Kind != JobKind.Update && last.Job.Kind == job.Kind && (last.Job.Records, last.Job.Update, last.Job.LongIds) == (job.Records, job.Update, job.LongIds)) return last.Load;
        var load = new Load(job);
        s_last = (job, load);
        return load;
    }

    public static string[] RandomIds(Job job)
    {
        var random = new Random(job.Records);
        return [.. Enumerable.Range(0, Math.Min(job.Records, 200_000)).Select(_ => random.Next(job.Records)).Distinct().Select(job.Id)];
    }

    public static Dictionary<string, Item> Dictionary(Job job)
    {
        // Parsed, as a store's documents are: every string is the document's own.
        var dictionary = new Dictionary<string, Item>(job.Records);
        for (var i = 0; i < job.Records; i++)
            dictionary[job.Id(i)] = JsonSerializer.Deserialize(Documents.Items.Json(Documents.Items.Make(i)), ItemJson.Default.Item)!;
        return dictionary;
    }
}
