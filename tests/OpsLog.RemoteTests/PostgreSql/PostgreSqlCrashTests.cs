// Goal: what was acknowledged outlives the server's processes, and writers go on by themselves. Method: a server of its own, killed with SIGKILL and started again, twice, while
// a lone writer's callers and two agents write.
using System.Collections.Concurrent;
using System.Diagnostics;
using Npgsql;
using OpsLog.PostgreSql;
using OpsLog.RemoteTests.Servers;
using OpsLog.Storage;
using Xunit;

namespace OpsLog.RemoteTests.PostgreSql;

public sealed class PostgreSqlCrashTests
{
    private static readonly string s_scripts = Path.Combine(TestServer.Root(), "eng", "servers");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Acknowledged_writes_outlive_a_killed_server_and_writers_go_on()
    {
        await TestServer.PostgreSql.RequireAsync(); // it can be had
        using var server = Start(Path.Combine(s_scripts, "start.sh"), "postgres");
        var settings = await ReadyAsync(server);
        try
        {
            var (connection, cluster) = (settings["OPSLOG_TEST_POSTGRES"], settings["OPSLOG_TEST_POSTGRES_CLUSTER"]);
            var acknowledged = new ConcurrentDictionary<(string Store, string Id), int>();
            var crashes = 0;
            await using (var lone = await OpenAsync(connection, "lone", null))
            await using (var a = await OpenAsync(connection, "many", "a"))
            await using (var b = await OpenAsync(connection, "many", "b"))
            {
                using var enough = CancellationTokenSource.CreateLinkedTokenSource(Token);
                var writers = Enumerable.Range(0, 8).Select(i => WriteAsync(lone, "lone", $"c{i}", acknowledged, enough.Token))
                    .Append(WriteAsync(a, "many", "a", acknowledged, enough.Token)).Append(WriteAsync(b, "many", "b", acknowledged, enough.Token)).ToList();
                for (; crashes < 2; crashes++)
                {
                    await MoreAsync(acknowledged, 200);
                    using var crash = Start(Path.Combine(s_scripts, "crash-postgres.sh"), cluster);
                    await crash.WaitForExitAsync(Token).WaitAsync(TimeSpan.FromMinutes(1), Token);
                    Assert.Equal(0, crash.ExitCode);
                }

                await MoreAsync(acknowledged, 200);
                await enough.CancelAsync();
                await Task.WhenAll(writers);
            }

            Assert.Equal(2, crashes);
            foreach (var name in (string[])["lone", "many"])
            {
                await using var storage = new PostgreSqlStorage(connection, name);
                await using var fresh = await OpsStore<Item>.OpenAsync(storage, new OpsStoreOptions { ReadOnly = true }, Token);
                foreach (var ((store, id), value) in acknowledged)
                    if (store == name) Assert.Equal(value, fresh[id].Value);
                Assert.True((await OpsStore.VerifyAsync(storage, cancellationToken: Token)).IsSound);
            }
        }
        finally
        {
            server.StandardInput.Close();
            await server.WaitForExitAsync(CancellationToken.None);
        }
    }

    [Fact]
    public async Task A_server_that_does_not_sync_is_refused_unless_it_is_allowed()
    {
        await TestServer.PostgreSql.RequireAsync(); // it can be had
        using var server = Start(Path.Combine(s_scripts, "start.sh"), "postgres");
        try
        {
            var connection = (await ReadyAsync(server))["OPSLOG_TEST_POSTGRES"];
            await using var source = NpgsqlDataSource.Create(connection);
            foreach (var sql in (string[])["ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()"])
            {
                await using var command = source.CreateCommand(sql);
                await command.ExecuteNonQueryAsync(Token);
            }

            await using (var show = source.CreateCommand("SHOW fsync"))
                while (!"off".Equals(await show.ExecuteScalarAsync(Token))) await Task.Yield(); // the server takes the setting in when it gets to it

            await using var storage = new PostgreSqlStorage(connection, "s");
            var failure = await Assert.ThrowsAsync<StorageException>(() => PostgreSqlRig.PutAsync(storage, "manifest.json", "1"));
            Assert.Equal(StorageFault.Unsupported, failure.Fault);
            Assert.False(failure.OutcomeUnknown);
            Assert.Contains("fsync", failure.Message, StringComparison.Ordinal);
            Assert.Null(await PostgreSqlRig.TextAsync(storage, "manifest.json")); // nothing was written, and reading goes on
            await using var allowed = new PostgreSqlStorage(connection, "s", new PostgreSqlStorageOptions { AllowServerWithoutFsync = true });
            Assert.True((await PostgreSqlRig.PutAsync(allowed, "manifest.json", "1")).IsStored);
        }
        finally
        {
            server.StandardInput.Close();
            await server.WaitForExitAsync(CancellationToken.None);
        }
    }

    // A write that fails fails the test: what passes is for the storage to wait for.
    private static async Task WriteAsync(OpsStore<Item> store, string name, string writer, ConcurrentDictionary<(string, string), int> acknowledged, CancellationToken enough)
    {
        for (var i = 0; !enough.IsCancellationRequested; i++)
        {
            await store.SetAsync($"{writer}-{i}", new Item(i), cancellationToken: CancellationToken.None);
            acknowledged[(name, $"{writer}-{i}")] = i;
        }
    }

    private static async Task MoreAsync(ConcurrentDictionary<(string, string), int> acknowledged, int count)
    {
        var patience = Stopwatch.StartNew();
        for (var goal = acknowledged.Count + count; acknowledged.Count < goal; await Task.Delay(20, Token))
            Assert.True(patience.Elapsed < TimeSpan.FromMinutes(1), "The writers do not go on.");
    }

    private static async Task<OpsStore<Item>> OpenAsync(string connection, string store, string? agent) =>
        await OpsStore<Item>.OpenAsync(new PostgreSqlStorage(connection, store, new PostgreSqlStorageOptions { RetryFor = TimeSpan.FromMinutes(2) }), new OpsStoreOptions { AgentId = agent }, Token);

    private static async Task<Dictionary<string, string>> ReadyAsync(Process process)
    {
        var settings = new Dictionary<string, string>(StringComparer.Ordinal);
        while (await process.StandardOutput.ReadLineAsync(Token) is { } line and not "ready")
            if (line.Split('=', 2) is [var name, var value]) settings[name] = value;
        return settings;
    }

    private static Process Start(string script, string argument) =>
        Process.Start(new ProcessStartInfo("bash", [script, argument]) { RedirectStandardInput = true, RedirectStandardOutput = true })!;

    internal sealed record Item(int Value);
}
