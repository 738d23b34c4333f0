using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Reflection;
using System.Runtime.CompilerServices;

namespace OpsLog.Engine;

/// <summary>The instruments of the process, and the open stores whose sizes are observed. docs/telemetry.md lists them.</summary>
internal static class OpsLogInstruments
{
    public const string SystemName = "opslog";

    // The boundaries of the conventions, and smaller ones: a write to memory takes a microsecond.
    private static readonly double[] s_seconds = [0.000001, 0.00001, 0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10];
    private static readonly ConditionalWeakTable<StoreEngine, object?> s_open = [];
    private static readonly Dictionary<(string Instrument, string Store), long> s_closed = []; // what stores that are closed have counted
    private static readonly string? s_version = typeof(OpsLogInstruments).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0];
    private static readonly Meter s_meter = new(OpsLogTelemetry.MeterName, s_version);

    public static readonly ActivitySource Source = new(OpsLogTelemetry.ActivitySourceName, s_version ?? "");

    public static readonly Histogram<double> Duration = Seconds("db.client.operation.duration", "Duration of calls that write, or that read the storage.");

    public static readonly Histogram<double> AppendDuration = Seconds("opslog.append.duration", "Duration of appends to a log that wait for their sync.");

    public static readonly Counter<long> TakenIn = s_meter.CreateCounter<long>("opslog.refresh.operations", "{operation}", "Operations of others taken in.");

    public static readonly Counter<long> Conflicts = s_meter.CreateCounter<long>("opslog.manifest.conflicts", "{conflict}", "Changes of a manifest that another writer was faster with.");

    public static readonly Counter<long> Fencings = s_meter.CreateCounter<long>("opslog.fencings", "{fencing}", "Logs of this process that another writer ended.");

    // Counted by the writer anyway: observing them costs a write nothing.
    private static readonly (string Name, string Unit, string Description, Func<StoreEngine, long> Count)[] s_counts =
    [
        ("opslog.operations", "{operation}", "Operations acknowledged.", static engine => engine.AcknowledgedOperations),
        ("opslog.appends", "{append}", "Appends to logs.", static engine => engine.Appends),
        ("opslog.append.io", "By", "Bytes appended to logs.", static engine => engine.AppendedBytes),
    ];

    static OpsLogInstruments()
    {
        foreach (var (name, unit, description, count) in s_counts) s_meter.CreateObservableCounter(name, () => Counts(name, count), unit, description);
        Observed("opslog.store.records", "{record}", "Live records.", static (engine, add) => add(engine.State.Records.Count, null));
        Observed("opslog.store.size", "By", "Bytes a store takes, by part.", static (engine, add) =>
        {
            var now = engine.Statistics;
            foreach (var (part, bytes) in new[] { ("snapshot", now.SnapshotBytes), ("log", now.LogBytes), ("history", now.HistoryBytes), ("garbage", now.GarbageBytes) })
                add(bytes, new("opslog.store.part", part));
        });
        Observed("opslog.store.tombstones", "{record}", "Deleted records that are remembered for agents that lag.", static (engine, add) => add(engine.Statistics.Tombstones, null));
        Observed("opslog.store.pending_operations", "{operation}", "Operations that no snapshot covers yet.", static (engine, add) => add(engine.Statistics.OperationsSinceCheckpoint, null));
        Observed("opslog.agent.pending_operations", "{operation}", "The same of each agent's logs.", static (engine, add) =>
        {
            foreach (var log in engine.Agents) add(log.OperationsSinceCheckpoint, new("opslog.agent", log.Agent));
        });
    }

    public static void Opened(StoreEngine engine)
    {
        lock (s_closed) s_open.AddOrUpdate(engine, null);
    }

    /// <summary>A store has written its last: its sizes go, what it has counted stays.</summary>
    public static void Closed(StoreEngine engine)
    {
        lock (s_closed)
        {
            if (!s_open.Remove(engine)) return;
            foreach (var (name, _, _, count) in s_counts)
                s_closed[(name, engine.Telemetry.Name ?? "")] = s_closed.GetValueOrDefault((name, engine.Telemetry.Name ?? "")) + count(engine);
        }
    }

    private static Histogram<double> Seconds(string name, string description) =>
        s_meter.CreateHistogram(name, "s", description, tags: null, new InstrumentAdvice<double> { HistogramBucketBoundaries = s_seconds });

    // Stores of one name are added up: a set of attributes may be observed only once.
    private static void Observed(string name, string unit, string description, Action<StoreEngine, Action<long, KeyValuePair<string, object?>?>> observe) =>
        s_meter.CreateObservableUpDownCounter(name, () =>
        {
            var sums = new Dictionary<(string? Store, KeyValuePair<string, object?>? Tag), long>();
            foreach (var (engine, _) in s_open)
                observe(engine, (value, tag) => sums[(engine.Telemetry.Name, tag)] = sums.GetValueOrDefault((engine.Telemetry.Name, tag)) + value);
            return sums.Select(sum => new Measurement<long>(sum.Value, Tags(sum.Key.Store, sum.Key.Tag)));
        }, unit, description);

    private static List<Measurement<long>> Counts(string name, Func<StoreEngine, long> count)
    {
        lock (s_closed)
        {
            var sums = s_closed.Where(closed => closed.Key.Instrument == name).ToDictionary(closed => closed.Key.Store, closed => closed.Value);
            foreach (var (engine, _) in s_open) sums[engine.Telemetry.Name ?? ""] = sums.GetValueOrDefault(engine.Telemetry.Name ?? "") + count(engine);
            return [.. sums.Select(sum => new Measurement<long>(sum.Value, Tags(sum.Key.Length == 0 ? null : sum.Key, null)))];
        }
    }

    private static IEnumerable<KeyValuePair<string, object?>> Tags(string? store, KeyValuePair<string, object?>? tag)
    {
        yield return new("db.system.name", SystemName);
        if (store is not null) yield return new("db.namespace", store);
        if (tag is { } more) yield return more;
    }
}
