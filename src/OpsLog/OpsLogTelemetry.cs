namespace OpsLog;

/// <summary>
/// The names under which stores tell what they do: one activity source for traces, one meter for metrics. docs/telemetry.md lists every span and
/// every instrument with its unit and attributes. Nobody listens: next to nothing is done.
/// </summary>
public static class OpsLogTelemetry
{
    /// <summary>The name of the <see cref="System.Diagnostics.ActivitySource"/>: a span for each call that reaches the storage, and for checkpoints.</summary>
    public const string ActivitySourceName = "OpsLog";

    /// <summary>The name of the <see cref="System.Diagnostics.Metrics.Meter"/>.</summary>
    public const string MeterName = "OpsLog";
}
