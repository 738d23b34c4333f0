using System.CommandLine;

namespace OpsLog.Cli.Verbs;

/// <summary><c>backup</c>: a consistent copy, taken while a writer goes on.</summary>
internal sealed class BackupVerb : OpeningVerb
{
    private readonly Option<string> _to = CopyTarget.Option("The place for the copy, a folder or a URI; it must be empty or absent.");

    public BackupVerb(CliStreams streams)
        : base("backup", "Copies the store as it is at one moment; a writer may go on meanwhile.", streams) => Add(_to);

    // A backup of a damaged store is refused, however it is opened.
    public override string? OnDamage => null;

    protected override async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        var to = CopyTarget.Check(Store(arguments), arguments.GetRequiredValue(_to));
        await using var opened = await OpenReadOnlyAsync(arguments, cancellationToken).ConfigureAwait(false);
        await using var target = StoreLocation.Open(to);
        await LongWork.RunAsync(Streams, Json(arguments), async progress =>
        {
            await opened.Store.BackupAsync(target, progress, cancellationToken).ConfigureAwait(false);
            return true;
        }).ConfigureAwait(false);
        using var results = new Results(Streams, Json(arguments));
        if (results.Json) results.Object(w => w.WriteString("backup", StoreLocation.Shown(to)));
        else results.Columns(("backed up to", "green"), (StoreLocation.Shown(to), "bold"));
        return ExitCode.Done;
    }
}
