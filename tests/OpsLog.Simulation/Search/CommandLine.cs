using System.Globalization;
using OpsLog.Simulation.Programs;
using OpsLog.Simulation.Run;

namespace OpsLog.Simulation.Search;

/// <summary>The simulation from the command line: many seeds, one seed again, or the exhaustive search.</summary>
internal static class CommandLine
{
    private const string Usage = """
        seeds FIRST COUNT [--workers N] [--mix many|core|feeds|single|rivals|beside] [--failures N] [--no-shrink]
                                                                    run seeds; print seeds a second; a failing one is shrunk
        seed N [--trace] [--mix many|core|feeds|single|rivals|beside] [--no-shrink]                  run one seed again
        exhaustive [--form locks|append|numbered] [--crashes N] [--lost N] [--races N] [--switches N] [--seals] [--compacted] [--compactors N] [--first N] [--count N] [--workers N] [--each] [--go-on] [--full]
                                                                    all interleavings of every program of 2 agents with 2 steps
        exhaustive --plans "Set Compact | Delete" [--compacted] [--seals] …   of one program
        exhaustive --agents N --steps N --switches N [--crashes N] [--programs N] [--seed N] …   of longer programs, drawn by a seed, with few switches
        """;

    public static int Run(string[] args, TextWriter output)
    {
        try
        {
            return args.Contains("--help") ? Help(output) : args[0] switch
            {
                "seeds" => Seeds(args, output),
                "seed" => Seed(args, output),
                "exhaustive" => Exhaustive(args, output),
                _ => Help(output),
            };
        }
        catch (Exception e) when (e is FormatException or IndexOutOfRangeException or OverflowException or ArgumentException)
        {
            output.WriteLine(Usage);
            return 2;
        }
    }

    private static int Help(TextWriter output)
    {
        output.WriteLine(Usage);
        return 0;
    }

    private static int Seeds(string[] args, TextWriter output)
    {
        var workers = Number(args, "--workers", 1);
        var report = SeedRunner.RunRange(
            ulong.Parse(args[1], CultureInfo.InvariantCulture), long.Parse(args[2], CultureInfo.InvariantCulture), MixOf(args), workers,
            mostFailures: Number(args, "--failures", 1), progress: (seeds, time) => output.WriteLine($"{seeds:N0} seeds, {seeds / time.TotalSeconds:N0}/s"));
        output.WriteLine(report);
        if (report.Failures.Count == 0) return 0;
        foreach (var failure in report.Failures.Skip(1)) output.WriteLine($"seed {failure.Program.Seed}: {failure.Violation!.Message}");
        output.WriteLine(FailureReport.Of(report.Failures[0], !args.Contains("--no-shrink")));
        return 1;
    }

    private static int Seed(string[] args, TextWriter output)
    {
        var result = SeedRunner.Run(
            ulong.Parse(args[1], CultureInfo.InvariantCulture), MixOf(args), new SimOptions { Trace = args.Contains("--trace") ? output.WriteLine : null });
        if (result.Violation is null)
        {
            output.WriteLine(result.Program);
            output.WriteLine("nothing violated");
            return 0;
        }

        output.WriteLine(FailureReport.Of(result, !args.Contains("--no-shrink")));
        return 1;
    }

    private static int Exhaustive(string[] args, TextWriter output)
    {
        var limits = new ExploreLimits(
            Number(args, "--crashes", 1), Number(args, "--switches", int.MaxValue), Number(args, "--lost", 0), Number(args, "--races", int.MaxValue), Number(args, "--states", int.MaxValue), args.Contains("--full"));
        var runner = new ExhaustiveRunner(limits, args.Contains("--go-on"), (program, explorer) =>
        {
            if (args.Contains("--each"))
                output.WriteLine($"{explorer.States:N0} states, {explorer.Runs:N0} schedules, {explorer.Moves:N0} moves, {explorer.Elapsed.TotalSeconds:N1} s: {string.Join(" | ", program.Processes.Select(p => string.Join(' ', p.Steps.Select(s => s.Kind))))}");
            if (explorer.Failure is { } failure) output.WriteLine(FailureReport.Of(failure, !args.Contains("--no-shrink")));
        });
        var compactors = Number(args, "--compactors", -1);
        var programs = Programs(args).Where(p => compactors < 0 || compactors == p.Processes.Count(x => x.Steps.Any(s => s.Kind == StepKind.Compact)));
        runner.Run(programs.Skip(Number(args, "--first", 0)).Take(Number(args, "--count", int.MaxValue)), Number(args, "--workers", 1));
        output.WriteLine(runner);
        return runner.IsClean ? 0 : 1;
    }

    private static IEnumerable<SimProgram> Programs(string[] args)
    {
        StorageForm[] forms = Text(args, "--form") is { } form ? [Enum.Parse<StorageForm>(form, ignoreCase: true)] : Enum.GetValues<StorageForm>();
        var (compacted, seals) = (args.Contains("--compacted"), args.Contains("--seals"));
        if (Text(args, "--plans") is { } plans) return forms.Select(f => SmallPrograms.Parse(plans, f, compacted, seals));
        if (Text(args, "--steps") is null) return forms.SelectMany(f => SmallPrograms.TwoByTwo(f, compacted, seals));
        return forms.SelectMany(f => SmallPrograms.FewSwitches(Number(args, "--agents", 2), Number(args, "--steps", 4), Number(args, "--programs", 10), f, (ulong)Number(args, "--seed", 1)));
    }

    private static Mix MixOf(string[] args) => Text(args, "--mix") is { } name ? Enum.Parse<Mix>(name, ignoreCase: true) : Mix.Many;

    private static int Number(string[] args, string name, int otherwise) => Text(args, name) is { } text ? int.Parse(text, CultureInfo.InvariantCulture) : otherwise;

    private static string? Text(string[] args, string name) => Array.IndexOf(args, name) is var at and >= 0 ? args[at + 1] : null;
}
