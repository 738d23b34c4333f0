using System.Text.Json;
using OpsLog.Storage;
using OpsLog.Testing;
using OpsLog.Tests.Corpus;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.Maintenance;

/// <summary>
/// Goal: a backup is a store as it was at one moment, whatever writers do meanwhile, and half a copy is none (F16). Method: round trips between
/// both kinds of storage; copies beside writers that write whole batches; every call of a copy failing in turn.
/// </summary>
public sealed class BackupTests
{
    [Theory]
    [InlineData(true, true)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(false, false)]
    public async Task A_backup_and_what_is_restored_from_it_show_what_the_store_shows(bool append, bool targetAppends)
    {
        var rig = await SampleStore.MakeAsync(append);
        var truth = await SampleStore.EverythingAsync(rig);
        var backup = new StorageRig(targetAppends);
        var restored = new StorageRig(append);
        await using (var store = await Runs.OpenAsync(rig)) await store.BackupAsync(backup);
        Assert.Equal(truth, await SampleStore.EverythingAsync(backup));
        await Runs.AssertSoundAsync(backup, "backup");
        await OpsStore.RestoreAsync(backup, restored);
        Assert.Equal(truth, await SampleStore.EverythingAsync(restored));
        await Runs.AssertSoundAsync(restored, "restored");

        await using (var store = await Runs.OpenAsync(restored))
        {
            await store.SetAsync("more", SampleStore.Json("{}"));
            Assert.True(await store.UndoAsync());
            await store.CompactAsync();
        }

        Assert.Equal(await SampleStore.StateAsync(rig), await SampleStore.StateAsync(restored));
        await Runs.AssertSoundAsync(restored, "after more work");
    }

    [Theory]
    [InlineData(true, Durability.Disk)]
    [InlineData(true, Durability.Os)]
    [InlineData(true, Durability.Buffered)]
    [InlineData(false, Durability.Disk)]
    [InlineData(false, Durability.Buffered)]
    public async Task V3_V4_a_backup_beside_four_writers_is_a_prefix_of_whole_batches(bool append, Durability durability)
    {
        const int Writers = 4;
        var storage = new MemoryStorage(append);
        var options = Runs.Options(durability, o =>
        {
            o.Checkpoint.Automatic = true;
            o.Checkpoint.MinimumBytes = 0;
            o.Checkpoint.MinimumOperations = 200;
        });
        await using var store = await OpsStore<JsonElement>.OpenAsync(storage, options);
        using var stop = new CancellationTokenSource();
        var counts = new int[Writers];
        var writers = Enumerable.Range(0, Writers).Select(w => Task.Run(async () =>
        {
            for (var n = 1; !stop.IsCancellationRequested; n++)
            {
                var value = SampleStore.Json($$"""{"n":{{n}}}""");
                await store.BatchAsync(b =>
                {
                    for (var part = 0; part < 3; part++) b.Set($"w{w}-{part}", value);
                });
                Volatile.Write(ref counts[w], n);
            }
        })).ToArray();

        for (var round = 0; round < 5; round++)
        {
            var before = counts.ToArray();
            var (backup, restored) = (new MemoryStorage(append), new MemoryStorage(append));
            await store.BackupAsync(backup);
            var after = counts.ToArray();
            await OpsStore.RestoreAsync(backup, restored);
            await using var copy = await OpsStore<JsonElement>.OpenAsync(restored, Runs.Options());
            for (var w = 0; w < Writers; w++)
            {
                var shown = Enumerable.Range(0, 3).Select(p => copy.TryGetValue($"w{w}-{p}", out var v) ? v.GetProperty("n").GetInt32() : 0).Distinct().ToList();
                var n = Assert.Single(shown); // a whole batch
                Assert.InRange(n, before[w], after[w] + 1); // everything acknowledged before, at most the one under way since
            }
        }

        await stop.CancelAsync();
        await Task.WhenAll(writers);
    }

    [Fact]
    public async Task A_backup_of_a_read_only_store_beside_a_writer_that_checkpoints_is_sound()
    {
        var storage = new MemoryStorage();
        await using var store = await OpsStore<JsonElement>.OpenAsync(storage, Runs.Options(change: o => o.HistoryRetention = HistoryRetention.None));
        await store.SetAsync("first", SampleStore.Json("{}"));
        await using var reader = await OpsStore<JsonElement>.OpenAsync(storage, SampleStore.ReadOnly);
        using var stop = new CancellationTokenSource();
        var writing = Task.Run(async () =>
        {
            for (var i = 0; !stop.IsCancellationRequested; i++)
            {
                await store.SetAsync($"k{i}", SampleStore.Json("{}"));
                if (i % 30 == 29) await store.CompactAsync();
                if (i % 7 == 0) await store.ArchiveAsync([$"k{i}"], "p");
            }
        });
        var copies = 0;
        for (var round = 0; round < 20; round++)
        {
            var backup = new MemoryStorage();
            try
            {
                await reader.BackupAsync(backup);
            }
            catch (OpsLogException e) when (e.Error == OpsLogError.Conflict)
            {
                continue; // too many checkpoints in a row: it says so itself
            }

            copies++;
            Assert.Empty((await OpsStore.VerifyAsync(backup)).Damages);
            await AssertNoHoleAsync(backup);
        }

        await stop.CancelAsync();
        await writing;
        Assert.True(copies > 0);
    }

