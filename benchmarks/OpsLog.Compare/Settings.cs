using System.Globalization;

namespace OpsLog.Compare;

/// <summary>How a run is made: the command line, read once.</summary>
internal sealed class Settings
{
    public const string Usage = """
        dotnet run -c Release --project benchmarks/OpsLog.Compare -- [--quick] [--only W1,W5] [--peers OpsLog,SQLite] [--rounds N] [--folder DIR] [--json FILE] [--from FILE,…] [--docs DIR]
        dotnet run -c Release --project benchmarks/OpsLog.Compare -- growth [--most 10000000] [--rounds N] [--folder DIR] [--json FILE]
        dotnet run -c Release --project benchmarks/OpsLog.Compare -- guard BASE [NEW] [--only W1,W5] [--title WORDS] [--rounds N] [--folder DIR]
        dotnet run -c Release --project benchmarks/OpsLog.Compare -- loop --only W3 [--title WORDS] [--records N] [--seconds N] [--folder DIR]

        --quick       fewer operations and stores of at most 50k records: 3 minutes in all, instead of 40
        --only LIST   these workloads only: W1 to W13, W3b, W7k, race
        --peers LIST  these peers only, beside the limit
        --rounds N    interleaved rounds at most, as many as there is time for; the median counts (default 3)
        --minutes N   how long the whole run may take (default 180, of which it takes some 40; with --quick 2.7); each table gets one round however long that takes
        --folder DIR  where stores are made and deleted again (default: the system's temporary folder); its disk is what is measured
        --json FILE   where all figures go, after each table (default: a file in the temporary folder, named on standard error)
        --from FILES  measures nothing: takes the figures of an earlier run, and of workloads that later ones have, those
        --docs DIR    writes the tables and plots into DIR/performance.md, between its markers, and DIR/images

        Each workload runs in a process of its own. One that crashes or hangs loses its table; it is tried once more without the peer that was measured.

        growth measures OpsLog alone, at 1k records, 10k and so on: put, get, undo, checkpoint and refresh for each operation.

        guard compares OpsLog in two builds, each a git revision or a folder with an OpsLog.dll (NEW by default: the one of this program), and
        ends with exit code 1 if a ratio is more than 20 % worse.

        loop repeats guard's jobs, with --records as many as given, for --seconds (default 20) each, for a profiler to look at. --title takes only those
        whose title has the given words.
        """;

    private HashSet<string>? _workloads;
    private HashSet<string>? _peers;
    private readonly HashSet<string> _without = [];

    public bool Quick { get; private set; }

    /// <summary>OpsLog's own costs at growing sizes are measured instead.</summary>
    public bool Growth { get; private set; }

    /// <summary>The largest store of that.</summary>
    public int MostGrowth { get; private set; } = 10_000_000;

    /// <summary>OpsLog's jobs are repeated for a profiler instead.</summary>
    public bool Loop { get; private set; }

    /// <summary>The records of those; null: as many as each job has.</summary>
    public int? LoopRecords { get; private set; }

    /// <summary>Words in the title of the jobs that are compared or repeated.</summary>
    public string Title { get; private set; } = "";

    public double LoopSeconds { get; private set; } = 20;

    public int Rounds { get; private set; } = 3;

    /// <summary>How long the whole run may take, in minutes.</summary>
    public double Minutes { get; private set; }

    /// <summary>Set in a process that measures one workload for another one: where it finds and leaves stores.</summary>
    public string? Inside { get; private set; }

    /// <summary>There: how long one table may take, in seconds, before no further round is begun.</summary>
    public double Patience { get; private set; } = double.MaxValue;

    public string Folder { get; private set; } = Path.GetTempPath();

    public string? JsonFile { get; private set; }

    public string? From { get; private set; }

    public string? Docs { get; private set; }

    /// <summary>The two builds to compare; empty: the peers are compared.</summary>
    public List<string> Builds { get; } = [];

    /// <summary>The command line as it was given.</summary>
    public string CommandLine { get; private set; } = "";

