using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using OpsLog.Extensions;
using OpsLog.Storage;
using OpsLog.Testing;
using Xunit;

namespace OpsLog.ExtensionsTests;

/// <summary>Goal: the check says what an operator has to know. Method: a store in each state that the check tells apart.</summary>
public sealed class HealthCheckTests
{
    private readonly FaultyStorage _storage = new(new MemoryStorage());

    [Fact]
    public async Task An_open_store_is_healthy_and_tells_its_numbers()
    {
        using var host = await StartAsync(o => o.AgentId = "web-1");
        var store = host.Services.GetRequiredKeyedService<OpsStore<Note>>("notes");
        await store.SetAsync("a", new Note("1"));
        await store.CompactAsync();
        await store.SetAsync("b", new Note("2"));
        var entry = await CheckAsync(host);
        Assert.Equal(HealthStatus.Healthy, entry.Status);
        Assert.Equal(2L, entry.Data["records"]);
        Assert.Equal(1L, entry.Data["pendingOperations"]);
        Assert.Equal(0, entry.Data["recoverySkipped"]);
        Assert.Equal(store.Statistics.LastCheckpoint, entry.Data["lastCheckpoint"]);
        Assert.StartsWith("1 pending operations, last seen 2", (string)entry.Data["agent:web-1"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Before_the_start_and_after_the_stop_it_is_unhealthy()
    {
        using var host = Build(_ => { });
        Assert.Equal(HealthStatus.Unhealthy, (await CheckAsync(host)).Status);
        await host.StartAsync();
        await host.StopAsync();
        var entry = await CheckAsync(host);
        Assert.Equal(HealthStatus.Unhealthy, entry.Status);
        Assert.Contains("'notes' is not open", entry.Description, StringComparison.Ordinal);
    }

    [Fact]
    public async Task It_tells_the_name_that_the_options_give_the_store()
    {
        using var host = await StartAsync(o => o.Name = "orders");
        Assert.Equal("The store 'orders' is open.", (await CheckAsync(host)).Description);
        await host.StopAsync();
        Assert.StartsWith("The store 'orders' is not open", (await CheckAsync(host)).Description, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_store_that_a_failure_made_read_only_is_unhealthy()
    {
        using var host = await StartAsync();
        _storage.Inject(InjectedFault.SyncFails());
        await Assert.ThrowsAsync<OpsLogException>(async () => await host.Services.GetRequiredKeyedService<OpsStore<Note>>("notes").SetAsync("a", new Note("1")));
        var entry = await CheckAsync(host);
        Assert.Equal(HealthStatus.Unhealthy, entry.Status);
        Assert.Contains("read-only", entry.Description, StringComparison.Ordinal);
    }

    [Fact]
    public async Task More_pending_operations_than_allowed_degrade()
    {
        using var host = await StartAsync(mostPending: 1);
        var store = host.Services.GetRequiredKeyedService<OpsStore<Note>>("notes");
        await store.SetAsync("a", new Note("1"));
        Assert.Equal(HealthStatus.Healthy, (await CheckAsync(host)).Status);
        await store.SetAsync("a", new Note("2"));
        var entry = await CheckAsync(host);
        Assert.Equal(HealthStatus.Degraded, entry.Status);
        Assert.Contains("2 operations are in no snapshot yet (allowed: 1)", entry.Description, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Skipped_damage_degrades()
    {
        await using (var store = await OpsStore<Note>.OpenAsync(_storage))
        {
            await store.SetAsync("a", new Note("1"));
            await store.SetAsync("b", new Note("2"));
        }

        var key = default(StorageKey);
        await foreach (var entry in _storage.ListAsync(new StorageKey("ops"), null, default)) key = entry.Key;
        var log = (await (await _storage.ReadAsync(key, ByteRange.All, default))!.ReadToEndAsync(default)).ToArray();
        log[30] ^= 1;
        await _storage.PutAsync(key, new MemoryStream(log), PutCondition.Always, default);
        using var host = await StartAsync(o => (o.Recovery, o.ReadOnly) = (Recovery.SkipCorrupt, true));
        var health = await CheckAsync(host);
        Assert.Equal(HealthStatus.Degraded, health.Status);
        Assert.Contains($"{key}:1", health.Description, StringComparison.Ordinal);
    }

    private async Task<IHost> StartAsync(Action<OpsStoreOptions>? configure = null, long? mostPending = null)
    {
        var host = Build(configure, mostPending);
        await host.StartAsync();
        return host;
    }

    private IHost Build(Action<OpsStoreOptions>? configure, long? mostPending = null)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Services.AddOpsLog<Note>("notes", o =>
        {
            o.Storage = _ => _storage;
            configure?.Invoke(o.Store);
        });
        builder.Services.AddHealthChecks().AddOpsLog<Note>("notes", configure: o => o.MaxPendingOperations = mostPending);
        return builder.Build();
    }

    private static async Task<HealthReportEntry> CheckAsync(IHost host)
    {
        var report = await host.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync();
        return report.Entries["opslog-notes"];
    }
}
