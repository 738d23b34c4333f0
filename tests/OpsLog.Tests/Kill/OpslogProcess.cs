using System.Diagnostics;
using System.Globalization;
using System.Text;
using OpsLog.Tests.Corpus;
using Xunit;

namespace OpsLog.Tests.Kill;

/// <summary>The <c>opslog</c> tool as a process of its own, from its build output.</summary>
internal static class OpslogProcess
{
    private static readonly string s_tool = Path.Combine(AppContext.BaseDirectory, "OpsLog.Cli.dll");

    /// <summary>Runs a command to its end.</summary>
    public static async Task<(int ExitCode, string Output, string Errors)> RunAsync(params string[] arguments)
    {
        using var process = Start(arguments);
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, await output, await errors);
    }

    /// <summary>
    /// Runs <c>apply --ack</c> and kills it with SIGKILL once it has acknowledged a number of lines, as the bytes in its pipe tell.
    /// </summary>
    /// <returns>Every line number it acknowledged, those it printed between the decision and its death included; whether it was killed.</returns>
    public static async Task<(List<int> Acknowledged, bool IsKilled)> ApplyAsync(string store, string file, int killAfter, params string[] more)
    {
        using var process = Start(["apply", store, file, "--ack", .. more]);
        var errors = process.StandardError.ReadToEndAsync();
        var acknowledged = new List<int>();
        var isKilled = false;
        var unfinished = "";
        var buffer = new char[4096];
        while (await process.StandardOutput.ReadAsync(buffer) is > 0 and var count)
        {
            // Only a number with its newline is an acknowledgement: the last one of a killed process may be cut.
            var lines = (unfinished + new string(buffer, 0, count)).Split('\n');
            unfinished = lines[^1];
            acknowledged.AddRange(lines.SkipLast(1).Select(line => int.Parse(line, CultureInfo.InvariantCulture)));
            if (isKilled || acknowledged.Count < killAfter) continue;
            process.Kill();
            isKilled = true;
        }

        await process.WaitForExitAsync();
        if (!isKilled) Assert.True(process.ExitCode == 0, await errors);
        return (acknowledged, isKilled);
    }

    /// <summary>The state of a store as <c>export</c> prints it: documents by id, in ordinal order.</summary>
    public static async Task<Dictionary<string, object?>> ExportAsync(string store)
    {
        var (exitCode, output, errors) = await RunAsync("export", store);
        Assert.True(exitCode == 0, $"export failed with {exitCode}: {errors}");
        var state = new Dictionary<string, object?>(StringComparer.Ordinal);
        string? before = null;
        foreach (var line in output.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            var record = JsonTree.Object(JsonTree.Parse(line));
            var id = (string)record["id"]!;
            Assert.True(before is null || string.CompareOrdinal(before, id) < 0, $"{id} is out of order");
            state.Add(before = id, record["data"]);
        }

        return state;
    }

    private static Process Start(string[] arguments)
    {
        var process = new Process
        {
            StartInfo = new ProcessStartInfo("dotnet", [s_tool, .. arguments])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                StandardOutputEncoding = Encoding.UTF8,
                StandardErrorEncoding = Encoding.UTF8,
            },
        };
        process.Start();
        return process;
    }
}