    /// <summary>The records of the largest store.</summary>
    public int Most => Quick ? 50_000 : 1_000_000;

    /// <summary>The sizes of stores that are compared.</summary>
    public int[] Sizes => Quick ? [50_000] : [100_000, 1_000_000];

    /// <summary>How long one figure may take.</summary>
    public double Seconds => Quick ? 0.2 : 1;

    public bool Wants(string workload) => _workloads?.Contains(workload) ?? true;

    public bool WantsPeer(string name) => !_without.Contains(name) && (name == "limit" || (_peers?.Any(peer => name.StartsWith(peer, StringComparison.OrdinalIgnoreCase)) ?? true));

    /// <summary>The command line of a process that measures one workload.</summary>
    public IEnumerable<string> ForWorkload(string workload, string inside, string results, double patience, IEnumerable<string> without) =>
    [
        "--only", workload, "--rounds", Rounds.ToString(CultureInfo.InvariantCulture), "--inside", inside, "--json", results,
        "--patience", patience.ToString(CultureInfo.InvariantCulture),
        .. Quick ? ["--quick"] : Array.Empty<string>(),
        .. _peers is null ? [] : new[] { "--peers", string.Join(',', _peers) },
        .. _without.Concat(without).SelectMany(peer => new[] { "--without", peer }),
    ];

    public static Settings? TryRead(string[] arguments)
    {
        var settings = new Settings { CommandLine = string.Join(' ', arguments) };
        var guard = arguments is ["guard", ..];
        settings.Growth = arguments is ["growth", ..];
        settings.Loop = arguments is ["loop", ..];
        double? minutes = null;
        for (var i = guard || settings.Growth || settings.Loop ? 1 : 0; i < arguments.Length; i++)
        {
            var value = i + 1 < arguments.Length ? arguments[i + 1] : null;
            switch (arguments[i])
            {
                case "--quick":
                    settings.Quick = true;
                    continue;
                case "--only" when value is not null:
                    settings._workloads = value.Split(',').ToHashSet(StringComparer.OrdinalIgnoreCase);
                    break;
                case "--peers" when value is not null:
                    settings._peers = value.Split(',').ToHashSet(StringComparer.OrdinalIgnoreCase);
                    break;
                case "--rounds" when int.TryParse(value, CultureInfo.InvariantCulture, out var given) && given > 0:
                    settings.Rounds = given;
                    break;
                case "--minutes" when double.TryParse(value, CultureInfo.InvariantCulture, out var given) && given > 0:
                    minutes = given;
                    break;
                case "--most" when int.TryParse(value, CultureInfo.InvariantCulture, out var given) && given > 0:
                    settings.MostGrowth = given;
                    break;
                case "--records" when int.TryParse(value, CultureInfo.InvariantCulture, out var given) && given > 0:
                    settings.LoopRecords = given;
                    break;
                case "--title" when value is not null:
                    settings.Title = value;
                    break;
                case "--seconds" when double.TryParse(value, CultureInfo.InvariantCulture, out var given) && given > 0:
                    settings.LoopSeconds = given;
                    break;
                case "--inside" when value is not null:
                    settings.Inside = value;
                    break;
                case "--patience" when double.TryParse(value, CultureInfo.InvariantCulture, out var given):
                    settings.Patience = given;
                    break;
                case "--without" when value is not null:
                    settings._without.Add(value);
                    break;
                case "--folder" when value is not null:
                    settings.Folder = value;
                    break;
                case "--json" when value is not null:
                    settings.JsonFile = value;
                    break;
                case "--from" when value is not null:
                    settings.From = value;
                    break;
                case "--docs" when value is not null:
                    settings.Docs = value;
                    break;
                case var build when guard && !build.StartsWith('-') && settings.Builds.Count < 2:
                    settings.Builds.Add(build);
                    continue;
                default:
                    return null;
            }

            i++;
        }

        settings.Minutes = minutes ?? (settings.Quick ? 2.7 : 180);
        return guard && settings.Builds.Count == 0 ? null : settings;
    }
}
