using OpsLog.Simulation.Search;

namespace OpsLog.Simulation;

/// <summary>The entry: a test runner, unless the first argument is one of the simulation's own commands.</summary>
internal static class Program
{
    public static int Main(string[] args)
    {
        if (args is ["seeds" or "seed" or "exhaustive" or "help", ..]) return CommandLine.Run(args, Console.Out);
        return args.Contains("--server") || args.Contains("--internal-msbuild-node")
            ? Xunit.MicrosoftTestingPlatform.TestPlatformTestFramework.RunAsync(args, SelfRegisteredExtensions.AddSelfRegisteredExtensions).GetAwaiter().GetResult()
            : Xunit.Runner.InProc.SystemConsole.ConsoleRunner.Run(args).GetAwaiter().GetResult();
    }
}
