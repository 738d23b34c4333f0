using System.ComponentModel;
using System.Diagnostics;
using System.Text;
using OpsLog.Tests.Corpus;
using Xunit;

namespace OpsLog.Interop;

/// <summary>What a run of the package reported.</summary>
internal sealed record PeerReport(Dictionary<string, object?> State, Dictionary<string, object?> Archives, IReadOnlyList<string> Warnings, bool IsPretty);

/// <summary>The npm package in a process of its own: installed once per build with the machine's npm settings, then driven by JSON programs.</summary>
internal static class PeerPackage
{
    private static readonly string s_folder = Path.Combine(AppContext.BaseDirectory, "peer");
    private static readonly Lazy<Task<string?>> s_obstacle = new(InstallAsync);

    /// <summary>Skips the test where Node or the package cannot be had; in CI (environment variable CI=true) that is a failure.</summary>
    public static async Task RequireAsync()
    {
        if (await s_obstacle.Value is not { } obstacle) return;
        if (string.Equals(Environment.GetEnvironmentVariable("CI"), "true", StringComparison.OrdinalIgnoreCase)) Assert.Fail(obstacle);
        Assert.Skip(obstacle);
    }

    /// <summary>Opens a store with package 0.8.1, runs steps, closes it.</summary>
    /// <param name="directory">The store.</param>
    /// <param name="open">The package's open options, as JSON.</param>
    /// <param name="steps">What it does; it reports the state behind the last one.</param>
    public static Task<PeerReport> RunAsync(string directory, string open, IEnumerable<Step> steps) =>
        DriveAsync($"{{\"dir\":{JsonTree.Quote(directory)},\"open\":{open},\"steps\":[{string.Join(",\n", steps)}]}}");

    /// <summary>Reads a store as package 0.3.0 does.</summary>
    public static Task<PeerReport> ReadAsOldPackageAsync(string directory) =>
        DriveAsync($"{{\"reader\":\"0.3.0\",\"dir\":{JsonTree.Quote(directory)}}}");

    private static async Task<PeerReport> DriveAsync(string program)
    {
        using var folder = new TempFolder();
        await File.WriteAllTextAsync(folder["program.json"], program);
        var (exitCode, output, errors) = await RunAsync("node", ["driver.mjs", folder["program.json"]]);
        Assert.True(exitCode == 0, $"The package failed: {errors}");
        var report = JsonTree.Object(JsonTree.Parse(output));
        return new PeerReport(
            Pairs(report["state"], value => value),
            Pairs(report["archives"], records => Pairs(records, value => value)),
            JsonTree.Array(report["warnings"]).Select(w => (string)w!).ToList(),
            report.GetValueOrDefault("isPretty") is true);
    }

    private static Dictionary<string, object?> Pairs(object? pairs, Func<object?, object?> value) =>
        JsonTree.Array(pairs).Select(JsonTree.Array).ToDictionary(p => (string)p[0]!, p => value(p[1]), StringComparer.Ordinal);

    /// <returns>Why the package cannot be used here; null if it can.</returns>
    private static async Task<string?> InstallAsync()
    {
        try
        {
            await RunAsync("node", ["--version"]);
            if (File.Exists(Path.Combine(s_folder, "node_modules", "@backloghq", "opslog", "package.json"))) return null;
            string[] install = ["install", "--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts", "--engine-strict=false"];
            var (exitCode, _, errors) = await RunAsync(OperatingSystem.IsWindows() ? "npm.cmd" : "npm", install);
            return exitCode == 0 ? null : $"npm could not install @backloghq/opslog: {errors}";
        }
        catch (Win32Exception e)
        {
            return $"Node.js with npm is needed to run the npm package: {e.Message}";
        }
    }

    private static async Task<(int ExitCode, string Output, string Errors)> RunAsync(string command, string[] arguments)
    {
        using var process = new Process
        {
            StartInfo = new ProcessStartInfo(command, arguments)
            {
                WorkingDirectory = s_folder,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                StandardOutputEncoding = Encoding.UTF8,
                StandardErrorEncoding = Encoding.UTF8,
            },
        };
        process.Start();
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, await output, await errors);
    }
}
