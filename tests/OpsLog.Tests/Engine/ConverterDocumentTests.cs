using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using OpsLog.Format;
using OpsLog.Storage;
using OpsLog.Tests.Faults;
using OpsLog.Tests.Properties;
using Xunit;

namespace OpsLog.Tests.Engine;

/// <summary>
/// Goal: whatever a converter of the application's writes, what is acknowledged is minified JSON that can be read back (F36). Method: one that writes raw text, or nothing, in every place
/// where a type can have one.
/// </summary>
public sealed partial class ConverterDocumentTests
{
    public static TheoryData<string> NoJson => ["", "1,2", "1 2", "\"a\"b\"", "\"a\nb\"", "{}}", "{", "{\"a\":1,}", "// no\n1", "\"b\":1", "tru", new string('[', 100) + new string(']', 100)];

    [Theory]
    [InlineData("")]
    [InlineData("\r\n\t")]
    public async Task F36_raw_text_with_whitespace_is_stored_without(string more)
    {
        var raw = new Raw($"{{ \"a\" : [ 1, 2 ],{more}\"b\" : \" c \" }}");
        var disk = new MemoryStorage();
        await using (var store = await OpenAsync<Plain>(disk))
        {
            for (var n = 1; n <= 2; n++) await store.SetAsync("k", new Plain(n, raw, new string('x', 100)));
            Assert.True(store.TryGetJson("k", out var json));
            Assert.Equal($$"""{"n":2,"raw":{"a":[1,2],"b":" c "},"more":"{{new string('x', 100)}}"}""", Encoding.UTF8.GetString(json.Span));
        }

        await AssertSoundAsync(disk);
    }