    [Fact]
    public async Task F16_feed_positions_are_refused_after_a_restore()
    {
        var rig = await SampleStore.MakeAsync();
        FeedPosition position = default;
        await using (var store = await OpsStore<JsonElement>.OpenAsync(rig, SampleStore.ReadOnly))
            await foreach (var operation in store.OperationsAsync()) position = operation.Position;
        var (backup, restored) = (new MemoryStorage(), new MemoryStorage());
        await using (var store = await Runs.OpenAsync(rig)) await store.BackupAsync(backup);
        await OpsStore.RestoreAsync(backup, restored);
        await using var reopened = await OpsStore<JsonElement>.OpenAsync(restored, SampleStore.ReadOnly);
        var refusal = await Assert.ThrowsAsync<OpsLogException>(async () =>
        {
            await foreach (var _ in reopened.OperationsAsync(position)) Assert.Fail("The position is of another incarnation.");
        });
        Assert.Equal(OpsLogError.PositionLost, refusal.Error);
    }

    [Fact]
    public async Task A_target_that_is_not_empty_is_refused_and_left_alone()
    {
        var rig = await SampleStore.MakeAsync();
        var target = new StorageRig(append: true);
        await target.WriteAsync(new StorageKey("notes.txt"), "mine"u8.ToArray());
        var before = await SampleStore.ObjectsAsync(target);
        await using var store = await Runs.OpenAsync(rig);
        foreach (var work in new Func<ValueTask>[] { () => store.BackupAsync(target), () => OpsStore.RestoreAsync(rig, target), async () => await OpsStore.RepairAsync(rig, target) })
            Assert.Equal(OpsLogError.Conflict, (await Assert.ThrowsAsync<OpsLogException>(() => work().AsTask())).Error);
        await SampleStore.AssertSameObjectsAsync(before, target);
    }

    [Fact]
    public async Task Restoring_what_is_no_store_or_is_damaged_writes_nothing()
    {
        var target = new StorageRig(append: true);
        Assert.Equal(OpsLogError.NotFound, (await Assert.ThrowsAsync<OpsLogException>(() => OpsStore.RestoreAsync(new MemoryStorage(), target).AsTask())).Error);
        var rig = await SampleStore.MakeAsync();
        var log = await SampleStore.LogAsync(rig);
        await SampleStore.DamageAsync(rig, log, 2);
        var refusal = await Assert.ThrowsAsync<OpsLogException>(() => OpsStore.RestoreAsync(rig, target).AsTask());
        Assert.Equal((OpsLogError.Damaged, log.Value, 2), (refusal.Error, refusal.Damage!.File, refusal.Damage.Line));
        Assert.Empty(await target.LengthsAsync());
    }

    [Theory]
    [InlineData("backup", true)]
    [InlineData("backup", false)]
    [InlineData("restore", true)]
    [InlineData("restore", false)]
    [InlineData("repair", true)]
    [InlineData("repair", false)]
    public async Task F9_F10_F12_whichever_call_fails_the_target_is_no_store_and_the_source_is_untouched(string verb, bool append)
    {
        var rig = await SampleStore.MakeAsync(append);
        var counted = (Source: new FaultyStorage(rig), Target: new FaultyStorage(new MemoryStorage(append)));
        await RunAsync(verb, counted.Source, counted.Target);
        var before = await SampleStore.ObjectsAsync(rig);
        foreach (var ofTarget in new[] { true, false })
        {
            var calls = ofTarget ? counted.Target.CountOf() : counted.Source.CountOf();
            foreach (var moment in ofTarget ? new[] { FaultMoment.Before, FaultMoment.During, FaultMoment.After } : [FaultMoment.Before])
            {
                for (var n = 1; n <= calls; n++)
                {
                    var inner = new MemoryStorage(append);
                    var (source, target) = (new FaultyStorage(rig), new FaultyStorage(inner));
                    (ofTarget ? target : source).Inject(InjectedFault.AtCall(n, moment: moment, fault: StorageFault.Full));
                    Exception? failure = await Record.ExceptionAsync(() => RunAsync(verb, source, target));
                    var context = $"{verb}, call {n} {moment} of {(ofTarget ? "target" : "source")}: {failure}";
                    Assert.True(failure is OpsLogException, context);
                    var isWritten = await ObjectThereAsync(inner, SampleStore.ManifestKey);
                    Assert.True(!isWritten || (ofTarget && n >= calls - 1), context); // only a lost answer to the last write leaves one
                    if (isWritten) Assert.True((await OpsStore.VerifyAsync(inner)).IsSound, context);
                    else Assert.NotNull(await Record.ExceptionAsync(async () => await OpsStore<JsonElement>.OpenAsync(inner, SampleStore.ReadOnly)));
                }
            }
        }

        await SampleStore.AssertSameObjectsAsync(before, rig);
    }

