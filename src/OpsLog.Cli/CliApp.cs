using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using OpsLog.Cli.Verbs;

namespace OpsLog.Cli;

/// <summary>The tool as a function: arguments and streams in, exit code out. Nothing it throws gets past it.</summary>
internal static class CliApp
{
    /// <summary>Runs one command line over given streams, as if nobody were looking.</summary>
    public static Task<int> RunAsync(string[] args, Stream input, Stream output, TextWriter error, CancellationToken cancellationToken) =>
        RunAsync(args, new CliStreams(input, output, error), cancellationToken);

    /// <summary>Runs one command line.</summary>
    public static async Task<int> RunAsync(string[] args, CliStreams streams, CancellationToken cancellationToken)
    {
        // Ids may begin with '@' and may look like bundled options: both conveniences are off.
        var configuration = new ParserConfiguration { EnablePosixBundling = false, ResponseFileTokenReplacer = null };
        var parsed = CreateRoot(streams).Parse(args, configuration);
        var json = AsksForJson(parsed, args);
        if (parsed.Action is ParseErrorAction)
            return ErrorReport.Write(streams.Error, json, new UsageException(string.Join(" ", parsed.Errors.Select(e => e.Message).Distinct(StringComparer.Ordinal))), null, args);

        using var plainOutput = new StreamWriter(streams.Output, leaveOpen: true) { AutoFlush = true };
        var invocation = new InvocationConfiguration
        {
            EnableDefaultExceptionHandler = false,
            ProcessTerminationTimeout = null, // Program.cs turns signals into the token
            Output = plainOutput,
            Error = streams.Error,
        };
        try
        {
            return await parsed.InvokeAsync(invocation, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            return ErrorReport.Write(streams.Error, json, exception, (parsed.CommandResult.Command as Verb)?.OnDamage, args);
        }
    }

    private static bool AsksForJson(ParseResult parsed, string[] args) => parsed.CommandResult.Command is Verb verb
        ? verb.AsksForJson(parsed)
        : args.Any(a => a is Verb.JsonName or Verb.JsonName + "=true" or Verb.JsonName + ":true"); // no verb to ask

    private static Command CreateRoot(CliStreams streams)
    {
        // No RootCommand: that one is called as the file it runs from, whatever the tool is called.
        var root = new Command("opslog", "OpsLog: an embedded, event-sourced document store. STORE is a folder or a URI: s3://bucket/prefix, azblob://container/prefix, postgres://host/db?store=name.");
        root.Add(new HelpOption { Action = new VerbsHelp(root) });
        root.Add(new VersionOption());
        root.Add(new ApplyVerb(streams));
        root.Add(new ExportVerb(streams));
        root.Add(new LogVerb(streams));
        root.Add(new GetVerb(streams));
        root.Add(new SetVerb(streams));
        root.Add(new RmVerb(streams));
        root.Add(new LsVerb(streams));
        root.Add(UndoVerbs.Undo(streams));
        root.Add(UndoVerbs.Redo(streams));
        root.Add(new CompactVerb(streams));
        root.Add(new ArchiveVerb(streams));
        root.Add(new ArchivesVerb(streams));
        root.Add(new AgentsVerb(streams));
        root.Add(new StatsVerb(streams));
        root.Add(new TailVerb(streams));
        root.Add(new BackupVerb(streams));
        root.Add(new RestoreVerb(streams));
        root.Add(new CopyVerb(streams));
        root.Add(new VerifyVerb(streams));
        root.Add(new RepairVerb(streams));
        return root;
    }
}
