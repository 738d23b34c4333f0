using System.CommandLine;

namespace OpsLog.Cli.Verbs;

/// <summary>A verb that opens the store, and says on standard error what opening noted or skipped.</summary>
internal abstract class OpeningVerb : Verb
{
    private readonly Option<string> _recovery = new("--recovery")
    {
        Description = "What to do about damage: tolerate-torn-tail, skip-corrupt or strict.",
        HelpName = "POLICY",
        DefaultValueFactory = _ => "tolerate-torn-tail",
    };

    private readonly Option<string?> _cache = new("--cache")
    {
        Description = "Keep copies of a remote store's large objects in this folder, and use them.",
        HelpName = "DIR",
    };

    protected OpeningVerb(string name, string description, CliStreams streams)
        : base(name, description, streams)
    {
        _recovery.AcceptOnlyFromAmong("tolerate-torn-tail", "skip-corrupt", "strict");
        Add(_recovery);
        Add(_cache);
    }

    public override string? OnDamage =>
        "'opslog verify STORE' lists all damage, '--recovery skip-corrupt' reads past it, 'opslog repair STORE --to PLACE' salvages into a new store.";

    /// <summary>Opens the store to look at it, beside a living writer if need be.</summary>
    protected ValueTask<OpenedStore> OpenReadOnlyAsync(ParseResult arguments, CancellationToken cancellationToken) =>
        OpenAsync(arguments, new OpsStoreOptions { ReadOnly = true, CreateIfMissing = false }, cancellationToken);

    /// <summary>Opens the store; <see cref="OpsStoreOptions.Recovery"/> comes from the command line.</summary>
    protected async ValueTask<OpenedStore> OpenAsync(ParseResult arguments, OpsStoreOptions options, CancellationToken cancellationToken)
    {
        options.Recovery = arguments.GetValue(_recovery) switch
        {
            "skip-corrupt" => Recovery.SkipCorrupt,
            "strict" => Recovery.Strict,
            _ => Recovery.TolerateTornTail,
        };
        options.CacheFolder = arguments.GetValue(_cache);
        if (options.CacheFolder is { } cache && StoreLocation.IsUri(cache)) throw new UsageException("--cache takes a folder of this machine, no URI.");
        if (options.CacheFolder is "") throw new UsageException("--cache is empty: name a folder.");
        var opened = await OpenedStore.OpenAsync(Store(arguments), options, cancellationToken).ConfigureAwait(false);
        var report = opened.Store.RecoveryReport;
        foreach (var note in report.Notes) Report("note", note, Json(arguments));
        foreach (var skipped in report.Skipped) Report("skipped", skipped, Json(arguments));
        return opened;
    }

    private void Report(string what, Damage damage, bool json) => Streams.Error.WriteLine(json
        ? Results.ToJson(w => ErrorReport.WriteDamage(w, what, damage))
        : $"opslog: {what}: {ErrorReport.Place(damage)}");
}
