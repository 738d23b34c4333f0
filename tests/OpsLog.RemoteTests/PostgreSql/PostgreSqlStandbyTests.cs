// Goal: with synchronous replication nothing is acknowledged that the standby may not have, and of several servers the primary is asked. Method: a server of its own that waits for a
// standby that is not there, and whose waits end by a timeout, by somebody's request, or with the session.
using System.Diagnostics;
using System.Text.Json;
using Npgsql;
using OpsLog.PostgreSql;
using OpsLog.RemoteTests.Servers;
using OpsLog.Storage;
using Xunit;
using static OpsLog.RemoteTests.PostgreSql.PostgreSqlRig;

namespace OpsLog.RemoteTests.PostgreSql;

public sealed class PostgreSqlStandbyTests(PostgreSqlStandbyTests.OwnServer server) : IClassFixture<PostgreSqlStandbyTests.OwnServer>, IAsyncLifetime
{
    private static readonly string[] s_writes = ["append", "create", "swap", "large put", "delete"];

    private readonly string _store = Guid.NewGuid().ToString("N");
    private string _connection = null!;
    private NpgsqlDataSource _source = null!;

    public async ValueTask InitializeAsync()
    {
        await TestServer.PostgreSql.RequireAsync(); // it can be had
        _connection = await server.Connection.Value;
        _source = NpgsqlDataSource.Create(_connection + ";Application Name=test");
    }

    public async ValueTask DisposeAsync()
    {
        await StandbysAsync("");
        await _source.DisposeAsync();
    }

    public static TheoryData<string> Writes => [.. s_writes];

    [Theory]
    [MemberData(nameof(Writes))]
    public async Task A_write_that_the_standby_does_not_get_in_time_is_not_acknowledged(string write)
    {
        await using var storage = Open("");
        var (change, _) = await PreparedAsync(storage, write);
        await StandbysAsync("nobody");
        var failure = await Assert.ThrowsAsync<StorageException>(change);
        Assert.Equal((StorageFault.Broken, true), (failure.Fault, failure.OutcomeUnknown));
    }

    /// <summary>Neither a write nor what a checkpoint does: what the primary has is no proof.</summary>
    [Theory]
    [InlineData(null, "set")]
    [InlineData("A", "set")]
    [InlineData(null, "compact")]
    [InlineData("A", "compact")]
    public async Task A_store_builds_on_nothing_that_the_standby_may_not_have(string? agent, string call)
    {
        await using var storage = Open("");
        var store = await OpsStore<JsonElement>.OpenAsync(storage, new OpsStoreOptions { AgentId = agent });
        await store.SetAsync("a", JsonElement.Parse("{}"));
        await StandbysAsync("nobody");
        var failure = await Assert.ThrowsAsync<OpsLogException>(async () =>
        {
            if (call == "set") await store.SetAsync("b", JsonElement.Parse("{}"));
            else await store.CompactAsync();
        });
        Assert.NotEqual(OpsLogError.Conflict, failure.Error);
        Assert.NotEqual(OpsLogError.Fenced, failure.Error);
        if (call == "set")
        {
            Assert.Equal(OpsLogError.OutcomeUnknown, failure.Error);
            Assert.Equal(OpsLogError.ReadOnly, (await Assert.ThrowsAsync<OpsLogException>(async () => await store.SetAsync("c", JsonElement.Parse("{}")))).Error);
        }

        await StandbysAsync("");
        await store.DisposeAsync();
        await using var again = await OpsStore<JsonElement>.OpenAsync(storage, new OpsStoreOptions { AgentId = agent });
        Assert.True(again.ContainsKey("a"));
    }

    [Fact]
    public async Task A_role_that_wants_to_hear_of_errors_alone_is_told_too()
    {
        await using var storage = Open(";Options=-c client_min_messages=error");
        var (change, _) = await PreparedAsync(storage, "append");
        await StandbysAsync("nobody");
        Assert.True((await Assert.ThrowsAsync<StorageException>(change)).OutcomeUnknown);
    }

    [Theory]
    [MemberData(nameof(Writes))]
    public async Task A_write_whose_wait_was_cut_short_is_acknowledged_once_a_later_one_is_through(string write)
    {
        await using var storage = Open(";Command Timeout=60", retryFor: 60);
        var (change, done) = await PreparedAsync(storage, write);
        await StandbysAsync("nobody");
        var changing = change();
        await CutAsync("pg_cancel_backend");
        await WaitingAsync(); // for the confirmation
        Assert.False(changing.IsCompleted);
        await StandbysAsync("");
        Assert.True((await changing).IsStored);
        Assert.True(await done());
    }

    [Theory]
    [InlineData("append")]
    [InlineData("create")]
    [InlineData("swap")]
    [InlineData("large put")]
    [InlineData("delete")]
    public async Task A_write_that_is_found_where_its_session_was_ended_is_confirmed_first(string write)
    {
        await using var storage = Open(";Command Timeout=20", retryFor: 3);
        var (change, done) = await PreparedAsync(storage, write);
        await StandbysAsync("nobody");
        var changing = change();
        await CutAsync("pg_terminate_backend");
        Assert.True((await Assert.ThrowsAsync<StorageException>(() => changing)).OutcomeUnknown);
        await StandbysAsync("");
        Assert.True(await done());
    }

