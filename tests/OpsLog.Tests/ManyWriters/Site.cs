using System.Text.Json;
using OpsLog.Storage;
using OpsLog.Tests.Corpus;
using OpsLog.Tests.Faults;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.ManyWriters;

/// <summary>
/// A place for one store of many writers, of one of the three kinds of storage. In a folder every opening has a storage of its own, as another
/// process would; in memory they share one.
/// </summary>
internal sealed class Site : IAsyncDisposable
{
    public const string Folder = "folder";
    public const string Append = "append";
    public const string Numbered = "numbered";

    private readonly TempFolder? _folder;
    private readonly IOpsStorage _shared;
    private readonly List<(OpsStore<JsonElement> Store, IOpsStorage Storage)> _openings = [];

    public Site(string kind)
    {
        _folder = kind == Folder ? new TempFolder() : null;
        _shared = _folder is null ? new MemoryStorage(kind == Append) : new FileStorage(StorePath);
    }

    public static TheoryData<string> All => [Folder, Append, Numbered];

    public static TheoryData<string> InMemory => [Append, Numbered];

    /// <summary>The stored objects.</summary>
    public IOpsStorage Storage => _shared;

    /// <summary>The store's folder, in a folder.</summary>
    public string StorePath => _folder!["store"];

    /// <summary>Opens the store as an agent, or (null) as the only writer.</summary>
    /// <param name="agent">Its id.</param>
    /// <param name="change">Changes options; by default nothing happens by itself and everything is retained.</param>
    /// <param name="wrap">Puts something between this opening and the storage.</param>
    public async Task<OpsStore<JsonElement>> OpenAsync(string? agent, Action<OpsStoreOptions>? change = null, Func<IOpsStorage, IOpsStorage>? wrap = null)
    {
        var storage = _folder is null ? _shared : new FileStorage(StorePath);
        try
        {
            var store = await Lab.OpenAsync(wrap?.Invoke(storage) ?? storage, Options(agent, change));
            _openings.Add((store, storage));
            return store;
        }
        catch when (_folder is not null)
        {
            await storage.DisposeAsync();
            throw;
        }
    }

    /// <summary>Opens the store and does something with it; then closes it.</summary>
    public async Task WithAsync(string? agent, Func<OpsStore<JsonElement>, Task> action)
    {
        var store = await OpenAsync(agent);
        await action(store);
        await store.DisposeAsync();
    }

    /// <summary>Opens the store read-only, beside whoever writes.</summary>
    public Task<OpsStore<JsonElement>> OpenReadOnlyAsync() => OpenAsync(null, o => o.ReadOnly = true);

    /// <summary>Lets the process of an opening die: it says nothing to anybody, and what its operating system held for it is free.</summary>
    public async Task KillAsync(OpsStore<JsonElement> store)
    {
        var (_, storage) = _openings.Single(o => o.Store == store);
        if (_folder is not null) await storage.DisposeAsync();
    }

    /// <summary>The state that a fresh read-only opening shows.</summary>
    public async Task<string> StateAsync()
    {
        var store = await OpenReadOnlyAsync();
        await using (store) return Runs.Text(store);
    }

    /// <summary>Refreshes agents and checks that all of them, and a fresh opening, show the same: I2.</summary>
    public async Task AssertAgreeAsync(string expected, params OpsStore<JsonElement>[] agents)
    {
        foreach (var agent in agents)
        {
            await agent.RefreshAsync();
            Assert.Equal(expected, Runs.Text(agent));
        }

        Assert.Equal(expected, await StateAsync());
        var report = await OpsStore.VerifyAsync(_shared);
        Assert.True(report.IsSound, string.Join('\n', report.Damages));
    }

    /// <summary>Closes whatever is open, and lets go of everything.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (var (store, storage) in _openings)
        {
            await AbandonAsync(store);
            if (_folder is not null) await storage.DisposeAsync();
        }

        await _shared.DisposeAsync();
        _folder?.Dispose();
    }

    private static OpsStoreOptions Options(string? agent, Action<OpsStoreOptions>? change) => Lab.Options(o =>
    {
        o.AgentId = agent;
        change?.Invoke(o);
    });

    private static async Task AbandonAsync(OpsStore<JsonElement> store)
    {
        try
        {
            await store.DisposeAsync();
        }
        catch (Exception e) when (e is OpsLogException or ObjectDisposedException)
        {
            // A dead process says goodbye to nobody.
        }
    }
}
