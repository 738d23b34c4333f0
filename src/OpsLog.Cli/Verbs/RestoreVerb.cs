using System.CommandLine;

namespace OpsLog.Cli.Verbs;

/// <summary><c>restore</c>: a backup as a store of its own again.</summary>
internal sealed class RestoreVerb : Verb
{
    private readonly Option<string> _to = CopyTarget.Option("The place for the store, a folder or a URI; it must be empty or absent.");

    public RestoreVerb(CliStreams streams)
        : base("restore", "Copies a backup (the STORE) to a new store, under a new incarnation.", streams) => Add(_to);

    public override string? OnDamage => "'opslog verify STORE' lists all damage of the backup, 'opslog repair STORE --to PLACE' salvages what it holds into a new store.";

    protected override async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        var to = CopyTarget.Check(Store(arguments), arguments.GetRequiredValue(_to));
        await using var backup = StoreLocation.Open(Store(arguments));
        await using var target = StoreLocation.Open(to);
        await LongWork.RunAsync(Streams, Json(arguments), async progress =>
        {
            await OpsStore.RestoreAsync(backup, target, progress, cancellationToken).ConfigureAwait(false);
            return true;
        }).ConfigureAwait(false);
        using var results = new Results(Streams, Json(arguments));
        if (results.Json) results.Object(w => w.WriteString("restored", StoreLocation.Shown(to)));
        else results.Columns(("restored to", "green"), (StoreLocation.Shown(to), "bold"));
        return ExitCode.Done;
    }
}
