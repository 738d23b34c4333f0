using System.CommandLine;

namespace OpsLog.Cli.Verbs;

/// <summary>One verb: its arguments, and what it does. Every verb works on a store and knows <c>--json</c>.</summary>
internal abstract class Verb : Command
{
    /// <summary>The option that turns output and errors into JSON.</summary>
    public const string JsonName = "--json";

    private readonly Argument<string> _store = new("STORE") { Description = "The store: a folder or a URI." };
    private readonly Option<bool> _json = new(JsonName) { Description = "Write results and errors as JSON." };

    protected Verb(string name, string description, CliStreams streams)
        : base(name, description)
    {
        Streams = streams;
        Add(_store);
        Add(_json);
        SetAction(RunAsync);
    }

    /// <summary>What to do about damage, where this verb has more to say than every other; else <see langword="null"/>.</summary>
    public virtual string? OnDamage => null;

    protected CliStreams Streams { get; }

    /// <summary>Does the verb's work and returns its exit code. Failures are thrown.</summary>
    protected abstract Task<int> RunAsync(ParseResult arguments, CancellationToken cancellationToken);

    protected string Store(ParseResult arguments) => arguments.GetRequiredValue(_store);

    /// <summary>Whether errors are JSON, even on a command line that has others.</summary>
    public bool AsksForJson(ParseResult arguments) => arguments.GetResult(_json) is { } given && (given.Errors.Any() || given.GetValueOrDefault<bool>());

    protected bool Json(ParseResult arguments) => arguments.GetValue(_json);
}
