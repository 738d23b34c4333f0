using System.Diagnostics;
using System.Text.Json;
using OpsLog.Format;

namespace OpsLog.Benchmarks.Sections;

/// <summary>Puts at every durability level, against what a log without a store costs at the same level. Ids and documents are made before the timer.</summary>
internal static class Puts
{
    private const int Callers = 16;
    private const int BatchSize = 100;

    public static async Task RunAsync(Settings settings, Workspace workspace)
    {
        var load = new Load(settings.Quick ? 50_000 : 200_000);
        await OsAsync(settings, workspace, load);
        await DiskAsync(settings, workspace, load);
        await SharedAsync(settings, workspace, load);
        await BatchesAsync(settings, workspace, load);
        await BufferedAsync(settings, workspace, load);
    }

    private static async Task OsAsync(Settings settings, Workspace workspace, Load load)
    {
        var (added, changed) = await load.LineBytesAsync(workspace.Fresh());
        var comparison = new Comparison($"One caller, `Durability.Os`: acknowledged when the operating system has it ({load.Count:#,0} sets)", "sets/s");
        comparison.Add($"one write call for each line of {added} bytes", () => Raw(workspace, load.Count, added));
        comparison.Add("set, new records", () => SetAsync(workspace, load, Durability.Os, load.Count, update: false));
        var second = comparison.Add($"one write call for each line of {changed} bytes", () => Raw(workspace, load.Count, changed));
        comparison.Add("set, existing records (ratio to the line above)", () => SetAsync(workspace, load, Durability.Os, load.Count, update: true), second);
        await comparison.RunAsync(settings.Rounds);
        Console.WriteLine($"\nBytes allocated by a set of a new record: {await AllocatedAsync(workspace, load, false):0}, of an existing one: {await AllocatedAsync(workspace, load, true):0}.");
    }

    private static async Task DiskAsync(Settings settings, Workspace workspace, Load load)
    {
        var sets = settings.Quick ? 500 : 3_000;
        var (added, _) = await load.LineBytesAsync(workspace.Fresh());
        var comparison = new Comparison($"One caller, `Durability.Disk`: acknowledged when it is on stable storage ({sets:#,0} sets)", "sets/s");
        comparison.Add("write call and sync for each line", () => Raw(workspace, sets, added, sync: true));
        comparison.Add("set", () => SetAsync(workspace, load, Durability.Disk, sets, update: false));
        await comparison.RunAsync(settings.Rounds);
    }

    private static async Task SharedAsync(Settings settings, Workspace workspace, Load load)
    {
        var each = settings.Quick ? 200 : 1_000;
        var (added, _) = await load.LineBytesAsync(workspace.Fresh());
        var groups = new List<double>();
        var comparison = new Comparison($"{Callers} callers, `Durability.Disk` ({each:#,0} sets each)", "sets/s");
        var shared = new List<double>();
        comparison.Add("a thread that syncs once for all that wait", async () =>
        {
            using var log = new SharedSyncLog(workspace.Fresh(), added);
            var rate = await CallersAsync(each, _ => log.WriteAsync());
            shared.Add((double)Callers * each / log.Syncs);
            return rate;
        });
        comparison.Add("set", async () =>
        {
            await using var store = await Stores.OpenAsync(workspace.Fresh(), Durability.Disk);
            var rate = await CallersAsync(each, i => store.SetAsync(load.Ids[i], load.New[i]).AsTask());
            groups.Add((double)store.Statistics.Operations / store.Statistics.Appends);
            return rate;
        });
        await comparison.RunAsync(settings.Rounds);
        Console.WriteLine($"\nOperations for each sync: {Figures.Median(groups):0.0}; of the plain thread {Figures.Median(shared):0.0}.");
    }

    private static async Task BatchesAsync(Settings settings, Workspace workspace, Load load)
    {
        var (added, _) = await load.LineBytesAsync(workspace.Fresh());
        var comparison = new Comparison($"One caller, batches of {BatchSize}, `Durability.Os`", "records/s");
        comparison.Add("one write call for each batch", () => Raw(workspace, load.Count / BatchSize, (added + 15) * BatchSize) * BatchSize);
        comparison.Add("batch, new records", async () =>
        {
            await using var store = await Stores.OpenAsync(workspace.Fresh());
            var start = Stopwatch.GetTimestamp();
            for (var first = 0; first < load.Count; first += BatchSize)
            {
                var from = first;
                await store.BatchAsync(batch =>
                {
                    for (var i = from; i < from + BatchSize; i++) batch.Set(load.Ids[i], load.New[i]);
                });
            }

            return Figures.Rate(load.Count, start);
        });
        await comparison.RunAsync(settings.Rounds);
    }

