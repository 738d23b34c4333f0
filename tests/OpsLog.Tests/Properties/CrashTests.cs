using System.Text.Json;
using CsCheck;
using OpsLog.Storage;
using OpsLog.Testing;
using Xunit;

namespace OpsLog.Tests.Properties;

/// <summary>
/// Goal: V1, V3, V4, V10 and V12 when a process dies. Method: a random program is run once to count its storage calls, then again for every
/// call, dying before it, half-way through it, and behind it with the answer lost; then without and with the loss of all bytes that were
/// not synced. Whatever is left must open to the state behind the last acknowledged command, or behind the one that was under way.
/// </summary>
public sealed class CrashTests
{
    private const int Length = 12;

    [Theory]
    [InlineData(Durability.Disk, true)]
    [InlineData(Durability.Disk, false)]
    public Task V1_V3_what_is_acknowledged_at_disk_survives_a_power_loss_at_every_call(Durability durability, bool append) =>
        RandomProgram.OfLength(Length).SampleAsync(program => AtEveryPoint(program, durability, append, CrashLoss.Unsynced), iter: 6 * RandomProgram.Factor, threads: 1);

    [Theory]
    [InlineData(Durability.Os, true)]
    [InlineData(Durability.Os, false)]
    public Task V1_V3_what_is_acknowledged_at_os_survives_a_killed_process_at_every_call(Durability durability, bool append) =>
        RandomProgram.OfLength(Length).SampleAsync(program => AtEveryPoint(program, durability, append, CrashLoss.Nothing), iter: 6 * RandomProgram.Factor, threads: 1);

    [Theory]
    [InlineData(Durability.Os, true, CrashLoss.Unsynced)]
    [InlineData(Durability.Os, true, CrashLoss.Tail)]
    [InlineData(Durability.Buffered, true, CrashLoss.Nothing)]
    [InlineData(Durability.Buffered, true, CrashLoss.Unsynced)]
    [InlineData(Durability.Buffered, false, CrashLoss.Nothing)]
    public Task V4_below_that_a_crash_leaves_the_state_behind_some_prefix(Durability durability, bool append, CrashLoss loss) =>
        RandomProgram.OfLength(Length).SampleAsync(
            program => AtEveryPoint(program, durability, append, loss, promises: false), iter: 4 * RandomProgram.Factor, threads: 1);

    [Theory]
    [InlineData(CrashLoss.TornByte)]
    [InlineData(CrashLoss.Scattered)]
    public Task V4_V7_unsynced_writes_that_survive_in_part_show_a_prefix_or_are_refused(CrashLoss loss) =>
        RandomProgram.OfLength(Length, reopens: false).SampleAsync(
            async program =>
            {
                var rehearsal = await RunAsync(new StorageRig(append: true), program, Runs.Options(Durability.Os));
                foreach (var (call, moment) in rehearsal.Rig.Points)
                {
                    var run = await RunAsync(Crashing(append: true, call, moment), program, Runs.Options(Durability.Os));
                    List<StoreModel> allowed = run.InFlight is { } next ? [.. run.Acknowledged, next] : run.Acknowledged;
                    try
                    {
                        var state = await Runs.TextOfAsync(run.Rig.Survivor(loss, seed: call), Runs.Options(Durability.Os));
                        Runs.AssertOneOf(allowed, state, $"died at call {call} ({moment}), loses {loss}\n{program}");
                    }
                    catch (OpsLogException e) when (e.Error == OpsLogError.Damaged)
                    {
                        Assert.NotNull(e.Damage);
                    }
                }
            },
            iter: 4 * RandomProgram.Factor,
            threads: 1);

    [Fact]
    public Task V1_what_was_flushed_at_buffered_survives_a_power_loss() =>
        RandomProgram.OfLength(Length, reopens: false).SampleAsync(
            async program =>
            {
                var rig = new StorageRig(append: true);
                var store = await Runs.OpenAsync(rig, Runs.Options(Durability.Buffered));
                var model = StoreModel.Empty;
                foreach (var command in program.Commands)
                {
                    await command.RunAsync(store);
                    model = model.After(command);
                }

                await store.FlushAsync();
                var survivor = rig.Survivor(CrashLoss.Unsynced);
                Assert.Equal(model.Text, await Runs.TextOfAsync(survivor));
                await Runs.AbandonAsync(store);
            },
            iter: 100 * RandomProgram.Factor,
            threads: 1);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public Task V1_a_crash_while_recovering_from_a_crash_changes_nothing(bool append) =>
        RandomProgram.OfLength(Length).SampleAsync(
            async program =>
            {
                var rehearsal = await RunAsync(new StorageRig(append), program, Runs.Options());
                foreach (var (call, moment) in rehearsal.Rig.Points.Where(p => p.Moment == FaultMoment.During || p.Call % 5 == 0))
                {
                    var crashed = await RunAsync(Crashing(append, call, moment), program, Runs.Options());
                    var first = crashed.Rig.Survivor(CrashLoss.Unsynced);
                    var counted = first.Survivor(CrashLoss.Nothing);
                    var expected = await Runs.TextOfAsync(counted);
                    foreach (var (call2, moment2) in counted.Points)
                    {
                        var second = first.Survivor(CrashLoss.Nothing);
                        second.CrashAt(call2, moment2);
                        await RunAsync(second, new RandomProgram([]), Runs.Options());
                        var context = $"died at {call} ({moment}), then at {call2} ({moment2}) while recovering\n{program}";
                        Assert.True(expected == await Runs.TextOfAsync(second.Survivor(CrashLoss.Unsynced)), context);
                    }
                }
            },
            iter: 2 * RandomProgram.Factor,
            threads: 1);

