using System.Collections.Concurrent;
using System.Diagnostics;

namespace OpsLog.Engine;

/// <summary>What one store tells traces and metrics. Nobody listens: a look at two flags.</summary>
/// <param name="name">What the store is called there; null: nothing.</param>
/// <param name="time">For durations.</param>
internal sealed class StoreTelemetry(string? name, TimeProvider time)
{
    /// <summary>The names of what is measured.</summary>
    public const string Open = "open", Set = "set", Delete = "delete", Batch = "batch", Undo = "undo", Redo = "redo", Flush = "flush",
        Refresh = "refresh", Checkpoint = "checkpoint", Archive = "archive", LoadArchive = "load_archive", Backup = "backup";

    private readonly KeyValuePair<string, object?>[] _tags = TagsOf(name);
    private readonly ConcurrentDictionary<string, (string SpanName, KeyValuePair<string, object?>[] Tags)> _operations = new(StringComparer.Ordinal);

    public string? Name { get; } = name;

    /// <summary>Somebody listens to calls.</summary>
    public static bool IsWatched => OpsLogInstruments.Source.HasListeners() || OpsLogInstruments.Duration.Enabled;

    /// <summary>Begins to measure a call; tell how it ended.</summary>
    /// <param name="operation">What is called.</param>
    /// <param name="batchSize">How many changes a batch holds.</param>
    public OperationMeasurement Start(string operation, int batchSize = 0)
    {
        var isTraced = OpsLogInstruments.Source.HasListeners();
        if (!isTraced && !OpsLogInstruments.Duration.Enabled) return default;
        Activity? activity = null;
        if (isTraced && (activity = OpsLogInstruments.Source.StartActivity(Of(operation).SpanName, ActivityKind.Client)) is { IsAllDataRequested: true })
        {
            foreach (var tag in Of(operation).Tags) activity.SetTag(tag.Key, tag.Value);
            if (batchSize > 1) activity.SetTag("db.operation.batch.size", batchSize);
        }

        return new OperationMeasurement(this, operation, time.GetTimestamp(), activity);
    }

    /// <summary>Measures a call from its beginning to its end.</summary>
    public async ValueTask<TResult> MeasureAsync<TResult>(string operation, Func<ValueTask<TResult>> call)
    {
        var measurement = Start(operation);
        try
        {
            var result = await call().ConfigureAwait(false);
            measurement.Succeeded();
            return result;
        }
        catch (Exception e) when (measurement.Failed(e))
        {
            throw;
        }
    }

    /// <inheritdoc cref="MeasureAsync{TResult}"/>
    public async ValueTask MeasureAsync(string operation, Func<ValueTask> call) =>
        await MeasureAsync(operation, async () =>
        {
            await call().ConfigureAwait(false);
            return true;
        }).ConfigureAwait(false);

    /// <summary>When an append begins; 0 if nobody wants to know.</summary>
    public long AppendStarts() => OpsLogInstruments.AppendDuration.Enabled ? time.GetTimestamp() : 0;

    public void AppendEnded(long started)
    {
        if (started != 0) OpsLogInstruments.AppendDuration.Record(time.GetElapsedTime(started).TotalSeconds, _tags);
    }

    public void TookIn(int operations)
    {
        if (operations > 0) OpsLogInstruments.TakenIn.Add(operations, _tags);
    }

    public void Conflicted() => OpsLogInstruments.Conflicts.Add(1, _tags);

    public void Fenced() => OpsLogInstruments.Fencings.Add(1, _tags);

    internal void Ended(string operation, long started, string? error)
    {
        if (!OpsLogInstruments.Duration.Enabled) return;
        var tags = Of(operation).Tags;
        if (error is not null) tags = [.. tags, new("error.type", error)];
        OpsLogInstruments.Duration.Record(time.GetElapsedTime(started).TotalSeconds, tags);
    }

    // Made once for each operation: this is on the way of every write.
    private (string SpanName, KeyValuePair<string, object?>[] Tags) Of(string operation) => _operations.GetOrAdd(
        operation,
        static (operation, of) => (of.Name is null ? operation : $"{operation} {of.Name}", [.. of._tags, new("db.operation.name", operation)]),
        this);

    private static KeyValuePair<string, object?>[] TagsOf(string? name)
    {
        KeyValuePair<string, object?> system = new("db.system.name", OpsLogInstruments.SystemName);
        return name is null ? [system] : [system, new("db.namespace", name)];
    }
}

/// <summary>A call that is being measured; the default: one that is not.</summary>
internal readonly struct OperationMeasurement(StoreTelemetry of, string operation, long started, Activity? activity)
{
    public void Succeeded()
    {
        if (of is null) return;
        activity?.Dispose();
        of.Ended(operation, started, error: null);
    }

    /// <summary>Always false: for an exception filter.</summary>
    public bool Failed(Exception exception)
    {
        if (of is null) return false;
        var error = exception is OpsLogException known ? known.Error.ToString() : exception.GetType().FullName!;
        activity?.SetTag("error.type", error).SetStatus(ActivityStatusCode.Error, exception.Message).Dispose();
        of.Ended(operation, started, error);
        return false;
    }
}
