using System.Diagnostics;
using System.Text.RegularExpressions;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;
using OpsLog.Extensions;
using OpsLog.Storage;
using OpsLog.Testing;
using OpsLog.Tests.Docs;
using Xunit;

namespace OpsLog.ExtensionsTests;

/// <summary>
/// Goal: docs/telemetry.md lists exactly what OpenTelemetry gets. Method: a store of agents that goes through everything once, listened to by the in-memory
/// exporter; names, units and attributes are compared with the page's tables.
/// </summary>
public sealed partial class TelemetryTests
{
    private static readonly MarkdownPage s_page = new("docs/telemetry.md");

    [Fact]
    public async Task Every_documented_metric_is_exported_with_its_unit_and_attributes_and_no_other()
    {
        var heard = await ListenToOpenAsync(UseEverythingAsync);
        var rows = s_page.Rows.Where(r => r.Section == "Metrics").ToList();
        Assert.Equal(Names(rows), heard.Metrics.Select(m => m.Name).Order(StringComparer.Ordinal));
        foreach (var row in rows)
        {
            var metric = heard.Metrics.Single(m => m.Name == Code(row.Cells[0]));
            Assert.Equal((metric.Name, Code(row.Cells[2])), (metric.Name, metric.Unit));
            Assert.Equal((metric.Name, row.Cells[1]), (metric.Name, KindOf(metric.MetricType)));
            IEnumerable<string> attributes = ["db.system.name", "db.namespace", .. CodeSpan().Matches(row.Cells[3]).Select(m => m.Groups[1].Value)];
            Assert.Equal(attributes.Order(StringComparer.Ordinal), heard.PointsOf(metric).SelectMany(p => p.Keys).Distinct().Order(StringComparer.Ordinal));
        }
    }

    [Fact]
    public async Task Every_documented_span_is_exported_and_no_other()
    {
        var heard = await ListenToOpenAsync(UseEverythingAsync);
        var documented = s_page.Rows.Where(r => r.Section == "Spans").SelectMany(r => CodeSpan().Matches(r.Cells[0])).Select(m => m.Groups[1].Value);
        Assert.Equal(documented.Order(StringComparer.Ordinal), heard.Spans.Select(s => (string)s.GetTagItem("db.operation.name")!).Distinct().Order(StringComparer.Ordinal));
        Assert.All(heard.Spans, span =>
        {
            Assert.Equal($"{span.GetTagItem("db.operation.name")} {heard.Store}", span.DisplayName);
            Assert.Equal(ActivityKind.Client, span.Kind);
            Assert.Equal("opslog", span.GetTagItem("db.system.name"));
            Assert.Equal(heard.Store, span.GetTagItem("db.namespace"));
        });
    }

