using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace OpsLog.Cli;

/// <summary>The help of the tool as a whole: what it is called as, and every verb with its arguments, those that may be left out in brackets.</summary>
internal sealed class VerbsHelp(Command root) : SynchronousCommandLineAction
{
    private readonly HelpAction _ofVerb = new();

    public override int Invoke(ParseResult parseResult)
    {
        if (parseResult.CommandResult.Command != root) return _ofVerb.Invoke(parseResult);
        var output = parseResult.InvocationConfiguration.Output;
        output.WriteLine($"{root.Description}\n\nUsage:\n  {root.Name} VERB [arguments] [options]\n\nVerbs:");
        var width = root.Subcommands.Max(v => Label(v).Length);
        foreach (var verb in root.Subcommands) output.WriteLine($"  {Label(verb).PadRight(width)}  {verb.Description}");
        output.WriteLine($"\n'{root.Name} VERB --help' shows a verb's options, '{root.Name} --version' the version.");
        return ExitCode.Done;
    }

    private static string Label(Command verb) => string.Join(' ', verb.Arguments.Select(Label).Prepend(verb.Name));

    private static string Label(Argument argument)
    {
        var name = argument.Arity.MaximumNumberOfValues > 1 ? argument.Name + "..." : argument.Name;
        return argument.HasDefaultValue || argument.Arity.MinimumNumberOfValues == 0 ? $"[{name}]" : name;
    }
}
