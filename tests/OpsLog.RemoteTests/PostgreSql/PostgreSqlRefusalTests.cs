// Goal: a server that refuses is told from one that fails, what to do next is said, and nothing secret with it; names stay data. Method: roles, settings and names made
// for it on a real server, and a search of everything that is said for the password.
using System.Text;
using Npgsql;
using OpsLog.PostgreSql;
using OpsLog.Storage;
using Xunit;
using static OpsLog.RemoteTests.PostgreSql.PostgreSqlRig;

namespace OpsLog.RemoteTests.PostgreSql;

public sealed class PostgreSqlRefusalTests : IAsyncLifetime
{
    private const string Secret = "hunter2%;='\"@/?x";

    private PostgreSqlRig _rig = null!;

    public async ValueTask InitializeAsync() => _rig = await PostgreSqlRig.StartAsync();

    public ValueTask DisposeAsync() => _rig.DisposeAsync();

    [Fact]
    public async Task A_role_that_may_not_make_the_tables_is_told_who_may()
    {
        var role = await RoleAsync("");
        await _rig.SqlAsync($"GRANT USAGE ON SCHEMA {_rig.Schema} TO {role}");
        var storage = _rig.Open(connection: As(role));
        Assert.Null(await TextAsync(storage, "manifest.json")); // nobody has written anything
        var failure = await Assert.ThrowsAsync<StorageException>(() => PutAsync(storage, "manifest.json", "1"));
        Assert.Equal(StorageFault.Denied, failure.Fault);
        Assert.False(failure.OutcomeUnknown);
        Assert.Contains("TablesSql", failure.Message, StringComparison.Ordinal);

        await _rig.SqlAsync($"SET search_path = {_rig.Schema}; " + PostgreSqlStorage.TablesSql(_rig.Schema));
        await _rig.SqlAsync($"GRANT SELECT ON ALL TABLES IN SCHEMA {_rig.Schema} TO {role}");
        failure = await Assert.ThrowsAsync<StorageException>(() => PutAsync(storage, "manifest.json", "1"));
        Assert.Equal(StorageFault.Denied, failure.Fault);
        Assert.Contains("Grant", failure.Message, StringComparison.Ordinal);
        await _rig.SqlAsync($"GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {_rig.Schema} TO {role}");
        Assert.True((await PutAsync(storage, "manifest.json", "1")).IsStored);
        await DropAsync(role);
    }

    [Fact]
    public async Task A_storage_set_not_to_make_tables_makes_none()
    {
        var failure = await Assert.ThrowsAsync<StorageException>(() => PutAsync(_rig.Open(options: o => o.CreateTables = false), "x", "1"));
        Assert.Equal(StorageFault.Denied, failure.Fault);
        Assert.Equal(0, await _rig.SqlAsync($"SELECT count(*) FROM pg_tables WHERE schemaname = '{_rig.Schema}'"));
    }

    [Fact]
    public async Task A_commit_is_on_disk_also_where_the_role_says_otherwise()
    {
        var role = await RoleAsync("");
        await _rig.SqlAsync($"ALTER ROLE {role} SET synchronous_commit = off; GRANT ALL ON SCHEMA {_rig.Schema} TO {role}");
        var storage = _rig.Open(connection: As(role));
        await PutAsync(storage, "ops/x.jsonl", "");
        // What holds when the transaction commits: a deferred trigger runs then.
        await _rig.SqlAsync($"""
            CREATE TABLE {_rig.Schema}.seen (setting text);
            CREATE FUNCTION {_rig.Schema}.see() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN INSERT INTO {_rig.Schema}.seen VALUES (current_setting(''synchronous_commit'')); RETURN NULL; END';
            CREATE CONSTRAINT TRIGGER see AFTER INSERT OR UPDATE OR DELETE ON {_rig.Schema}.opslog_objects DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION {_rig.Schema}.see();
            """);
        await AppendAsync(storage, "ops/x.jsonl", "1", 0);
        var made = await PutAsync(storage, "manifest.json", "1", PutCondition.IfAbsent);
        await PutAsync(storage, "manifest.json", "2", PutCondition.IfVersion(made.Version));
        await storage.PutAsync(Key("snapshots/x"), new MemoryStream(new byte[3_000_000]), PutCondition.IfAbsent, Token);
        Assert.Equal(4, await _rig.SqlAsync($"SELECT count(*) FROM {_rig.Schema}.seen WHERE setting = 'on'"));
        Assert.Equal(0, await _rig.SqlAsync($"SELECT count(*) FROM {_rig.Schema}.seen WHERE setting <> 'on'"));
        await _rig.SqlAsync($"DROP TRIGGER see ON {_rig.Schema}.opslog_objects");
        await DropAsync(role);
    }

