using System.CommandLine;
using System.Globalization;
using System.Text.Json;

namespace OpsLog.Cli.Verbs;

/// <summary><c>agents</c>: who is registered to write, and how far each log is covered.</summary>
internal sealed class AgentsVerb(CliStreams streams)
    : OpeningVerb("agents", "Lists the agents' logs of a store that many write to; nothing with a single writer.", streams)
{
    private static readonly string[] s_columns = ["agent", "log", "clock", "lastSeen", "logBytes", "covered", "operationsSinceCheckpoint", "sealed"];

    protected override async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        await using var opened = await OpenReadOnlyAsync(arguments, cancellationToken).ConfigureAwait(false);
        using var results = new Results(Streams, Json(arguments));
        var agents = opened.Store.Agents;
        if (!results.Json)
        {
            results.Rows(s_columns, agents.Select(Cells));
            return ExitCode.Done;
        }

        foreach (var agent in agents) results.Object(w => WriteJson(w, agent));
        return ExitCode.Done;
    }

    private static string[] Cells(AgentInfo agent) =>
    [
        JsonText.Printable(agent.Agent),
        agent.Log,
        Text(agent.Clock),
        TimeText.Of(agent.LastSeen) ?? "-",
        Text(agent.LogBytes),
        Text(agent.Covered),
        Text(agent.OperationsSinceCheckpoint),
        agent.IsSealed ? "sealed" : "open",
    ];

    private static void WriteJson(Utf8JsonWriter writer, AgentInfo agent)
    {
        JsonText.WriteMember(writer, "agent", agent.Agent);
        writer.WriteString("log", agent.Log);
        writer.WriteNumber("clock", agent.Clock);
        writer.WriteString("lastSeen", TimeText.Of(agent.LastSeen));
        writer.WriteNumber("logBytes", agent.LogBytes);
        writer.WriteNumber("covered", agent.Covered);
        writer.WriteNumber("operationsSinceCheckpoint", agent.OperationsSinceCheckpoint);
        writer.WriteBoolean("sealed", agent.IsSealed);
    }

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}
