using System.Collections.Concurrent;
using System.ComponentModel;
using System.Diagnostics;
using OpsLog.RemoteTests.Servers;
using Xunit;

[assembly: AssemblyFixture(typeof(StartedServers))]

namespace OpsLog.RemoteTests.Servers;

/// <summary>
/// A real server to test against. Whoever has one running says where in environment variables (those that <c>eng/servers/start.sh</c> prints);
/// else the script installs and starts it when the first test asks, and it is stopped behind the last.
/// </summary>
internal sealed class TestServer
{
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(5); // it may have to be installed
    private static readonly ConcurrentBag<Process> s_started = [];

    private readonly string _name;
    private readonly string[] _variables;
    private readonly Lazy<Task<Dictionary<string, string>>> _settings;

    private TestServer(string name, params string[] variables)
    {
        (_name, _variables) = (name, variables);
        _settings = new(() => Task.Run(FindAsync));
    }

    public static TestServer RadosGateway { get; } = new("radosgw", "OPSLOG_TEST_S3_ENDPOINT", "OPSLOG_TEST_S3_ACCESS_KEY", "OPSLOG_TEST_S3_SECRET_KEY");

    public static TestServer Azurite { get; } = new("azurite", "OPSLOG_TEST_AZURE_ENDPOINT");

    public static TestServer PostgreSql { get; } = new("postgres", "OPSLOG_TEST_POSTGRES");

    /// <summary>A pooler in transaction mode, before a server of its own.</summary>
    public static TestServer PgBouncer { get; } = new("pgbouncer", "OPSLOG_TEST_PGBOUNCER", "OPSLOG_TEST_PGBOUNCER_DIRECT");

    /// <summary>Speaks S3 and ignores conditions, as <see cref="Fauxqs"/> does.</summary>
    public static TestServer S3rver { get; } = new("s3rver", "OPSLOG_TEST_S3RVER_ENDPOINT");

    public static TestServer Fauxqs { get; } = new("fauxqs", "OPSLOG_TEST_FAUXQS_ENDPOINT");

    /// <summary>How to reach the server. Where it cannot be had, the test is skipped; in CI (environment variable CI=true) it fails.</summary>
    /// <param name="variable">One of the environment variables; the first one if none is given.</param>
    public async Task<string> RequireAsync(string? variable = null)
    {
        try
        {
            return (await _settings.Value)[variable ?? _variables[0]];
        }
        catch (ServerMissingException e)
        {
            if (string.Equals(Environment.GetEnvironmentVariable("CI"), "true", StringComparison.OrdinalIgnoreCase)) Assert.Fail(e.Message);
            Assert.Skip(e.Message);
            throw;
        }
    }

    /// <summary>Ends what was started here; the script stops its server when its input ends.</summary>
    public static async Task StopAllAsync()
    {
        foreach (var process in s_started) process.StandardInput.Close();
        foreach (var process in s_started)
        {
            using (process) await process.WaitForExitAsync();
        }
    }

    private async Task<Dictionary<string, string>> FindAsync()
    {
        var given = _variables.ToDictionary(v => v, Environment.GetEnvironmentVariable, StringComparer.Ordinal);
        if (given.Values.All(value => !string.IsNullOrEmpty(value))) return given.ToDictionary(v => v.Key, v => v.Value!, StringComparer.Ordinal);
        var process = Start();
        var errors = process.StandardError.ReadToEndAsync();
        using var patience = new CancellationTokenSource(s_patience);
        var found = new Dictionary<string, string>(StringComparer.Ordinal);
        while (await process.StandardOutput.ReadLineAsync(patience.Token) is { } line)
        {
            if (string.Equals(line, "ready", StringComparison.Ordinal)) return found;
            if (line.Split('=', 2) is [var name, var value]) found[name] = value;
        }

        throw new ServerMissingException($"eng/servers/start.sh {_name} failed: {await errors}");
    }

    private Process Start()
    {
        try
        {
            var process = Process.Start(new ProcessStartInfo("bash", [Path.Combine(Root(), "eng", "servers", "start.sh"), _name])
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            })!;
            s_started.Add(process);
            return process;
        }
        catch (Win32Exception e)
        {
            throw new ServerMissingException($"eng/servers/start.sh needs bash: {e.Message}");
        }
    }

    /// <summary>The repository's root.</summary>
    public static string Root()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "OpsLog.slnx")))
            folder = Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("These tests run from their build folder inside the repository.");
        return folder;
    }

    private sealed class ServerMissingException(string message) : Exception(message);
}

/// <summary>Stops the servers behind the last test.</summary>
public sealed class StartedServers : IAsyncDisposable
{
    public ValueTask DisposeAsync() => new(TestServer.StopAllAsync());
}
