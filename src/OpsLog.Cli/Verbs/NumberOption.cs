using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace OpsLog.Cli.Verbs;

/// <summary>Options that take a whole number of a range.</summary>
internal static class NumberOption
{
    /// <summary>One that is a number whether it is given or not.</summary>
    public static Option<int> Create(string name, string description, int least, int most, int standard, params string[] aliases) => new(name, aliases)
    {
        Description = description,
        HelpName = "N",
        DefaultValueFactory = _ => standard,
        CustomParser = result => Read(result, name, least, most) ?? standard,
    };

    /// <summary>One that may be absent.</summary>
    public static Option<int?> Create(string name, string description, int least) => new(name)
    {
        Description = description,
        HelpName = "N",
        CustomParser = result => Read(result, name, least, int.MaxValue),
    };

    private static int? Read(ArgumentResult result, string name, int least, int most)
    {
        var given = result.Tokens.Count == 1 ? result.Tokens[0].Value : "";
        if (int.TryParse(given, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most) return number;
        result.AddError(most == int.MaxValue ? $"{name} takes a number of at least {least}." : $"{name} takes a number from {least} to {most}.");
        return null;
    }
}
