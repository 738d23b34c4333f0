using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using OpsLog.Storage;

namespace OpsLog.StorageTests;

/// <summary>
/// Another process with a storage on a folder: this very assembly, started again, that takes commands from its input and answers each
/// with a line. What locks mean between processes can only be seen between processes.
/// </summary>
internal sealed class HelperProcess : IAsyncDisposable
{
    private const string Variable = "OPSLOG_STORAGE_TESTS_ROOT";
    private readonly Process _process;

    private HelperProcess(Process process) => _process = process;

    public int Id => _process.Id;

    /// <param name="root">The folder of its storage.</param>
    /// <param name="shell">Shell commands to run before, such as limits; null for none.</param>
    public static HelperProcess Start(string root, string? shell = null)
    {
        string[] command = ["dotnet", "exec", typeof(HelperProcess).Assembly.Location];
        var start = new ProcessStartInfo(shell is null ? command[0] : "/bin/sh") { RedirectStandardInput = true, RedirectStandardOutput = true };
        string[] arguments = shell is null ? command[1..] : ["-c", $"{shell}; exec \"$0\" \"$@\"", .. command];
        foreach (var argument in arguments) start.ArgumentList.Add(argument);
        start.Environment[Variable] = root;
        start.Environment["DOTNET_EnableWriteXorExecute"] = "0"; // its memory files would count against a file size limit
        return new HelperProcess(Process.Start(start)!);
    }

    /// <summary>Sends a command and reads the answer.</summary>
    public async Task<string> AskAsync(string command)
    {
        await _process.StandardInput.WriteLineAsync(command);
        await _process.StandardInput.FlushAsync();
        return await ListenAsync();
    }

    /// <summary>Reads another line of its output.</summary>
    public async Task<string> ListenAsync() =>
        await _process.StandardOutput.ReadLineAsync() ?? throw new InvalidOperationException("The helper ended.");

    /// <summary>Ends it as a crash would (SIGKILL), and waits until it is gone.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited) await KillAsync();
        _process.Dispose();
    }

#pragma warning disable CA2255 // The test runner owns Main; this is the only place that comes before it.
    [ModuleInitializer]
#pragma warning restore CA2255
    internal static void RunIfHelper()
    {
        if (Environment.GetEnvironmentVariable(Variable) is not { Length: > 0 } root) return;
        var storage = new FileStorage(root);
        while (Console.ReadLine() is { } line)
        {
            if (line.Split(' ') is ["put-for-ever", var key, var length]) PutForEver(storage, key, length);
            Console.WriteLine(Answer(storage, line.Split(' ')));
        }

        Environment.Exit(0);
    }

    private static string Answer(FileStorage storage, string[] words)
    {
        try
        {
            return words switch
            {
                ["refuse-syncs", var error] => RefuseSyncs(error),
                ["append-synced", var key, var length, var text] => Append(storage, key, length, Encoding.UTF8.GetBytes(text), Flush.Synced),
                ["delete", var key] => Delete(storage, key),
                ["append", var key, var length, var text] => Append(storage, key, length, Encoding.UTF8.GetBytes(text)),
                ["append", var key, var length] => Append(storage, key, length, []),
                ["fill", var key, var length, var bytes] => Append(storage, key, length, new byte[int.Parse(bytes, CultureInfo.InvariantCulture)]),
                ["create", var key, var text] => Put(storage, key, text, PutCondition.IfAbsent),
                ["swap", var key, var version, var text] => Put(storage, key, text, PutCondition.IfVersion(new StorageVersion(version))),
                ["put", var key, var bytes] => Put(storage, key, new string('x', int.Parse(bytes, CultureInfo.InvariantCulture)), PutCondition.Always),
                ["release", var key] => Release(storage, key),
                ["exhaust-then-read", var key] => ExhaustThenRead(storage, key),
                _ => "What?",
            };
        }
        catch (StorageException e)
        {
            return $"{e.Fault} {e.OutcomeUnknown}";
        }
    }

    /// <summary>A text that is one number all over.</summary>
    public static string Numbered(int number, int times) => string.Concat(Enumerable.Repeat($"{number:d10}", times));

    // Until it is killed: says each time what it has stored.
    private static void PutForEver(FileStorage storage, string key, string length)
    {
        for (var n = 1; ; n++)
        {
            Put(storage, key, Numbered(n, int.Parse(length, CultureInfo.InvariantCulture)), PutCondition.Always);
            Console.WriteLine(n);
        }
    }

    private static string Append(FileStorage storage, string key, string length, byte[] bytes, Flush flush = Flush.Written) => storage
        .AppendAsync(new StorageKey(key), bytes, long.Parse(length, CultureInfo.InvariantCulture), flush, default)
        .AsTask().GetAwaiter().GetResult().Outcome.ToString();

    private static string Put(FileStorage storage, string key, string text, PutCondition condition) => storage
        .PutAsync(new StorageKey(key), new MemoryStream(Encoding.UTF8.GetBytes(text)), condition, default)
        .AsTask().GetAwaiter().GetResult().Outcome.ToString();

    private static string Release(FileStorage storage, string key)
    {
        storage.ReleaseAsync(new StorageKey(key), default).AsTask().GetAwaiter().GetResult();
        return "Released";
    }

    private static string Delete(FileStorage storage, string key)
    {
        storage.DeleteAsync(new StorageKey(key), default).AsTask().GetAwaiter().GetResult();
        return "Deleted";
    }

    private static string RefuseSyncs(string error)
    {
        RefusedSyncs.From(int.Parse(error, CultureInfo.InvariantCulture));
        return "Refused";
    }

    private static string ExhaustThenRead(FileStorage storage, string key)
    {
        var open = new List<FileStream>();
        Answer(storage, ["append", "x.lock", "0"]); // loads what a failing
        storage.ReadAsync(new StorageKey(key), ByteRange.All, default).AsTask().GetAwaiter().GetResult(); // and a succeeding call need
        try
        {
            while (true) open.Add(File.OpenRead("/dev/null"));
        }
        catch (IOException)
        {
            var found = storage.ReadAsync(new StorageKey(key), ByteRange.All, default).AsTask().GetAwaiter().GetResult();
            return found is null ? "absent" : "found";
        }
        finally
        {
            foreach (var file in open) file.Dispose();
        }
    }
}
