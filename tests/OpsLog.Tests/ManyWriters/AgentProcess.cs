using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace OpsLog.Tests.ManyWriters;

/// <summary>
/// <c>opslog apply --agent</c> as a process of its own that acknowledges its lines as they are applied; it can be killed, paused and
/// continued at any time. What it acknowledged is known from the bytes in its pipe.
/// </summary>
internal sealed partial class AgentProcess : IDisposable
{
    private const int SigStop = 19;
    private const int SigCont = 18;

    private readonly Process _process;
    private readonly Task<string> _errors;
    private readonly Task _reading;
    private readonly List<int> _acknowledged = [];
    private readonly List<(int Count, TaskCompletionSource Reached)> _waiting = [];

    private AgentProcess(Process process)
    {
        _process = process;
        _errors = process.StandardError.ReadToEndAsync();
        _reading = ReadAsync();
    }

    public int AcknowledgedCount
    {
        get
        {
            lock (_acknowledged) return _acknowledged.Count;
        }
    }

    /// <summary>Starts it on a file of lines.</summary>
    public static AgentProcess Start(string store, string agent, string file, params string[] more)
    {
        string[] arguments =
        [
            Path.Combine(AppContext.BaseDirectory, "OpsLog.Cli.dll"), "apply", store, file, "--agent", agent, "--durability", "os", "--refresh-every", "50", "--ack", .. more,
        ];
        var start = new ProcessStartInfo("dotnet", arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.UTF8,
            StandardErrorEncoding = Encoding.UTF8,
        };
        return new AgentProcess(Process.Start(start)!);
    }

    /// <summary>Waits until it has acknowledged a number of lines, or is done.</summary>
    public async Task ReachAsync(int count)
    {
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_acknowledged)
        {
            if (_acknowledged.Count >= count) return;
            _waiting.Add((count, reached));
        }

        await Task.WhenAny(reached.Task, _reading);
    }

    /// <summary>Ends it with SIGKILL.</summary>
    public void Kill() => _process.Kill();

    /// <summary>Pauses it wherever it is, with all it holds.</summary>
    public void Pause() => Signal(SigStop);

    /// <summary>Lets it go on as if nothing had happened.</summary>
    public void Continue() => Signal(SigCont);

    /// <summary>Waits for its end.</summary>
    public async Task<(int ExitCode, List<int> Acknowledged, string Errors)> EndAsync()
    {
        await _reading;
        await _process.WaitForExitAsync();
        return (_process.ExitCode, _acknowledged, await _errors);
    }

    public void Dispose()
    {
        if (!_process.HasExited) _process.Kill();
        _process.Dispose();
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int SendSignal(int process, int signal);

    private void Signal(int signal)
    {
        // One that is gone already needs no signal.
        if (!_process.HasExited && SendSignal(_process.Id, signal) != 0 && !_process.HasExited)
            throw new InvalidOperationException($"The signal could not be sent: {Marshal.GetLastPInvokeError()}.");
    }

    private async Task ReadAsync()
    {
        var unfinished = "";
        var buffer = new char[4096];
        while (await _process.StandardOutput.ReadAsync(buffer) is > 0 and var count)
        {
            // Only a number with its newline is an acknowledgement: the last one of a killed process may be cut.
            var lines = (unfinished + new string(buffer, 0, count)).Split('\n');
            unfinished = lines[^1];
            lock (_acknowledged)
            {
                _acknowledged.AddRange(lines.SkipLast(1).Select(line => int.Parse(line, CultureInfo.InvariantCulture)));
                foreach (var (wanted, reached) in _waiting)
                    if (_acknowledged.Count >= wanted) reached.TrySetResult();
            }
        }
    }
}
