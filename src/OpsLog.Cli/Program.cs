using System.Runtime.InteropServices;
using OpsLog.Cli;

// The first Ctrl-C (or SIGTERM) asks the verb to stop where nothing is half done; a second one ends the process as usual.
using var stop = new CancellationTokenSource();
void OnSignal(PosixSignalContext signal)
{
    signal.Cancel = !stop.IsCancellationRequested;
    stop.Cancel();
}

using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal);
using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal);
return await CliApp.RunAsync(args, CliStreams.OfProcess(), stop.Token);
