using System.Globalization;

namespace OpsLog.Compare;

/// <summary>How a run is made: the command line, read once.</summary>
internal sealed class Settings
{
    public const string Usage = """
        dotnet run -c Release --project benchmarks/OpsLog.Compare -- [--quick] [--only W1,W5] [--peers OpsLog,SQLite] [--rounds N] [--folder DIR] [--json FILE] [--from FILE] [--docs DIR]
        dotnet run -c Release --project benchmarks/OpsLog.Compare -- guard BASE [NEW] [--only W1,W5] [--rounds N] [--folder DIR]

        --quick       fewer operations and stores of at most 100k records: 3 minutes in all
        --only LIST   these workloads only: W1 to W13, W3b, W7k, race
        --peers LIST  these peers only, beside the limit
        --rounds N    interleaved rounds; the median counts (default 5, with --quick 3)
        --folder DIR  where stores are made and deleted again (default: the system's temporary folder); its disk is what is measured
        --json FILE   writes all figures there
        --from FILE   measures nothing: takes the figures of an earlier run
        --docs DIR    writes the tables and plots into DIR/performance.md, between its markers, and DIR/images

        guard compares OpsLog in two builds, each a git revision or a folder with an OpsLog.dll (NEW by default: the one of this program), and
        ends with exit code 1 if a ratio is more than 20 % worse.
        """;

    private HashSet<string>? _workloads;
    private HashSet<string>? _peers;

    public bool Quick { get; private set; }

    public int Rounds { get; private set; }

    public string Folder { get; private set; } = Path.GetTempPath();

    public string? JsonFile { get; private set; }

    public string? From { get; private set; }

    public string? Docs { get; private set; }

    /// <summary>The two builds to compare; empty: the peers are compared.</summary>
    public List<string> Builds { get; } = [];

    /// <summary>The command line as it was given.</summary>
    public string CommandLine { get; private set; } = "";

    /// <summary>The records of the largest store.</summary>
    public int Most => Quick ? 100_000 : 1_000_000;

    /// <summary>The sizes of stores that are compared.</summary>
    public int[] Sizes => Quick ? [100_000] : [100_000, 1_000_000];

    /// <summary>How long one figure may take.</summary>
    public double Seconds => Quick ? 0.25 : 1.5;

    public bool Wants(string workload) => _workloads?.Contains(workload) ?? true;

    public bool WantsPeer(string name) => name == "limit" || (_peers?.Any(peer => name.StartsWith(peer, StringComparison.OrdinalIgnoreCase)) ?? true);

    public static Settings? TryRead(string[] arguments)
    {
        var settings = new Settings { CommandLine = string.Join(' ', arguments) };
        var guard = arguments is ["guard", ..];
        int? rounds = null;
        for (var i = guard ? 1 : 0; i < arguments.Length; i++)
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
                    rounds = given;
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

        settings.Rounds = rounds ?? (settings.Quick ? 3 : 5);
        return guard && settings.Builds.Count == 0 ? null : settings;
    }
}
