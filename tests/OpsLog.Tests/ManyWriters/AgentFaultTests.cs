using System.Text.Json;
using OpsLog.Storage;
using OpsLog.Testing;
using OpsLog.Tests.Faults;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.ManyWriters;

/// <summary>
/// Goal: what fails under one agent, or kills it, takes nothing from the others, and nothing that it had acknowledged. Method: one program of two agents,
/// run once for every storage call of one of them, which fails, loses its answer, or is its last. Short runs take a third of the calls for each
/// kind of fault, and other ones for the next kind; with OPSLOG_PROPERTY_FACTOR above 1 all are taken.
/// </summary>
public sealed class AgentFaultTests
{
    public static TheoryData<bool, StorageFault> Faults => new()
    {
        { true, StorageFault.Broken },
        { true, StorageFault.Full },
        { true, StorageFault.Unavailable },
        { true, StorageFault.Throttled },
        { true, StorageFault.Denied },
        { false, StorageFault.Broken },
        { false, StorageFault.Full },
        { false, StorageFault.Unavailable },
        { false, StorageFault.Throttled },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task F9_F10_F11_F12_F25_F26_F27_whichever_call_of_an_agent_fails_the_others_go_on_and_nothing_acknowledged_is_lost(bool append, StorageFault fault)
    {
        var failed = 0;
        foreach (var (call, moment) in Some(await PointsAsync(append), (int)fault))
        {
            var disk = new MemoryStorage(append);
            var faulty = new FaultyStorage(disk, seed: call);
            faulty.Inject(InjectedFault.AtCall(call, StorageCalls.All & ~StorageCalls.Release, moment, fault));
            failed += await CheckAsync(new AgentRun(faulty, disk), disk, $"{fault} at call {call} ({moment})");
        }

        Assert.True(failed > 10, "Faults must be seen.");
    }

    /// <summary>F10 and F11 to the end: from some call on nothing works any more.</summary>
    [Theory]
    [InlineData(true, StorageFault.Full)]
    [InlineData(true, StorageFault.Broken)]
    [InlineData(false, StorageFault.Unavailable)]
    public async Task F9_F10_F25_an_agent_whose_storage_fails_for_good_takes_nothing_from_the_others(bool append, StorageFault fault)
    {
        foreach (var (call, moment) in Some(await PointsAsync(append), (int)fault))
        {
            var disk = new MemoryStorage(append);
            var faulty = new FaultyStorage(disk, seed: call);
            var writes = StorageCalls.Put | StorageCalls.Append | StorageCalls.Delete;
            faulty.Inject(InjectedFault.AtCall(call, StorageCalls.All & ~StorageCalls.Release, moment, fault) with { Count = 1 });
            faulty.Inject(InjectedFault.AtCall(call, StorageCalls.All & ~StorageCalls.Release, FaultMoment.Before, fault) with
            {
                FirstCall = call + 1,
                Count = int.MaxValue,
                Calls = fault == StorageFault.Full ? writes : StorageCalls.All & ~StorageCalls.Release,
            });
            await CheckAsync(new AgentRun(faulty, disk), disk, $"{fault} from call {call} ({moment}) on");
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task F1_F34_an_agent_that_dies_at_any_call_takes_nothing_from_the_others_and_leaves_what_it_acknowledged(bool append)
    {
        foreach (var (call, moment) in await PointsAsync(append))
        {
            var disk = new MemoryStorage(append);
            var dying = new FaultyStorage(disk, seed: call);
            dying.Inject(InjectedFault.AtCall(call, StorageCalls.All & ~StorageCalls.Release, moment));
            dying.Inject(InjectedFault.AtCall(call + 1, StorageCalls.All, FaultMoment.Before) with { Count = int.MaxValue });
            await CheckAsync(new AgentRun(dying, disk), disk, $"died at call {call} ({moment})", reopens: false);
        }
    }

    [Theory]
    [InlineData(true, Durability.Disk, CrashLoss.Unsynced)]
    [InlineData(false, Durability.Disk, CrashLoss.Unsynced)]
    [InlineData(true, Durability.Os, CrashLoss.Nothing)]
    [InlineData(true, Durability.Os, CrashLoss.Unsynced)]
    [InlineData(true, Durability.Os, CrashLoss.TornByte)]
    [InlineData(true, Durability.Os, CrashLoss.Scattered)]
    public async Task F2_F3_V4_when_power_is_lost_each_agent_keeps_what_its_durability_promises(bool append, Durability durability, CrashLoss loss)
    {
        var promises = durability == Durability.Disk || loss == CrashLoss.Nothing;
        var rehearsal = new StorageRig(append);
        await new AgentRun(rehearsal, rehearsal, durability).RunAsync();
        foreach (var (call, moment) in Some([.. rehearsal.Points], (int)loss))
        {
            var rig = new StorageRig(append);
            rig.CrashAt(call, moment);
            var run = new AgentRun(rig, rig, durability);
            var context = $"died at call {call} ({moment}: {rehearsal.Calls[call - 1]}), loses {loss}";
            await Record.ExceptionAsync(() => run.RunAsync(reopens: false));
            var survivor = rig.Survivor(loss, seed: call);
            try
            {
                await using var store = await Lab.OpenAsync(survivor, AgentRun.Options("C"));
                run.AssertState(store, context, isAllThere: promises);
                await store.SetAsync("c", Lab.Doc(1));
                await store.CompactAsync();
                run.AssertState(store, context, isAllThere: promises);
            }
            catch (OpsLogException e) when (e.Error == OpsLogError.Damaged && loss is CrashLoss.TornByte or CrashLoss.Scattered)
            {
                Assert.NotNull(e.Damage);
            }
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task F28_a_conflict_that_is_none_is_never_taken_for_success_and_loses_nothing(bool append)
    {
        var rehearsal = new FaultyStorage(new MemoryStorage(append));
        await new AgentRun(rehearsal, rehearsal.Inner).RunAsync();
        for (var call = 1; call <= rehearsal.CountOf(StorageCalls.Put | StorageCalls.Append); call++)
        {
            var disk = new MemoryStorage(append);
            var faulty = new FaultyStorage(disk);
            faulty.Inject(InjectedFault.Conflict(call));
            var failed = await CheckAsync(new AgentRun(faulty, disk), disk, $"a false conflict at write {call}");
            Assert.True(failed == 0, $"A conflict at write {call} is the engine's to resolve.");
        }
    }

    /// <summary>A write that is cancelled while it waits is never there; one that has begun ends as it ends.</summary>
    [Theory]
    [MemberData(nameof(Site.InMemory), MemberType = typeof(Site))]
    public async Task F33_a_cancelled_call_of_an_agent_is_done_or_not_begun(string kind)
    {
        for (var at = 1; at < 40; at++)
        {
            await using var site = new Site(kind);
            using var cancel = new CancellationTokenSource();
            var calls = 0;
            var a = await site.OpenAsync("A", wrap: storage => new HookedStorage(storage)
            {
                Before = (_, _) => ++calls == at ? cancel.CancelAsync() : Task.CompletedTask,
            });
            var b = await site.OpenAsync("B");
            await b.SetAsync("b", Lab.Doc(1));
            var done = new List<string>();
            foreach (var id in (string[])["k", "l"])
            {
                if (await DoneAsync(async () => await a.SetAsync(id, Lab.Doc(1), cancellationToken: cancel.Token))) done.Add($"{id} = {{\"n\":1}}");
                await DoneAsync(async () => await a.CompactAsync(cancel.Token));
                await DoneAsync(async () => await a.RefreshAsync(cancel.Token));
            }

            Assert.Equal(done, Runs.Text(a).Split('\n').Where(line => !line.StartsWith('b') && line.Length > 0));
            await a.SetAsync("z", Lab.Doc(2));
            await site.AssertAgreeAsync(string.Join('\n', (string[])["b = {\"n\":1}", .. done, "z = {\"n\":2}"]), a, b);
        }

        static async Task<bool> DoneAsync(Func<Task> call)
        {
            var outcome = await Record.ExceptionAsync(call);
            Assert.True(outcome is null or OperationCanceledException, $"{outcome}");
            return outcome is null;
        }
    }

    private static IEnumerable<(int Call, FaultMoment Moment)> Some(List<(int Call, FaultMoment Moment)> points, int kind) =>
        points.Where((_, i) => RandomProgram.Factor > 1 || (i + kind) % 3 == 0);

    private static async Task<int> CheckAsync(AgentRun run, MemoryStorage disk, string context, bool reopens = true)
    {
        try
        {
            await run.RunAsync(reopens);
        }
        catch (Exception e) when (e is OpsLogException or Xunit.Sdk.XunitException)
        {
            Assert.Fail($"{context}: {e}");
        }

        await using (var reader = await Lab.OpenAsync(disk, Lab.ReadOnly())) run.AssertState(reader, context);
        await using (var last = await Lab.OpenAsync(disk, AgentRun.Options("C")))
        {
            run.AssertState(last, context);
            await last.CompactAsync();
            run.AssertState(last, context);
        }

        var report = await OpsStore.VerifyAsync(disk);
        Assert.True(report.IsSound, $"{context}: {string.Join('\n', report.Damages)}");
        return run.Failures.Count;
    }

    /// <summary>Every call that A makes, and how much of it may have happened.</summary>
    private static async Task<List<(int Call, FaultMoment Moment)>> PointsAsync(bool append)
    {
        var disk = new MemoryStorage(append);
        var points = new List<(int, FaultMoment)>();
        var calls = 0;
        var counted = new HookedStorage(disk)
        {
            Before = (call, _) =>
            {
                calls++;
                points.Add((calls, FaultMoment.Before));
                if (call == StorageCalls.Append) points.Add((calls, FaultMoment.During));
                if (call is StorageCalls.Append or StorageCalls.Put or StorageCalls.Delete) points.Add((calls, FaultMoment.After));
                return Task.CompletedTask;
            },
        };
        var run = new AgentRun(counted, disk);
        await run.RunAsync();
        Assert.Empty(run.Failures);
        Assert.True(calls > 40);
        return points;
    }
}
