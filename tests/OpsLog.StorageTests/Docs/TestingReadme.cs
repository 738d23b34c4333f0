using OpsLog.Storage;
using OpsLog.Testing;
using Xunit;

namespace OpsLog.StorageTests.Docs;

/// <summary>The other blocks of the README of OpsLog.Testing, run.</summary>
public sealed class TestingReadme
{
    private static readonly StorageKey s_key = new("object");

    [Fact]
    public async Task Faults_come_as_the_README_says()
    {
        var storage = new FaultyStorage(new MemoryStorage());
        storage.Inject(InjectedFault.AtCall(3));                                          // the third call fails
        storage.Inject(InjectedFault.AtCall(1, StorageCalls.Append, FaultMoment.During)); // an append that arrives in part
        storage.Inject(InjectedFault.DiskFull(n: 5));                                     // from the fifth write on
        storage.Inject(InjectedFault.LostAnswer());                                       // it happened, but nobody says so
        storage.FaultRate = 0.05;                                                         // by chance, the seed's
        storage.FaultRate = 0;
        Assert.NotNull(await Record.ExceptionAsync(() => RunScriptUntilItThrows(storage)));
        Assert.NotEmpty(storage.Faults);
    }

    [Fact]
    public async Task A_crash_leaves_what_the_README_says()
    {
        var storage = new CrashableStorage();
        storage.CrashAfterCall(7);
        await RunScriptUntilItThrows(storage);
        foreach (var loss in Enum.GetValues<CrashLoss>())
            await CheckWhatIsLeft(storage.Reopen(loss, seed: 1));
    }

    private static async Task RunScriptUntilItThrows(IOpsStorage storage)
    {
        try
        {
            for (var i = 0; i < 10; i++) await storage.PutAsync(s_key, new MemoryStream([(byte)i]), PutCondition.Always, CancellationToken.None);
        }
        catch (StorageException) when (storage is CrashableStorage)
        {
            // as its name says
        }
    }

    private static async Task CheckWhatIsLeft(CrashableStorage storage)
    {
        await using var left = await storage.ReadAsync(s_key, ByteRange.All, CancellationToken.None);
        Assert.Equal(1, left!.Length); // a put is durable when it returns, and all or nothing
    }
}