    [Fact]
    public async Task Of_several_servers_the_primary_is_read()
    {
        var (standby, connection, cluster) = await StartAsync();
        try
        {
            await using (var writer = new PostgreSqlStorage(connection, "s")) await PutAsync(writer, "x", "old");
            await File.WriteAllTextAsync(Path.Combine(cluster, "standby.signal"), "", Token);
            using (var restart = Start("crash-postgres.sh", cluster)) await restart.WaitForExitAsync(Token);
            await using (var writer = new PostgreSqlStorage(_connection, "s")) await PutAsync(writer, "x", "new");
            var (behind, primary) = (new NpgsqlConnectionStringBuilder(connection), new NpgsqlConnectionStringBuilder(_connection));
            var uri = $"postgres://{primary.Username}@{behind.Host}:{behind.Port},{primary.Host}:{primary.Port}/{primary.Database}?store=s";
            await using var storage = PostgreSqlStorage.FromUri(uri);
            Assert.Equal("new", await TextAsync(storage, "x"));
            await using var any = PostgreSqlStorage.FromUri(uri + "&target_session_attrs=prefer-standby"); // who says so gets it
            Assert.Equal("old", await TextAsync(any, "x"));
        }
        finally
        {
            await StopAsync(standby);
        }
    }

    private static Process Start(string script, string argument) =>
        Process.Start(new ProcessStartInfo("bash", [Path.Combine(TestServer.Root(), "eng", "servers", script), argument]) { RedirectStandardInput = true, RedirectStandardOutput = true })!;

    private static async Task<(Process Server, string Connection, string Cluster)> StartAsync()
    {
        var server = Start("start.sh", "postgres");
        var settings = new Dictionary<string, string>(StringComparer.Ordinal);
        while (await server.StandardOutput.ReadLineAsync(Token) is { } line and not "ready")
            if (line.Split('=', 2) is [var name, var value]) settings[name] = value;
        return (server, settings["OPSLOG_TEST_POSTGRES"], settings["OPSLOG_TEST_POSTGRES_CLUSTER"]);
    }

    private static async Task StopAsync(Process server)
    {
        server.StandardInput.Close();
        await server.WaitForExitAsync(CancellationToken.None);
        server.Dispose();
    }

    private PostgreSqlStorage Open(string more, int retryFor = 2)
    {
        var parts = new NpgsqlConnectionStringBuilder("Command Timeout=2;Application Name=writer;" + _connection + more);
        return new PostgreSqlStorage(parts.ConnectionString, _store, new PostgreSqlStorageOptions { RetryFor = TimeSpan.FromSeconds(retryFor), Notices = false });
    }

    // A change, and whether it is there.
    private static async Task<(Func<Task<PutResult>> Change, Func<Task<bool>> Done)> PreparedAsync(PostgreSqlStorage storage, string write)
    {
        var version = (await PutAsync(storage, "x", "one")).Version;
        var large = new byte[3_500_000];
        return write switch
        {
            "append" => (() => AppendAsync(storage, "x", "two", 3), async () => await TextAsync(storage, "x") == "onetwo"),
            "create" => (() => PutAsync(storage, "y", "two", PutCondition.IfAbsent), async () => await TextAsync(storage, "y") == "two"),
            "swap" => (() => PutAsync(storage, "x", "two", PutCondition.IfVersion(version)), async () => await TextAsync(storage, "x") == "two"),
            "large put" => (() => storage.PutAsync(Key("y"), new MemoryStream(large), PutCondition.IfAbsent, Token).AsTask(), async () => (await TextAsync(storage, "y"))?.Length == large.Length),
            _ => (async () =>
            {
                await storage.DeleteAsync(Key("x"), Token);
                return default;
            }, async () => await TextAsync(storage, "x") is null),
        };
    }

    private async Task<long> SqlAsync(string sql)
    {
        await using var command = _source.CreateCommand(sql);
        return await command.ExecuteScalarAsync(Token) is { } value and not DBNull and not "" ? Convert.ToInt64(value) : 0;
    }

    // In force once a commit waits: the server's processes take the setting in one by one.
    private async Task StandbysAsync(string names)
    {
        await SqlAsync($"ALTER SYSTEM SET synchronous_standby_names = '{names}'");
        await SqlAsync("SELECT pg_reload_conf()::int");
        if (names.Length == 0) return;
        for (var waits = false; !waits;)
        {
            var commit = SqlAsync("SELECT 1 FROM pg_logical_emit_message(true, 'test'::text, ''::text)");
            while (!commit.IsCompleted && !waits) waits = await SqlAsync("SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE application_name = 'test' AND wait_event = 'SyncRep'") > 0;
            await commit;
        }
    }

    private async Task WaitingAsync()
    {
        var patience = Stopwatch.StartNew();
        for (; await SqlAsync("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'writer' AND wait_event = 'SyncRep'") == 0; await Task.Delay(20, Token))
            Assert.True(patience.Elapsed < TimeSpan.FromSeconds(20), "Nobody waits for a standby.");
    }

    private async Task CutAsync(string how)
    {
        await WaitingAsync();
        Assert.Equal(1, await SqlAsync($"SELECT count({how}(pid)) FROM pg_stat_activity WHERE application_name = 'writer' AND wait_event = 'SyncRep'"));
        while (await SqlAsync("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'writer' AND wait_event = 'SyncRep' AND query LIKE '%opslog_objects%'") > 0) await Task.Delay(10, Token);
    }

    /// <summary>The server of all tests here, started by the first.</summary>
    public sealed class OwnServer : IAsyncDisposable
    {
        private Process? _process;

        public OwnServer() => Connection = new(async () =>
        {
            (_process, var connection, _) = await StartAsync();
            return connection;
        });

        public Lazy<Task<string>> Connection { get; }

        public async ValueTask DisposeAsync()
        {
            if (_process is not null) await StopAsync(_process);
        }
    }
}
