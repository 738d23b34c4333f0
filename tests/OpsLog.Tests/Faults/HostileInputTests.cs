using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using OpsLog.Storage;
using OpsLog.Testing;
using OpsLog.Tests.Corpus;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.Faults;

/// <summary>
/// Goal: hostile ids, documents and cultures go through every way a record can take, or are refused before anything is written (F35, F36,
/// F40). Method: the same trip for each: set, batch, undo, checkpoint, archive, feed, reader, reopening, in a folder and without append.
/// </summary>
public sealed class HostileInputTests
{
    private static readonly string[] s_ids =
    [
        "__proto__", "constructor", "toString", "../x", "..", "/", "\\", "C:\\x", "CON", "nul.txt", "a\0b", "\0", "line\nbreak", "\r", "\t", " ", "a ", "a", "A",
        "ß", "SS", "ss", "ı", "I", "i", "İ", "é", "e\u0301", "\u2028", "\ufeff", "\uffff", "🐎", "10", "2", "%2F", "\"", "{\"id\":1}", ",\"clock\":", "#", new('x', 4096), new('ž', 4096),
    ];

    public static TheoryData<string> Documents =>
    [
        """{"n":9007199254740993}""", """{"n":-0}""", """{"n":-0.0}""", """{"n":1e400}""", """{"n":1.0}""", """{"n":1E+2}""", """{"n":123456789012345678901234567890}""",
        """{"a":1,"a":2}""", """{"b":1,"a":2,"10":3,"2":4}""", """{"__proto__":{"x":1}}""", """{"":1}""", """{"s":"\ud800"}""", """{"s":"\u0000\u001f\/"}""",
        """{"s":",\"clock\":7,\"crc\":\"00000000\"}"}""", """{"clock":1,"crc":"00000000"}""", """{"$set":{"a":1},"$unset":["b"]}""", "{\"s\":\"\u2028\ufeff\"}", "{}",
    ];

    [Theory]
    [InlineData(true, SnapshotFormat.JsonLines)]
    [InlineData(true, SnapshotFormat.Json)]
    [InlineData(false, SnapshotFormat.JsonLines)]
    public async Task F35_hostile_ids_make_the_whole_trip(bool append, SnapshotFormat format)
    {
        var disk = new MemoryStorage(append);
        var options = Lab.Options(o => o.SnapshotFormat = format);
        await using (var store = await Lab.OpenAsync(disk, options))
        {
            await using var reader = await Lab.OpenAsync(disk, Lab.ReadOnly());
            foreach (var (i, id) in s_ids.Index()) await store.SetAsync(id, Lab.Doc(i));
            AssertAll(store);
            await reader.RefreshAsync();
            AssertAll(reader);
            await store.CompactAsync();
            AssertAll(store);
            await store.BatchAsync(b =>
            {
                foreach (var id in s_ids) b.Delete(id);
            });
            Assert.Empty(store);
            Assert.True(await store.UndoAsync());
            AssertAll(store);
            await reader.RefreshAsync();
            AssertAll(reader);
            Assert.Equal(s_ids, (await Lab.OperationsAsync(store)).Take(s_ids.Length).Select(o => o.Id));
            foreach (var id in s_ids)
            {
                var history = 0;
                await foreach (var operation in store.HistoryAsync(id))
                {
                    Assert.Equal(id, operation.Id);
                    history++;
                }

                Assert.Equal(3, history);
            }
        }

        await using (var store = await Lab.OpenAsync(disk, options))
        {
            AssertAll(store);
            await store.ArchiveAsync(s_ids, "2026");
            var archived = await store.LoadArchiveAsync("2026");
            foreach (var (i, id) in s_ids.Index()) Assert.Equal(i, Lab.N(archived[id]));
            Assert.Equal(s_ids.Length, archived.Count);
        }
    }

