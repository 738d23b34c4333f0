using OpsLog.RemoteTests.Stores;
using OpsLog.Storage;

namespace OpsLog.RemoteTests.S3;

public sealed class S3StoreTests : RemoteStoreTests
{
    private S3Rig _rig = null!;

    public override async ValueTask InitializeAsync() => _rig = await S3Rig.CreateAsync();

    public override async ValueTask DisposeAsync() => await _rig.CleanAsync();

    protected override ValueTask<IOpsStorage> ConnectAsync() => new(_rig.Connect());
}
