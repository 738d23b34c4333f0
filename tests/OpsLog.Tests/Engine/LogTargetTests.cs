using System.Text;
using OpsLog.Engine;
using OpsLog.Storage;
using Xunit;

namespace OpsLog.Tests.Engine;

/// <summary>Goal: what is read back after a failed append is told apart from what another writer put there. Method: a log with bytes that were never sent, or sent in part.</summary>
public sealed class LogTargetTests
{
    private static readonly StorageKey s_log = new("ops/ops-r000000000001-00000000.jsonl");

    [Theory]
    [InlineData("", 0)]
    [InlineData("mi", 2)]
    [InlineData("mine\n", 5)]
    [InlineData("mine\ntheirs\n", 5)]
    [InlineData("mine\n\n", 5)]
    [InlineData("theirs\n", -1)]
    [InlineData("mi\n", -1)]
    public async Task Bytes_behind_ones_own_are_anothers_and_others_in_their_place_are_a_fence(string there, int standing)
    {
        await using var storage = new MemoryStorage();
        await storage.PutAsync(s_log, new MemoryStream("before\n"u8.ToArray()), PutCondition.IfAbsent, default);
        var target = new LogTarget(storage, s_log, 7, 0);
        await storage.AppendAsync(s_log, Encoding.UTF8.GetBytes(there), 7, Flush.Synced, default);
        if (standing < 0)
        {
            var fence = await Assert.ThrowsAsync<OpsLogException>(async () => await target.ReadBackAsync("mine\n"u8.ToArray()));
            Assert.Equal((OpsLogError.Fenced, 7L), (fence.Error, target.Length));
            return;
        }

        Assert.Equal(standing, await target.ReadBackAsync("mine\n"u8.ToArray()));
        Assert.Equal(7 + standing, target.Length);
        Assert.Equal(there.Length == standing, (await target.AppendAsync("more\n"u8.ToArray(), Flush.Synced)).IsStored); // another writer shows at the next append
    }

    [Theory]
    [InlineData(null, 0)]
    [InlineData("mine\n", 5)]
    [InlineData("mine\ntheirs\n", -1)]
    [InlineData("mi", -1)]
    public async Task A_piece_is_ones_own_as_a_whole_or_anothers(string? there, int standing)
    {
        await using var storage = new MemoryStorage(append: false);
        await storage.PutAsync(s_log, Stream.Null, PutCondition.IfAbsent, default);
        var target = new LogTarget(storage, s_log, 0, 0);
        if (there is not null) await storage.PutAsync(OpsLog.Format.StoreKeys.Piece(s_log, 1), new MemoryStream(Encoding.UTF8.GetBytes(there)), PutCondition.IfAbsent, default);
        if (standing < 0)
        {
            Assert.Equal(OpsLogError.Fenced, (await Assert.ThrowsAsync<OpsLogException>(async () => await target.ReadBackAsync("mine\n"u8.ToArray()))).Error);
            return;
        }

        Assert.Equal(standing, await target.ReadBackAsync("mine\n"u8.ToArray()));
        Assert.Equal((standing, standing > 0 ? 1 : 0), (target.Length, target.Pieces));
    }
}
