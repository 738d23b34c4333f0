using System.Diagnostics;
using OpsLog.Compare.Peers;

namespace OpsLog.Compare;

/// <summary>One row: a peer's figures, one a round.</summary>
/// <param name="Name">The peer, or the way.</param>
/// <param name="Mode">How it keeps the promise.</param>
internal sealed record Row(string Name, string Mode)
{
    public List<double> Figures { get; init; } = [];

    /// <summary>Its figures over those of the row it is compared to, each of the same round.</summary>
    public List<double> Ratios { get; init; } = [];

    /// <summary>What was measured beside the figure: medians by name.</summary>
    public Dictionary<string, double> More { get; init; } = [];

    /// <summary>Why there are no figures, if there are none.</summary>
    public string? Failure { get; set; }
}

/// <summary>A table of the report.</summary>
/// <param name="Workload">The name in the table of targets: W1 to W13.</param>
/// <param name="Title">What is done.</param>
/// <param name="Unit">Of the figures.</param>
/// <param name="Note">What to know when reading it.</param>
internal sealed record Result(string Workload, string Title, string Unit, string Note)
{
    public List<Row> Rows { get; init; } = [];
}

/// <summary>
/// Ways to do the same, measured in turn, round after round, so that what else the machine does hits all of them alike. The first round is
/// not counted: it warms up. Ratios are taken within a round.
/// </summary>
internal sealed class Comparison(string workload, string title, string unit, string note = "")
{
    private readonly List<(Row Row, int Base, Func<Task<Outcome>> Measure, List<Outcome> Outcomes)> _ways = [];

    /// <summary>Adds a way.</summary>
    /// <param name="name">The peer, or the way.</param>
    /// <param name="mode">How it keeps the promise.</param>
    /// <param name="measure">Gives one figure.</param>
    /// <param name="comparedTo">The row its ratio is to; the first by default.</param>
    /// <returns>The row's number.</returns>
    public int Add(string name, string mode, Func<Task<Outcome>> measure, int comparedTo = 0)
    {
        _ways.Add((new Row(name, mode), comparedTo, measure, []));
        return _ways.Count - 1;
    }

    /// <param name="rounds">How many rounds at most; one at least.</param>
    /// <param name="warmUp">A round that is not counted comes first.</param>
    /// <param name="patience">A round that would end after so many seconds is not begun.</param>
    /// <param name="beginning">Told of each figure before it is measured.</param>
    public async Task<Result> RunAsync(int rounds, bool warmUp = true, double patience = double.MaxValue, Action<string>? beginning = null)
    {
        var (begun, lasted, counted) = (Stopwatch.GetTimestamp(), 0.0, 0);
        for (var round = warmUp ? -1 : 0; round < rounds; round++)
        {
            var start = Stopwatch.GetTimestamp();
            if (round > 0 && Stopwatch.GetElapsedTime(begun).TotalSeconds + lasted > patience) break;
            foreach (var way in _ways.Where(w => w.Row.Failure is null))
            {
                beginning?.Invoke(way.Row.Name);
                GC.Collect();
                GC.WaitForPendingFinalizers();
                try
                {
                    var outcome = await way.Measure();
                    Console.Error.WriteLine($"{workload} {(round < 0 ? "warm-up" : $"round {round + 1}")}, {way.Row.Name} {way.Row.Mode}: {Figures.Text(outcome.Figure)} {unit}");
                    if (round >= 0) way.Outcomes.Add(outcome);
                }
                catch (Exception e)
                {
                    // A peer that cannot do it is a row of the report, not the end of the run.
                    way.Row.Failure = e.Message.Split('\n')[0];
                    Console.Error.WriteLine($"{workload}, {way.Row.Name}: {e}");
                }
            }

            counted = round + 1;
            lasted = Stopwatch.GetElapsedTime(start).TotalSeconds;
        }

        return ToResult(counted < rounds ? $"{note} {(counted == 1 ? "One round" : $"{counted} rounds")} for want of time.".TrimStart() : note);
    }

    private Result ToResult(string remark)
    {
        var result = new Result(workload, title, unit, remark);
        foreach (var (row, comparedTo, _, outcomes) in _ways)
        {
            result.Rows.Add(row);
            if (row.Failure is not null) continue;
            row.Figures.AddRange(outcomes.Select(o => o.Figure));
            if (comparedTo >= 0 && _ways[comparedTo].Row.Failure is null)
                row.Ratios.AddRange(outcomes.Select((o, i) => o.Figure / _ways[comparedTo].Outcomes[i].Figure));
            foreach (var name in outcomes.SelectMany(o => o.More.Keys).Distinct())
                row.More[name] = Figures.Median(outcomes.Where(o => o.More.ContainsKey(name)).Select(o => o.More[name]));
        }

        return result;
    }
}
