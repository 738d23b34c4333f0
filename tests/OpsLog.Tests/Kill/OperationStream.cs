using System.Globalization;
using OpsLog.Tests.Corpus;

namespace OpsLog.Tests.Kill;

/// <summary>
/// A seeded stream of input lines for <c>apply</c>, and the state behind each. Every document holds the number of the line that wrote it, so
/// that a state tells which lines it is made of; lines can be applied again without harm.
/// </summary>
internal sealed class OperationStream
{
    private readonly List<string> _lines = [];
    private readonly List<(string Id, double? Value)[]> _changes = [];

    public OperationStream(int seed, int count)
    {
        var random = new Random(seed);
        for (var line = 1; line <= count; line++)
        {
            var kind = random.Next(100);
            var ids = Enumerable.Range(0, kind < 70 ? 1 : random.Next(2, 12)).Select(_ => $"key-{random.Next(60)}").Distinct(StringComparer.Ordinal).ToList();
            if (kind == 99) Add("""{"op":"compact"}""", []);
            else if (kind is >= 60 and < 70) Add(Delete(ids[0]), [(ids[0], null)]);
            else AddSets(line, [.. ids], isBatch: kind >= 70, padding: random.Next(kind == 98 ? 20_000 : 200));
        }
    }

    public int Count => _lines.Count;

    /// <summary>The lines behind a number of them, as a file's text.</summary>
    public string Remainder(int applied) => string.Concat(_lines.Skip(applied).Select(line => line + "\n"));

    /// <summary>
    /// The number of lines whose state this is, at least <paramref name="atLeast"/>; null if it is the state behind no whole number of
    /// lines, as it would be with an acknowledged line missing or with half a batch.
    /// </summary>
    public int? LinesIn(Dictionary<string, object?> state, int atLeast)
    {
        var written = state.ToDictionary(r => r.Key, r => (double)JsonTree.Object(r.Value)["line"]!, StringComparer.Ordinal);
        var model = new Dictionary<string, double>(StringComparer.Ordinal);
        for (var line = 0; line <= Count; line++)
        {
            if (line > 0) Apply(model, _changes[line - 1]);
            if (line >= atLeast && model.Count == written.Count && model.All(r => written.TryGetValue(r.Key, out var n) && n == r.Value)) return line;
        }

        return null;
    }

    private static void Apply(Dictionary<string, double> model, (string Id, double? Value)[] changes)
    {
        foreach (var (id, value) in changes)
        {
            if (value is { } number) model[id] = number;
            else model.Remove(id);
        }
    }

    private void AddSets(int line, string[] ids, bool isBatch, int padding)
    {
        var sets = ids.Select(id => string.Create(
            CultureInfo.InvariantCulture, $"{{\"op\":\"set\",\"id\":\"{id}\",\"data\":{{\"line\":{line},\"padding\":\"{new string('p', padding)}\"}}}}"));
        Add(isBatch ? $"{{\"op\":\"batch\",\"ops\":[{string.Join(',', sets)}]}}" : sets.First(), [.. ids.Select(id => (id, (double?)line))]);
    }

    private static string Delete(string id) => $"{{\"op\":\"delete\",\"id\":\"{id}\"}}";

    private void Add(string line, (string Id, double? Value)[] changes)
    {
        _lines.Add(line);
        _changes.Add(changes);
    }
}