    private static async Task AtEveryPoint(RandomProgram program, Durability durability, bool append, CrashLoss loss, bool promises = true)
    {
        var rehearsal = await RunAsync(new StorageRig(append), program, Runs.Options(durability));
        Assert.Null(rehearsal.InFlight);
        Runs.AssertOneOf([rehearsal.Acknowledged[^1]], await Runs.TextOfAsync(rehearsal.Rig), $"without a crash\n{program}");

        foreach (var (call, moment) in rehearsal.Rig.Points)
        {
            var run = await RunAsync(Crashing(append, call, moment), program, Runs.Options(durability));
            var context = $"{durability}, died at call {call} ({run.Rig.Calls[^1]}, {moment}), loses {loss}\n{program}";
            IEnumerable<StoreModel> allowed = promises ? [run.Acknowledged[^1]] : run.Acknowledged;
            if (run.InFlight is { } next) allowed = allowed.Append(next);
            await AssertRecovers(run.Rig.Survivor(loss, seed: call), [.. allowed], durability, context);
        }
    }

    /// <summary>It opens to an allowed state, shows the same when it opens again, is sound, and works on.</summary>
    private static async Task AssertRecovers(StorageRig rig, IReadOnlyList<StoreModel> allowed, Durability durability, string context)
    {
        var options = Runs.Options(durability);
        var readOnly = Runs.Options(durability, o => o.ReadOnly = true);
        string state;
        if ((await rig.LengthsAsync()).ContainsKey("manifest.json"))
        {
            Runs.AssertOneOf(allowed, state = await Runs.TextOfAsync(rig, readOnly), $"V1 V3 V4, read-only: {context}");
            await Runs.AssertSoundAsync(rig, $"V10: {context}");
        }

        var store = await Runs.OpenAsync(rig, options);
        Runs.AssertOneOf(allowed, state = Runs.Text(store), $"V1 V3 V4: {context}");
        await store.DisposeAsync();
        await using (store = await Runs.OpenAsync(rig, options))
        {
            Assert.True(state == Runs.Text(store), $"V12, opened twice: {context}");
            await store.SetAsync("afterwards", Corpus.StoreReading.Element("{}"));
            await store.CompactAsync();
        }

        await Runs.AssertSoundAsync(rig, $"V10, after a checkpoint: {context}");
        var expected = StoreModel.TextOf(await WithoutAsync(rig, "afterwards"));
        Assert.True(state == expected, $"V1 V12, after a write and a checkpoint: {context}\n{expected}\nexpected:\n{state}");
    }

    private static async Task<List<KeyValuePair<string, string>>> WithoutAsync(StorageRig rig, string id)
    {
        await using var store = await Runs.OpenAsync(rig);
        Assert.True(store.ContainsKey(id));
        return [.. store.Where(r => r.Key != id).Select(r => KeyValuePair.Create(r.Key, r.Value.GetRawText()))];
    }

    private static StorageRig Crashing(bool append, int call, FaultMoment moment)
    {
        var rig = new StorageRig(append);
        rig.CrashAt(call, moment);
        return rig;
    }

    /// <summary>Runs a program until it ends or its process dies.</summary>
    /// <returns>The models behind every acknowledged command, from the empty one on, and the one behind the command under way.</returns>
    private static async Task<(StorageRig Rig, List<StoreModel> Acknowledged, StoreModel? InFlight)> RunAsync(
        StorageRig rig, RandomProgram program, OpsStoreOptions options)
    {
        var acknowledged = new List<StoreModel> { StoreModel.Empty };
        StoreModel? inFlight = null;
        OpsStore<JsonElement>? store = null;
        try
        {
            store = await Runs.OpenAsync(rig, options);
            foreach (var command in program.Commands)
            {
                inFlight = acknowledged[^1].After(command);
                if (command is Command.Reopen)
                {
                    await store.DisposeAsync();
                    store = await Runs.OpenAsync(rig, options);
                }
                else
                {
                    await command.RunAsync(store);
                }

                acknowledged.Add(inFlight);
                inFlight = null;
            }
        }
        catch (Exception e) when (Runs.IsFailure(e))
        {
            // The process died here: whatever was under way is not acknowledged.
        }

        await Runs.AbandonAsync(store);
        return (rig, acknowledged, inFlight);
    }
}
