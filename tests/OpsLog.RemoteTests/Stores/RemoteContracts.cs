// Goal: every remote storage keeps every promise of the contract, and the same programs run over each. Method: the contract suite on the real servers, bare and below a storage
// that could fail; then the programs.
using OpsLog.Storage;
using OpsLog.Testing;

namespace OpsLog.RemoteTests.Stores;

public abstract class RemoteContract(string kind) : StorageContract
{
    private RemotePlace? _place;

    protected override async ValueTask<IOpsStorage> CreateAsync()
    {
        _place = await RemotePlace.CreateAsync(kind);
        return await ConnectAsync(null!);
    }

    protected override ValueTask<IOpsStorage> ConnectAsync(IOpsStorage storage) => new(_place!.Connect());

    protected override async ValueTask CleanAsync()
    {
        if (_place is not null) await _place.DisposeAsync();
    }
}

public abstract class FaultlessFaultyContract(string kind) : RemoteContract(kind)
{
    protected override int ListingSize => 20; // pages are the other suite's

    protected override async ValueTask<IOpsStorage> ConnectAsync(IOpsStorage storage) => new FaultyStorage(await base.ConnectAsync(storage));
}

public sealed class S3Contract() : RemoteContract("s3");

public sealed class FaultlessFaultyS3Contract() : FaultlessFaultyContract("s3");

public sealed class S3StoreTests() : RemoteStoreTests("s3");

public sealed class AzureContract() : RemoteContract("azure");

public sealed class FaultlessFaultyAzureContract() : FaultlessFaultyContract("azure");

public sealed class AzureStoreTests() : RemoteStoreTests("azure");

public sealed class PostgreSqlContract() : RemoteContract("postgres");

public sealed class FaultlessFaultyPostgreSqlContract() : FaultlessFaultyContract("postgres");

public sealed class PostgreSqlRemoteStoreTests() : RemoteStoreTests("postgres");
