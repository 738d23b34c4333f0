using System.Diagnostics;
using System.Text;
using Xunit;

namespace OpsLog.Tests.Cli;

/// <summary>Runs the tool as a process: only that has pipes that can break, and files that it is started without.</summary>
internal static class ToolProcess
{
    private static readonly string s_tool = Path.Combine(AppContext.BaseDirectory, "OpsLog.Cli.dll");
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    /// <summary>The exit code; a process that does not end is killed.</summary>
    public static async Task<int> EndAsync(Process process)
    {
        try
        {
            await process.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(s_patience);
        }
        catch (TimeoutException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }

        return process.ExitCode;
    }

    /// <summary>Runs the tool.</summary>
    public static Process Start(params string[] arguments) => StartProgram("dotnet", [s_tool, .. arguments]);

    /// <summary>Runs a script in which <c>opslog</c> is the tool.</summary>
    public static Process StartShell(string script, params string[] arguments) =>
        StartProgram("bash", ["-c", "tool=$1; shift; opslog() { dotnet \"$tool\" \"$@\"; }; " + script, "bash", s_tool, .. arguments]);

    private static Process StartProgram(string program, string[] arguments) => Process.Start(new ProcessStartInfo(program, arguments)
    {
        RedirectStandardInput = true,
        RedirectStandardOutput = true,
        RedirectStandardError = true,
        StandardInputEncoding = new UTF8Encoding(false),
        StandardOutputEncoding = Encoding.UTF8,
        StandardErrorEncoding = Encoding.UTF8,
    })!;
}
