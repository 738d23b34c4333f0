using OpenTelemetry.Metrics;
using OpenTelemetry.Trace;

namespace OpsLog.Extensions;

/// <summary>Lets OpenTelemetry listen to all stores of the process. docs/telemetry.md lists the spans and instruments.</summary>
public static class OpsLogInstrumentationExtensions
{
    /// <summary>Collects the stores' spans.</summary>
    /// <param name="builder">The traces.</param>
    public static TracerProviderBuilder AddOpsLogInstrumentation(this TracerProviderBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.AddSource(OpsLogTelemetry.ActivitySourceName);
    }

    /// <summary>Collects the stores' metrics.</summary>
    /// <param name="builder">The metrics.</param>
    public static MeterProviderBuilder AddOpsLogInstrumentation(this MeterProviderBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.AddMeter(OpsLogTelemetry.MeterName);
    }
}
