using System.Globalization;
using System.Text.Json;
using CsCheck;
using OpsLog.Storage;
using OpsLog.Testing;
using OpsLog.Tests.Corpus;
using Xunit;

namespace OpsLog.Tests.Properties;

/// <summary>
/// Goal: V5 (the same operations give the same state everywhere), V6 (clocks never go back, stamps never repeat), V11 (nothing reachable is
/// collected). Method: random programs against the model on every storage, under hostile cultures, with checkpoints in the background.
/// </summary>
public sealed class OrderTests
{
    [Theory]
    [InlineData(true, SnapshotFormat.JsonLines)]
    [InlineData(true, SnapshotFormat.Json)]
    [InlineData(false, SnapshotFormat.JsonLines)]
    public Task V5_a_program_gives_the_models_state_after_every_command(bool append, SnapshotFormat format) =>
        RandomProgram.OfLength(60).SampleAsync(
            async program =>
            {
                var rig = new StorageRig(append);
                await AgainstTheModel(() => OpsStore<JsonElement>.OpenAsync(rig, Runs.Options(Durability.Os, o => o.SnapshotFormat = format)), program);
            },
            iter: 60 * RandomProgram.Factor,
            threads: 1);

    [Fact]
    public Task V5_a_program_gives_the_models_state_in_a_folder_too() =>
        RandomProgram.OfLength(40).SampleAsync(
            async program =>
            {
                using var folder = new TempFolder();
                await AgainstTheModel(() => OpsStore<JsonElement>.OpenAsync(folder.Path, Runs.Options(Durability.Os)), program);
            },
            iter: 10 * RandomProgram.Factor,
            threads: 1);

    [Fact]
    public Task V5_checkpoints_in_the_background_change_no_state() =>
        RandomProgram.OfLength(80, undoes: false).SampleAsync(
            async program =>
            {
                var rig = new StorageRig(append: true);
                await AgainstTheModel(() => OpsStore<JsonElement>.OpenAsync(rig, Runs.Options(Durability.Disk, CheckpointEagerly)), program);
                await Runs.AssertSoundAsync(rig, program.ToString());
            },
            iter: 40 * RandomProgram.Factor,
            threads: 1);

    [Fact]
    public Task V5_a_hostile_culture_changes_no_byte() =>
        RandomProgram.OfLength(40).SampleAsync(
            async program =>
            {
                var plain = await BytesOf(program);
                CultureInfo.CurrentCulture = CultureInfo.CurrentUICulture = Hostile();
                var hostile = await BytesOf(program);
                Assert.Equal(plain, hostile);
            },
            iter: 10 * RandomProgram.Factor,
            threads: 1);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public Task V6_clocks_rise_and_stamps_are_never_used_twice(bool append) =>
        RandomProgram.OfLength(20).SampleAsync(
            async program =>
            {
                var rehearsal = new StorageRig(append);
                await StampsAsync(rehearsal, program, []);
                foreach (var (call, cut) in rehearsal.Points.Where(p => p.Call % 3 == 0))
                {
                    // A life that ends at a random call, and one after it: no clock that was acknowledged may come again.
                    var rig = new StorageRig(append);
                    rig.CrashAt(call, cut);
                    var seen = new List<Revision>();
                    await StampsAsync(rig, program, seen);
                    await StampsAsync(rig.Survivor(CrashLoss.Unsynced), program, seen);
                    Assert.Equal(seen.Count, seen.Distinct().Count());
                    foreach (var (earlier, later) in seen.Zip(seen.Skip(1)))
                        Assert.True(earlier.Clock < later.Clock, $"V6: {later} behind {earlier}, died at {call} ({cut})\n{program}");
                }
            },
            iter: 3 * RandomProgram.Factor,
            threads: 1);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public Task V6_V12_the_feed_holds_every_operation_once_in_clock_order(bool append) =>
        RandomProgram.OfLength(40).SampleAsync(
            async program =>
            {
                var rig = new StorageRig(append);
                await AgainstTheModel(() => OpsStore<JsonElement>.OpenAsync(rig, Runs.Options(Durability.Os)), program);
                await using var store = await Runs.OpenAsync(rig);
                var records = new Dictionary<string, string>(StringComparer.Ordinal);
                var clock = 0L;
                await foreach (var operation in store.OperationsAsync())
                {
                    Assert.True(operation.Revision.Clock > clock, $"{operation.Revision} behind clock {clock}\n{program}");
                    clock = operation.Revision.Clock;
                    if (operation.Kind == OperationKind.Set) records[operation.Id] = operation.Value.GetRawText();
                    else records.Remove(operation.Id);
                }

                Assert.Equal(Runs.Text(store), StoreModel.TextOf(records));
            },
            iter: 40 * RandomProgram.Factor,
            threads: 1);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public Task V11_nothing_that_the_manifest_names_is_ever_deleted(bool append) =>
        RandomProgram.OfLength(60, undoes: false).SampleAsync(
            async program =>
            {
                var rig = new StorageRig(append);
                rig.Deleting = async key => Assert.DoesNotContain(key.Value, await NamedAsync(rig));
                await AgainstTheModel(
                    () => OpsStore<JsonElement>.OpenAsync(rig, Runs.Options(Durability.Os, o =>
                    {
                        CheckpointEagerly(o);
                        o.HistoryRetention = HistoryRetention.None;
                    })),
                    program);
                var there = await rig.LengthsAsync();
                await Runs.AssertSoundAsync(rig, program.ToString());
                Assert.True(there.Keys.Count(k => k.StartsWith("snapshots/", StringComparison.Ordinal)) <= 2, string.Join('\n', there.Keys));
            },
            iter: 30 * RandomProgram.Factor,
            threads: 1);

