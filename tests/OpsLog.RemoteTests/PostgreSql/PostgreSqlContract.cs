// Goal: PostgreSQL keeps every promise of the contract. Method: the contract suite against a real server, each test in a store of its own; then with the faulty wrapper around it.
using OpsLog.PostgreSql;
using OpsLog.RemoteTests.Servers;
using OpsLog.Storage;
using OpsLog.Testing;

namespace OpsLog.RemoteTests.PostgreSql;

public class PostgreSqlContract : StorageContract
{
    private readonly string _store = "contract '\"; DROP TABLE opslog_objects; -- " + Guid.NewGuid();
    private string _server = "";

    protected override async ValueTask<IOpsStorage> CreateAsync()
    {
        _server = await TestServer.PostgreSql.RequireAsync();
        return await ConnectAsync(null!);
    }

    protected override ValueTask<IOpsStorage> ConnectAsync(IOpsStorage storage) => new(new PostgreSqlStorage(_server, _store));

    protected override async ValueTask CleanAsync()
    {
        if (_server.Length == 0) return;
        await using var storage = new PostgreSqlStorage(_server, _store);
        await foreach (var entry in storage.ListAsync(StorageKey.Root, null, default)) await storage.DeleteAsync(entry.Key, default);
    }
}

public sealed class FaultlessFaultyPostgreSqlContract : PostgreSqlContract
{
    protected override async ValueTask<IOpsStorage> ConnectAsync(IOpsStorage storage) => new FaultyStorage(await base.ConnectAsync(storage));
}
