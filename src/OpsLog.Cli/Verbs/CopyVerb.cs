using System.CommandLine;
using System.Globalization;

namespace OpsLog.Cli.Verbs;

/// <summary><c>copy</c>: a store in another place, of any kind, read back.</summary>
internal sealed class CopyVerb : Verb
{
    private readonly Argument<string> _to = new("TO") { Description = "The place for the copy: a folder or a URI. Empty, or what an interrupted copy left." };

    public CopyVerb(CliStreams streams)
        : base("copy", "Copies the store to another place and reads the copy back. Interrupted, it goes on when it is run again.", streams) => Add(_to);

    protected override async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        var to = CopyTarget.Check(Store(arguments), arguments.GetRequiredValue(_to), "TO");
        await using var source = StoreLocation.Open(Store(arguments));
        await using var target = StoreLocation.Open(to);
        var report = await LongWork.RunAsync(Streams, Json(arguments), async progress =>
            await OpsStore.CopyAsync(source, target, progress, cancellationToken).ConfigureAwait(false)).ConfigureAwait(false);
        using var results = new Results(Streams, Json(arguments));
        if (results.Json)
        {
            results.Object(w =>
            {
                w.WriteString("copied", StoreLocation.Shown(to));
                w.WriteNumber("records", report.Records);
                w.WriteNumber("operations", report.Operations);
                w.WriteNumber("objects", report.Objects);
                w.WriteNumber("bytes", report.Bytes);
            });
        }
        else
        {
            results.Columns(("copied to", "green"), (StoreLocation.Shown(to), "bold"), (string.Create(CultureInfo.InvariantCulture, $"{report.Records} records, {report.Bytes} bytes"), ""));
        }

        return ExitCode.Done;
    }
}
