using System.CommandLine;
using System.Text.Json;

namespace OpsLog.Cli.Verbs;

/// <summary><c>tail</c>: the newest operations, and with <c>--follow</c> those to come.</summary>
internal sealed class TailVerb : OpeningVerb
{
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(500);
    private readonly Option<int> _lines = NumberOption.Create("--lines", "How many operations to begin with.", 0, int.MaxValue, 10, "-n");
    private readonly Option<bool> _follow = new("--follow", "-f") { Description = "Go on with operations as they are written, until Ctrl-C." };

    public TailVerb(CliStreams streams)
        : base("tail", "Prints the newest operations, in the form of log.", streams)
    {
        Add(_lines);
        Add(_follow);
    }

    protected override async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        var count = arguments.GetValue(_lines);
        await using var opened = await OpenReadOnlyAsync(arguments, cancellationToken).ConfigureAwait(false);
        using var results = new Results(Streams, Json(arguments));
        var newest = new Queue<Operation<JsonElement>>();
        var position = FeedPosition.Start;
        await foreach (var operation in opened.Store.OperationsAsync(cancellationToken: cancellationToken).ConfigureAwait(false))
        {
            position = operation.Position;
            newest.Enqueue(operation);
            if (newest.Count > count) newest.Dequeue();
        }

        foreach (var operation in newest) OperationLines.Write(results, operation);
        results.Flush();
        if (!arguments.GetValue(_follow)) return ExitCode.Done;

        await FollowAsync(opened.Store, position, results, cancellationToken).ConfigureAwait(false);
        return ExitCode.Done;
    }

    /// <summary>Ends when it is stopped, or when nobody reads any more: also where nothing comes that could be printed.</summary>
    private async Task FollowAsync(OpsStore<JsonElement> store, FeedPosition position, Results results, CancellationToken cancellationToken)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await using var looking = new Timer(_ =>
        {
            if (Streams.IsReaderGone) end.Cancel();
        }, null, s_look, s_look);
        try
        {
            await foreach (var change in store.WatchAsync(position, end.Token).ConfigureAwait(false))
            {
                OperationLines.Write(results, change);
                results.Flush();
            }
        }
        catch (OperationCanceledException) when (end.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new ReaderGoneException();
        }
    }
}
