using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace OpsLog.Documents;

/// <summary>The document of all measurements: eight members, about 240 bytes of JSON.</summary>
internal sealed record Item(
    string Title, string Status, string Owner, string Team, int Priority, string Updated, string[] Labels, string Note);

/// <summary>What matters of a line of a snapshot.</summary>
internal sealed record SnapshotLine(string Id, Item Data);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(Item))]
[JsonSerializable(typeof(SnapshotLine))]
internal sealed partial class ItemJson : JsonSerializerContext;

/// <summary>Ids and documents, the same in every run. Made before any timer starts: making them costs as much as a put in a batch.</summary>
internal static class Items
{
    private static readonly string[] s_statuses = ["open", "active", "blocked", "review", "done"];

    private static readonly string[] s_words =
        ["parser", "storage", "checkpoint", "window", "index", "retry", "header", "stream", "worker", "report", "filter", "schema"];

    /// <summary>Eleven ASCII characters, in an order that is not the order of the numbers' hashes.</summary>
    public static string Id(int number) => string.Create(CultureInfo.InvariantCulture, $"task-{number:x6}");

    public static string LongId(int number) => string.Create(CultureInfo.InvariantCulture, $"tenants/0042/tasks/{number:x8}");

    public static string[] Ids(int count, int first = 0) => [.. Enumerable.Range(first, count).Select(Id)];

    /// <summary>A document; the variant changes the members that an edit of a task changes.</summary>
    public static Item Make(int number, int variant = 0)
    {
        var random = new Random(number);
        var second = string.Create(CultureInfo.InvariantCulture, $"2026-{1 + (variant % 12):00}-{1 + (number % 28):00}T{number % 24:00}:{variant % 60:00}:{number % 60:00}Z");
        return new Item(
            $"{Word(random)} {Word(random)} fails after {Word(random)} #{number}",
            s_statuses[(number + variant) % s_statuses.Length],
            $"user-{random.Next(5000)}@example.org",
            Word(random),
            1 + ((random.Next(5) + variant) % 5),
            second,
            [Word(random), Word(random)],
            $"Seen in {Word(random)} while the {Word(random)} was busy; {Word(random)} says {random.Next()}.");
    }

    /// <summary>A document in which nothing is as it was: the previous value has to be kept whole.</summary>
    public static Item MakeOther(int number, int variant) => Make((number * 31) + ((variant + 1) * 1_000_003), variant);

    public static Item[] Make(int count, int first, int variant) => [.. Enumerable.Range(first, count).Select(i => Make(i, variant))];

    public static byte[] Json(Item item) => JsonSerializer.SerializeToUtf8Bytes(item, ItemJson.Default.Item);

    private static string Word(Random random) => s_words[random.Next(s_words.Length)];
}
