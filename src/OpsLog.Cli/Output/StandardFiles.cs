using System.Runtime.InteropServices;

namespace OpsLog.Cli;

/// <summary>Standard input, output and error as this process was started with them.</summary>
internal static partial class StandardFiles
{
    // The numbers of Linux, macOS and the BSDs.
    private const int GetFlags = 1;
    private const int CloseOnExec = 1;

    /// <summary>Standard input.</summary>
    public static Stream Input() => IsGiven(0) ? Console.OpenStandardInput() : new ClosedStream("standard input");

    /// <summary>Standard output; where the runtime's own stream would drop what nobody reads any more, one that says so.</summary>
    public static Stream Output()
    {
        if (!IsGiven(1)) return new ClosedStream("standard output");
        var output = Console.OpenStandardOutput();
        return Console.IsOutputRedirected && !OperatingSystem.IsWindows() ? new UnixOutput(output) : output;
    }

    /// <summary>Standard error; what cannot be written to it is dropped.</summary>
    public static Stream Error() => IsGiven(2) ? new ErrorOutput(Console.OpenStandardError()) : Stream.Null;

    /// <summary>
    /// Whether the process was started with a file. The number of one that is missing goes to the first that is opened, a pipe of the runtime's own: reading that
    /// waits for ever. What was handed down is known by its flag: nothing that is closed on exec can have been.
    /// </summary>
    private static bool IsGiven(int file)
    {
        if (OperatingSystem.IsWindows()) return true; // the runtime's streams know there
        var flags = Control(file, GetFlags);
        return flags >= 0 && (flags & CloseOnExec) == 0;
    }

    [LibraryImport("libc", EntryPoint = "fcntl")]
    private static partial int Control(int file, int command);

    /// <summary>A file that the process was started without. Using it is an error.</summary>
    private sealed class ClosedStream(string name) : StandardStream
    {
        public override bool CanRead => true;

        public override int Read(byte[] buffer, int offset, int count) => throw new IOException($"{name} is closed.");

        public override void Write(ReadOnlySpan<byte> buffer) => throw new IOException($"{name} is closed.");
    }

    /// <summary>Standard error. A run goes on without it, and ends with its own exit code.</summary>
    private sealed class ErrorOutput(Stream ofRuntime) : StandardStream
    {
        public override void Write(ReadOnlySpan<byte> buffer)
        {
            try
            {
                ofRuntime.Write(buffer);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // Nobody is left to be told.
            }
        }
    }
}
