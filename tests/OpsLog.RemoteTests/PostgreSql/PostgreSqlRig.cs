using System.Text;
using Npgsql;
using OpsLog.PostgreSql;
using OpsLog.RemoteTests.Servers;
using OpsLog.Storage;
using Xunit;

namespace OpsLog.RemoteTests.PostgreSql;

/// <summary>A database schema of its own on the test server, and storages in it.</summary>
internal sealed class PostgreSqlRig : IAsyncDisposable
{
    public const string Store = "store '\"; DROP TABLE opslog_objects; --";

    private readonly List<IAsyncDisposable> _opened = [];

    private PostgreSqlRig(string server) => Server = server;

    /// <summary>How to reach the server.</summary>
    public string Server { get; }

    public string Schema { get; } = "opslog_test_" + Guid.NewGuid().ToString("N");

    public static CancellationToken Token => TestContext.Current.CancellationToken;

    public static async Task<PostgreSqlRig> StartAsync()
    {
        var rig = new PostgreSqlRig(await TestServer.PostgreSql.RequireAsync());
        await rig.SqlAsync($"CREATE SCHEMA {rig.Schema}");
        return rig;
    }

    /// <summary>A storage that is disposed with the rig.</summary>
    public PostgreSqlStorage Open(string store = Store, string? connection = null, Action<PostgreSqlStorageOptions>? options = null)
    {
        var settings = new PostgreSqlStorageOptions { Schema = Schema };
        options?.Invoke(settings);
        var storage = new PostgreSqlStorage(connection ?? Server, store, settings);
        Keep(storage);
        return storage;
    }

    /// <summary>It is disposed with the rig.</summary>
    public void Keep(IAsyncDisposable one) => _opened.Add(one);

    /// <summary>A way to the server, and a storage behind it that has written before.</summary>
    public async Task<(FaultyWay Way, PostgreSqlStorage Storage)> OpenFaultyAsync(Action<PostgreSqlStorageOptions>? options = null)
    {
        var parts = new NpgsqlConnectionStringBuilder(Server);
        var way = new FaultyWay(parts.Host!, parts.Port);
        (parts.Host, parts.Port) = ("127.0.0.1", way.Port);
        var storage = Open(Store, parts.ConnectionString, settings =>
        {
            settings.Notices = false;
            options?.Invoke(settings);
        });
        await PutAsync(storage, "warm", "up");
        _opened.Insert(0, way);
        return (way, storage);
    }

    public async Task<long> SqlAsync(string sql)
    {
        await using var source = NpgsqlDataSource.Create(Server);
        await using var command = source.CreateCommand(sql);
        return await command.ExecuteScalarAsync(Token) is { } value and not DBNull ? Convert.ToInt64(value) : 0;
    }

    public static StorageKey Key(string name) => new(name);

    public static async Task<PutResult> PutAsync(IOpsStorage storage, string name, string content, PutCondition condition = default) =>
        await storage.PutAsync(Key(name), new MemoryStream(Encoding.UTF8.GetBytes(content)), condition, Token);

    public static async Task<PutResult> AppendAsync(IOpsStorage storage, string name, string content, long length) =>
        await storage.AppendAsync(Key(name), Encoding.UTF8.GetBytes(content), length, Flush.Synced, Token);

    public static async Task<string?> TextAsync(IOpsStorage storage, string name)
    {
        await using var found = await storage.ReadAsync(Key(name), ByteRange.All, Token);
        return found is null ? null : Encoding.UTF8.GetString((await found.ReadToEndAsync(Token)).Span);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var one in _opened.AsEnumerable().Reverse()) await one.DisposeAsync();
        await SqlAsync($"DROP SCHEMA {Schema} CASCADE");
    }
}