    [Fact]
    public async Task F35_hostile_periods_get_file_names_that_every_system_takes()
    {
        using var folder = new TempFolder();
        string[] periods = ["..", "a/b", "CON", "a:b", "a\0b", "*", "é", "e\u0301", " ", new('x', 200), "🐎", "2026-r000000000001-01234567"];
        await using (var store = await OpsStore<JsonElement>.OpenAsync(folder.Path, Lab.Options()))
        {
            foreach (var (i, period) in periods.Index())
            {
                await store.SetAsync("a", Lab.Doc(i));
                Assert.Equal(1, await store.ArchiveAsync(["a"], period));
            }
        }

        await using var reader = await OpsStore<JsonElement>.OpenAsync(folder.Path, Lab.ReadOnly());
        Assert.Equal(periods.Order(StringComparer.Ordinal), reader.Archives);
        foreach (var (i, period) in periods.Index()) Assert.Equal(i, Lab.N((await reader.LoadArchiveAsync(period))["a"]));
        Assert.All(Directory.GetFiles(folder["archive"]), f => Assert.Matches("^archive-[A-Za-z0-9_.%~-]{1,110}[.]json$", Path.GetFileName(f)));
    }

    [Fact]
    public async Task F35_periods_that_one_system_would_take_for_the_same_file_are_refused_before_anything_is_written()
    {
        var disk = new MemoryStorage();
        await using var store = await Lab.OpenAsync(disk);
        await store.SetAsync("a", Lab.Doc(1));
        await store.ArchiveAsync(["a"], "Q1");
        await store.SetAsync("b", Lab.Doc(1));
        var before = await Lab.BytesAsync(disk);
        foreach (var period in new[] { "q1", "", "\ud800", new string('x', 201) })
            await Assert.ThrowsAnyAsync<ArgumentException>(async () => await store.ArchiveAsync(["b"], period));
        Assert.Equal(before, await Lab.BytesAsync(disk));
        Assert.True(store.ContainsKey("b"));
    }

    [Theory]
    [MemberData(nameof(Documents))]
    public async Task F36_hostile_documents_keep_every_byte_on_the_whole_trip(string json)
    {
        foreach (var format in Enum.GetValues<SnapshotFormat>())
        {
            var disk = new MemoryStorage();
            var options = Lab.Options(o => o.SnapshotFormat = format);
            await using (var store = await Lab.OpenAsync(disk, options))
            {
                await using var reader = await Lab.OpenAsync(disk, Lab.ReadOnly());
                await store.SetAsync("a", Lab.Doc(0));
                await store.SetAsync("a", StoreReading.Element(json));
                await store.SetAsync("a", Lab.Doc(1));
                Assert.True(await store.UndoAsync());
                Assert.Equal("a = " + json, Runs.Text(store));
                await reader.RefreshAsync();
                Assert.Equal("a = " + json, Runs.Text(reader));
                await store.CompactAsync();
                Assert.Equal("a = " + json, Runs.Text(store));
            }

            await using (var store = await Lab.OpenAsync(disk, options))
            {
                Assert.Equal("a = " + json, Runs.Text(store));
                var operations = await Lab.OperationsAsync(store);
                Assert.Equal(json, operations[2].Previous.GetRawText());
                Assert.Equal(json, operations[3].Value.GetRawText());
                await store.ArchiveAsync(["a"], "2026");
                Assert.Equal(json, (await store.LoadArchiveAsync("2026"))["a"].GetRawText());
            }
        }
    }

    [Fact]
    public async Task F36_of_duplicate_members_the_last_counts()
    {
        var disk = new MemoryStorage();
        await using (var raw = await Lab.OpenAsync(disk))
        {
            await raw.SetAsync("a", StoreReading.Element("""{"n":1,"n":2}"""));
            Assert.Equal(2, Lab.N(raw["a"]));
        }

        await using var typed = await OpsStore<Dictionary<string, int>>.OpenAsync(disk, Lab.ReadOnly());
        Assert.Equal(2, typed["a"]["n"]);
    }

