using System.Globalization;
using System.Text.Json;
using OpsLog.Tests.Corpus;
using Xunit;

namespace OpsLog.Interop;

/// <summary>
/// Goal: the npm package opens everything the library writes and shows the same, and the library goes on where the package stopped, over and over.
/// Method: seeded random programs, run by either side in turn on one store; what one shows last, the other must show first. The number of
/// programs is the environment variable OPSLOG_INTEROP_PROGRAMS (default 10; the full run is 200).
/// </summary>
public sealed class InteropTests
{
    private const string DeadProcess = "4100222";

    public static TheoryData<int> Programs => [.. Enumerable.Range(1, Number("OPSLOG_INTEROP_PROGRAMS", 10))];

    [Theory]
    [MemberData(nameof(Programs))]
    public async Task Both_sides_take_turns_and_show_the_same(int seed)
    {
        await PeerPackage.RequireAsync();
        var program = new ProgramGenerator(seed);
        var trace = new List<string>();
        using var root = new TempFolder();
        var store = root["0"];
        var turns = program.Next(1, 4);
        for (var turn = 1; turn <= turns; turn++)
        {
            (store, var ours) = await OurTurn(program, store, root[turn.ToString(CultureInfo.InvariantCulture)], trace);
            var seen = await PeerPackage.RunAsync(store, """{"readOnly":true}""", []);
            AssertSame(seed, trace, "The package opens what we wrote", ours, seen);
            Assert.Empty(seen.Warnings);

            var theirs = await TheirTurn(program, store, trace);
            AssertSame(seed, trace, "We open what the package wrote", theirs, await Read(store));
        }
    }

    [Fact]
    public async Task A_store_of_ours_can_be_the_packages_first_and_last()
    {
        await PeerPackage.RequireAsync();
        using var root = new TempFolder();
        var first = await PeerPackage.RunAsync(root.Path, "{}", [new Step("set") { Id = "theirs", Data = "{\"n\":1}" }]);
        await using (var store = await OpsStore<JsonElement>.OpenAsync(root.Path, new OpsStoreOptions { Durability = Durability.Os }))
        {
            Assert.Null(JsonTree.Difference(first.State, StoreReading.StateOf(store)));
            await store.SetAsync("ours", StoreReading.Element("""{"n":2}"""));
        }

        var last = await PeerPackage.RunAsync(root.Path, "{}", [new Step("set") { Id = "theirs again", Data = "{\"n\":3}" }]);
        Assert.Equal(["ours", "theirs", "theirs again"], last.State.Keys.Order(StringComparer.Ordinal));
    }

    private static async Task<(string Store, PeerReport Report)> OurTurn(ProgramGenerator program, string directory, string next, List<string> trace)
    {
        var isAbandoned = program.Chance(40);
        var options = new OpsStoreOptions
        {
            Durability = Durability.Os,
            SnapshotFormat = program.Chance(25) ? SnapshotFormat.Json : SnapshotFormat.JsonLines,
            HistoryRetention = program.Chance(30) ? HistoryRetention.None : HistoryRetention.Forever,
        };
        options.Checkpoint.Automatic = !isAbandoned;
        if (program.Chance(40)) (options.Checkpoint.MinimumBytes, options.Checkpoint.MinimumOperations) = (2000, 5);
        trace.Add($"we open ({options.SnapshotFormat})");
        await using var store = await OpsStore<JsonElement>.OpenAsync(directory, options);
        foreach (var step in program.Ours(program.Next(1, 40)))
        {
            trace.Add(step.ToString());
            await step.ApplyAsync(store);
        }

        var report = new PeerReport(StoreReading.StateOf(store), await StoreReading.ArchivesOf(store), [], false);
        trace.Add(isAbandoned ? "we are killed" : "we close");
        if (!isAbandoned) return (directory, report);

        // What a killed process leaves: every byte as it is now, and a lock that names a process which is gone.
        TempFolder.Copy(directory, next);
        var locks = Path.Combine(next, ".lock");
        if (File.Exists(locks)) await File.WriteAllTextAsync(locks, DeadProcess + string.Concat((await File.ReadAllTextAsync(locks)).SkipWhile(char.IsAsciiDigit)));
        return (next, report);
    }

    private static async Task<PeerReport> TheirTurn(ProgramGenerator program, string directory, List<string> trace)
    {
        var closes = program.Chance(50) ? "true" : "false";
        var steps = program.Theirs(program.Next(1, 25));
        trace.Add($"the package opens (checkpointOnClose {closes})");
        trace.AddRange(steps.Select(s => s.ToString()));
        return await PeerPackage.RunAsync(directory, $"{{\"checkpointOnClose\":{closes},\"checkpointThreshold\":{program.Next(5, 60)}}}", steps);
    }

    private static async Task<PeerReport> Read(string directory)
    {
        await using var store = await OpsStore<JsonElement>.OpenAsync(directory, new OpsStoreOptions { ReadOnly = true });
        return new PeerReport(StoreReading.StateOf(store), await StoreReading.ArchivesOf(store), [], false);
    }

    internal static void AssertSame(int seed, IEnumerable<string> trace, string what, PeerReport expected, PeerReport actual)
    {
        var difference = JsonTree.Difference(expected.State, actual.State) ?? JsonTree.Difference(expected.Archives, actual.Archives, "archives");
        if (difference is null) return;
        var steps = string.Join('\n', trace.Select(s => s.Length <= 300 ? s : s[..300] + "…"));
        Assert.Fail($"{what}: {difference}\nseed {seed}\n{steps}");
    }

    internal static int Number(string variable, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), CultureInfo.InvariantCulture, out var number) ? number : otherwise;
}
