using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using OpsLog;
using OpsLog.Extensions;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers stores. Each opens when the host starts, before any other hosted service, and closes when all have stopped.</summary>
public static class OpsLogServiceCollectionExtensions
{
    /// <summary>Registers a store: ask for <see cref="OpsStore{T}"/>.</summary>
    /// <typeparam name="T">The document type.</typeparam>
    /// <param name="services">The services.</param>
    /// <param name="configure">Says where it is, and how it is opened; <see cref="OpsLogOptions.Bind"/> takes it from configuration. Called and checked when the host starts.</param>
    /// <exception cref="InvalidOperationException">There is a registration of this type without a name already.</exception>
    public static IServiceCollection AddOpsLog<T>(this IServiceCollection services, Action<OpsLogOptions> configure) => services.AddOpsLog<T>(name: null, configure);

    /// <summary>Registers a store under a name: ask for a keyed <see cref="OpsStore{T}"/>, <c>[FromKeyedServices(name)]</c>.</summary>
    /// <typeparam name="T">The document type.</typeparam>
    /// <param name="services">The services.</param>
    /// <param name="name">The key, and what the store is called in logs, traces and metrics unless <see cref="OpsStoreOptions.Name"/> is set; <see langword="null"/>: no key, and the document type's name there.</param>
    /// <param name="configure">Says where it is, and how it is opened; <see cref="OpsLogOptions.Bind"/> takes it from configuration. Called and checked when the host starts.</param>
    /// <exception cref="InvalidOperationException">There is a registration of this type and name already.</exception>
    public static IServiceCollection AddOpsLog<T>(this IServiceCollection services, string? name, Action<OpsLogOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(configure);
        var registration = name is null ? $"AddOpsLog<{typeof(T).Name}>()" : $"AddOpsLog<{typeof(T).Name}>(\"{name}\")";
        if (services.Any(s => s.ServiceType == typeof(StoreHost<T>) && Equals(s.ServiceKey, name)))
            throw new InvalidOperationException($"{registration} was called before. Give each store of one type a name of its own.");
        var optionsName = $"{typeof(T)}:{name}";
        services.AddOptions<OpsLogOptions>(optionsName).Configure(configure).ValidateOnStart();
        services.AddSingleton<IValidateOptions<OpsLogOptions>>(new OpsLogOptionsCheck(optionsName, registration));
        if (name is null)
        {
            services.AddSingleton(provider => new StoreHost<T>(provider, optionsName, typeof(T).Name));
            services.AddSingleton(provider => provider.GetRequiredService<StoreHost<T>>().Store);
        }
        else
        {
            services.AddKeyedSingleton(name, (provider, _) => new StoreHost<T>(provider, optionsName, name));
            services.AddKeyedSingleton(name, (provider, _) => provider.GetRequiredKeyedService<StoreHost<T>>(name).Store);
        }

        services.AddSingleton<IHostedService>(provider => HostOf<T>(provider, name));
        return services;
    }

    internal static StoreHost<T> HostOf<T>(IServiceProvider provider, string? name) =>
        name is null ? provider.GetRequiredService<StoreHost<T>>() : provider.GetRequiredKeyedService<StoreHost<T>>(name);
}
