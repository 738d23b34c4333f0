using System.Runtime.InteropServices;

namespace OpsLog.StorageTests;

/// <summary>Has Linux refuse each sync of the thread, from now on: a filter of its system calls (seccomp), which needs no rights.</summary>
internal static unsafe partial class RefusedSyncs
{
    private const int NoNewPrivileges = 38; // PR_SET_NO_NEW_PRIVS
    private const int Seccomp = 22;         // PR_SET_SECCOMP
    private const int Filter = 2;           // SECCOMP_MODE_FILTER

    public static bool CanBe => OperatingSystem.IsLinux() && RuntimeInformation.ProcessArchitecture is Architecture.X64 or Architecture.Arm64;

    public static void From(int error)
    {
        var sync = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 74u : 82u; // fsync
        ReadOnlySpan<Instruction> program =
        [
            new(0x20, 0, 0, 0),                    // load the number of the call
            new(0x15, 0, 1, sync),                 // is it fsync?
            new(0x06, 0, 0, 0x50000 | (uint)error), // fail with the error
            new(0x06, 0, 0, 0x7FFF0000),           // let it pass
        ];
        fixed (Instruction* first = program)
        {
            var all = new Program { Length = (ushort)program.Length, First = first };
            if (Control(NoNewPrivileges, 1, 0, 0, 0) != 0 || Control(Seccomp, Filter, (nint)(&all), 0, 0) != 0)
                throw new InvalidOperationException($"The filter was refused: {Marshal.GetLastPInvokeErrorMessage()}");
        }
    }

    [LibraryImport("libc", EntryPoint = "prctl", SetLastError = true)]
    private static partial int Control(int option, nint second, nint third, nint fourth, nint fifth);

    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct Instruction(ushort Code, byte Then, byte Else, uint Value);

    [StructLayout(LayoutKind.Sequential)]
    private struct Program
    {
        public ushort Length;
        public Instruction* First;
    }
}
