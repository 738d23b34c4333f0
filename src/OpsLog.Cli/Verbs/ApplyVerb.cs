using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using OpsLog.Cli.Apply;

namespace OpsLog.Cli.Verbs;

/// <summary><c>apply</c>: operations from a file or pipe, one JSON object a line.</summary>
internal sealed class ApplyVerb : WritingVerb
{
    private readonly Argument<string> _file = new("FILE")
    {
        Description = "Where to read the operations; - or nothing is standard input.",
        DefaultValueFactory = _ => "-",
    };

    private readonly Option<string?> _batchBy = new("--batch-by")
    {
        Description = "Neighbouring lines with the same value of this member form one batch.",
        HelpName = "FIELD",
    };

    private readonly Option<string> _durability = new("--durability")
    {
        Description = "When a line is acknowledged: disk, os or buffered.",
        HelpName = "LEVEL",
        DefaultValueFactory = _ => "disk",
    };

    private readonly Option<bool> _ack = new("--ack") { Description = "Print the number of each input line once it is acknowledged." };
    private readonly Option<int> _concurrency = NumberOption.Create("--concurrency", "How many callers at once.", 1, 1024, 1);

    private readonly Option<int?> _refreshEvery = NumberOption.Create(
        "--refresh-every", "With --agent: take in what other agents wrote after every N input lines. Default: never.", 1);

    public ApplyVerb(CliStreams streams)
        : base("apply", "Applies operations, one JSON object a line. Makes the store if there is none.", streams)
    {
        _durability.AcceptOnlyFromAmong("disk", "os", "buffered");
        Add(_file);
        Add(_batchBy);
        Add(_durability);
        Add(_ack);
        Add(_concurrency);
        Add(_refreshEvery);
    }

    protected override async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        var durability = arguments.GetValue(_durability) switch
        {
            "os" => Durability.Os,
            "buffered" => Durability.Buffered,
            _ => Durability.Disk,
        };
        var refreshEvery = arguments.GetValue(_refreshEvery);
        if (refreshEvery is not null && Agent(arguments) is null) throw new UsageException("--refresh-every needs --agent: beside an only writer nobody writes.");
        var file = arguments.GetRequiredValue(_file);
        // The input comes first: a mistyped name must not make a store.
        var input = file == "-" ? Streams.Input : OpenFile(file);
        await using var ownInput = input == Streams.Input ? null : input;

        var opened = await OpenForWritingAsync(arguments, new OpsStoreOptions { Durability = durability }, cancellationToken).ConfigureAwait(false);
        // What is buffered is acknowledged and not stored: it must not be left behind with a fenced store.
        var goesOn = Agent(arguments) is not null && durability != Durability.Buffered;
        var stores = new ApplyStore(opened, goesOn ? ReopenAsync : null, message => Streams.Error.WriteLine(Waiting(message, Store(arguments), Json(arguments))), cancellationToken);
        await using var ownStores = stores.ConfigureAwait(false);
        var acknowledgements = new AckWriter(arguments.GetValue(_ack) ? Streams.Output : null, atOnce: durability == Durability.Disk);
        var target = new ApplyTarget(stores, acknowledgements);
        var run = new ApplyRun(
            new LineReader(input), arguments.GetValue(_batchBy), target, acknowledgements, arguments.GetValue(_concurrency), refreshEvery ?? 0);
        var started = Stopwatch.GetTimestamp();
        try
        {
            await run.RunAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            Summarize(target, stores, Stopwatch.GetElapsedTime(started), arguments);
        }

        return ExitCode.Done;

        ValueTask<OpenedStore> ReopenAsync() => OpenForWritingAsync(
            arguments, new OpsStoreOptions { Durability = durability, CreateIfMissing = false }, cancellationToken);
    }

    /// <summary>What is waited for, as it is told on standard error.</summary>
    internal static string Waiting(string message, string store, bool json)
    {
        var text = StoreLocation.Redact(message, [store]).ReplaceLineEndings(" ");
        return json ? Results.ToJson(w => w.WriteString("waiting", text)) : "opslog: waiting: " + text;
    }

    private static FileStream OpenFile(string file)
    {
        try
        {
            return new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, 0, FileOptions.SequentialScan);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
        {
            // The exception tells the text as a path, a URI's password included.
            if (StoreLocation.IsUri(file))
                throw new UsageException($"FILE is a file, not {JsonText.Printable(StoreLocation.Shown(file))}: STORE comes first, FILE behind it.");
            throw new UsageException($"cannot read {JsonText.Printable(file)}: {exception.Message}", exception);
        }
    }

    private void Summarize(ApplyTarget target, ApplyStore stores, TimeSpan elapsed, ParseResult arguments)
    {
        var seconds = Math.Max(elapsed.TotalSeconds, 1e-6);
        var rate = Math.Round(target.Operations / seconds);
        var isAgent = Agent(arguments) is not null;
        var text = Json(arguments)
            ? Results.ToJson(w =>
            {
                w.WriteNumber("operations", target.Operations);
                w.WriteNumber("nothingToDo", target.NothingToDo);
                w.WriteNumber("seconds", Math.Round(seconds, 3));
                w.WriteNumber("operationsPerSecond", rate);
                if (!isAgent) return;
                w.WriteNumber("fenced", stores.Fenced);
                w.WriteNumber("manifestConflicts", stores.ManifestConflicts);
            })
            : string.Create(CultureInfo.InvariantCulture,
                $"{target.Operations} operations in {seconds:0.000} s ({rate:0} operations/s), {target.NothingToDo} with nothing to do");
        if (isAgent && !Json(arguments) && stores.Fenced > 0) text += string.Create(CultureInfo.InvariantCulture, $", fenced {stores.Fenced} times");
        Streams.Error.WriteLine(text);
        Streams.Error.Flush();
    }
}
