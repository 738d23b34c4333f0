using System.Diagnostics;
using OpsLog.Storage;

namespace OpsLog.Engine;

/// <summary>The calls that are measured. docs/telemetry.md says what each covers.</summary>
internal enum StoreCall
{
    Open,
    Set,
    Delete,
    Batch,
    Undo,
    Redo,
    Flush,
    Refresh,
    Checkpoint,
    Archive,
    LoadArchive,
    Backup,
}

/// <summary>
/// What one store tells traces and metrics. Nobody listens: a look at two flags. A write that ends in memory (<see cref="Durability.Buffered"/>) is no more measured than
/// a read; one that ends with the operating system (<see cref="Durability.Os"/>) takes microseconds, of which a span would be a tenth: it has one if it has to wait, or fails.
/// </summary>
/// <param name="name">What the store is called there; null: nothing.</param>
/// <param name="time">For durations.</param>
/// <param name="durability">What writes wait for.</param>
internal sealed class StoreTelemetry(string? name, TimeProvider time, Durability durability)
{
    private static readonly string[] s_names = ["open", "set", "delete", "batch", "undo", "redo", "flush", "refresh", "checkpoint", "archive", "load_archive", "backup"];

    private readonly KeyValuePair<string, object?>[] _tags = TagsOf(name);
    private readonly CallNames?[] _calls = new CallNames?[s_names.Length];

    public string? Name { get; } = name;

    /// <summary>What log messages call it.</summary>
    public string LogName { get; } = name ?? "the store";

    /// <summary>Whether somebody wants to know of writes.</summary>
    public bool IsMeasuringWrites => durability != Durability.Buffered && (OpsLogInstruments.Source.HasListeners() || OpsLogInstruments.Duration.Enabled);

    /// <summary>Begins to measure a write; tell how it ended.</summary>
    /// <param name="call">Which write.</param>
    /// <param name="batchSize">How many changes a batch holds.</param>
    public CallMeasurement StartWrite(StoreCall call, int batchSize = 0) =>
        durability == Durability.Disk ? Start(call, batchSize) : IsMeasuringWrites ? new CallMeasurement(this, call, batchSize, time.GetTimestamp(), null) : default;

    /// <summary>Measures a call from its beginning to its end.</summary>
    public async ValueTask<TResult> MeasureAsync<TResult>(StoreCall of, Func<ValueTask<TResult>> call)
    {
        var measurement = Start(of);
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
    public async ValueTask MeasureAsync(StoreCall of, Func<ValueTask> call) =>
        await MeasureAsync(of, async () =>
        {
            await call().ConfigureAwait(false);
            return true;
        }).ConfigureAwait(false);

    /// <summary>When an append begins; 0 if nobody wants to know. Without a sync it is nearly all of the write, which is measured already.</summary>
    public long AppendStarts(Flush flush) => flush == Flush.Synced && OpsLogInstruments.AppendDuration.Enabled ? time.GetTimestamp() : 0;

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

    internal void Ended(StoreCall call, long started, string? error)
    {
        if (!OpsLogInstruments.Duration.Enabled) return;
        var tags = Of(call).Tags;
        if (error is not null) tags = [.. tags, new("error.type", error)];
        OpsLogInstruments.Duration.Record(time.GetElapsedTime(started).TotalSeconds, tags);
    }

    /// <summary>Begins to measure a call that is no write; tell how it ended.</summary>
    public CallMeasurement Start(StoreCall call, int batchSize = 0)
    {
        var isTraced = OpsLogInstruments.Source.HasListeners();
        if (!isTraced && !OpsLogInstruments.Duration.Enabled) return default;
        return new CallMeasurement(this, call, batchSize, time.GetTimestamp(), isTraced ? StartActivity(call, batchSize) : null);
    }

    /// <summary>The span of a write that has gone on for a while; null where it could have had one from the start.</summary>
    internal Activity? StartLate(StoreCall call, int batchSize, long started) =>
        durability == Durability.Os && OpsLogInstruments.Source.HasListeners() ? StartActivity(call, batchSize, time.GetUtcNow() - time.GetElapsedTime(started)) : null;

    // The attributes go along, so that a sampler can decide by them.
    private Activity? StartActivity(StoreCall call, int batchSize, DateTimeOffset started = default)
    {
        var (spanName, tags) = Of(call);
        var activity = OpsLogInstruments.Source.StartActivity(spanName, ActivityKind.Client, parentContext: default, tags, startTime: started);
        if (batchSize > 1) activity?.SetTag("db.operation.batch.size", batchSize);
        return activity;
    }

    // Made once for each call, by whoever is first: this is on the way of every write.
    private CallNames Of(StoreCall call) => _calls[(int)call] ??= NamesOf(s_names[(int)call]);

    private CallNames NamesOf(string call) => new(Name is null ? call : $"{call} {Name}", [.. _tags, new("db.operation.name", call)]);

    private static KeyValuePair<string, object?>[] TagsOf(string? name)
    {
        KeyValuePair<string, object?> system = new("db.system.name", OpsLogInstruments.SystemName);
        return name is null ? [system] : [system, new("db.namespace", name)];
    }

    private sealed record CallNames(string SpanName, KeyValuePair<string, object?>[] Tags);
}

/// <summary>A call that is being measured; the default: one that is not.</summary>
internal readonly struct CallMeasurement(StoreTelemetry of, StoreCall call, int batchSize, long started, Activity? activity)
{
    /// <summary>The call goes on behind a wait: from here on it has a span, if spans are wanted.</summary>
    public CallMeasurement Waits() => of is null || activity is not null ? this : new CallMeasurement(of, call, batchSize, started, of.StartLate(call, batchSize, started));

    public void Succeeded()
    {
        if (of is null) return;
        activity?.Dispose();
        of.Ended(call, started, error: null);
    }

    /// <summary>Always false: for an exception filter.</summary>
    public bool Failed(Exception exception)
    {
        if (of is null) return false;
        var error = exception is OpsLogException known ? known.Error.ToString() : exception.GetType().FullName!;
        (activity ?? of.StartLate(call, batchSize, started))?.SetTag("error.type", error).SetStatus(ActivityStatusCode.Error, exception.Message).Dispose();
        of.Ended(call, started, error);
        return false;
    }
}
