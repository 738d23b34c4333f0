using System.Diagnostics;
using System.Globalization;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;
using OpsLog.Documents;
using OpsLog.Storage;

namespace OpsLog.Benchmarks;

/// <summary>
/// What a put costs while the OpenTelemetry SDK listens, exporting to nowhere: the processor time of the whole process, exporting included. What is looked for
/// is far below what a system call varies by. So it is measured on a store in memory, where short runs of every listener take turns and the twentieth fastest
/// of all counts, and compared with what a put costs in a folder. What a second run with nobody differs by says how exact the figures are.
/// </summary>
internal static class TelemetryCost
{
    private const int Records = 1_000;
    private const double Fast = 0.05;
    private static readonly ActivitySource s_caller = new("caller");

    private static readonly (string Name, Func<IEnumerable<IDisposable>> Listen)[] s_listeners =
    [
        ("nobody", () => []),
        ("nobody, once more", () => []),
        ("metrics", () => [Metrics()]),
        ("traces, the caller's is not kept", () => Traces(new AlwaysOffSampler())),
        ("traces, the caller's is kept", () => Traces(new AlwaysOnSampler())),
        ("metrics, and the caller's trace is not kept", () => [Metrics(), .. Traces(new AlwaysOffSampler())]),
        ("metrics, and the caller's trace is kept", () => [Metrics(), .. Traces(new AlwaysOnSampler())]),
    ];

    public static async Task RunAsync(int rounds)
    {
        var nobody = s_listeners[..1];
        var folder = Stores.NewFolder();
        var os = (await MeasureAsync(Stores.Open(Path.Combine(folder, "os"), Durability.Os), nobody, puts: 100, rounds))[0];
        var disk = (await MeasureAsync(Stores.Open(Path.Combine(folder, "disk"), Durability.Disk), nobody, puts: 20, rounds))[0];
        Directory.Delete(folder, recursive: true);
        var atDisk = await MeasureAsync(Stores.Open(new MemoryStorage(), durability: Durability.Disk), s_listeners, puts: 100, rounds);
        var atOs = await MeasureAsync(Stores.Open(new MemoryStorage(), durability: Durability.Os), s_listeners, puts: 100, rounds);
        var buffered = await MeasureAsync(Stores.Open(new MemoryStorage(), durability: Durability.Buffered), s_listeners, puts: 100, rounds);

        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| listener | more for each put at `Disk` | of {disk:0} µs | at `Os` | of {os:0.0} µs | at `Buffered` | of {buffered[0]:0.00} µs |"));
        Console.WriteLine("|---|---|---|---|---|---|---|");
        for (var i = 1; i < s_listeners.Length; i++)
            Console.WriteLine($"| {s_listeners[i].Name} | {More(atDisk, i, disk)} | {More(atOs, i, os)} | {More(buffered, i, buffered[0])} |");

        static string More(double[] times, int listener, double put) =>
            string.Create(CultureInfo.InvariantCulture, $"{times[listener] - times[0]:0.00} µs | {(times[listener] - times[0]) / put:0.0 %}");
    }

    // The processor time of a put in µs, for each listener.
    private static async Task<double[]> MeasureAsync(OpsStore<Item> opened, (string Name, Func<IEnumerable<IDisposable>> Listen)[] listeners, int puts, int rounds)
    {
        var (ids, items) = (Items.Ids(Records), new[] { Items.Make(Records, 0, 0), Items.Make(Records, 0, 1) });
        var times = listeners.Select(_ => new List<double>()).ToArray();
        await using var store = opened;
        Stores.Fill(store, Records);
        for (var round = -10; round < rounds; round++) // the first ones warm up
        {
            for (var i = 0; i < listeners.Length; i++)
            {
                var which = (i + Math.Abs(round)) % listeners.Length;
                var listening = listeners[which].Listen().ToList();
                await PutAsync(puts / 10);
                var before = Environment.CpuUsage.TotalTime;
                await PutAsync(puts);
                if (round >= 0) times[which].Add((Environment.CpuUsage.TotalTime - before).TotalMicroseconds / puts);
                await store.FlushAsync(); // not in the time of the next
                foreach (var listener in listening) listener.Dispose();
            }
        }

        return [.. times.Select(all => all.Order().ElementAt((int)(all.Count * Fast)))];

        async Task PutAsync(int count)
        {
            for (var i = 0; i < count; i++) await store.SetAsync(ids[i % Records], items[i % 2][i % Records]);
        }
    }

    private static MeterProvider Metrics() =>
        Sdk.CreateMeterProviderBuilder().AddMeter(OpsLogTelemetry.MeterName).AddReader(new PeriodicExportingMetricReader(new Nowhere<Metric>(), 1000)).Build();

    // And a span around the puts, as that of a request.
    private static IEnumerable<IDisposable> Traces(Sampler sampler)
    {
        var provider = Sdk.CreateTracerProviderBuilder().AddSource(OpsLogTelemetry.ActivitySourceName).AddSource(s_caller.Name)
            .SetSampler(sampler).AddProcessor(new BatchActivityExportProcessor(new Nowhere<Activity>())).Build();
        return s_caller.StartActivity("request") is { } request ? [request, provider] : [provider];
    }

    private sealed class Nowhere<T> : BaseExporter<T>
        where T : class
    {
        public override ExportResult Export(in Batch<T> batch) => ExportResult.Success;
    }
}
