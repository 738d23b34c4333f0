using OpsLog.RemoteTests.Stores;
using OpsLog.Storage;

namespace OpsLog.RemoteTests.Azure;

public sealed class AzureStoreTests : RemoteStoreTests
{
    private AzureRig _rig = null!;

    public override async ValueTask InitializeAsync() => _rig = await AzureRig.CreateAsync();

    public override async ValueTask DisposeAsync() => await _rig.CleanAsync();

    protected override ValueTask<IOpsStorage> ConnectAsync() => new(_rig.Connect());
}
