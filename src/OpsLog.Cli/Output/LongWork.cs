using Spectre.Console;

namespace OpsLog.Cli;

/// <summary>Shows progress of long work on standard error while it runs, if a terminal is there to show it.</summary>
internal static class LongWork
{
    /// <summary>Runs the work with something to report to; <see langword="null"/> where nobody looks.</summary>
    public static async Task<TResult> RunAsync<TResult>(CliStreams streams, bool json, Func<IProgress<StoreProgress>?, Task<TResult>> work)
    {
        if (streams.ErrorTerminal is not { } terminal || json) return await work(null).ConfigureAwait(false);
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(terminal) });
        return await console.Progress().AutoClear(true)
            .StartAsync(context => work(new Bars(context))).ConfigureAwait(false);
    }

    /// <summary>A bar for each stage of the work, in the order they begin.</summary>
    private sealed class Bars(ProgressContext context) : IProgress<StoreProgress>
    {
        private readonly Lock _lock = new();
        private readonly Dictionary<string, ProgressTask> _tasks = new(StringComparer.Ordinal);

        public void Report(StoreProgress value)
        {
            lock (_lock)
            {
                if (!_tasks.TryGetValue(value.Stage, out var task))
                    _tasks.Add(value.Stage, task = context.AddTask(Markup.Escape(value.Stage)));
                task.MaxValue = Math.Max(1, value.Total);
                task.Value = Math.Min(value.Done, value.Total);
            }
        }
    }
}
