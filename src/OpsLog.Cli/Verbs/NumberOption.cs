using System.CommandLine;
using System.Globalization;

namespace OpsLog.Cli.Verbs;

/// <summary>Options that take a whole number of a range.</summary>
internal static class NumberOption
{
    public static Option<int> Create(
        string name, string description, int least, int most, int standard, params string[] aliases) => new(name, aliases)
        {
            Description = description,
            HelpName = "N",
            DefaultValueFactory = _ => standard,
            CustomParser = result =>
            {
                var given = result.Tokens.Count == 1 ? result.Tokens[0].Value : "";
                var isNumber = int.TryParse(given, NumberStyles.None, CultureInfo.InvariantCulture, out var number);
                if (isNumber && number >= least && number <= most) return number;
                result.AddError(most == int.MaxValue
                    ? $"{name} takes a number of at least {least}."
                    : $"{name} takes a number from {least} to {most}.");
                return standard;
            },
        };
}
