using System.Globalization;

namespace OpsLog.Benchmarks;

/// <summary>How a run is made: the command line, read once.</summary>
internal sealed class Settings
{
    public const string Usage = """
        dotnet run -c Release --project benchmarks/OpsLog.Benchmarks -- SECTION... [--quick] [--rounds N] [--folder DIR]

        Sections: growth amplification folder open put get scan checkpoint undo memory agents refresh telemetry, or all.
        --quick       fewer operations and stores of at most 100k records: some minutes in all
        --rounds N    interleaved rounds; the median counts (default 5, with --quick 3)
        --folder DIR  where the stores are made and deleted again (default: the system's temporary folder); its disk is what is measured
        """;

    private Settings(bool quick, int rounds, string folder, IReadOnlyList<string> sections) =>
        (Quick, Rounds, Folder, Sections) = (quick, rounds, folder, sections);

    public bool Quick { get; }

    public int Rounds { get; }

    public string Folder { get; }

    public IReadOnlyList<string> Sections { get; }

    /// <summary>The records of the largest store.</summary>
    public int Most => Quick ? 100_000 : 1_000_000;

    /// <summary>The sizes of stores that are compared.</summary>
    public int[] Sizes => Quick ? [100_000] : [100_000, 1_000_000];

    public static Settings? TryRead(string[] arguments)
    {
        var quick = false;
        int? rounds = null;
        var folder = Path.GetTempPath();
        var sections = new List<string>();
        for (var i = 0; i < arguments.Length; i++)
        {
            switch (arguments[i])
            {
                case "--quick":
                    quick = true;
                    break;
                case "--rounds" when i + 1 < arguments.Length && int.TryParse(arguments[i + 1], CultureInfo.InvariantCulture, out var given) && given > 0:
                    (rounds, i) = (given, i + 1);
                    break;
                case "--folder" when i + 1 < arguments.Length:
                    folder = arguments[++i];
                    break;
                case var section when !section.StartsWith('-'):
                    sections.Add(section);
                    break;
                default:
                    return null;
            }
        }

        return sections.Count == 0 ? null : new Settings(quick, rounds ?? (quick ? 3 : 5), folder, sections);
    }
}
