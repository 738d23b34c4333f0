using System.Text.Json;
using System.Text.Json.Serialization;
using OpsLog.Storage;

namespace OpsLog.Cli;

/// <summary>A store and its storage, opened as the command line does: raw JSON at the store's own schema version.</summary>
internal sealed class OpenedStore : IAsyncDisposable
{
    /// <summary>The deepest nesting of a document: .NET's default of 64 is too low for what the npm package wrote.</summary>
    public const int MaxDepth = 1000;

    private readonly IOpsStorage _storage;

    private OpenedStore(IOpsStorage storage, OpsStore<JsonElement> store) => (_storage, Store) = (storage, store);

    public OpsStore<JsonElement> Store { get; }

    /// <summary>Opens the store; <paramref name="options"/> says how, but for the documents.</summary>
    public static async ValueTask<OpenedStore> OpenAsync(string location, OpsStoreOptions options, CancellationToken cancellationToken)
    {
        options.JsonTypeInfo = RawJsonContext.Deep.JsonElement;
        options.SchemaVersion = null;
        var storage = StoreLocation.Open(location);
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

/// <summary>Documents as raw JSON, without reflection: it keeps the tool's start short.</summary>
[JsonSerializable(typeof(JsonElement))]
internal sealed partial class RawJsonContext : JsonSerializerContext
{
    public static RawJsonContext Deep { get; } = new(new JsonSerializerOptions { MaxDepth = OpenedStore.MaxDepth });
}
