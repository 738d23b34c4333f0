// Goal: what the simulation proves of its own disk holds on real servers. Method: its random programs and schedules (agents, readers and a single writer that set, delete, batch, undo,
// archive, compact, close and open, and lose answers, tear appends and die), one storage call at a time, each of them made to the server as well. All of the simulation's checks apply:
// what was acknowledged is kept, all openings agree with the model by stamps, snapshot and logs are the state. More of them: OPSLOG_REMOTE_PROGRAMS=200; one again: OPSLOG_REMOTE_SEED=17.
using System.Globalization;
using System.Text;
using System.Text.Json;
using OpsLog.RemoteTests.Stores;
using OpsLog.Simulation.Model;
using OpsLog.Simulation.Programs;
using OpsLog.Simulation.Run;
using OpsLog.Storage;
using Xunit;

namespace OpsLog.RemoteTests.Programs;

public sealed class ProgramTests
{
    [Theory]
    [InlineData("s3", 3)]
    [InlineData("azure", 4)]
    [InlineData("postgres", 8)]
    public async Task Random_programs_end_on_a_real_server_as_they_end_in_the_simulation(string kind, int usual)
    {
        var first = Setting("OPSLOG_REMOTE_SEED") ?? 1;
        var count = Setting("OPSLOG_REMOTE_PROGRAMS") ?? (Setting("OPSLOG_REMOTE_SEED") is null ? (ulong)usual : 1);
        var (operations, calls) = (0, 0);
        for (var seed = first; seed < first + count; seed++)
        {
            await using var place = await RemotePlace.CreateAsync(kind);
            await using var disk = new RealDisk(place);
            var program = On(disk.Capabilities, ProgramGenerator.Make(seed, seed % 3 == 0 ? Mix.Core : Mix.Many));
            var result = await Task.Run(() => SimResult.Of(program, new PoweredDecider(new RandomDecider(program)), new SimOptions { Mirror = disk }));
            Assert.True(result.Violation is null, $"OPSLOG_REMOTE_SEED={seed} ({kind}): {result.Violation}\n{program}\nschedule: {string.Join(' ', result.Decisions)}");
            await RequireAsync(place, result.Simulator.Auditor, $"OPSLOG_REMOTE_SEED={seed} ({kind})");
            operations += result.Simulator.Auditor.History.Operations.Count;
            calls += result.Simulator.Calls;
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{kind}: seeds {first} to {first + count - 1}, {operations} operations, {calls} storage calls");
        Assert.True(operations > 0);
    }

    // Who opens the store without the simulation sees the winners by stamp, and nothing is damaged.
    private static async Task RequireAsync(RemotePlace place, Auditor auditor, string run)
    {
        if (auditor.Manifest is null) return;
        await using var storage = place.Connect();
        await using var store = await OpsStore<JsonElement>.OpenAsync(storage, new OpsStoreOptions { ReadOnly = true });
        var expected = auditor.History.Winners.Values.Where(o => o.IsSet).Select(o => $"{o.Id} {Encoding.UTF8.GetString(o.Data.Span)}").Order(StringComparer.Ordinal);
        var shown = store.Keys.Select(id => $"{id} {(store.TryGetJson(id, out var json) ? Encoding.UTF8.GetString(json.Span) : "")}").Order(StringComparer.Ordinal);
        Assert.True(expected.SequenceEqual(shown, StringComparer.Ordinal), $"{run}: {string.Join(", ", shown)} is shown, not {string.Join(", ", expected)}");
        Assert.True((await OpsStore.VerifyAsync(storage)).IsSound, run);
    }

    private static SimProgram On(StorageCapabilities capabilities, SimProgram program) =>
        program with { Settings = program.Settings with { Append = capabilities.HasFlag(StorageCapabilities.Append), HoldsWriters = false } };

    private static ulong? Setting(string name) => ulong.TryParse(Environment.GetEnvironmentVariable(name), CultureInfo.InvariantCulture, out var value) ? value : null;

    /// <summary>A schedule without power losses: those are the server's own.</summary>
    private sealed class PoweredDecider(IDecider inner) : IDecider
    {
        public Decision? Next(Simulator simulator)
        {
            while (inner.Next(simulator) is { } decision)
                if (decision.Kind != DecisionKind.PowerLoss) return decision;
            return null;
        }
    }
}
