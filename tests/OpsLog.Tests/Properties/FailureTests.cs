using System.Text.Json;
using CsCheck;
using OpsLog.Storage;
using OpsLog.Testing;
using Xunit;

namespace OpsLog.Tests.Properties;

/// <summary>
/// Goal: V2 and V3 when a storage call fails under a process that lives on. Method: a random program is run once for every storage call, that
/// call failing before anything happened, half-way, or with the answer lost, as a full disk or as a broken one. A command that is rejected
/// must be visible neither now nor later; one whose outcome is unknown may have happened, wholly or not at all.
/// </summary>
public sealed class FailureTests
{
    public static TheoryData<bool, StorageFault> Cases => new()
    {
        { true, StorageFault.Full },
        { true, StorageFault.Broken },
        { true, StorageFault.Denied },
        { false, StorageFault.Full },
        { false, StorageFault.Broken },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public Task V2_V3_a_rejected_command_is_never_visible_whichever_call_fails(bool append, StorageFault fault) =>
        RandomProgram.OfLength(10, reopens: false).SampleAsync(
            async program =>
            {
                var rehearsal = new StorageRig(append);
                await RunAsync(rehearsal, program, "rehearsal");
                foreach (var (call, cut) in rehearsal.Points)
                {
                    var rig = new StorageRig(append);
                    rig.FailAt(call, cut, fault);
                    await RunAsync(rig, program, $"{fault} at call {call} ({rehearsal.Calls[call - 1]}, {cut})\n{program}");
                }
            },
            iter: 5 * RandomProgram.Factor,
            threads: 1);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public Task V2_a_store_whose_disk_was_full_for_one_call_goes_on(bool append) =>
        RandomProgram.OfLength(8, reopens: false).SampleAsync(
            async program =>
            {
                var rig = new StorageRig(append);
                var store = await Runs.OpenAsync(rig);
                rig.FailAt(rig.Calls.Count + 1, FaultMoment.Before, StorageFault.Full);
                var refusal = await Assert.ThrowsAsync<OpsLogException>(async () => await store.SetAsync("refused", Corpus.StoreReading.Element("{}")));
                Assert.Equal(OpsLogError.StorageFailed, refusal.Error);
                var model = StoreModel.Empty;
                foreach (var command in program.Commands)
                {
                    await command.RunAsync(store);
                    model = model.After(command);
                }

                Assert.Equal(model.Text, Runs.Text(store));
                Assert.Equal(model.Text, await Runs.TextOfAsync(rig.Survivor(CrashLoss.Unsynced)));
                await Runs.AbandonAsync(store);
            },
            iter: 50 * RandomProgram.Factor,
            threads: 1);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public Task V2_after_a_failed_sync_nothing_is_acknowledged_until_the_store_is_reopened(bool append) =>
        RandomProgram.OfLength(5, reopens: false).SampleAsync(
            async program =>
            {
                var rig = new StorageRig(append);
                var store = await Runs.OpenAsync(rig);
                await store.SetAsync("before", Corpus.StoreReading.Element("{}"));
                rig.FailAt(rig.Calls.Count + 1, FaultMoment.After, StorageFault.Broken);
                await Assert.ThrowsAsync<OpsLogException>(async () => await store.SetAsync("during", Corpus.StoreReading.Element("{}")));
                var shown = Runs.Text(store);
                foreach (var set in program.Commands.OfType<Command.Set>())
                {
                    var refusal = await Assert.ThrowsAsync<OpsLogException>(() => set.RunAsync(store));
                    Assert.Equal(OpsLogError.ReadOnly, refusal.Error);
                }

                Assert.Equal(shown, Runs.Text(store));
                await Runs.AbandonAsync(store);
                await using var reopened = await Runs.OpenAsync(rig.Survivor(CrashLoss.Nothing));
                Assert.True(reopened.ContainsKey("before"));
                Assert.All(program.Commands.OfType<Command.Set>(), set => Assert.False(reopened.ContainsKey(set.Id)));
            },
            iter: 20 * RandomProgram.Factor,
            threads: 1);

    /// <summary>Runs a whole program, failures included, and checks what the store shows behind every command and behind a reopening.</summary>
    private static async Task RunAsync(StorageRig rig, RandomProgram program, string context)
    {
        List<StoreModel> possible = [StoreModel.Empty];
        OpsStore<JsonElement>? store = null;
        try
        {
            store = await Runs.OpenAsync(rig);
        }
        catch (OpsLogException)
        {
            // Opening failed; it must work once the fault is over.
            Assert.Equal("", await Runs.TextOfAsync(rig.Healed()));
            return;
        }

        foreach (var command in program.Commands)
        {
            var after = possible.ConvertAll(model => model.After(command));
            try
            {
                await command.RunAsync(store);
                possible = after;
            }
            catch (OpsLogException e)
            {
                Assert.True(e.Error is OpsLogError.StorageFailed or OpsLogError.OutcomeUnknown or OpsLogError.ReadOnly, $"{e.Error}: {context}");
                if (e.Error == OpsLogError.OutcomeUnknown) possible.AddRange(after);
            }

            Runs.AssertOneOf(possible, Runs.Text(store), $"V2 V3, behind '{command}': {context}");
        }

        await Runs.AbandonAsync(store);
        Runs.AssertOneOf(possible, await Runs.TextOfAsync(rig.Healed()), $"V2 V3, reopened: {context}");
        Runs.AssertOneOf(possible, await Runs.TextOfAsync(rig.Survivor(CrashLoss.Nothing)), $"V2 V3, opened by another process: {context}");
    }
}
