using System.Text.Json;
using OpsLog.Storage;

namespace OpsLog.Cli;

/// <summary>A store and its storage, opened as the command line does: raw JSON at the store's own schema version.</summary>
internal sealed class OpenedStore : IAsyncDisposable
{
    /// <summary>How deep this tool reads nested JSON: as deep as the library reads documents. What may be written is the library's to say.</summary>
    public const int MaxDepth = 1024;

    private readonly IOpsStorage _storage;

    private OpenedStore(IOpsStorage storage, OpsStore<JsonElement> store) => (_storage, Store) = (storage, store);

    public OpsStore<JsonElement> Store { get; }

    /// <summary>Opens the store; <paramref name="options"/> says how, but for the documents.</summary>
    public static ValueTask<OpenedStore> OpenAsync(string location, OpsStoreOptions options, CancellationToken cancellationToken) =>
        OpenAsync(StoreLocation.Open(location), options, cancellationToken);

    /// <summary>Opens the store in a storage, which is disposed with it.</summary>
    public static async ValueTask<OpenedStore> OpenAsync(IOpsStorage storage, OpsStoreOptions options, CancellationToken cancellationToken)
    {
        options.SchemaVersion = null;
        try
        {
            var store = await OpsStore<JsonElement>.OpenAsync(storage, options, cancellationToken).ConfigureAwait(false);
            return new OpenedStore(storage, store);
        }
        catch
        {
            await storage.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        try
        {
            await Store.DisposeAsync().ConfigureAwait(false);
        }
        finally
        {
            await _storage.DisposeAsync().ConfigureAwait(false);
        }
    }
}
