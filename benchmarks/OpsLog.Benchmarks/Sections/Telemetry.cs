using System.Diagnostics;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;

namespace OpsLog.Benchmarks.Sections;

/// <summary>What it costs that somebody listens: the OpenTelemetry SDK, collecting and exporting to nowhere.</summary>
internal static class Telemetry
{
    public static async Task RunAsync(Settings settings, Workspace workspace)
    {
        foreach (var (durability, sets) in new[] { (Durability.Disk, settings.Quick ? 500 : 3_000), (Durability.Os, settings.Quick ? 50_000 : 200_000), (Durability.Buffered, settings.Quick ? 50_000 : 200_000) })
        {
            var (ids, items) = (Items.Ids(sets), Items.Make(sets, 0, 0));
            var comparison = new Comparison($"One caller, `Durability.{durability}`, telemetry ({sets:#,0} sets)", "sets/s");
            comparison.Add("nobody listens", () => SetAsync());
            comparison.Add("metrics", async () =>
            {
                using var metrics = Metrics();
                return await SetAsync();
            });
            comparison.Add("metrics, and one trace in a hundred", async () =>
            {
                using var metrics = Metrics();
                using var traces = Traces(new TraceIdRatioBasedSampler(0.01));
                return await SetAsync();
            });
            comparison.Add("metrics, and every trace", async () =>
            {
                using var metrics = Metrics();
                using var traces = Traces(new AlwaysOnSampler());
                return await SetAsync();
            });
            await comparison.RunAsync(settings.Rounds);

            async Task<double> SetAsync()
            {
                var options = Stores.Options(durability);
                options.Name = "benchmark";
                await using var store = await OpsStore<Item>.OpenAsync(workspace.Fresh(), options);
                var start = Stopwatch.GetTimestamp();
                for (var i = 0; i < sets; i++) await store.SetAsync(ids[i], items[i]);
                return Figures.Rate(sets, start);
            }
        }
    }

    private static MeterProvider Metrics() =>
        Sdk.CreateMeterProviderBuilder().AddMeter(OpsLogTelemetry.MeterName).AddReader(new PeriodicExportingMetricReader(new Nowhere<Metric>(), 1000)).Build();

    private static TracerProvider Traces(Sampler sampler) =>
        Sdk.CreateTracerProviderBuilder().AddSource(OpsLogTelemetry.ActivitySourceName).SetSampler(sampler).AddProcessor(new BatchActivityExportProcessor(new Nowhere<Activity>())).Build();

    private sealed class Nowhere<T> : BaseExporter<T>
        where T : class
    {
        public override ExportResult Export(in Batch<T> batch) => ExportResult.Success;
    }
}
