// Goal: in memory too, of a swap and an append at once one is told that the other was first. Method: both at once, very often.
using System.Text;
using OpsLog.Storage;
using Xunit;

namespace OpsLog.StorageTests;

public sealed class MemoryRaceTests
{
    [Fact]
    public async Task K13_No_append_is_lost_to_a_swap_at_the_same_moment()
    {
        var storage = new MemoryStorage();
        using var start = new Barrier(2);
        const int rounds = 100_000;
        var versions = new StorageVersion[rounds];
        var lost = 0;
        var appended = new bool[rounds];
        var appending = Task.Run(async () =>
        {
            for (var i = 0; i < rounds; i++)
            {
                start.SignalAndWait();
                appended[i] = (await storage.AppendAsync(new StorageKey("x"), "b"u8.ToArray(), 1, Flush.Written, default)).IsStored;
                start.SignalAndWait();
            }
        });
        for (var i = 0; i < rounds; i++)
        {
            var version = (await storage.Put("x", "a")).Version;
            start.SignalAndWait();
            var swapped = (await storage.Put("x", "c", PutCondition.IfVersion(version))).IsStored;
            start.SignalAndWait();
            var left = await storage.Read("x");
            if (swapped && appended[i] && left != "cb") lost++;
        }

        await appending;
        Assert.Equal(0, lost);
    }
}
