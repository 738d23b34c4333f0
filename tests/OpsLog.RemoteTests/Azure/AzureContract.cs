// Goal: AzureBlobStorage keeps every promise of the contract on the emulator. Method: the contract suite, bare and below a storage that could fail.
using OpsLog.Storage;
using OpsLog.Testing;

namespace OpsLog.RemoteTests.Azure;

public sealed class AzureStorageContract : StorageContract
{
    private AzureRig? _rig;

    protected override async ValueTask<IOpsStorage> CreateAsync() => (_rig = await AzureRig.CreateAsync()).Connect();

    protected override ValueTask<IOpsStorage> ConnectAsync(IOpsStorage storage) => new(_rig!.Connect());

    protected override async ValueTask CleanAsync() => await _rig!.CleanAsync();
}

public sealed class FaultlessFaultyAzureContract : StorageContract
{
    private AzureRig? _rig;

    protected override int ListingSize => 20; // pages are the other suite's

    protected override async ValueTask<IOpsStorage> CreateAsync() => new FaultyStorage((_rig = await AzureRig.CreateAsync()).Connect());

    protected override ValueTask<IOpsStorage> ConnectAsync(IOpsStorage storage) => new(new FaultyStorage(_rig!.Connect()));

    protected override async ValueTask CleanAsync() => await _rig!.CleanAsync();
}
