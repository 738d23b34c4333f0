using System.CommandLine;
using System.Globalization;
using System.Text.Json;

namespace OpsLog.Cli.Verbs;

/// <summary><c>stats</c>: the store in numbers.</summary>
internal sealed class StatsVerb(CliStreams streams)
    : OpeningVerb("stats", "Prints the store in numbers.", streams)
{
    protected override async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        await using var opened = await OpenReadOnlyAsync(arguments, cancellationToken).ConfigureAwait(false);
        using var results = new Results(Streams, Json(arguments));
        var (statistics, agents) = (opened.Store.Statistics, opened.Store.Agents);
        if (results.Json) results.Object(w => WriteJson(w, statistics, agents));
        else results.Properties([.. Rows(statistics), .. agents.Select(Lag)]);
        return ExitCode.Done;
    }

    private static (string Name, long Value)[] Numbers(StoreStatistics statistics) =>
    [
        ("records", statistics.Records),
        ("archivedRecords", statistics.ArchivedRecords),
        ("operationsSinceCheckpoint", statistics.OperationsSinceCheckpoint),
        ("logBytes", statistics.LogBytes),
        ("snapshotBytes", statistics.SnapshotBytes),
        ("historyBytes", statistics.HistoryBytes),
        ("garbageBytes", statistics.GarbageBytes),
        ("clock", statistics.Clock),
        ("manifestRevision", statistics.ManifestRevision),
        ("schemaVersion", statistics.SchemaVersion),
        ("tombstones", statistics.Tombstones),
        ("tombstoneFloor", statistics.TombstoneFloor),
    ];

    private static (string Name, string? Value)[] Texts(StoreStatistics statistics) =>
    [
        ("snapshot", statistics.Snapshot),
        ("log", statistics.Log),
        ("created", TimeText.Of(statistics.Created)),
        ("lastCheckpoint", TimeText.Of(statistics.LastCheckpoint)),
        ("tombstonesHeldBy", statistics.TombstonesHeldBy),
    ];

    private static void WriteJson(Utf8JsonWriter writer, StoreStatistics statistics, IReadOnlyList<AgentInfo> agents)
    {
        foreach (var (name, value) in Numbers(statistics)) writer.WriteNumber(name, value);
        foreach (var (name, value) in Texts(statistics)) writer.WriteString(name, value);
        writer.WriteStartArray("archives");
        foreach (var segment in statistics.Archives) writer.WriteStringValue(segment);
        writer.WriteEndArray();
        writer.WriteStartArray("agents");
        foreach (var agent in agents)
        {
            writer.WriteStartObject();
            JsonText.WriteMember(writer, "agent", agent.Agent);
            writer.WriteString("log", agent.Log);
            writer.WriteNumber("operationsSinceCheckpoint", agent.OperationsSinceCheckpoint);
            writer.WriteString("lastSeen", TimeText.Of(agent.LastSeen));
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    private static IEnumerable<(string Name, string Value)> Rows(StoreStatistics statistics)
    {
        foreach (var (name, value) in Numbers(statistics)) yield return (name, value.ToString(CultureInfo.InvariantCulture));
        foreach (var (name, value) in Texts(statistics)) yield return (name, value ?? "-");
        yield return ("archives", statistics.Archives.Count == 0 ? "-" : string.Join(", ", statistics.Archives.Select(JsonText.Printable)));
    }

    /// <summary>How far the snapshot is behind an agent, and since when the agent is silent.</summary>
    private static (string Name, string Value) Lag(AgentInfo agent) => (
        $"agent {JsonText.Printable(agent.Agent)}",
        string.Create(
            CultureInfo.InvariantCulture,
            $"{agent.OperationsSinceCheckpoint} operations behind the checkpoint, last seen {TimeText.Of(agent.LastSeen) ?? "-"}, {agent.Log}"));
}
