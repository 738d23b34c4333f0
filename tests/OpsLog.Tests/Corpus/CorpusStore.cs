using System.Formats.Tar;
using System.IO.Compression;
using System.Text.Json.Nodes;

namespace OpsLog.Tests.Corpus;

/// <summary>One store of the corpus: the bytes the npm package left, and what the package reports when it reopens them (README.md).</summary>
internal sealed class CorpusStore
{
    private static readonly Lazy<SortedDictionary<string, CorpusStore>> s_all = new(Load);

    private CorpusStore(string name, IReadOnlyDictionary<string, byte[]> files, Dictionary<string, object?> expected) =>
        (Name, Files, Expected) = (name, files, expected);

    public string Name { get; }

    /// <summary>The files of the store directory, by relative path.</summary>
    public IReadOnlyDictionary<string, byte[]> Files { get; }

    /// <summary>The package's report.</summary>
    public Dictionary<string, object?> Expected { get; }

    public static IEnumerable<CorpusStore> All => s_all.Value.Values;

    public bool IsMultiWriter => (string)Expected["mode"]! == "multi";

    /// <summary>Whether the package opens it at all.</summary>
    public bool Opens => (bool)Expected["opens"]!;

    public Dictionary<string, object?> State => JsonTree.Object(Expanded("state"));

    /// <summary>The state that every acknowledged change gives, where the package's own answer lacks some.</summary>
    public Dictionary<string, object?>? CorrectState => Expected.ContainsKey("correctState") ? JsonTree.Object(Expanded("correctState")) : null;

    public Dictionary<string, object?> Archives => JsonTree.Object(Expanded("archive"));

    public static CorpusStore Get(string name) => s_all.Value[name];

    /// <summary>Writes the store's files to a directory.</summary>
    public void CopyTo(string directory)
    {
        foreach (var (path, bytes) in Files)
        {
            var target = Path.Combine(directory, path);
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.WriteAllBytes(target, bytes);
        }
    }

    /// <summary>The options with which the report was made.</summary>
    public OpsStoreOptions Options(Recovery recovery = Recovery.TolerateTornTail)
    {
        var given = JsonTree.Object(Expected["openOptions"]);
        var options = new OpsStoreOptions { Recovery = recovery, Durability = Durability.Os };
        if (given.TryGetValue("version", out var version)) options.SchemaVersion = (int)(double)version!;
        if (Migration is { } migrate) options.Migrate = (document, _) => Migrated(document, migrate);
        return options;
    }

    /// <summary>
    /// The states a reader may show: the package's, or the correct one. Where a migration is pending, every record must have it, those of
    /// the log included (the package migrates those of its snapshot only).
    /// </summary>
    public IEnumerable<Dictionary<string, object?>> AllowedStates()
    {
        yield return WithMigration(State);
        if (CorrectState is { } correct) yield return WithMigration(correct);
    }

    /// <summary>The migration as the store's options describe it, or null.</summary>
    private Dictionary<string, object?>? Migration =>
        JsonTree.Object(Expected["openOptions"]).TryGetValue("migrate", out var migrate) ? JsonTree.Object(migrate) : null;

    private Dictionary<string, object?> WithMigration(Dictionary<string, object?> state) => Migration is null
        ? state
        : state.ToDictionary(record => record.Key, record => WithMigration(record.Value), StringComparer.Ordinal);

    /// <summary>One value as the migration leaves it; as it is where there is none.</summary>
    public object? WithMigration(object? value)
    {
        if (Migration is not { } migrate || value is not Dictionary<string, object?>) return value;
        return JsonTree.Parse(Migrated(JsonNode.Parse(JsonTree.Write(value)), migrate)!.ToJsonString());
    }

    private static JsonNode? Migrated(JsonNode? document, Dictionary<string, object?> migrate)
    {
        if (document is not JsonObject o) return document;
        if ((string)migrate["kind"]! == "addField")
        {
            o[(string)migrate["field"]!] = JsonNode.Parse(JsonTree.Write(migrate["value"]));
        }
        else if (o.Remove((string)migrate["from"]!, out var moved))
        {
            o[(string)migrate["to"]!] = moved;
        }

        return o;
    }

    private object? Expanded(string member) =>
        Expected.TryGetValue("stateHasRepeat", out var repeat) && repeat is true ? JsonTree.ExpandRepeats(Expected[member]) : Expected[member];

    private static SortedDictionary<string, CorpusStore> Load()
    {
        var files = new SortedDictionary<string, Dictionary<string, byte[]>>(StringComparer.Ordinal);
        using var file = File.OpenRead(Path.Combine(AppContext.BaseDirectory, "Corpus", "stores.tar.gz"));
        using var unzipped = new GZipStream(file, CompressionMode.Decompress);
        using var archive = new TarReader(unzipped);
        while (archive.GetNextEntry() is { } entry)
        {
            if (entry.EntryType is not (TarEntryType.RegularFile or TarEntryType.V7RegularFile)) continue;
            var slash = entry.Name.IndexOf('/', StringComparison.Ordinal);
            using var content = new MemoryStream();
            entry.DataStream?.CopyTo(content);
            var name = entry.Name[..slash];
            if (!files.TryGetValue(name, out var store)) files.Add(name, store = new Dictionary<string, byte[]>(StringComparer.Ordinal));
            store.Add(entry.Name[(slash + 1)..], content.ToArray());
        }

        var result = new SortedDictionary<string, CorpusStore>(StringComparer.Ordinal);
        foreach (var (name, all) in files)
        {
            var inside = all.Where(f => f.Key.StartsWith("store/", StringComparison.Ordinal))
                .ToDictionary(f => f.Key["store/".Length..], f => f.Value, StringComparer.Ordinal);
            result.Add(name, new CorpusStore(name, inside, JsonTree.Object(JsonTree.Parse(all["expected.json"]))));
        }

        return result;
    }
}
