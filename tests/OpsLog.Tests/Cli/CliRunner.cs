using System.Text;
using OpsLog.Cli;

namespace OpsLog.Tests.Cli;

/// <summary>How a run of the tool ended.</summary>
internal sealed record CliResult(int Code, string Output, string Error)
{
    /// <summary>The lines of the output.</summary>
    public string[] Lines => Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
}

/// <summary>Runs the tool in this process, in a folder of its own that goes with it.</summary>
internal sealed class CliRunner : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("opslog-cli-");

    /// <summary>A folder for a store; nothing is there yet.</summary>
    public string Store => Path.Combine(_folder.FullName, "store");

    /// <summary>A path in the runner's folder.</summary>
    public string PathOf(string name) => Path.Combine(_folder.FullName, name);

    /// <summary>Runs the tool over an input.</summary>
    public static async Task<CliResult> RunAsync(Stream input, CancellationToken cancellationToken, params string[] arguments)
    {
        using var output = new MemoryStream();
        using var error = new StringWriter();
        var code = await CliApp.RunAsync(arguments, input, output, error, cancellationToken);
        return new CliResult(code, Encoding.UTF8.GetString(output.ToArray()), error.ToString());
    }

    /// <summary>Runs the tool with nothing to read.</summary>
    public static Task<CliResult> RunAsync(params string[] arguments) => RunAsync(Stream.Null, CancellationToken.None, arguments);

    /// <summary>Runs <c>apply</c> on the store with the given lines as its input.</summary>
    public Task<CliResult> ApplyAsync(string[] lines, params string[] options) => ApplyTextAsync(string.Join('\n', lines) + "\n", options);

    /// <summary>Runs <c>apply</c> on the store with a text as its input.</summary>
    public Task<CliResult> ApplyTextAsync(string text, params string[] options) =>
        RunAsync(new MemoryStream(Encoding.UTF8.GetBytes(text)), CancellationToken.None, ["apply", Store, "-", .. options]);

    /// <summary>The store as <c>export</c> shows it.</summary>
    public async Task<string[]> ExportAsync() => (await RunAsync("export", Store)).Lines;

    public void Dispose() => _folder.Delete(recursive: true);
}
