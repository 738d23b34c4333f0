using System.Globalization;
using System.Text;
using OpsLog.Tests.Corpus;

namespace OpsLog.Interop;

/// <summary>Random programs for both sides. The same seed gives the same program, whatever the number of the run.</summary>
internal sealed class ProgramGenerator(int seed)
{
    private static readonly string[] s_plainIds =
    [
        "task-0", "task-1", "task-2", "10", "9", "2", "__proto__", "constructor", "toString", "a b", "../up", "CON", "A", "a",
        "q\"b\\s", "tab\t", "line\nbreak",
    ];

    private static readonly string[] s_otherIds =
    [
        "ключ", "🐎", "\u00e9", "e\u0301", "日本語", "\u2028", "\u0001", "nul\0nul", "\u00a0", "ſ", new('x', 300), "😀" + new string('y', 120),
    ];

    private static readonly string[] s_numbers =
    [
        "0", "-0", "1", "-1", "1.50", "0.1", "1e21", "1E-7", "123456789012345678", "9007199254740993", "-2.5e-10",
        "1000000000000000000000",
    ];

    private static readonly string[] s_texts =
    [
        "", "text", "žluťoučký kůň", "🐎🐎", "\u2028\u2029", "\"quoted\"", "back\\slash", "\b\f\n\r\t\u0001", "</script>",
        ",\"clock\":1}", ",\"crc\":\"00000000\"}", "#",
    ];

    private static readonly string[] s_names =
    [
        "title", "n", "done", "nested", "list", "__proto__", "constructor", "10", "2", "ключ", "records", "clock", "$set", "crc",
        "", "a.b",
    ];

    private readonly Random _random = new(seed);

    /// <summary>Whether everything is ASCII: the package's undo cuts its log in the wrong place otherwise.</summary>
    public bool IsPlain { get; } = seed % 3 == 0;

    public bool Chance(int percent) => _random.Next(100) < percent;

    public int Next(int from, int to) => _random.Next(from, to);

    /// <summary>A program for the library.</summary>
    public List<Step> Ours(int count) => Make(count, MakeOurs);

    /// <summary>A program for the package, with as many undos at most as it has written operations of its own since it last compacted.</summary>
    public List<Step> Theirs(int count)
    {
        var undoable = 0;
        return Make(count, () =>
        {
            var step = MakeTheirs(undoable);
            undoable = step.Op switch
            {
                "set" => undoable + 1,
                "undo" => undoable - 1,
                "compact" or "archive" => 0,
                _ => undoable,
            };
            return step;
        });
    }

    private static List<Step> Make(int count, Func<Step> make) => Enumerable.Range(0, count).Select(_ => make()).ToList();

    private Step MakeOurs() => _random.Next(100) switch
    {
        < 50 => Set(),
        < 62 => Delete(),
        < 74 => Batch(),
        < 84 => new Step("undo"),
        < 90 => new Step("redo"),
        < 95 => new Step("compact"),
        _ => Archive(["2024", "2026-Q4", IsPlain ? "a period/of two" : "období 🐎"]),
    };

    private Step MakeTheirs(int undoable) => _random.Next(100) switch
    {
        < 60 => Set(),
        < 75 => Delete(),
        < 85 => Batch(),
        < 90 when IsPlain && undoable > 0 => new Step("undo"),
        < 93 => new Step("compact"),
        < 96 => Archive(["2024", "2025"]),
        _ => Set(),
    };

    private Step Set() => new("set") { Id = Id(), Data = Document() };

    private Step Delete() => new("delete") { Id = Id() };

    private Step Batch() => new("batch") { Ops = Make(_random.Next(1, 6), () => Chance(75) ? Set() : Delete()) };

    private Step Archive(string[] segments) =>
        new("archive") { Ids = Enumerable.Range(0, 4).Select(_ => Id()).Distinct(StringComparer.Ordinal).ToList(), Segment = Pick(segments) };

    private string Id() => IsPlain || Chance(60) ? Pick(s_plainIds) : Pick(s_otherIds);

    private string Document()
    {
        if (Chance(1)) return $"{{\"big\":\"{new string('b', _random.Next(70_000, 1_200_000))}\"}}";
        var builder = new StringBuilder();
        WriteObject(builder, 0, _random.Next(0, 9));
        return builder.ToString();
    }

    private void WriteObject(StringBuilder builder, int depth, int members)
    {
        var names = s_names.Where(n => !IsPlain || Ascii.IsValid(n)).OrderBy(_ => _random.Next()).Take(members).ToList();
        builder.Append('{').Append(Space());
        for (var i = 0; i < names.Count; i++)
        {
            if (i > 0) builder.Append(',').Append(Space());
            builder.Append(JsonTree.Quote(names[i])).Append(Space()).Append(':').Append(Space());
            WriteValue(builder, depth + 1);
        }

        builder.Append('}');
    }

    private void WriteValue(StringBuilder builder, int depth)
    {
        switch (_random.Next(depth > 5 ? 6 : 9))
        {
            case 0:
                builder.Append(Pick(["true", "false", "null"]));
                break;
            case 1 or 2:
                builder.Append(Pick(s_numbers));
                break;
            case 3:
                builder.Append(_random.Next().ToString(CultureInfo.InvariantCulture));
                break;
            case 4 or 5:
                WriteText(builder);
                break;
            case 6:
                builder.Append('[');
                for (var i = _random.Next(4); i > 0; i--)
                {
                    WriteValue(builder, depth + 1);
                    builder.Append(i > 1 ? "," : "");
                }

                builder.Append(']');
                break;
            default:
                WriteObject(builder, depth, _random.Next(4));
                break;
        }
    }

    /// <summary>A string, escaped or raw: both must come back as the same text.</summary>
    private void WriteText(StringBuilder builder)
    {
        var text = Pick(s_texts);
        if (IsPlain && !Ascii.IsValid(text)) text = "plain";
        if (!IsPlain && Chance(3)) builder.Append("\"lone \\ud83d surrogate\"");
        else if (IsPlain || Chance(50) || text.Any(c => c < ' ' || c is '"' or '\\')) builder.Append(JsonTree.Quote(text));
        else builder.Append('"').Append(text).Append('"');
    }

    private string Space() => Chance(8) ? " " : "";

    private string Pick(string[] from) => from[_random.Next(from.Length)];
}
