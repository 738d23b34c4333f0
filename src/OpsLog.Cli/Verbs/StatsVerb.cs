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
        var statistics = opened.Store.Statistics;
        if (results.Json) results.Object(w => WriteJson(w, statistics));
        else results.Properties(Rows(statistics));
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
    ];

    private static (string Name, string? Value)[] Texts(StoreStatistics statistics) =>
    [
        ("snapshot", statistics.Snapshot),
        ("log", statistics.Log),
        ("created", TimeText(statistics.Created)),
        ("lastCheckpoint", TimeText(statistics.LastCheckpoint)),
    ];

    private static void WriteJson(Utf8JsonWriter writer, StoreStatistics statistics)
    {
        foreach (var (name, value) in Numbers(statistics)) writer.WriteNumber(name, value);
        foreach (var (name, value) in Texts(statistics)) writer.WriteString(name, value);
        writer.WriteStartArray("archives");
        foreach (var segment in statistics.Archives) writer.WriteStringValue(segment);
        writer.WriteEndArray();
    }

    private static IEnumerable<(string Name, string Value)> Rows(StoreStatistics statistics)
    {
        foreach (var (name, value) in Numbers(statistics)) yield return (name, value.ToString(CultureInfo.InvariantCulture));
        foreach (var (name, value) in Texts(statistics)) yield return (name, value ?? "-");
        yield return ("archives", statistics.Archives.Count == 0 ? "-" : string.Join(", ", statistics.Archives.Select(JsonText.Printable)));
    }

    private static string? TimeText(DateTimeOffset? time) =>
        time?.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture);
}
