using Microsoft.Extensions.Diagnostics.HealthChecks;
using OpsLog.Extensions;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Health checks of registered stores.</summary>
public static class OpsLogHealthChecksBuilderExtensions
{
    /// <summary>
    /// Adds a health check of a registered store. Healthy: open. Degraded: the last checkpoint failed, damage was skipped on opening, or more operations
    /// wait for a checkpoint than <see cref="OpsLogHealthOptions"/> allows. Unhealthy: not open, or read-only since a write failed. Does no I/O; its data hold
    /// records, sizes, the last checkpoint, the recovery report's counts and each agent's lag.
    /// </summary>
    /// <typeparam name="T">The store's document type.</typeparam>
    /// <param name="builder">The health checks.</param>
    /// <param name="storeName">The name the store was registered under, if any.</param>
    /// <param name="name">The check's name. Default: <c>opslog-</c> and the store's name, or the document type's.</param>
    /// <param name="configure">Sets limits.</param>
    /// <param name="failureStatus">What is reported instead of unhealthy.</param>
    /// <param name="tags">The check's tags.</param>
    public static IHealthChecksBuilder AddOpsLog<T>(
        this IHealthChecksBuilder builder, string? storeName = null, string? name = null, Action<OpsLogHealthOptions>? configure = null, HealthStatus? failureStatus = null, IEnumerable<string>? tags = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var options = new OpsLogHealthOptions();
        configure?.Invoke(options);
        return builder.Add(new HealthCheckRegistration(
            name ?? $"opslog-{storeName ?? typeof(T).Name}", provider => new StoreHealthCheck<T>(OpsLogServiceCollectionExtensions.HostOf<T>(provider, storeName), options), failureStatus, tags));
    }
}