    [Fact]
    public async Task All_attributes_that_are_exported_are_documented()
    {
        var heard = await ListenToOpenAsync(UseEverythingAsync);
        var documented = s_page.Rows.Where(r => r.Section == "Attributes").Select(r => Code(r.Cells[0]));
        var exported = heard.Spans.SelectMany(s => s.TagObjects.Select(t => t.Key)).Concat(heard.Metrics.SelectMany(heard.PointsOf).SelectMany(p => p.Keys)).Distinct();
        Assert.Equal(documented.Order(StringComparer.Ordinal), exported.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_failed_write_is_a_span_with_status_error_and_its_kind_in_the_metric()
    {
        var heard = await ListenAsync(async name =>
        {
            await using var store = await OpsStore<Note>.OpenAsync(new MemoryStorage(), new OpsStoreOptions { Name = name });
            var revision = await store.SetAsync("a", new Note("1"));
            await store.SetAsync("a", new Note("2"));
            await Assert.ThrowsAsync<OpsLogException>(async () => await store.SetAsync("a", new Note("3"), revision));
        });
        var failed = Assert.Single(heard.Spans, s => s.Status == ActivityStatusCode.Error);
        Assert.Equal("Conflict", failed.GetTagItem("error.type"));
        Assert.NotEmpty(failed.StatusDescription!);
        var duration = heard.Metrics.Single(m => m.Name == "db.client.operation.duration");
        Assert.Equal(["Conflict"], heard.PointsOf(duration).Where(p => p.ContainsKey("error.type")).Select(p => p["error.type"]));
    }

    [Theory]
    [InlineData(Durability.Disk, "set,set,delete,batch,set")]
    [InlineData(Durability.Os, "set,set")] // the one that waits, the one that fails
    [InlineData(Durability.Buffered, "")]
    public async Task Where_a_write_takes_microseconds_it_has_a_span_only_if_it_waits_or_fails(Durability durability, string expected)
    {
        var wait = TimeSpan.FromMilliseconds(50);
        var heard = await ListenAsync(async name =>
        {
            var storage = new FaultyStorage(new MemoryStorage());
            await using var store = await OpsStore<Note>.OpenAsync(storage, new OpsStoreOptions { Name = name, Durability = durability });
            var revision = await store.SetAsync("a", new Note("1"));
            await store.FlushAsync();
            storage.Inject(new InjectedFault { Calls = StorageCalls.Append, Delay = wait, OnlyDelay = true });
            await store.SetAsync("a", new Note("2"));
            await store.FlushAsync();
            await store.DeleteAsync("a");
            await store.BatchAsync(b => b.Set("b", new Note("1")));
            await Assert.ThrowsAsync<OpsLogException>(async () => await store.SetAsync("b", new Note("2"), revision));
        });
        var writes = heard.Spans.Where(s => s.GetTagItem("db.operation.name") is "set" or "delete" or "batch").OrderBy(s => s.StartTimeUtc).ToList();
        Assert.Equal(expected, string.Join(',', writes.Select(s => s.GetTagItem("db.operation.name"))));
        Assert.Equal(expected.Length == 0 ? 0 : 1, writes.Count(s => s.Duration >= wait / 2)); // from the call on, not from when it had to wait
        Assert.Equal(expected.Length == 0 ? 0 : 1, writes.Count(s => s.Status == ActivityStatusCode.Error));
    }

    [Fact]
    public async Task A_batch_tells_its_size_and_a_write_is_the_child_of_the_callers_span()
    {
        using var source = new ActivitySource("caller");
        using var listener = new ActivityListener { ShouldListenTo = s => s.Name == "caller", Sample = (ref _) => ActivitySamplingResult.AllDataAndRecorded };
        ActivitySource.AddActivityListener(listener);
        Activity? caller = null;
        var heard = await ListenAsync(async name =>
        {
            await using var store = await OpsStore<Note>.OpenAsync(new MemoryStorage(), new OpsStoreOptions { Name = name });
            using (caller = source.StartActivity("request"))
            {
                await store.BatchAsync(b =>
                {
                    b.Set("a", new Note("1"));
                    b.Set("b", new Note("2"));
                });
                Assert.Same(caller, Activity.Current);
            }
        });
        var batch = heard.Spans.Single(s => s.DisplayName.StartsWith("batch", StringComparison.Ordinal));
        Assert.Equal(2, batch.GetTagItem("db.operation.batch.size"));
        Assert.Equal(caller!.SpanId, batch.ParentSpanId);
    }

    [Fact]
    public async Task A_checkpoint_that_runs_by_itself_is_a_trace_of_its_own()
    {
        using var source = new ActivitySource("writer");
        using var listener = new ActivityListener { ShouldListenTo = s => s.Name == "writer", Sample = (ref _) => ActivitySamplingResult.AllDataAndRecorded };
        ActivitySource.AddActivityListener(listener);
        var heard = await ListenAsync(async name =>
        {
            var options = new OpsStoreOptions { Name = name, Checkpoint = { MinimumBytes = 0, MinimumOperations = 1, Growth = 0.001 } };
            await using var store = await OpsStore<Note>.OpenAsync(new MemoryStorage(), options);
            using (source.StartActivity("request")) await store.SetAsync("a", new Note("1"));
        });
        var checkpoint = heard.Spans.First(s => s.DisplayName.StartsWith("checkpoint", StringComparison.Ordinal));
        Assert.Null(checkpoint.ParentId);
    }

    [Fact]
    public async Task The_counters_count_and_the_observed_sizes_are_the_stores()
    {
        StoreStatistics? statistics = null;
        var heard = await ListenToOpenAsync(async name =>
        {
            var store = await OpsStore<Note>.OpenAsync(new MemoryStorage(), new OpsStoreOptions { Name = name });
            for (var i = 0; i < 10; i++) await store.SetAsync($"{i}", new Note("text"));
            statistics = store.Statistics;
            return store;
        });
        Assert.Equal(10, heard.SumOf("opslog.operations"));
        Assert.Equal(statistics!.LogBytes, heard.SumOf("opslog.append.io"));
        Assert.Equal(10, heard.SumOf("opslog.store.records"));
        Assert.Equal(statistics.LogBytes + statistics.SnapshotBytes, heard.SumOf("opslog.store.size"));
        Assert.Equal(10, heard.SumOf("opslog.store.pending_operations"));
    }

    [Fact]
    public async Task A_closed_store_is_no_longer_observed()
    {
        var heard = await ListenAsync(async name => await (await OpsStore<Note>.OpenAsync(new MemoryStorage(), new OpsStoreOptions { Name = name })).DisposeAsync());
        Assert.DoesNotContain(heard.Metrics, m => m.Name.StartsWith("opslog.store.", StringComparison.Ordinal));
    }

    // Two agents; every call once; a swap that is lost, a log that is sealed under its owner, a write that is refused.
    private static async Task<IAsyncDisposable?> UseEverythingAsync(string name)
    {
        var storage = new FaultyStorage(new MemoryStorage());
        OpsStoreOptions Options(string agent) => new() { Name = name, AgentId = agent, Checkpoint = { SilentAfter = TimeSpan.Zero } };
        var store = await OpsStore<Note>.OpenAsync(storage, Options("a"));
        await using var other = await OpsStore<Note>.OpenAsync(storage, Options("b"));
        storage.Inject(new InjectedFault { Calls = StorageCalls.Put, Keys = key => key.Value == "manifest.json", Outcome = PutOutcome.Conflict });
        var revision = await store.SetAsync("1", new Note("one"));
        await other.RefreshAsync();
        await other.CompactAsync(); // ends the log of the first
        await store.SetAsync("1", new Note("two"));
        await Assert.ThrowsAsync<OpsLogException>(async () => await store.SetAsync("1", new Note("three"), revision));
        await store.BatchAsync(b =>
        {
            b.Set("2", new Note("two"));
            b.Set("3", new Note("three"));
        });
        await store.DeleteAsync("3");
        await store.UndoAsync();
        await store.RedoAsync();
        await store.FlushAsync();
        await store.ArchiveAsync(["2"], "old");
        await store.LoadArchiveAsync("old");
        await store.BackupAsync(new MemoryStorage());
        return store;
    }

    private static Task<Heard> ListenAsync(Func<string, Task> use) => ListenToOpenAsync(async name =>
    {
        await use(name);
        return null;
    });

    // Other tests' stores run in the same process: only what bears this one's name counts.
    private static async Task<Heard> ListenToOpenAsync(Func<string, Task<IAsyncDisposable?>> use)
    {
        var (metrics, spans, name) = (new List<MetricSnapshot>(), new List<Activity>(), $"test-{Guid.NewGuid():n}");
        using var meters = Sdk.CreateMeterProviderBuilder().AddOpsLogInstrumentation().SetMaxMetricStreams(100).AddInMemoryExporter(metrics).Build();
        using var traces = Sdk.CreateTracerProviderBuilder().AddOpsLogInstrumentation().AddInMemoryExporter(spans).Build();
        var store = await use(name);
        meters.ForceFlush();
        var exported = metrics.ToList(); // disposing exports once more
        if (store is not null) await store.DisposeAsync();
        traces.ForceFlush();
        return new Heard(name, exported, [.. spans.ToArray().Where(s => Equals(s.GetTagItem("db.namespace"), name))]);
    }

    private static IEnumerable<string> Names(IEnumerable<TableRow> rows) => rows.Select(r => Code(r.Cells[0])).Order(StringComparer.Ordinal);

    private static string Code(string cell) => CodeSpan().Match(cell).Groups[1].Value;

    private static string KindOf(MetricType type) => type switch
    {
        MetricType.Histogram => "histogram",
        MetricType.LongSum => "counter",
        MetricType.LongSumNonMonotonic => "up-down counter",
        _ => type.ToString(),
    };

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex CodeSpan();

    /// <summary>What the exporter got of one store.</summary>
    private sealed class Heard(string store, List<MetricSnapshot> metrics, List<Activity> spans)
    {
        public string Store => store;

        public IReadOnlyList<Activity> Spans => spans;

        public IReadOnlyList<MetricSnapshot> Metrics { get; } = [.. metrics.Where(m => Points(m, store).Any())];

        public IEnumerable<Dictionary<string, object?>> PointsOf(MetricSnapshot metric) => Points(metric, store).Select(p => p.Tags);

        public long SumOf(string name) => Points(Metrics.Single(m => m.Name == name), store).Sum(p => p.Sum);

        private static IEnumerable<(Dictionary<string, object?> Tags, long Sum)> Points(MetricSnapshot metric, string store)
        {
            foreach (var point in metric.MetricPoints)
            {
                var tags = new Dictionary<string, object?>();
                foreach (var tag in point.Tags) tags[tag.Key] = tag.Value;
                if (tags.GetValueOrDefault("db.namespace") as string == store) yield return (tags, metric.MetricType.IsSum() ? point.GetSumLong() : 0);
            }
        }
    }
}

internal sealed record Note(string Text);
