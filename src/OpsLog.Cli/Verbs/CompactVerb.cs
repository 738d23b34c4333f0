using System.CommandLine;

namespace OpsLog.Cli.Verbs;

/// <summary><c>compact</c>: makes a checkpoint now.</summary>
internal sealed class CompactVerb(CliStreams streams)
    : WritingVerb("compact", "Writes a snapshot of the state now; the log starts anew behind it.", streams)
{
    protected override async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        await using var opened = await OpenAsync(arguments, create: false, cancellationToken).ConfigureAwait(false);
        await opened.Store.CompactAsync(cancellationToken).ConfigureAwait(false);
        using var results = new Results(Streams, Json(arguments));
        var statistics = opened.Store.Statistics;
        if (results.Json)
        {
            results.Object(w =>
            {
                w.WriteNumber("records", statistics.Records);
                w.WriteString("snapshot", statistics.Snapshot);
                w.WriteNumber("snapshotBytes", statistics.SnapshotBytes);
            });
        }
        else
        {
            results.Columns(($"{statistics.Records} records in {statistics.Snapshot} ({statistics.SnapshotBytes} bytes)", ""));
        }

        return ExitCode.Done;
    }
}
