using System.CommandLine;
using System.Globalization;
using System.Text.Json;

namespace OpsLog.Cli.Verbs;

/// <summary><c>verify</c>: reads every byte and checks everything checkable. Never writes.</summary>
internal sealed class VerifyVerb(CliStreams streams)
    : Verb("verify", "Reads every byte and checks everything checkable. Exit 0 if sound, 4 if damaged.", streams)
{
    public override string? OnDamage => "restore a backup that is new enough, or 'opslog repair STORE --to PLACE' salvages into a new store.";

    protected override async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        await using var storage = StoreLocation.Open(Store(arguments));
        var report = await LongWork.RunAsync(Streams, Json(arguments),
            progress => OpsStore.VerifyAsync(storage, progress, cancellationToken).AsTask()).ConfigureAwait(false);
        using var results = new Results(Streams, Json(arguments));
        if (results.Json) results.Object(w => WriteJson(w, report));
        else WriteText(results, report);
        if (report.IsSound) return ExitCode.Done;

        results.Flush();
        var first = report.Damages[0];
        throw new OpsLogException(OpsLogError.Damaged, $"the store is damaged in {report.Damages.Count} places, first at {first}") { Damage = first };
    }

    private static void WriteText(Results results, VerifyReport report)
    {
        foreach (var damage in report.Damages) results.Columns(("damage", "red"), (ErrorReport.Place(damage), ""));
        foreach (var note in report.Notes) results.Columns(("note", "yellow"), (ErrorReport.Place(note), ""));
        results.Properties(
        [
            ("result", report.IsSound ? "sound" : "damaged"),
            ("objects", report.Objects.ToString(CultureInfo.InvariantCulture)),
            ("bytes", report.Bytes.ToString(CultureInfo.InvariantCulture)),
            ("records", report.Records.ToString(CultureInfo.InvariantCulture)),
            ("operations", report.Operations.ToString(CultureInfo.InvariantCulture)),
        ]);
    }

    private static void WriteJson(Utf8JsonWriter writer, VerifyReport report)
    {
        writer.WriteBoolean("sound", report.IsSound);
        writer.WriteNumber("objects", report.Objects);
        writer.WriteNumber("bytes", report.Bytes);
        writer.WriteNumber("records", report.Records);
        writer.WriteNumber("operations", report.Operations);
        DamageLists.Write(writer, "damages", report.Damages);
        DamageLists.Write(writer, "notes", report.Notes);
    }
}