    /// <summary>Every object that the manifest needs; what it lists as garbage, or only remembers, is not among them.</summary>
    private static async Task<HashSet<string>> NamedAsync(StorageRig rig)
    {
        var manifest = JsonTree.Object(JsonTree.Parse(await rig.BytesAsync(new StorageKey("manifest.json"))));
        foreach (var record in new[] { "garbage", "retired" }) JsonTree.Object(manifest["opslog"]).Remove(record);
        var names = new HashSet<string>(StringComparer.Ordinal);
        Collect(manifest, names);
        return names;
    }

    private static void Collect(object? value, HashSet<string> texts)
    {
        if (value is string text) texts.Add(text);
        if (value is Dictionary<string, object?> o) foreach (var member in o.Values) Collect(member, texts);
        if (value is List<object?> list) foreach (var item in list) Collect(item, texts);
    }

    private static void CheckpointEagerly(OpsStoreOptions options) =>
        (options.Checkpoint.Automatic, options.Checkpoint.MinimumBytes, options.Checkpoint.MinimumOperations, options.Checkpoint.Growth) = (true, 300, 2, 0.1);

    private static async Task AgainstTheModel(Func<ValueTask<OpsStore<JsonElement>>> open, RandomProgram program)
    {
        var model = StoreModel.Empty;
        var store = await open();
        foreach (var command in program.Commands)
        {
            if (command is Command.Reopen)
            {
                await store.DisposeAsync();
                store = await open();
            }
            else
            {
                await command.RunAsync(store);
            }

            model = model.After(command);
            Assert.True(model.Text == Runs.Text(store), $"behind '{command}' the store shows\n{Runs.Text(store)}\nexpected\n{model.Text}\n{program}");
            Assert.Equal(model.Count, store.Count);
        }

        await store.DisposeAsync();
        store = await open();
        Assert.Equal(model.Text, Runs.Text(store));
        await store.DisposeAsync();
    }

    /// <summary>Runs the sets of a program one by one, to the end or to the death of the process, and collects the stamps it was given.</summary>
    private static async Task StampsAsync(StorageRig rig, RandomProgram program, List<Revision> seen)
    {
        OpsStore<JsonElement>? store = null;
        try
        {
            store = await Runs.OpenAsync(rig);
            foreach (var command in program.Commands)
            {
                if (command is Command.Set set)
                {
                    seen.Add(await store.SetAsync(set.Id, StoreReading.Element(set.Json)));
                }
                else if (command is Command.Reopen)
                {
                    await store.DisposeAsync();
                    store = await Runs.OpenAsync(rig);
                }
                else
                {
                    await command.RunAsync(store);
                }
            }
        }
        catch (Exception e) when (Runs.IsFailure(e))
        {
            // The process died; what it was given until then counts.
        }

        await Runs.AbandonAsync(store);
    }

    private static async Task<SortedDictionary<string, string>> BytesOf(RandomProgram program)
    {
        var rig = new StorageRig(append: true);
        var time = new Microsoft.Extensions.Time.Testing.FakeTimeProvider(new DateTimeOffset(2026, 11, 23, 6, 16, 5, 123, TimeSpan.Zero));
        var random = new Random(7);
        await AgainstTheModel(() => OpsStore<JsonElement>.OpenAsync(rig, Runs.Options(Durability.Os, o => (o.TimeProvider, o.Random) = (time, random))), program);
        var result = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var name in (await rig.LengthsAsync()).Keys) result.Add(name, System.Text.Encoding.UTF8.GetString(await rig.BytesAsync(new StorageKey(name))));
        return result;
    }

    /// <summary>A culture that writes numbers, signs and dates like nobody else.</summary>
    private static CultureInfo Hostile()
    {
        var culture = (CultureInfo)CultureInfo.InvariantCulture.Clone();
        (culture.NumberFormat.NumberDecimalSeparator, culture.NumberFormat.NegativeSign, culture.NumberFormat.NumberGroupSeparator) = (",", "−", ".");
        (culture.DateTimeFormat.DateSeparator, culture.DateTimeFormat.TimeSeparator) = ("~", "^");
        return culture;
    }
}
