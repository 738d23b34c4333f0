using System.Diagnostics;
using BenchmarkDotNet.Attributes;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;
using OpsLog.Documents;

namespace OpsLog.Benchmarks;

/// <summary>Who listens to a store: the OpenTelemetry SDK, collecting and exporting to nowhere.</summary>
public enum Listeners
{
    Nobody,
    Metrics,
    MetricsAndOneTraceInAHundred,
    MetricsAndEveryTrace,
}

/// <summary>What a put costs while somebody listens.</summary>
public class Telemetry
{
    private const int Records = 10_000;
    private readonly string[] _ids = Items.Ids(Records);
    private readonly Item[][] _items = [Items.Make(Records, 0, 0), Items.Make(Records, 0, 1)];
    private readonly List<IDisposable> _listening = [];
    private string _folder = "";
    private OpsStore<Item> _store = null!;
    private int _next;

    [Params(Durability.Disk, Durability.Os, Durability.Buffered)]
    public Durability Durability { get; set; }

    [ParamsAllValues]
    public Listeners Listeners { get; set; }

    [GlobalSetup]
    public void Open()
    {
        if (Listeners != Listeners.Nobody)
            _listening.Add(Sdk.CreateMeterProviderBuilder().AddMeter(OpsLogTelemetry.MeterName).AddReader(new PeriodicExportingMetricReader(new Nowhere<Metric>(), 1000)).Build());
        if (Listeners > Listeners.Metrics)
        {
            Sampler sampler = Listeners == Listeners.MetricsAndEveryTrace ? new AlwaysOnSampler() : new TraceIdRatioBasedSampler(0.01);
            _listening.Add(Sdk.CreateTracerProviderBuilder().AddSource(OpsLogTelemetry.ActivitySourceName).SetSampler(sampler).AddProcessor(new BatchActivityExportProcessor(new Nowhere<Activity>())).Build());
        }

        _folder = Stores.NewFolder();
        _store = Stores.Open(_folder, Durability);
        Stores.Fill(_store, Records);
    }

    [GlobalCleanup]
    public void Close()
    {
        Stores.Close(_store);
        Directory.Delete(_folder, recursive: true);
        foreach (var listener in _listening) listener.Dispose();
        _listening.Clear();
    }

    [Benchmark]
    public async Task Set()
    {
        var i = _next++ % Records;
        await _store.SetAsync(_ids[i], _items[_next / Records % 2][i]);
    }

    private sealed class Nowhere<T> : BaseExporter<T>
        where T : class
    {
        public override ExportResult Export(in Batch<T> batch) => ExportResult.Success;
    }
}
