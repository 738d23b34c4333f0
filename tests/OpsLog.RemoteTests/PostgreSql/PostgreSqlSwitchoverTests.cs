// Goal: what passes when servers change their parts or end sessions passes within RetryFor, and only then fails. Method: several hosts of which none listens, and a role whose
// sessions are read-only or short-lived: a session keeps what it began with, as one on a demoted server does.
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Npgsql;
using OpsLog.PostgreSql;
using OpsLog.Storage;
using Xunit;
using static OpsLog.RemoteTests.PostgreSql.PostgreSqlRig;

namespace OpsLog.RemoteTests.PostgreSql;

public sealed class PostgreSqlSwitchoverTests : IAsyncLifetime
{
    private readonly string _role = "opslog_role_" + Guid.NewGuid().ToString("N");
    private PostgreSqlRig _rig = null!;

    public async ValueTask InitializeAsync()
    {
        _rig = await PostgreSqlRig.StartAsync();
        await PutAsync(_rig.Open(), "x", "1");
        await _rig.SqlAsync($"CREATE ROLE {_role} LOGIN; GRANT ALL ON SCHEMA {_rig.Schema} TO {_role}; GRANT ALL ON ALL TABLES IN SCHEMA {_rig.Schema} TO {_role}");
    }

    public async ValueTask DisposeAsync()
    {
        await _rig.SqlAsync($"DROP OWNED BY {_role} CASCADE; DROP ROLE {_role}");
        await _rig.DisposeAsync();
    }

    [Fact]
    public async Task A_session_on_a_server_that_takes_no_more_writes_is_left()
    {
        await SetAsync("default_transaction_read_only = on");
        var storage = Open(hosts: 1);
        Assert.Equal("1", await TextAsync(storage, "x")); // the pool has a session
        await SetAsync("default_transaction_read_only = off");
        Assert.True((await PutAsync(storage, "x", "2")).IsStored);
    }

    [Fact]
    public async Task A_large_put_that_was_refused_before_its_content_was_needed_goes_to_the_next_session()
    {
        await SetAsync("default_transaction_read_only = on");
        var storage = Open(hosts: 1);
        Assert.Equal("1", await TextAsync(storage, "x"));
        await SetAsync("default_transaction_read_only = off");
        Assert.True((await storage.PutAsync(Key("snapshots/x"), new PostgreSqlFaultTests.OneWay(new byte[3_500_000]), PutCondition.IfAbsent, Token)).IsStored);
    }

    [Fact]
    public async Task A_server_that_goes_on_taking_no_writes_is_denied_in_the_end()
    {
        await SetAsync("default_transaction_read_only = on");
        var (fault, took) = await FailAsync(Open(hosts: 1, retryFor: 2));
        Assert.Equal(StorageFault.Denied, fault);
        Assert.InRange(took, 0.5, 10);
    }

    [Fact]
    public async Task Of_several_servers_the_one_that_is_promoted_is_found()
    {
        await SetAsync("default_transaction_read_only = on");
        var storage = Open(hosts: 2, attributes: "read-write", retryFor: 8); // what is known of a server lasts 10 s
        var put = PutAsync(storage, "x", "2");
        await Task.Delay(1000, Token);
        Assert.False(put.IsCompleted);
        await SetAsync("default_transaction_read_only = off");
        Assert.True((await put).IsStored);
    }

    [Fact]
    public async Task Several_servers_out_of_reach_are_tried_until_the_time_is_over()
    {
        var (fault, took) = await FailAsync(Keep(PostgreSqlStorage.FromUri(
            $"postgres://u@127.0.0.1:{ClosedPort()},127.0.0.1:{ClosedPort()}/d?store=s", new PostgreSqlStorageOptions { RetryFor = TimeSpan.FromSeconds(3) })));
        Assert.Equal(StorageFault.Unavailable, fault);
        Assert.InRange(took, 1.5, 15);
    }

    [Fact]
    public async Task Several_servers_that_all_refuse_are_denied_at_once()
    {
        var parts = new NpgsqlConnectionStringBuilder(_rig.Server);
        var host = $"{parts.Host}:{parts.Port}";
        var storage = Keep(PostgreSqlStorage.FromUri($"postgres://{parts.Username}@{host},{host}/{parts.Database}?store=s&sslmode=require", new PostgreSqlStorageOptions { RetryFor = TimeSpan.FromMinutes(1) }));
        var (fault, took) = await FailAsync(storage);
        Assert.Equal(StorageFault.Denied, fault);
        Assert.InRange(took, 0, 30);
    }

    [Fact]
    public async Task A_session_that_ended_for_being_idle_costs_nothing()
    {
        await SetAsync("idle_session_timeout = '1s'");
        var storage = Open(hosts: 1);
        for (var i = 0; i < 2; i++)
        {
            await Task.WhenAll(Enumerable.Range(0, 8).Select(n => PutAsync(storage, $"y{n}", "1"))); // so many sessions
            await Task.Delay(2500, Token);
            Assert.True((await PutAsync(storage, "x", "2")).IsStored); // without condition, so not sent again if it might have happened
        }
    }

    [Theory]
    [InlineData("postgres://a,b/d?store=s&target_session_attrs=read-write")]
    [InlineData("postgres://a,b/d?store=s&target_session_attrs=prefer-standby&listen=b")]
    [InlineData("postgres://a,b/d?store=s&target_session_attrs=primary")]
    [InlineData("postgres://a/d?store=s&target_session_attrs=primary")]
    [InlineData("postgres://a:5/d?store=s&target_session_attrs=read-write&sslmode=verify-full")]
    public async Task Any_server_that_libpq_can_ask_for_can_be_asked_for(string uri) => await PostgreSqlStorage.FromUri(uri).DisposeAsync();

    private static int ClosedPort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static async Task<(StorageFault Fault, double Seconds)> FailAsync(PostgreSqlStorage storage)
    {
        var began = Stopwatch.GetTimestamp();
        var failure = await Assert.ThrowsAsync<StorageException>(() => PutAsync(storage, "x", "2"));
        Assert.False(failure.OutcomeUnknown);
        return (failure.Fault, Stopwatch.GetElapsedTime(began).TotalSeconds);
    }

    private PostgreSqlStorage Keep(PostgreSqlStorage storage)
    {
        _rig.Keep(storage);
        return storage;
    }

    private Task<long> SetAsync(string setting) => _rig.SqlAsync($"ALTER ROLE {_role} SET {setting}");

    // The last host is the server, those before it listen to nobody.
    private PostgreSqlStorage Open(int hosts, string? attributes = null, int retryFor = 10)
    {
        var parts = new NpgsqlConnectionStringBuilder(_rig.Server) { Username = _role, TargetSessionAttributes = attributes };
        parts.Host = string.Join(',', Enumerable.Range(1, hosts - 1).Select(_ => $"127.0.0.1:{ClosedPort()}").Append($"{parts.Host}:{parts.Port}"));
        return _rig.Open(connection: parts.ConnectionString, options: o => (o.Notices, o.RetryFor) = (false, TimeSpan.FromSeconds(retryFor)));
    }
}