    private static async Task BufferedAsync(Settings settings, Workspace workspace, Load load)
    {
        var comparison = new Comparison("One caller, `Durability.Buffered`: acknowledged at once, flushed in the background", "sets/s");
        comparison.Add("writing the line into memory", () => Encode(load));
        comparison.Add("set, until acknowledged", () => SetAsync(workspace, load, Durability.Buffered, load.Count, update: false));
        comparison.Add("set, until flushed", () => SetAsync(workspace, load, Durability.Buffered, load.Count, update: false, flush: true));
        await comparison.RunAsync(settings.Rounds);
    }

    private static double Raw(Workspace workspace, int writes, int bytes, bool sync = false)
    {
        using var log = new RawLog(workspace.Fresh());
        var line = new byte[bytes];
        var start = Stopwatch.GetTimestamp();
        for (var i = 0; i < writes; i++)
        {
            log.Write(line);
            if (sync) log.Sync();
        }

        return Figures.Rate(writes, start);
    }

    private static async Task<double> SetAsync(Workspace workspace, Load load, Durability durability, int sets, bool update, bool flush = false)
    {
        await using var store = await Stores.OpenAsync(workspace.Fresh(), durability);
        if (update) await Stores.FillAsync(store, sets);
        var items = update ? load.Changed : load.New;
        var start = Stopwatch.GetTimestamp();
        for (var i = 0; i < sets; i++) await store.SetAsync(load.Ids[i], items[i]);
        if (flush) await store.FlushAsync();
        return Figures.Rate(sets, start);
    }

    private static async Task<double> AllocatedAsync(Workspace workspace, Load load, bool update)
    {
        await using var store = await Stores.OpenAsync(workspace.Fresh());
        if (update) await Stores.FillAsync(store, load.Count);
        var items = update ? load.Changed : load.New;
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < load.Count; i++) await store.SetAsync(load.Ids[i], items[i]);
        return (double)(GC.GetAllocatedBytesForCurrentThread() - before) / load.Count;
    }

    private static async Task<double> CallersAsync(int each, Func<int, Task> put)
    {
        var start = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, Callers).Select(caller => Task.Run(async () =>
        {
            for (var i = 0; i < each; i++) await put((caller * each) + i);
        })));
        return Figures.Rate((long)Callers * each, start);
    }

    private static double Encode(Load load)
    {
        var document = new System.Buffers.ArrayBufferWriter<byte>(1024);
        using var writer = new Utf8JsonWriter(document);
        var line = new byte[4096];
        var start = Stopwatch.GetTimestamp();
        for (var i = 0; i < load.Count; i++)
        {
            document.ResetWrittenCount();
            writer.Reset(document);
            JsonSerializer.Serialize(writer, load.New[i], ItemJson.Default.Item);
            var id = System.Text.Encoding.UTF8.GetBytes(load.Ids[i], line.AsSpan(2048));
            OperationCodec.Write(
                line,
                new OperationDraft { Timestamp24 = "2026-11-23T06:16:05.123Z"u8, Kind = OperationKind.Set, IdWtf8 = line.AsSpan(2048, id), Prev = "null"u8, Data = document.WrittenSpan, Clock = i, BatchSize = 1 },
                i,
                out _);
        }

        return Figures.Rate(load.Count, start);
    }

    private sealed class Load(int count)
    {
        public int Count => count;

        public string[] Ids { get; } = Items.Ids(count);

        public Item[] New { get; } = Items.Make(count, 0, 0);

        public Item[] Changed { get; } = Items.Make(count, 0, 1);

        public async Task<(int Added, int Changed)> LineBytesAsync(string folder)
        {
            const int Some = 1000;
            await using var store = await Stores.OpenAsync(folder);
            for (var i = 0; i < Some; i++) await store.SetAsync(Ids[i], New[i]);
            var added = store.Statistics.LogBytes;
            for (var i = 0; i < Some; i++) await store.SetAsync(Ids[i], Changed[i]);
            return ((int)(added / Some), (int)((store.Statistics.LogBytes - added) / Some));
        }
    }
}