    [Theory]
    [InlineData("""{"n":1,"x":{"m":1,"m":[{"o":1,"o":2}]},"y":1.50,"z":[null,true,"\u00e9"],"n":2}""", """{"n":2,"x":{"m":[{"o":2}]},"y":1.50,"z":[null,true,"é"],"v":2}""")]
    [InlineData("""{"n":2,"gone":{"\ud800":1}}""", """{"n":2,"v":2}""")]
    public async Task F36_of_duplicate_members_a_migration_gets_the_last(string old, string migrated)
    {
        var disk = new MemoryStorage();
        await using (var store = await Lab.OpenAsync(disk)) await store.SetAsync("a", StoreReading.Element(old));

        await using var next = await Lab.OpenAsync(disk, Lab.Options(o =>
        {
            o.SchemaVersion = 2;
            o.Migrate = (node, _) =>
            {
                node!.AsObject().Remove("gone");
                node["v"] = 2;
                return node;
            };
        }));
        Assert.Equal(migrated, next["a"].GetRawText());
    }

    [Theory]
    [InlineData(512, true)]
    [InlineData(513, false)]
    [InlineData(10_000, false)]
    public async Task F36_deep_documents_are_read_back_or_refused_before_anything_is_written(int depth, bool isTaken)
    {
        var json = string.Concat(Enumerable.Repeat("{\"a\":", depth - 1)) + "{}" + new string('}', depth - 1);
        using var parsed = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 20_000 });
        var disk = new MemoryStorage();
        await using (var store = await Lab.OpenAsync(disk))
        {
            if (!isTaken) await Lab.RefusedAsync(OpsLogError.InvalidDocument, async Task () => await store.SetAsync("a", parsed.RootElement));
            else await store.SetAsync("a", parsed.RootElement);
            await store.CompactAsync();
        }

        Assert.Equal(isTaken ? "a = " + json : "", await Lab.StateAsync(disk));
    }

    [Theory]
    [InlineData("""{"a":1,}""", """{"a":1}""")]
    [InlineData("""{"a":[1.50, 2e3 , ] , }""", """{"a":[1.50,2e3]}""")]
    [InlineData("""{ /* a " quote */ "a" : /**/ "x,}/*" /* */ , "\u0062" : [{},[],], }""", """{"a":"x,}/*","\u0062":[{},[]]}""")]
    [InlineData("{\"a\":[ // \"\n true, null ,false // }\n],\"a\":{\"b\":-0.0,},}", """{"a":[true,null,false],"a":{"b":-0.0}}""")]
    [InlineData("""{"a":"\ud800", }""", """{"a":"\ud800"}""")]
    [InlineData("""{"a":",}","b":",]" ,"c":"//"}""", """{"a":",}","b":",]","c":"//"}""")]
    public async Task F36_comments_and_trailing_commas_that_parsing_let_pass_are_not_stored(string text, string stored)
    {
        var lenient = new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true };
        using var parsed = JsonDocument.Parse($"[{text} , ]", lenient);
        var disk = new MemoryStorage();
        await using (var store = await Lab.OpenAsync(disk))
        {
            await store.SetAsync("a", parsed.RootElement[0]);
            await store.BatchAsync(b => b.Set("a", parsed.RootElement[0]));
            Assert.Equal("a = " + stored, Runs.Text(store));
        }

        Assert.Equal("a = " + stored, await Lab.StateAsync(disk));
        Assert.True((await OpsStore.VerifyAsync(disk)).IsSound);

        if (text.Contains("ud800", StringComparison.Ordinal)) return; // no text that can be written anew
        await using (var typed = await OpsStore<Dictionary<string, JsonElement>>.OpenAsync(disk, Lab.Options()))
            await typed.SetAsync("b", new() { ["element"] = parsed.RootElement[0] });
        await using (var nodes = await OpsStore<Dictionary<string, JsonNode>>.OpenAsync(disk, Lab.Options()))
            await nodes.SetAsync("c", new() { ["node"] = JsonObject.Create(parsed.RootElement[0])! });
        await using var read = await Lab.OpenAsync(disk, Lab.ReadOnly());
        Assert.Equal(3, read.Count);
        Assert.True(JsonElement.DeepEquals(JsonElement.Parse(stored), read["b"].GetProperty("element")));
        Assert.True(JsonElement.DeepEquals(JsonElement.Parse(stored), read["c"].GetProperty("node")));
    }

    [Theory]
    [InlineData(512, true)]
    [InlineData(513, false)]
    [InlineData(2_000, false)]
    public async Task F36_a_deep_document_with_a_trailing_comma_is_judged_like_any_other(int depth, bool isTaken)
    {
        var json = string.Concat(Enumerable.Repeat("{\"a\":", depth - 1)) + "{}" + new string('}', depth - 1);
        using var parsed = JsonDocument.Parse(json[..^1] + ",}", new JsonDocumentOptions { MaxDepth = 20_000, AllowTrailingCommas = true });
        await using var store = await Lab.OpenAsync(new MemoryStorage());
        if (!isTaken) await Lab.RefusedAsync(OpsLogError.InvalidDocument, async Task () => await store.SetAsync("a", parsed.RootElement));
        else await store.SetAsync("a", parsed.RootElement);
        Assert.Equal(isTaken ? "a = " + json : "", Runs.Text(store));
    }

    [Theory]
    [InlineData(0, 64, true)]
    [InlineData(0, 65, false)]
    [InlineData(100, 100, true)]
    [InlineData(100, 101, false)]
    [InlineData(10, 10, true)]
    [InlineData(10, 11, false)]
    [InlineData(1000, 512, true)]
    [InlineData(1000, 513, false)]
    public async Task F36_a_typed_document_deeper_than_its_type_is_read_is_refused_before_anything_is_written(int maxDepth, int depth, bool isTaken)
    {
        var options = Lab.Options(o => o.JsonSerializerOptions = new JsonSerializerOptions { MaxDepth = maxDepth });
        var json = new string('[', depth - 1) + new string(']', depth - 1); // in the document's own level
        using var parsed = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 20_000 });
        var disk = new MemoryStorage();
        await using (var store = await OpsStore<Dictionary<string, JsonElement>>.OpenAsync(disk, options))
            await SetAsync(store, parsed.RootElement);
        await using (var store = await OpsStore<Dictionary<string, JsonElement>>.OpenAsync(disk, options))
            Assert.Equal(isTaken ? json : null, store.TryGetValue("a", out var read) ? read["a"].GetRawText() : null);
        await using (var store = await OpsStore<Dictionary<string, JsonNode>>.OpenAsync(new MemoryStorage(), options))
            await SetAsync(store, JsonArray.Create(parsed.RootElement)!);

        async Task SetAsync<T>(OpsStore<Dictionary<string, T>> store, T value)
        {
            if (isTaken) await store.SetAsync("a", new() { ["a"] = value });
            else await Lab.RefusedAsync(OpsLogError.InvalidDocument, async Task () => await store.SetAsync("a", new() { ["a"] = value }));
            Assert.Equal(isTaken ? 1 : 0, store.Count);
        }
    }

    [Theory]
    [InlineData("\ufeff", "\n")]
    [InlineData("", "\r\n")]
    [InlineData("\ufeff", "\r\n")]
    public async Task F36_a_byte_order_mark_and_carriage_returns_in_another_programs_log_are_read(string mark, string newline)
    {
        var disk = new MemoryStorage();
        await Put("manifest.json", """{"version":1,"currentSnapshot":"snapshots/snap-1.json","activeOps":"ops/ops-1.jsonl","archiveSegments":[],"stats":{"activeRecords":0,"archivedRecords":0,"opsCount":0,"created":"2026-01-01T00:00:00.000Z","lastCheckpoint":"2026-01-01T00:00:00.000Z"}}""");
        await Put("snapshots/snap-1.json", """{"version":1,"timestamp":"2026-01-01T00:00:00.000Z","records":{"z":{"n":0}}}""");
        await Put("ops/ops-1.jsonl", string.Concat(
            mark, """{"ts":"2026-01-01T00:00:00.000Z","op":"set","id":"a","data":{"n":1},"prev":null}""", newline,
            """{"ts":"2026-01-01T00:00:00.000Z","op":"set","id":"b","data":{"n":2},"prev":null}""", newline));
        Assert.Equal("a = {\"n\":1}\nb = {\"n\":2}\nz = {\"n\":0}", await Lab.StateAsync(disk));
        await using (var store = await Lab.OpenAsync(disk)) await store.SetAsync("c", Lab.Doc(3));
        Assert.Equal("a = {\"n\":1}\nb = {\"n\":2}\nc = {\"n\":3}\nz = {\"n\":0}", await Lab.StateAsync(disk));

        Task Put(string name, string text) => Lab.WriteAsync(disk, new StorageKey(name), Encoding.UTF8.GetBytes(text));
    }

    [Theory]
    [InlineData("tr-TR", ",", "-")]
    [InlineData("sv-SE", ",", "\u2212")]
    [InlineData("ar-SA", "\u066b", "\u061c-")]
    public async Task F40_a_store_written_in_one_culture_is_the_same_in_every_other(string name, string point, string minus)
    {
        var time = new ShiftingTime();
        var states = new List<string>();
        foreach (var culture in new[] { CultureInfo.InvariantCulture, new OtherCulture(name, point, minus) })
        {
            CultureInfo.CurrentCulture = CultureInfo.CurrentUICulture = culture;
            var disk = new MemoryStorage();
            var options = Lab.Options(o => (o.TimeProvider, o.Random) = (time, new Random(7)));
            await using (var store = await Lab.OpenAsync(disk, options))
            {
                await using var reader = await Lab.OpenAsync(disk, Lab.ReadOnly());
                foreach (var id in new[] { "i", "I", "ı", "İ", "z", "ä", "a", "B", "-1", "ss", "ß" }) await store.SetAsync(id, Lab.Doc(-7));
                await store.ArchiveAsync(["z"]);
                await store.CompactAsync();
                await store.DeleteAsync("I");
                Assert.True(await store.UndoAsync());
                await reader.RefreshAsync();
                Assert.Equal(Runs.Text(store), Runs.Text(reader));
                var last = (await Lab.OperationsAsync(reader))[^1].Position;
                Assert.Empty(await Lab.OperationsAsync(reader, FeedPosition.Parse(last.ToString())));
            }

            states.Add(string.Join('\n', (await Lab.BytesAsync(disk)).Select(o => $"{o.Key}: {o.Value}")));
            CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
            Assert.Contains("İ = {\"n\":-7}", await Lab.StateAsync(disk), StringComparison.Ordinal);
        }

        Assert.Equal(states[0], states[1]);
    }

    private static void AssertAll(OpsStore<JsonElement> store)
    {
        Assert.Equal(s_ids.Order(StringComparer.Ordinal), store.Keys.Order(StringComparer.Ordinal));
        foreach (var (i, id) in s_ids.Index()) Assert.Equal(i, Lab.N(store[id]));
    }

    /// <summary>A culture that formats as the named one does: the tests run without culture data.</summary>
    private sealed class OtherCulture : CultureInfo
    {
        public OtherCulture(string name, string point, string minus)
            : base("")
        {
            Name = name;
            (NumberFormat.NumberDecimalSeparator, NumberFormat.NegativeSign, NumberFormat.NumberGroupSeparator) = (point, minus, "\u00a0");
            (DateTimeFormat.DateSeparator, DateTimeFormat.TimeSeparator) = (".", ".");
        }

        public override string Name { get; }
    }
}
