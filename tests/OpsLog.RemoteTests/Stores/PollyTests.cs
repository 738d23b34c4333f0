// Goal: a long real history ends in the right state on every storage. Method: the Polly stream through `opslog apply` into a location, `opslog export` from it, and the
// repository's final tree.
using System.Diagnostics;
using System.IO.Compression;
using System.Text.Json;
using OpsLog.RemoteTests.Azure;
using OpsLog.RemoteTests.S3;
using OpsLog.RemoteTests.Servers;
using Xunit;

namespace OpsLog.RemoteTests.Stores;

public sealed class PollyTests
{
    private static readonly string s_bundle = Path.Combine(TestServer.Root(), "samples", "polly-history");

    [Fact]
    public Task On_S3() => RunAsync(async () =>
    {
        var rig = await S3Rig.CreateAsync();
        var settings = new Dictionary<string, string?>
        {
            ["AWS_ACCESS_KEY_ID"] = await TestServer.RadosGateway.RequireAsync("OPSLOG_TEST_S3_ACCESS_KEY"),
            ["AWS_SECRET_ACCESS_KEY"] = await TestServer.RadosGateway.RequireAsync("OPSLOG_TEST_S3_SECRET_KEY"),
        };
        return ($"s3://{S3Rig.Bucket}/{rig.Prefix}?endpoint={await TestServer.RadosGateway.RequireAsync()}", settings, rig.CleanAsync);
    });

    [Fact]
    public Task On_Azure() => RunAsync(async () =>
    {
        var rig = await AzureRig.CreateAsync();
        var settings = new Dictionary<string, string?> { ["AZURE_STORAGE_KEY"] = AzureRig.PublishedKey };
        return ($"azblob://{AzureRig.Container}/{rig.Prefix}?account=devstoreaccount1&endpoint={await TestServer.Azurite.RequireAsync()}", settings, rig.CleanAsync);
    });

    [Fact]
    public Task On_PostgreSQL() => RunAsync(async () =>
    {
        var server = new Npgsql.NpgsqlConnectionStringBuilder(await TestServer.PostgreSql.RequireAsync());
        var rig = await PostgreSql.PostgreSqlRig.StartAsync();
        var location = $"postgres://{server.Username}@{server.Host}:{server.Port}/{server.Database}?store=polly&schema={rig.Schema}";
        return (location, [], () => rig.DisposeAsync().AsTask());
    });

    private static async Task RunAsync(Func<Task<(string Location, Dictionary<string, string?> Settings, Func<Task> CleanAsync)>> find)
    {
        var (location, settings, cleanAsync) = await find();
        try
        {
            await using var history = new GZipStream(File.OpenRead(Path.Combine(s_bundle, "polly-history.jsonl.gz")), CompressionMode.Decompress);
            await RunAsync(settings, history, "apply", location, "--concurrency", "128");
            var tree = new List<string>();
            foreach (var line in (await RunAsync(settings, null, "export", location)).Split('\n', StringSplitOptions.RemoveEmptyEntries))
            {
                using var record = JsonDocument.Parse(line);
                tree.Add($"{record.RootElement.GetProperty("id").GetString()}\t{record.RootElement.GetProperty("data").GetProperty("blob").GetString()}");
            }

            using var final = new StreamReader(new GZipStream(File.OpenRead(Path.Combine(s_bundle, "polly-final-tree.tsv.gz")), CompressionMode.Decompress));
            var expected = (await final.ReadToEndAsync()).Split('\n', StringSplitOptions.RemoveEmptyEntries);
            Assert.Equal(expected.Order(StringComparer.Ordinal), tree.Order(StringComparer.Ordinal));
        }
        finally
        {
            await cleanAsync();
        }
    }

    private static async Task<string> RunAsync(Dictionary<string, string?> settings, Stream? input, params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "OpsLog.Cli.dll"), .. arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in settings) start.Environment[name] = value;
        using var process = Process.Start(start)!;
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        if (input is not null) await input.CopyToAsync(process.StandardInput.BaseStream);
        process.StandardInput.Close();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, await errors);
        return await output;
    }
}
