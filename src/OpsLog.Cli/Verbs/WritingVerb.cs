using System.CommandLine;

namespace OpsLog.Cli.Verbs;

/// <summary>A verb that changes the store: as its only writer, or with <c>--agent</c> as one of many.</summary>
internal abstract class WritingVerb : OpeningVerb
{
    private const int LongestAgent = 1000;

    private readonly Option<string?> _agent = new("--agent")
    {
        Description = "Write as this agent, beside other agents. Default: as the store's only writer.",
        HelpName = "ID",
    };

    protected WritingVerb(string name, string description, CliStreams streams)
        : base(name, description, streams) => Add(_agent);

    /// <summary>Opens the store to change it.</summary>
    protected ValueTask<OpenedStore> OpenAsync(ParseResult arguments, bool create, CancellationToken cancellationToken) =>
        OpenForWritingAsync(arguments, new OpsStoreOptions { CreateIfMissing = create }, cancellationToken);

    /// <summary>Opens the store to change it; who writes comes from the command line.</summary>
    protected ValueTask<OpenedStore> OpenForWritingAsync(ParseResult arguments, OpsStoreOptions options, CancellationToken cancellationToken)
    {
        options.AgentId = Agent(arguments);
        return OpenAsync(arguments, options, cancellationToken);
    }

    /// <summary>Who writes; <see langword="null"/>: the only writer.</summary>
    /// <exception cref="UsageException">The agent id is none.</exception>
    protected string? Agent(ParseResult arguments)
    {
        // Before the store is opened: a mistake must not make one.
        var agent = arguments.GetValue(_agent);
        if (agent is not null && (agent.Length is 0 or > LongestAgent || JsonText.HasLoneSurrogate(agent)))
            throw new UsageException($"--agent takes 1 to {LongestAgent} characters of valid text.");
        return agent;
    }
}
