using System.Globalization;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace OpsLog.Extensions;

/// <summary>Whether a store works, from what it knows of itself: no I/O.</summary>
/// <typeparam name="T">The document type.</typeparam>
internal sealed class StoreHealthCheck<T>(StoreHost<T> host, OpsLogHealthOptions options) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) => Task.FromResult(Check(context.Registration.FailureStatus));

    private HealthCheckResult Check(HealthStatus failed)
    {
        if (host.Opened is not { } store)
            return new HealthCheckResult(failed, $"The store '{host.Name}' is not open{(host.Failure is null ? "" : $": {host.Failure.Message}")}.", host.Failure);
        var (statistics, recovery, agents) = (store.Statistics, store.RecoveryReport, store.Agents);
        var data = new Dictionary<string, object>(StringComparer.Ordinal)
        {
            ["records"] = statistics.Records,
            ["pendingOperations"] = statistics.OperationsSinceCheckpoint,
            ["logBytes"] = statistics.LogBytes,
            ["snapshotBytes"] = statistics.SnapshotBytes,
            ["recoveryNotes"] = recovery.Notes.Count,
            ["recoverySkipped"] = recovery.Skipped.Count,
        };
        if (statistics.LastCheckpoint is { } last) data["lastCheckpoint"] = last;
        foreach (var lag in agents.GroupBy(a => a.Agent, StringComparer.Ordinal))
            data[$"agent:{lag.Key}"] = Lag(lag);

        if (statistics.Failure is { } failure) return new HealthCheckResult(failed, $"The store '{host.Name}' is read-only since a write failed: {failure}", data: data);
        var degraded = new List<string>();
        if (statistics.CheckpointFailure is { } checkpoint) degraded.Add($"the last checkpoint failed: {checkpoint}");
        if (recovery.Skipped.Count > 0) degraded.Add($"{recovery.Skipped.Count} damages were skipped on opening, the first: {recovery.Skipped[0]}");
        if (options.MaxPendingOperations is { } most && statistics.OperationsSinceCheckpoint > most)
            degraded.Add(string.Create(CultureInfo.InvariantCulture, $"{statistics.OperationsSinceCheckpoint} operations are in no snapshot yet (allowed: {most})"));
        return degraded.Count == 0
            ? HealthCheckResult.Healthy($"The store '{host.Name}' is open.", data)
            : HealthCheckResult.Degraded($"The store '{host.Name}': {string.Join("; ", degraded)}.", data: data);
    }

    private static string Lag(IEnumerable<AgentInfo> logs)
    {
        var all = logs.ToList();
        var seen = all.Max(l => l.LastSeen);
        return string.Create(CultureInfo.InvariantCulture, $"{all.Sum(l => l.OperationsSinceCheckpoint)} pending operations, last seen {(seen is null ? "never" : seen.Value.ToString("u", CultureInfo.InvariantCulture))}");
    }
}
