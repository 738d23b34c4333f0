using System.Runtime.InteropServices;

namespace OpsLog.Cli;

/// <summary>Whoever read standard output is gone, as <c>head</c> is after its lines. No failure: there is nothing left to do.</summary>
internal sealed class ReaderGoneException() : IOException("nobody reads standard output any more.");

/// <summary>
/// Standard output on Unix where it is no terminal. The runtime ignores SIGPIPE and its stream then drops what it writes to a pipe without a
/// reader: a follower would go on for ever. A <see cref="FileStream"/> would tell, but keeps an offset of its own, and what else writes to the same
/// file (<c>2&gt;&amp;1</c>, a group of commands) would be written over.
/// </summary>
/// <param name="ofRuntime">The runtime's stream for it.</param>
internal sealed partial class UnixOutput(Stream ofRuntime) : StandardStream
{
    private const int Number = 1;

    // The numbers of Linux, macOS and the BSDs; "try again" has two.
    private const int Interrupted = 4;
    private const int BrokenPipe = 32;
    private const short PollError = 8;
    private const short PollHangUp = 16;
    private static readonly int s_tryAgain = OperatingSystem.IsLinux() ? 11 : 35;

    /// <summary>Whether nobody reads it any more, as far as the system tells before something is written: it does of pipes and sockets.</summary>
    public static bool IsReaderGone
    {
        get
        {
            var state = new PollState { File = Number };
            return Poll(ref state, 1, 0) > 0 && (state.Found & (PollError | PollHangUp)) != 0;
        }
    }

    /// <exception cref="ReaderGoneException">Nobody reads it any more.</exception>
    /// <exception cref="IOException">It cannot be written.</exception>
    public override void Write(ReadOnlySpan<byte> buffer)
    {
        while (!buffer.IsEmpty)
        {
            var written = Write(Number, buffer, buffer.Length);
            if (written >= 0)
            {
                buffer = buffer[(int)written..];
                continue;
            }

            var error = Marshal.GetLastPInvokeError();
            if (error == Interrupted) continue;
            if (error == BrokenPipe) throw new ReaderGoneException();
            if (error != s_tryAgain) throw new IOException($"standard output cannot be written: {Marshal.GetPInvokeErrorMessage(error)}.");
            ofRuntime.Write(buffer); // it knows how to wait for a pipe that its other holder has made non-blocking
            return;
        }
    }

    [LibraryImport("libc", EntryPoint = "write", SetLastError = true)]
    private static partial nint Write(int file, ReadOnlySpan<byte> buffer, nint count);

    [LibraryImport("libc", EntryPoint = "poll")]
    private static partial int Poll(ref PollState states, nuint count, int timeout);

    [StructLayout(LayoutKind.Sequential)]
    private struct PollState
    {
        public int File;
        public short Wanted;
        public short Found;
    }
}