    [Fact]
    public async Task A_role_that_is_read_only_or_a_database_that_is_not_there_is_denied()
    {
        await PutAsync(_rig.Open(), "x", "1");
        var readOnly = _rig.Open(connection: _rig.Server + ";Options=-c default_transaction_read_only=on", options: o => o.RetryFor = TimeSpan.Zero);
        Assert.Equal("1", await TextAsync(readOnly, "x"));
        Assert.Equal(StorageFault.Denied, (await Assert.ThrowsAsync<StorageException>(() => PutAsync(readOnly, "x", "2"))).Fault);
        var nowhere = _rig.Open(connection: new NpgsqlConnectionStringBuilder(_rig.Server) { Database = "no such" }.ConnectionString);
        Assert.Equal(StorageFault.Denied, (await Assert.ThrowsAsync<StorageException>(() => TextAsync(nowhere, "x"))).Fault);
    }

    [Fact]
    public async Task No_message_holds_a_password()
    {
        var role = await RoleAsync("NOLOGIN");
        var parts = new NpgsqlConnectionStringBuilder(_rig.Server);
        var escaped = Uri.EscapeDataString(Secret);
        var said = new StringBuilder();
        string[] malformed =
        [
            $"postgres://u:{Secret}@h/db?store=s", $"postgres://u:{escaped}@:5432/db?store=s", $"postgres://u:{escaped}@h:port/db?store=s", $"postgres://u:{escaped}@h/db", $"postgres://u:{escaped}@h/d/b?store=s",
            $"postgres://u:{escaped}@h/db?store=s&sslmode={escaped}", $"postgres://u@h/db?store=s&password={escaped}&{escaped}=1", $"mysql://u:{escaped}@h/db?store=s", $"postgres://h/db?store=s&secret={escaped}",
        ];
        foreach (var uri in malformed)
        {
            said.AppendLine(Assert.ThrowsAny<ArgumentException>(() => PostgreSqlStorage.FromUri(uri)).ToString());
            if (!uri.Contains("sslmode", StringComparison.Ordinal)) said.AppendLine(StorageSchemes.Redact(uri)); // a mode is shown
        }

        said.AppendLine(Assert.ThrowsAny<ArgumentException>(() => new PostgreSqlStorage($"Host=h;Password={Secret}", "s")).ToString());
        string[] refused =
        [
            $"postgres://{role}:{escaped}@{parts.Host}:{parts.Port}/{parts.Database}?store=s", $"postgres://u:{escaped}@{parts.Host}:1/db?store=s",
            $"postgres://{parts.Username}:{escaped}@{parts.Host}:{parts.Port}/none?store=s", $"postgres://{parts.Username}@{parts.Host}:{parts.Port}/{parts.Database}?store=s&password={escaped}&sslmode=verify-full",
        ];
        foreach (var uri in refused)
        {
            await using var storage = PostgreSqlStorage.FromUri(uri, new PostgreSqlStorageOptions { RetryFor = TimeSpan.Zero });
            said.AppendLine((await Assert.ThrowsAsync<StorageException>(() => PutAsync(storage, "x", "1"))).ToString()).AppendLine(storage.ToString());
            said.AppendLine(StorageSchemes.Redact(uri));
        }

        Assert.DoesNotContain("hunter2", said.ToString(), StringComparison.Ordinal);
        Assert.Contains("postgres://h:port/db?store=s", said.ToString(), StringComparison.Ordinal);
        await DropAsync(role);
    }