    /// <summary>Former versions stored it as it was: it is no damage.</summary>
    [Fact]
    public async Task F36_a_stored_document_with_whitespace_is_sound()
    {
        var disk = new MemoryStorage();
        await using (var store = await Lab.OpenAsync(disk))
            for (var i = 1; i <= 2; i++) await store.SetAsync("k", JsonDocument.Parse($$"""{"n":{{i}},"raw":{"a":1},"more":"{{new string('x', 100)}}"}""").RootElement);
        await Lab.ChangeAsync(disk, await Lab.LogAsync(disk), bytes =>
        {
            var changed = new MemoryStream();
            for (var i = 0; i < 2; i++)
            {
                var (start, end) = Lab.LineOf(bytes, i);
                var line = Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(bytes[start..end]).Replace("{\"a\":1}", "{ \"a\": 1 }", StringComparison.Ordinal));
                JsonLines.Reseal(line.AsSpan(..^1), changed.Length);
                changed.Write(line);
            }

            return changed.ToArray();
        });
        await AssertSoundAsync(disk);
    }

    [Theory]
    [MemberData(nameof(NoJson))]
    public async Task F36_what_is_no_json_is_refused_before_anything_is_written(string text)
    {
        var disk = new MemoryStorage();
        await using (var store = await OpenAsync<Plain>(disk))
        {
            await store.SetAsync("k", new Plain(1, new Raw("1"), ""));
            await store.CompactAsync();
            var before = await Lab.BytesAsync(disk);
            await Lab.RefusedAsync(OpsLogError.InvalidDocument, async Task () => await store.SetAsync("k", new Plain(2, new Raw(text), "")));
            await Lab.RefusedAsync(OpsLogError.InvalidDocument, async Task () => await store.SetAsync("new", new Plain(2, new Raw(text), "")));
            await Lab.RefusedAsync(OpsLogError.InvalidDocument, async Task () => await store.BatchAsync(b =>
            {
                b.Set("l", new Plain(3, new Raw("2"), ""));
                b.Set("k", new Plain(3, new Raw(text), ""));
            }));
            Assert.Equal(before, await Lab.BytesAsync(disk));
            await store.SetAsync("k", new Plain(4, new Raw("2"), ""));
            Assert.Equal(4, store["k"].N);
        }

        Assert.Equal("k = {\"n\":4,\"raw\":2,\"more\":\"\"}", await Lab.StateAsync(disk));
        await AssertSoundAsync(disk);
    }

    [Fact]
    public async Task F36_a_converter_is_found_wherever_a_type_can_have_one()
    {
        var raw = new Raw("\"a\"b\"");
        await RefusedAsync(new Holder<Raw>(raw));
        await RefusedAsync(new Holder<Raw?>(raw));
        await RefusedAsync(new Holder<List<Raw>>([raw]));
        await RefusedAsync(new Holder<Raw[][]>([[raw]]));
        await RefusedAsync(new Holder<Dictionary<string, Raw>>(new() { ["a"] = raw }));
        await RefusedAsync(new Holder<Holder<Holder<Raw>>>(new(new(raw))));
        await RefusedAsync(new Holder<object>(raw));
        await RefusedAsync(new Holder<System.Collections.ArrayList>([raw]));
        await RefusedAsync(new Holder<System.Text.Json.Nodes.JsonNode>(System.Text.Json.Nodes.JsonValue.Create(raw)!));
        await RefusedAsync<Animal>(new Dog(raw));
        await RefusedAsync(new Dictionary<string, Raw> { ["a"] = raw });
        await RefusedAsync(new OnProperty { Text = "\"a\"b\"" });
        await RefusedAsync(new Holder<Version>(new Version(1, 2)), new OpsStoreOptions { JsonSerializerOptions = new JsonSerializerOptions { Converters = { new RawVersions() } } });
        await RefusedAsync(new Plain(1, raw, ""), new OpsStoreOptions { JsonTypeInfo = GeneratedRaw.Default.Plain });
        await RefusedAsync(new OnProperty { Text = "\"a\"b\"" }, new OpsStoreOptions { JsonTypeInfo = GeneratedRaw.Default.OnProperty });
    }

    private static async Task RefusedAsync<T>(T document, OpsStoreOptions? options = null)
    {
        await using var store = await OpsStore<T>.OpenAsync(new MemoryStorage(), options);
        var refusal = await Lab.RefusedAsync(OpsLogError.InvalidDocument, async Task () => await store.SetAsync("k", document));
        Assert.Contains("'k'", refusal.Message, StringComparison.Ordinal);
    }

    private static ValueTask<OpsStore<T>> OpenAsync<T>(MemoryStorage disk) => OpsStore<T>.OpenAsync(disk, Runs.Options());

    private static async Task AssertSoundAsync(MemoryStorage disk)
    {
        var report = await OpsStore.VerifyAsync(disk);
        Assert.True(report.IsSound, string.Join('\n', report.Damages));
        var copy = new MemoryStorage();
        await OpsStore.CopyAsync(disk, copy);
        Assert.Equal(await Lab.StateAsync(disk), await Lab.StateAsync(copy));
    }

    internal sealed record Plain(int N, Raw Raw, string More);

    internal sealed record Holder<T>(T Value);

    [JsonDerivedType(typeof(Dog), "dog")]
    internal abstract record Animal;

    internal sealed record Dog(Raw Raw) : Animal;

    internal sealed class OnProperty
    {
        [JsonConverter(typeof(RawTexts))]
        public string Text { get; set; } = "";
    }

    /// <summary>JSON that the application has as text.</summary>
    [JsonConverter(typeof(Converter))]
    internal readonly record struct Raw(string Text)
    {
        internal sealed class Converter : JsonConverter<Raw>
        {
            public override Raw Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => new(JsonElement.ParseValue(ref reader).GetRawText());

            public override void Write(Utf8JsonWriter writer, Raw value, JsonSerializerOptions options) => WriteRaw(writer, value.Text);
        }
    }

    internal sealed class RawTexts : JsonConverter<string>
    {
        public override string Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => JsonElement.ParseValue(ref reader).GetRawText();

        public override void Write(Utf8JsonWriter writer, string value, JsonSerializerOptions options) => WriteRaw(writer, value);
    }

    internal sealed class RawVersions : JsonConverter<Version>
    {
        public override Version Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => new(1, 2);

        public override void Write(Utf8JsonWriter writer, Version value, JsonSerializerOptions options) => WriteRaw(writer, "\"a\"b\"");
    }

    [JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
    [JsonSerializable(typeof(Plain))]
    [JsonSerializable(typeof(OnProperty))]
    internal sealed partial class GeneratedRaw : JsonSerializerContext;

    private static void WriteRaw(Utf8JsonWriter writer, string text)
    {
        if (text.Length > 0) writer.WriteRawValue(text, skipInputValidation: true);
    }
}
