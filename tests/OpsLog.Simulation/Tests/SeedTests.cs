using System.Diagnostics;
using System.Globalization;
using OpsLog.Simulation.Programs;
using OpsLog.Simulation.Search;
using Xunit;

namespace OpsLog.Simulation.Tests;

/// <summary>
/// Goal: whatever the interleaving, faults and crashes, every invariant of <see cref="Model.Invariant"/> holds. Method: programs and schedules of many seeds; a failing one
/// is shrunk and printed with its schedule and trace. The environment variable OPSLOG_SIMULATION_FACTOR multiplies the seeds; README.md says how to run any number.
/// </summary>
public sealed class SeedTests
{
    private static int Factor { get; } =
        int.TryParse(Environment.GetEnvironmentVariable("OPSLOG_SIMULATION_FACTOR"), CultureInfo.InvariantCulture, out var factor) ? factor : 1;

    [Theory]
    [InlineData("many", 2000)]
    [InlineData("core", 500)]
    [InlineData("feeds", 500)]
    [InlineData("single", 700)]
    [InlineData("rivals", 700)]
    public void No_seed_violates_an_invariant(string mix, int count)
    {
        var report = SeedRunner.RunRange(1, count * Factor, Enum.Parse<Mix>(mix, ignoreCase: true), workers: 1);
        Assert.True(report.Failures.Count == 0, report.Failures.Count == 0 ? "" : FailureReport.Of(report.Failures[0], shrinks: true));
        Assert.Equal(count * Factor, report.Seeds);
    }

    /// <summary>In a process of its own, which may hold all threads of the runtime's pool.</summary>
    [Fact]
    public async Task No_seed_with_several_calls_at_once_violates_an_invariant()
    {
        var count = 500 * Factor;
        var start = new ProcessStartInfo("dotnet", [typeof(SeedTests).Assembly.Location, "seeds", "1", $"{count}", "--mix", "beside"]) { RedirectStandardOutput = true, Environment = { ["DOTNET_PROCESSOR_COUNT"] = "2" } };
        using var process = Process.Start(start)!;
        var output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(process.ExitCode == 0, output);
        Assert.Contains(string.Create(CultureInfo.InvariantCulture, $"{count:N0} seeds in "), output, StringComparison.Ordinal);
    }

    /// <summary>Seeds that found something once; a change of the programs makes others of them.</summary>
    [Theory]
    [InlineData("many", 63972)]
    [InlineData("many", 110933)]
    [InlineData("core", 635209)]
    [InlineData("many", 92582)]
    [InlineData("many", 213827)]
    [InlineData("many", 2028705)]
    [InlineData("many", 5001427)]
    [InlineData("feeds", 3000080)]
    public void A_seed_that_found_something_is_clean(string mix, ulong seed)
    {
        var report = SeedRunner.RunRange(seed, 1, Enum.Parse<Mix>(mix, ignoreCase: true), workers: 1);
        Assert.True(report.Failures.Count == 0, report.Failures.Count == 0 ? "" : FailureReport.Of(report.Failures[0], shrinks: true));
    }
}