    [Fact]
    public async Task Stores_side_by_side_see_nothing_of_each_other()
    {
        string[] names = ["a", "a%", "a_", "A", "a/b", "a' OR 1=1 --", "a\"; DROP SCHEMA public; --", "\\x61", "$1", "ä", "a ", " a", "\uE000", "\U0001F600", new('n', PostgreSqlStorage.MaxStoreLength)];
        var storages = names.Select(name => _rig.Open(name)).ToArray();
        for (var i = 0; i < names.Length; i++) Assert.True((await PutAsync(storages[i], "manifest.json", names[i], PutCondition.IfAbsent)).IsStored);
        for (var i = 0; i < names.Length; i++)
        {
            Assert.Equal(names[i], await TextAsync(storages[i], "manifest.json"));
            Assert.Equal(["manifest.json"], await storages[i].ListAsync(StorageKey.Root, null, Token).Select(e => e.Key.Value).ToListAsync(Token));
        }

        await storages[0].DeleteAsync(Key("manifest.json"), Token);
        for (var i = 1; i < names.Length; i++) Assert.Equal(names[i], await TextAsync(storages[i], "manifest.json"));
        foreach (var bad in (string[])["", "a\0", "a\n", "\uD800", new('n', PostgreSqlStorage.MaxStoreLength + 1)])
            Assert.ThrowsAny<ArgumentException>(() => new PostgreSqlStorage(_rig.Server, bad));
    }

    [Fact]
    public async Task Names_that_the_server_orders_otherwise_are_listed_in_their_own_order()
    {
        string[] names = ["archive/z", "archive/\uE000", "archive/\U0001F600", "archive/\uFFFD", "archive/ä", "archive/\U0001F600b", "archive/\uE000b"];
        var storage = _rig.Open();
        foreach (var name in names) await PutAsync(storage, name, "1");
        var ordered = names.Order(StringComparer.Ordinal).ToList();
        Assert.Equal(ordered, await storage.ListAsync(Key("archive"), null, Token).Select(e => e.Key.Value).ToListAsync(Token));
        for (var i = 0; i < ordered.Count; i++)
            Assert.Equal(ordered[(i + 1)..], await storage.ListAsync(Key("archive"), Key(ordered[i]), Token).Select(e => e.Key.Value).ToListAsync(Token));
    }

    [Fact]
    public async Task A_location_says_where_the_store_is()
    {
        var parts = new NpgsqlConnectionStringBuilder(_rig.Server);
        await using var storage = PostgreSqlStorage.FromUri($"postgresql://{parts.Username}@{parts.Host}:{parts.Port}/{parts.Database}?store=my%20store&schema={_rig.Schema}&application_name=t&sslmode=disable&connect_timeout=5");
        await PutAsync(storage, "x", "1");
        Assert.Equal("1", await TextAsync(_rig.Open("my store"), "x"));
    }

    private string As(string role) => new NpgsqlConnectionStringBuilder(_rig.Server) { Username = role }.ConnectionString;

    private async Task<string> RoleAsync(string attributes)
    {
        var role = "opslog_role_" + Guid.NewGuid().ToString("N");
        await _rig.SqlAsync($"CREATE ROLE {role} {(attributes.Length > 0 ? attributes : "LOGIN")}");
        return role;
    }

    private Task<long> DropAsync(string role) => _rig.SqlAsync($"DROP OWNED BY {role} CASCADE; DROP ROLE {role}");
}
