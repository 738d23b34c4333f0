using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using OpsLog.Storage;

namespace OpsLog.Extensions;

/// <summary>
/// A store's life in a host: open before any other service starts, closed when all have stopped. One for each registration.
/// </summary>
/// <typeparam name="T">The document type.</typeparam>
internal sealed class StoreHost<T>(IServiceProvider services, string optionsName, string displayName) : IHostedLifecycleService, IAsyncDisposable
{
    private readonly ILogger _logger = (services.GetService<ILoggerFactory>() ?? NullLoggerFactory.Instance).CreateLogger("OpsLog.Hosting");
    private IOpsStorage? _storage;
    private OpsStore<T>? _store;
    private Lazy<Task>? _closing;

    /// <summary>What the store is called in messages: the registration's name, until the options are read and say otherwise.</summary>
    public string Name => displayName;

    /// <summary>Why the store could not be opened or closed; null: it could, or was not tried.</summary>
    public Exception? Failure { get; private set; }

    /// <summary>The store, if it is open.</summary>
    public OpsStore<T>? Opened => Volatile.Read(ref _store);

    /// <summary>The open store.</summary>
    /// <exception cref="InvalidOperationException">The host has not started yet, or has stopped.</exception>
    public OpsStore<T> Store => Opened ?? throw new InvalidOperationException(
        $"The store '{displayName}' is not open: it opens when the host starts, before any other hosted service, and closes when all have stopped. Ask for it then (host.StartAsync).", Failure);

    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        if (Opened is not null) return;
        var options = services.GetRequiredService<IOptionsMonitor<OpsLogOptions>>().Get(optionsName);
        var store = options.Store;
        displayName = store.Name ??= displayName;
        if (store.CacheFolder is { } cache) store.CacheFolder = Rooted(cache);
        store.LoggerFactory ??= services.GetService<ILoggerFactory>();
        if (ReferenceEquals(store.TimeProvider, TimeProvider.System)) store.TimeProvider = services.GetService<TimeProvider>() ?? TimeProvider.System;
        try
        {
            var opened = await OpenAsync(options, cancellationToken).ConfigureAwait(false);
            _closing = new Lazy<Task>(() => Task.Run(() => CloseAsync(opened))); // elsewhere: who asks too must not wait in a lock for what it does at once
            Volatile.Write(ref _store, opened);
            Failure = null;
            HostLog.Opened(_logger, displayName);
        }
        catch (Exception e)
        {
            Failure = e;
            HostLog.OpenFailed(_logger, displayName, e);
            await DisposeStorageAsync().ConfigureAwait(false);
            throw;
        }
    }

    public async Task StoppedAsync(CancellationToken cancellationToken)
    {
        try
        {
            await DisposeAsync().AsTask().WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            HostLog.ClosingTakesLong(_logger, displayName); // it goes on; who disposes the host waits for it
        }
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Closes the store, if it is open: with a checkpoint if one is due. Once: everybody who asks for it waits for the end, and is told of it.</summary>
    public ValueTask DisposeAsync()
    {
        Volatile.Write(ref _store, null);
        return _closing is { } closing ? new ValueTask(closing.Value) : default;
    }

    private async Task CloseAsync(OpsStore<T> store)
    {
        try
        {
            await store.DisposeAsync().ConfigureAwait(false);
            HostLog.Closed(_logger, displayName);
        }
        catch (Exception e)
        {
            Failure = e;
            HostLog.CloseFailed(_logger, displayName, e);
            throw;
        }
        finally
        {
            await DisposeStorageAsync().ConfigureAwait(false);
        }
    }

    private ValueTask<OpsStore<T>> OpenAsync(OpsLogOptions options, CancellationToken ct)
    {
        if (options.Storage is null) return OpsStore<T>.OpenAsync(Rooted(options.Location!), options.Store, ct);
        _storage = options.Storage(services);
        return OpsStore<T>.OpenAsync(_storage, options.Store, ct);
    }

    private string Rooted(string location)
    {
        if (location.Contains("://", StringComparison.Ordinal) || services.GetService<IHostEnvironment>()?.ContentRootPath is not { Length: > 0 } root) return location;
        return Path.Combine(root, location);
    }

    private async ValueTask DisposeStorageAsync()
    {
        if (_storage is not null) await _storage.DisposeAsync().ConfigureAwait(false);
        _storage = null;
    }
}
