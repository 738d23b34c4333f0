using System.Globalization;
using OpsLog.Tests.Corpus;
using Xunit;

namespace OpsLog.Tests.Kill;

/// <summary>
/// Goal: kill -9 loses no acknowledged line and leaves no half batch, at any level that promises to survive it.
/// Method: <c>opslog apply --ack</c> as a real process, killed after a random number of acknowledgements, over and over on the same store; what
/// <c>export</c> shows must be the state behind some whole number of lines, not fewer than were acknowledged. The number of rounds is the
/// environment variable OPSLOG_KILL_ROUNDS (default 10; the full run is 200).
/// </summary>
public sealed class KillTests
{
    private static readonly int s_rounds = int.TryParse(Environment.GetEnvironmentVariable("OPSLOG_KILL_ROUNDS"), CultureInfo.InvariantCulture, out var n) ? n : 10;

    [Theory]
    [InlineData("os", 1)]
    [InlineData("disk", 2)]
    public async Task No_acknowledged_line_is_lost_and_no_batch_is_halved(string durability, int seed)
    {
        var random = new Random(seed);
        var stream = new OperationStream(seed, s_rounds * 150);
        using var folder = new TempFolder();
        var applied = 0;
        for (var round = 1; round <= s_rounds && applied < stream.Count; round++)
        {
            applied = await Round(folder, stream, applied, killAfter: random.Next(1, 140), durability, $"round {round} of seed {seed}");
        }

        applied = await Round(folder, stream, applied, killAfter: int.MaxValue, durability, $"the remainder of seed {seed}");
        Assert.Equal(stream.Count, applied);
    }

    [Theory]
    [InlineData("os", 3)]
    [InlineData("disk", 4)]
    public async Task Concurrent_callers_lose_nothing_that_was_acknowledged(string durability, int seed)
    {
        var random = new Random(seed);
        for (var round = 1; round <= Math.Max(2, s_rounds / 4); round++)
        {
            using var folder = new TempFolder();
            var lines = Enumerable.Range(1, 3000).Select(i => string.Create(CultureInfo.InvariantCulture, $"{{\"id\":\"key-{i}\",\"data\":{{\"n\":{i}}}}}"));
            await File.WriteAllLinesAsync(folder["input.jsonl"], lines);
            var (acknowledged, _) = await OpslogProcess.ApplyAsync(
                folder["store"], folder["input.jsonl"], random.Next(1, 2500), "--durability", durability, "--concurrency", "16");
            var state = await OpslogProcess.ExportAsync(folder["store"]);
            foreach (var number in acknowledged)
            {
                Assert.True(state.TryGetValue($"key-{number}", out var document), $"Line {number} was acknowledged and is lost (round {round} of seed {seed}).");
                Assert.Equal((double)number, JsonTree.Object(document)["n"]);
            }
        }
    }

    /// <returns>How many lines are applied: those acknowledged, and perhaps a few more that were written when it died.</returns>
    private static async Task<int> Round(TempFolder folder, OperationStream stream, int applied, int killAfter, string durability, string name)
    {
        await File.WriteAllTextAsync(folder["input.jsonl"], stream.Remainder(applied));
        var (acknowledged, isKilled) = await OpslogProcess.ApplyAsync(folder["store"], folder["input.jsonl"], killAfter, "--durability", durability);
        Assert.Equal(Enumerable.Range(1, acknowledged.Count), acknowledged);
        var atLeast = applied + acknowledged.Count;
        var state = await OpslogProcess.ExportAsync(folder["store"]);
        var shown = stream.LinesIn(state, atLeast);
        Assert.True(
            shown is not null,
            $"{name}: {atLeast} lines were acknowledged, and the store shows the state behind no whole number of lines from there on.");
        Assert.True(isKilled || atLeast == stream.Count, $"{name}: not every line was acknowledged.");
        return shown.Value;
    }
}
