// Goal: S3Storage keeps every promise of the contract on a real server. Method: the contract suite, bare and below a storage that could fail.
using OpsLog.Storage;
using OpsLog.Testing;

namespace OpsLog.RemoteTests.S3;

public sealed class S3StorageContract : StorageContract
{
    private S3Rig? _rig;

    protected override async ValueTask<IOpsStorage> CreateAsync() => (_rig = await S3Rig.CreateAsync()).Connect();

    protected override ValueTask<IOpsStorage> ConnectAsync(IOpsStorage storage) => new(_rig!.Connect());

    protected override async ValueTask CleanAsync() => await _rig!.CleanAsync();
}

public sealed class FaultlessFaultyS3Contract : StorageContract
{
    private S3Rig? _rig;

    protected override int ListingSize => 20; // pages are the other suite's

    protected override async ValueTask<IOpsStorage> CreateAsync() => new FaultyStorage((_rig = await S3Rig.CreateAsync()).Connect());

    protected override ValueTask<IOpsStorage> ConnectAsync(IOpsStorage storage) => new(new FaultyStorage(_rig!.Connect()));

    protected override async ValueTask CleanAsync() => await _rig!.CleanAsync();
}
