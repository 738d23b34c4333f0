using System.Text.Json;
using OpsLog.Storage;
using Xunit;
using static OpsLog.Tests.BadInput.BadInputCase;

namespace OpsLog.Tests.BadInput;

/// <summary>The rows of the sections Ids and Documents.</summary>
internal static class IdAndDocumentCases
{
    private static readonly JsonElement s_document = Json("{}");
    private static readonly string s_tooLong = new('é', 8_000_001);
    private static readonly string s_tooDeep = string.Concat(Enumerable.Repeat("""{"a":""", 512)) + "{}" + new string('}', 512);

    public static IEnumerable<(string Key, BadInputCase Case)> All =>
    [
        .. Ids.Select(c => ("Ids: " + c.Given, c.Case)),
        .. Documents.Select(c => ("Documents: " + c.Given, c.Case)),
    ];

    private static (string Given, BadInputCase Case)[] Ids =>
    [
        ("null", OnStore(s => s.SetAsync(null!, s_document).AsTask())),
        ("the empty text", OnStore(s => s.SetAsync("", s_document).AsTask()) with { Arguments = store => ["set", store, "", "{}"] }),
        ("half of a surrogate pair", OnStore(s => s.SetAsync("a\ud800", s_document).AsTask()) with
        {
            Arguments = store => ["apply", store, "-"],
            Input = """{"op":"set","id":"a\ud800","data":{}}""",
        }),
        ("more than 16,000,000 bytes of UTF-8", OnStore(s => s.SetAsync(s_tooLong, s_document).AsTask()) with
        {
            Arguments = store => ["apply", store, "-"],
            Input = """{"op":"set","id":"ID","data":{}}""".Replace("ID", s_tooLong, StringComparison.Ordinal),
        }),
        ("the empty text inside a batch: nothing of the batch is written", new BadInputCase(HalfABatchAsync)
        {
            Arguments = store => ["apply", store, "-"],
            Input = """{"op":"batch","ops":[{"op":"set","id":"a","data":{}},{"op":"set","id":"","data":{}}]}""",
        }),
        ("an id that is not there, read by the indexer", OnStore(s => Task.FromResult(s["nobody"])) with
        {
            Prepare = MakeStoreAsync,
            Arguments = store => ["get", store, "nobody"],
        }),
        ("an id that is not there, updated", OnStore(s => s.UpdateAsync("nobody", document => document).AsTask())),
    ];

    private static (string Given, BadInputCase Case)[] Documents =>
    [
        ("null", Document("null")),
        ("an array", Document("[1]")),
        ("a number", Document("5")),
        ("a text", Document("\"text\"")),
        ("a JsonElement that was never set", OnStore(s => s.SetAsync("a", default).AsTask())),
        ("an object nested deeper than 512 levels", Document(s_tooDeep)),
        ("an object that holds itself", new BadInputCase(_ => SetAsync(Ring()))),
        ("a number that JSON does not have", new BadInputCase(_ => SetAsync(new Measured(double.NaN)))),
        ("stored JSON that is not of the store's type, when it is read", new BadInputCase(ReadAsOtherTypeAsync)),
    ];

    private static BadInputCase Document(string json) => OnStore(s => s.SetAsync("a", Json(json)).AsTask()) with
    {
        Arguments = store => ["set", store, "a", "-"],
        Input = json,
    };

    private static async Task HalfABatchAsync(string folder)
    {
        await using var store = await OpenAsync(folder);
        try
        {
            await store.BatchAsync(b =>
            {
                b.Set("a", s_document);
                b.Set("", s_document);
            });
        }
        catch (ArgumentException)
        {
            Assert.Empty(store);
            throw;
        }
    }

    private static async Task SetAsync<T>(T document)
    {
        await using var store = await OpsStore<T>.OpenAsync(new MemoryStorage());
        await store.SetAsync("a", document);
    }

    private static async Task ReadAsOtherTypeAsync(string folder)
    {
        await using (var store = await OpenAsync(folder)) await store.SetAsync("a", Json("""{"value":"a text"}"""));
        await using var other = await OpsStore<Measured>.OpenAsync(folder);
        _ = other["a"];
    }

    private static Linked Ring()
    {
        var ring = new Linked();
        ring.Next = ring;
        return ring;
    }

    private sealed record Measured(double Value);

    private sealed class Linked
    {
        public Linked? Next { get; set; }
    }
}
