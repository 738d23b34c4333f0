using OpsLog.Storage;
using OpsLog.Testing;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.Maintenance;

/// <summary>
/// Goal: a store moves to any other storage whole or not at all, and what an interrupted copy left is used and never in the way. Method: round trips between both kinds of
/// storage; a copy broken off at each of its calls and taken up again; targets that hold something else.
/// </summary>
public sealed class CopyTests
{
    public static TheoryData<bool, bool> Kinds => new() { { true, true }, { true, false }, { false, true }, { false, false } };

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_copy_shows_what_the_store_shows_and_is_one_of_its_own(bool append, bool targetAppends)
    {
        var rig = await SampleStore.MakeAsync(append);
        var truth = await SampleStore.EverythingAsync(rig);
        var copy = new StorageRig(targetAppends);
        var report = await OpsStore.CopyAsync(rig, copy);
        Assert.True(report.IsSound && report.Records > 0 && report.Bytes > 0);
        Assert.Equal(truth, await SampleStore.EverythingAsync(copy));
        var back = new StorageRig(append);
        await OpsStore.CopyAsync(copy, back);
        Assert.Equal(truth, await SampleStore.EverythingAsync(back));
        await using var store = await Runs.OpenAsync(copy);
        await using var old = await OpsStore<System.Text.Json.JsonElement>.OpenAsync(rig, SampleStore.ReadOnly);
        var position = (await old.OperationsAsync().ToListAsync())[0].Position;
        var refused = await Assert.ThrowsAsync<OpsLogException>(async () => await store.OperationsAsync(position).ToListAsync());
        Assert.Equal(OpsLogError.PositionLost, refused.Error);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_copy_broken_off_anywhere_is_no_store_and_is_taken_up_again(bool append, bool targetAppends)
    {
        var rig = await SampleStore.MakeAsync(append);
        var truth = await SampleStore.EverythingAsync(rig);
        var whole = new FaultyStorage(new MemoryStorage(targetAppends));
        await OpsStore.CopyAsync(rig, whole);
        var writes = whole.CountOf(StorageCalls.Put | StorageCalls.Append);
        for (var n = 1; n <= writes; n++)
            foreach (var moment in Enum.GetValues<FaultMoment>())
            {
                var target = new FaultyStorage(new MemoryStorage(targetAppends), n);
                target.Inject(new InjectedFault { Calls = StorageCalls.Put | StorageCalls.Append, FirstCall = n, Count = int.MaxValue, Moment = moment, Fault = StorageFault.Unavailable });
                await Assert.ThrowsAsync<OpsLogException>(async () => await OpsStore.CopyAsync(rig, target));
                target.Clear();
                if (await target.ReadAsync(SampleStore.ManifestKey, ByteRange.All, CancellationToken.None) is not null) continue; // only the answer was lost: it is a store by now
                await OpsStore.CopyAsync(rig, target);
                Assert.Equal(truth, await SampleStore.EverythingAsync(target));
            }

        for (var n = 1; n <= whole.CountOf(StorageCalls.Read); n++)
        {
            var target = new FaultyStorage(new MemoryStorage(targetAppends), n);
            target.Inject(new InjectedFault { Calls = StorageCalls.Read, FirstCall = n, Count = int.MaxValue, Fault = StorageFault.Unavailable });
            await Assert.ThrowsAsync<OpsLogException>(async () => await OpsStore.CopyAsync(rig, target));
            target.Clear();
            Assert.Null(await target.ReadAsync(SampleStore.ManifestKey, ByteRange.All, CancellationToken.None)); // what was not read back is no store
            await OpsStore.CopyAsync(rig, target);
            Assert.Equal(truth, await SampleStore.EverythingAsync(target));
        }
    }

    [Fact]
    public async Task What_is_there_already_is_not_written_again()
    {
        var rig = await SampleStore.MakeAsync();
        var whole = new FaultyStorage(new MemoryStorage());
        await OpsStore.CopyAsync(rig, whole);
        var puts = whole.CountOf(StorageCalls.Put);
        await whole.DeleteAsync(SampleStore.ManifestKey, CancellationToken.None);
        await OpsStore.CopyAsync(rig, whole);
        Assert.InRange(whole.CountOf(StorageCalls.Put) - puts, 1, 2); // the manifest, and the small index of the history
    }

    [Fact]
    public async Task Half_an_object_is_written_anew()
    {
        var rig = await SampleStore.MakeAsync();
        var truth = await SampleStore.EverythingAsync(rig);
        var target = new MemoryStorage();
        await OpsStore.CopyAsync(rig, target);
        await target.DeleteAsync(SampleStore.ManifestKey, CancellationToken.None);
        await foreach (var entry in target.ListAsync(StorageKey.Root, null, CancellationToken.None))
        {
            await using var found = await target.ReadAsync(entry.Key, new ByteRange(0, entry.Length / 2), CancellationToken.None);
            await target.PutAsync(entry.Key, found!.Content, PutCondition.Always, CancellationToken.None);
        }

        await OpsStore.CopyAsync(rig, target);
        Assert.Equal(truth, await SampleStore.EverythingAsync(target));
    }

    [Theory]
    [InlineData("manifest.json")]
    [InlineData("notes.txt")]
    [InlineData("ops/ops-r000000000001-0123abcd.jsonl")]
    public async Task A_target_that_holds_anything_else_is_left_alone(string name)
    {
        var rig = await SampleStore.MakeAsync();
        var target = new MemoryStorage();
        await target.PutAsync(new StorageKey(name), new MemoryStream([1]), PutCondition.Always, CancellationToken.None);
        var refused = await Assert.ThrowsAsync<OpsLogException>(async () => await OpsStore.CopyAsync(rig, target));
        Assert.Equal(OpsLogError.Conflict, refused.Error);
        Assert.Equal([name], await target.ListAsync(StorageKey.Root, null, CancellationToken.None).Select(e => e.Key.Value).ToListAsync());
    }

    [Fact]
    public async Task Damage_is_not_copied()
    {
        var rig = await SampleStore.MakeAsync();
        await foreach (var entry in rig.ListAsync(new StorageKey("ops/ops"), null, CancellationToken.None))
        {
            await using var found = await rig.ReadAsync(entry.Key, ByteRange.All, CancellationToken.None);
            var bytes = (await found!.ReadToEndAsync(CancellationToken.None)).ToArray();
            if (bytes.Length < 50) continue;
            bytes[20] ^= 1;
            await rig.PutAsync(entry.Key, new MemoryStream(bytes), PutCondition.Always, CancellationToken.None);
        }

        var target = new MemoryStorage();
        var refused = await Assert.ThrowsAsync<OpsLogException>(async () => await OpsStore.CopyAsync(rig, target));
        Assert.Equal(OpsLogError.Damaged, refused.Error);
        Assert.Null(await target.ReadAsync(SampleStore.ManifestKey, ByteRange.All, CancellationToken.None));
    }
}
