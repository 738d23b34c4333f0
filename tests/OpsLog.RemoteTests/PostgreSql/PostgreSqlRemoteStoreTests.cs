// Goal: the programs that run over every remote storage run over PostgreSQL. Method: a schema of its own for each.
using OpsLog.RemoteTests.Stores;
using OpsLog.Storage;

namespace OpsLog.RemoteTests.PostgreSql;

public sealed class PostgreSqlRemoteStoreTests : RemoteStoreTests
{
    private PostgreSqlRig _rig = null!;

    public override async ValueTask InitializeAsync() => _rig = await PostgreSqlRig.StartAsync();

    public override ValueTask DisposeAsync() => _rig.DisposeAsync();

    protected override ValueTask<IOpsStorage> ConnectAsync() => new(_rig.Open());
}
