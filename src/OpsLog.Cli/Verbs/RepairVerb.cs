using System.CommandLine;
using System.Globalization;
using System.Text.Json;

namespace OpsLog.Cli.Verbs;

/// <summary><c>repair</c>: salvages what can be read into a new store. The original is never touched.</summary>
internal sealed class RepairVerb : Verb
{
    private readonly Option<string> _to = CopyTarget.Option("The place for the salvaged store, a folder or a URI; it must be empty or absent.");

    public RepairVerb(CliStreams streams)
        : base("repair", "Salvages what it can into a new store and lists every loss. Never touches the original.", streams) => Add(_to);

    protected override async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        var to = CopyTarget.Check(Store(arguments), arguments.GetRequiredValue(_to));
        await using var source = StoreLocation.Open(Store(arguments));
        await using var target = StoreLocation.Open(to);
        var report = await LongWork.RunAsync(Streams, Json(arguments),
            progress => OpsStore.RepairAsync(source, target, progress, cancellationToken).AsTask()).ConfigureAwait(false);
        using var results = new Results(Streams, Json(arguments));
        if (results.Json) results.Object(w => WriteJson(w, report));
        else WriteText(results, report);
        return ExitCode.Done;
    }

    private static void WriteText(Results results, RepairReport report)
    {
        foreach (var loss in report.Losses) results.Columns(("loss", "red"), (ErrorReport.Place(loss), ""));
        foreach (var note in report.Notes) results.Columns(("note", "yellow"), (ErrorReport.Place(note), ""));
        foreach (var assumption in report.Assumptions) results.Columns(("assumed", "yellow"), (JsonText.Printable(assumption), ""));
        foreach (var file in report.Quarantined) results.Columns(("quarantined", "yellow"), (JsonText.Printable(file), ""));
        results.Properties(
        [
            ("records", report.Records.ToString(CultureInfo.InvariantCulture)),
            ("losses", report.Losses.Count.ToString(CultureInfo.InvariantCulture)),
            ("quarantined", report.Quarantined.Count.ToString(CultureInfo.InvariantCulture)),
        ]);
    }

    private static void WriteJson(Utf8JsonWriter writer, RepairReport report)
    {
        writer.WriteNumber("records", report.Records);
        DamageLists.Write(writer, "losses", report.Losses);
        DamageLists.Write(writer, "notes", report.Notes);
        WriteTexts(writer, "assumptions", report.Assumptions);
        WriteTexts(writer, "quarantined", report.Quarantined);
    }

    private static void WriteTexts(Utf8JsonWriter writer, string name, IReadOnlyList<string> texts)
    {
        writer.WriteStartArray(name);
        foreach (var text in texts) writer.WriteStringValue(text);
        writer.WriteEndArray();
    }
}