    [Theory]
    [InlineData("backup")]
    [InlineData("restore")]
    [InlineData("repair")]
    public async Task F33_cancelled_anywhere_the_target_is_no_store(string verb)
    {
        var rig = await SampleStore.MakeAsync();
        var all = new Told();
        await RunAsync(verb, rig, new MemoryStorage(), all);
        Assert.NotEmpty(all.Reports);
        foreach (var stage in all.Reports.GroupBy(r => r.Stage)) Assert.True(stage.Max(r => r.Done) <= stage.Max(r => r.Total), $"{stage.Key}");
        for (var n = 1; n < all.Reports.Count; n++)
        {
            var target = new MemoryStorage();
            using var stop = new CancellationTokenSource();
            var reports = 0;
            var told = new Told
            {
                On = _ =>
                {
                    if (++reports == n) stop.Cancel();
                },
            };
            var failure = await Record.ExceptionAsync(() => RunAsync(verb, rig, target, told, stop.Token));
            if (failure is null) continue; // it was asked when all was done
            Assert.IsAssignableFrom<OperationCanceledException>(failure);
            Assert.False(await ObjectThereAsync(target, SampleStore.ManifestKey));
        }
    }

    [Fact]
    public async Task A_store_goes_on_after_a_backup_that_failed()
    {
        var rig = await SampleStore.MakeAsync();
        await using var store = await Runs.OpenAsync(rig);
        var target = new FaultyStorage(new MemoryStorage());
        target.Inject(InjectedFault.DiskFull(3));
        Assert.Equal(OpsLogError.StorageFailed, (await Assert.ThrowsAsync<OpsLogException>(() => store.BackupAsync(target).AsTask())).Error);
        await store.SetAsync("after", SampleStore.Json("{}"));
        await store.CompactAsync();
        await store.BackupAsync(new MemoryStorage());
        Assert.True(store.ContainsKey("after"));
    }

    [Fact]
    public async Task A_torn_tail_is_not_carried_into_the_copy()
    {
        var rig = await SampleStore.MakeAsync();
        var truth = await SampleStore.EverythingAsync(rig);
        var log = await SampleStore.LogAsync(rig);
        await rig.WriteAsync(log, [.. await rig.BytesAsync(log), .. "{\"ts\":\"2026"u8]);
        var restored = new StorageRig(append: true);
        await OpsStore.RestoreAsync(rig, restored);
        Assert.Equal(truth, await SampleStore.EverythingAsync(restored));
        Assert.Empty((await OpsStore.VerifyAsync(restored)).Notes);
    }

    [Theory]
    [MemberData(nameof(CorpusTests.SingleWriter), MemberType = typeof(CorpusTests))]
    public async Task A_store_of_the_package_is_restored_to_what_it_holds(string name)
    {
        var corpus = CorpusStore.Get(name);
        using var folder = CorpusTests.Copy(corpus);
        using var restored = new TempFolder();
        await using var storage = new FileStorage(folder.Path);
        if (!(await OpsStore.VerifyAsync(storage)).IsSound) return;
        await using (var target = new FileStorage(restored.Path)) await OpsStore.RestoreAsync(storage, target);
        var options = corpus.Options();
        options.ReadOnly = true;
        await using var store = await OpsStore<JsonElement>.OpenAsync(restored.Path, options);
        CorpusTests.AssertState(corpus, store);
        CorpusTests.AssertUnchanged(corpus, folder);
    }

    private static async Task RunAsync(string verb, IOpsStorage source, IOpsStorage target, IProgress<StoreProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        if (verb == "restore") await OpsStore.RestoreAsync(source, target, progress, cancellationToken);
        else if (verb == "repair") await OpsStore.RepairAsync(source, target, progress, cancellationToken);
        else
        {
            await using var store = await OpsStore<JsonElement>.OpenAsync(source, SampleStore.ReadOnly, CancellationToken.None);
            await store.BackupAsync(target, progress, cancellationToken);
        }
    }

    private static async Task<bool> ObjectThereAsync(MemoryStorage storage, StorageKey key) => await storage.ReadAsync(key, new ByteRange(0, 0), default) is not null;

    // One writer set k0, k1, k2 … and archived every seventh: each up to the last in the store is there or in the archive. The archive itself
    // may hold one that was moved just after: it is copied later.
    private static async Task AssertNoHoleAsync(IOpsStorage backup)
    {
        await using var store = await OpsStore<JsonElement>.OpenAsync(backup, SampleStore.ReadOnly);
        var ids = store.Keys.ToHashSet(StringComparer.Ordinal);
        if (store.Archives.Count > 0) ids.UnionWith((await store.LoadArchiveAsync("p")).Keys);
        Assert.Contains("first", ids);
        var last = store.Keys.Where(k => k != "first").Select(k => int.Parse(k[1..], System.Globalization.CultureInfo.InvariantCulture)).DefaultIfEmpty(-1).Max();
        for (var i = 0; i < last; i++) Assert.Contains($"k{i}", ids);
    }
}
