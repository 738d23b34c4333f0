// Goal: the crashable storage keeps exactly what a crash would leave. Method: bytes whose durability is known, and every kind of loss.
using OpsLog.Storage;
using OpsLog.Testing;
using Xunit;

namespace OpsLog.StorageTests;

public sealed class CrashableStorageTests
{
    private static async Task<CrashableStorage> WrittenAsync()
    {
        var storage = new CrashableStorage();
        await storage.Put("log", "abc");
        await storage.Append("log", 3, "def", Flush.Synced);
        foreach (var (at, text) in ((long, string)[])[(6, "ghi"), (9, "jkl"), (12, "mno")]) await storage.Append("log", at, text);
        return storage;
    }

    [Fact]
    public async Task A_crash_keeps_what_was_synced_and_freezes_the_old_storage()
    {
        var storage = await WrittenAsync();
        Assert.Equal(6, storage.DurableLength(new StorageKey("log")));
        var survivor = storage.Reopen();
        Assert.Equal("abcdef", await survivor.Read("log"));
        Assert.True(storage.IsCrashed);
        await Assert.ThrowsAsync<StorageException>(() => storage.Read("log"));
        await Assert.ThrowsAsync<StorageException>(() => storage.Put("x", ""));
        await Assert.ThrowsAsync<StorageException>(() => storage.Append("log", 15, "x"));
        await Assert.ThrowsAsync<StorageException>(() => storage.Names());
        await Assert.ThrowsAsync<StorageException>(() => storage.Delete("log"));
        Assert.True((await survivor.Append("log", 6, "x")).IsStored);
    }

    [Fact]
    public async Task Each_kind_of_loss_leaves_what_it_says()
    {
        var storage = await WrittenAsync();
        Assert.Equal("abcdefghijklmno", await storage.Reopen(CrashLoss.Nothing).Read("log"));
        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (var seed = 0; seed < 200; seed++)
        {
            var tail = await storage.Reopen(CrashLoss.Tail, seed).Read("log");
            Assert.StartsWith("abcdef", tail, StringComparison.Ordinal);
            Assert.StartsWith(tail!, "abcdefghijklmno", StringComparison.Ordinal);
            var torn = await storage.Reopen(CrashLoss.TornByte, seed).Read("log");
            Assert.StartsWith("abcdef", torn, StringComparison.Ordinal);
            var scattered = (await storage.Reopen(CrashLoss.Scattered, seed).Read("log"))!;
            Assert.StartsWith("abcdef", scattered, StringComparison.Ordinal);
            Assert.Equal(scattered, await storage.Reopen(CrashLoss.Scattered, seed).Read("log"));
            seen.Add(scattered);
        }

        Assert.Equal(8, seen.Count); // each of three writes kept or lost
        Assert.Contains("abcdef\0\0\0\0\0\0mno", seen);
    }

    [Theory]
    [InlineData(FaultMoment.Before)]
    [InlineData(FaultMoment.During)]
    [InlineData(FaultMoment.After)]
    public async Task Every_call_can_be_the_crash(FaultMoment moment)
    {
        for (var n = 1; n <= 4; n++)
        {
            var storage = new CrashableStorage();
            storage.CrashAtCall(n, moment);
            await Assert.ThrowsAsync<StorageException>(async () =>
            {
                await storage.Put("log", "a", PutCondition.IfAbsent);
                await storage.Append("log", 1, "bcdefgh", Flush.Synced);
                await storage.Put("log", "A");
                await storage.Delete("log");
            });
            Assert.Equal(n, storage.Calls);
            string?[] states = [null, "a", "abcdefgh", "A", null];
            var found = await storage.Reopen().Read("log");
            if (moment == FaultMoment.Before) Assert.Equal(states[n - 1], found);
            else if (moment == FaultMoment.After) Assert.Equal(states[n], found);
            else Assert.Contains(found, (string?[])[states[n - 1], states[n]]);
        }
    }
}
