// Goal: the tools that other tests trust do what they say. Method: small scripts whose outcome is known.
using OpsLog.Storage;
using OpsLog.Testing;
using Xunit;

namespace OpsLog.StorageTests;

public sealed class FaultyStorageTests : IAsyncDisposable
{
    private readonly MemoryStorage _inner = new();

    public ValueTask DisposeAsync() => _inner.DisposeAsync();

    private static async Task Script(IOpsStorage storage)
    {
        await storage.Put("log", "");
        await storage.Append("log", 0, "abc");
        await storage.Read("log");
        await storage.Put("manifest", "1");
        await storage.Append("log", 3, "def");
        await storage.Names();
        await storage.Delete("manifest");
    }

    [Fact]
    public async Task The_nth_call_fails_for_every_n_and_calls_are_counted_by_verb()
    {
        var counting = new FaultyStorage(new MemoryStorage());
        await Script(counting);
        Assert.Equal(7, counting.CountOf());
        Assert.Equal(2, counting.CountOf(StorageCalls.Append));
        Assert.Equal(5, counting.CountOf(StorageCalls.Writes));
        for (var n = 1; n <= counting.CountOf(); n++)
        {
            var storage = new FaultyStorage(new MemoryStorage());
            storage.Inject(InjectedFault.AtCall(n));
            var failure = await Assert.ThrowsAsync<StorageException>(() => Script(storage));
            Assert.False(failure.OutcomeUnknown);
            Assert.Equal(n, storage.CountOf());
            Assert.Single(storage.Faults);
        }

        var spared = new FaultyStorage(new MemoryStorage());
        spared.Inject(InjectedFault.AtCall(counting.CountOf() + 1));
        await Script(spared);
    }

    [Fact]
    public async Task A_fault_before_changes_nothing_one_after_has_happened_and_one_during_is_partial()
    {
        var storage = new FaultyStorage(_inner);
        await storage.Put("log", "");
        storage.Inject(InjectedFault.AtCall(1, StorageCalls.Append, FaultMoment.Before));
        Assert.False((await Assert.ThrowsAsync<StorageException>(() => storage.Append("log", 0, "abc"))).OutcomeUnknown);
        Assert.Equal("", await _inner.Read("log"));
        storage.Inject(new InjectedFault { Calls = StorageCalls.Append, Moment = FaultMoment.During, PartialBytes = 2 });
        Assert.True((await Assert.ThrowsAsync<StorageException>(() => storage.Append("log", 0, "abc"))).OutcomeUnknown);
        Assert.Equal("ab", await _inner.Read("log"));
        storage.Inject(InjectedFault.AtCall(1, StorageCalls.Append, FaultMoment.After));
        Assert.True((await Assert.ThrowsAsync<StorageException>(() => storage.Append("log", 2, "c"))).OutcomeUnknown);
        Assert.Equal("abc", await _inner.Read("log"));
    }

    [Fact]
    public async Task Ready_made_faults_do_as_their_names_say()
    {
        var storage = new FaultyStorage(_inner);
        await storage.Put("log", "");
        storage.Inject(InjectedFault.SyncFails());
        await storage.Append("log", 0, "a", Flush.Written);
        await Assert.ThrowsAsync<StorageException>(() => storage.Append("log", 1, "b", Flush.Synced));
        Assert.Equal("ab", await storage.Read("log"));
        storage.Inject(InjectedFault.LostAnswer());
        Assert.True((await Assert.ThrowsAsync<StorageException>(() => storage.Put("m", "1"))).IsTransient);
        Assert.Equal("1", await storage.Read("m"));
        storage.Inject(InjectedFault.Conflict());
        Assert.Equal(PutOutcome.Conflict, (await storage.Put("m", "2")).Outcome);
        Assert.Equal("1", await storage.Read("m"));
        storage.Inject(InjectedFault.DiskFull(partialBytes: 1));
        Assert.Equal(StorageFault.Full, (await Assert.ThrowsAsync<StorageException>(() => storage.Append("log", 2, "cd"))).Fault);
        Assert.Equal(StorageFault.Full, (await Assert.ThrowsAsync<StorageException>(() => storage.Put("n", ""))).Fault);
        Assert.Equal("abc", await storage.Read("log"));
        storage.Clear();
        Assert.True((await storage.Put("n", "")).IsStored);
    }

    [Fact]
    public async Task Faults_keep_to_their_objects()
    {
        var storage = new FaultyStorage(_inner);
        storage.Inject(new InjectedFault { Keys = key => key.Value == "b", Count = int.MaxValue });
        await storage.Put("a", "");
        await Assert.ThrowsAsync<StorageException>(() => storage.Put("b", ""));
        await Assert.ThrowsAsync<StorageException>(() => storage.Read("b"));
    }

    [Fact]
    public async Task One_seed_gives_one_course_of_faults()
    {
        async Task<IReadOnlyList<string>> Run(int seed)
        {
            var storage = new FaultyStorage(new MemoryStorage(), seed) { FaultRate = 0.3 };
            for (var i = 0; i < 50; i++)
            {
                try
                {
                    await Script(storage);
                }
                catch (StorageException)
                {
                    // As wanted; the list of faults is what is compared.
                }
            }

            return storage.Faults;
        }

        Assert.NotEmpty(await Run(1));
        Assert.Equal(await Run(1), await Run(1));
        Assert.NotEqual(await Run(1), await Run(2));
    }
}
