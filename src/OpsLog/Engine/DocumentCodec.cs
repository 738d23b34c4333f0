using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using System.Text.Unicode;
using OpsLog.Format;

namespace OpsLog.Engine;

/// <summary>Between documents of type <typeparamref name="T"/> and their stored bytes (minified UTF-8 JSON objects).</summary>
internal sealed class DocumentCodec<T>
{
    private static readonly bool IsJsonElement = typeof(T) == typeof(JsonElement);
    private const int SerializersDepth = 64; // if its options say nothing
    private readonly JsonTypeInfo<T>? _typeInfo;
    private readonly int _maxDepth;
    private readonly Lazy<bool> _checks; // found out at the first write: opening need not wait for it

    public DocumentCodec(OpsStoreOptions options)
    {
        if (options.JsonTypeInfo is { } info && info is not JsonTypeInfo<T>)
            throw new ArgumentException($"{nameof(OpsStoreOptions.JsonTypeInfo)} is for {info.Type}, the store for {typeof(T)}.", nameof(options));
        _typeInfo = IsJsonElement ? null : TypeInfo(options);
        // As deep as the type can be read. The serializer looks after its own objects, but not after a JsonElement or JsonNode in one of them; the writer counts along for nothing.
        _maxDepth = Math.Min(DocumentLimits.MaxDepth, _typeInfo?.Options.MaxDepth is > 0 and var depth ? depth : SerializersDepth);
        _checks = new Lazy<bool>(() => ForeignConverters.MayWrite(_typeInfo!));
    }

    /// <summary>Puts a document as the bytes to store behind what a buffer holds.</summary>
    /// <returns>Where it starts there; it goes to the end.</returns>
    /// <exception cref="OpsLogException">The document cannot be stored (<see cref="OpsLogError.InvalidDocument"/>).</exception>
    public int Encode(string id, T value, DocumentBuffer buffer)
    {
        var start = buffer.Length;
        if (value is JsonElement element)
        {
            if (element.ValueKind != JsonValueKind.Object) throw NotAnObject(id, element.ValueKind.ToString());
            Minify(JsonMarshal.GetRawUtf8Value(element), id, buffer);
            return start;
        }

        try
        {
            var json = buffer.Json(_maxDepth);
            json.Reset();
            JsonSerializer.Serialize(json, value, _typeInfo!);
            json.Flush();
        }
        catch (Exception e) when (e is JsonException or NotSupportedException or ArgumentException or InvalidOperationException)
        {
            throw new OpsLogException(OpsLogError.InvalidDocument, $"The document '{id}' cannot be written as JSON: {e.Message}", e);
        }

        Span<byte> bytes = buffer.From(start);
        if (_checks.Value || bytes.IndexOfAny((byte)'\n', (byte)'\r') >= 0)
        {
            buffer.TakeBack(start + Checked(id, bytes));
            bytes = buffer.From(start);
        }

        if (bytes is not [(byte)'{', ..]) throw NotAnObject(id, bytes.IsEmpty ? "nothing" : bytes[0] == 'n' ? "null" : "another JSON value");
        DocumentLimits.CheckLength(id, bytes.Length);
        return start;
    }

    // What a converter of the application's wrote is JSON if it says so: a value that is missing, or raw text, would be found when it is read, or break the log.
    private int Checked(string id, Span<byte> json)
    {
        DocumentLimits.CheckLength(id, json.Length);
        if (json.IsEmpty) return 0;
        if (!Utf8.IsValid(json)) throw new OpsLogException(OpsLogError.InvalidDocument, $"The document '{id}' is not valid UTF-8.");
        try
        {
            var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = _maxDepth });
            while (reader.Read())
            {
                // to the end: what is no JSON throws
            }
        }
        catch (JsonException e)
        {
            throw new OpsLogException(OpsLogError.InvalidDocument, $"What the converters of {typeof(T).Name} wrote of the document '{id}' is not valid JSON: {e.Message}", e);
        }

        return JsonLines.Minify(json, json);
    }

    /// <summary>Turns stored bytes into a document.</summary>
    /// <exception cref="OpsLogException">The bytes are no <typeparamref name="T"/> (<see cref="OpsLogError.InvalidDocument"/>).</exception>
    public T? Decode(string id, ReadOnlySpan<byte> json)
    {
        try
        {
            if (IsJsonElement)
            {
                var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = DocumentLimits.ReadDepth });
                return (T)(object)JsonElement.ParseValue(ref reader);
            }

            return JsonSerializer.Deserialize(json, _typeInfo!);
        }
        catch (Exception e) when (e is JsonException or NotSupportedException or ArgumentException or InvalidOperationException)
        {
            throw new OpsLogException(
                OpsLogError.InvalidDocument, $"The stored document '{id}' cannot be read as {typeof(T).Name}: {e.Message}", e);
        }
    }

    private static void Minify(ReadOnlySpan<byte> json, string id, DocumentBuffer buffer)
    {
        DocumentLimits.CheckLength(id, json.Length);
        if (!Utf8.IsValid(json)) throw new OpsLogException(OpsLogError.InvalidDocument, $"The document '{id}' is not valid UTF-8.");
        var depth = DocumentLimits.Depth(json);
        if (depth > DocumentLimits.MaxDepth) throw TooDeep(id);
        try
        {
            buffer.Advance(depth < 0 ? Strict(json, id, buffer.GetSpan(json.Length)) : JsonLines.Minify(json, buffer.GetSpan(json.Length)));
        }
        catch (JsonException e)
        {
            throw new OpsLogException(OpsLogError.InvalidDocument, $"The document '{id}' is not valid JSON: {e.Message}", e);
        }
    }

    // The bytes of a JsonElement are those that were parsed, with what the options of parsing let pass: here without comments and commas behind the last member, and otherwise as they are.
    private static int Strict(ReadOnlySpan<byte> json, string id, Span<byte> destination)
    {
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true, MaxDepth = DocumentLimits.MaxDepth + 1 });
        var (written, isFirst) = (0, true);
        while (reader.Read())
        {
            if (reader.CurrentDepth >= DocumentLimits.MaxDepth && reader.TokenType is JsonTokenType.StartObject or JsonTokenType.StartArray) throw TooDeep(id);
            if (!isFirst && reader.TokenType is not (JsonTokenType.EndObject or JsonTokenType.EndArray)) destination[written++] = (byte)',';
            var isText = reader.TokenType is JsonTokenType.PropertyName or JsonTokenType.String;
            if (isText) destination[written++] = (byte)'"';
            reader.ValueSpan.CopyTo(destination[written..]);
            written += reader.ValueSpan.Length;
            if (isText) destination[written++] = (byte)'"';
            if (reader.TokenType == JsonTokenType.PropertyName) destination[written++] = (byte)':';
            isFirst = reader.TokenType is JsonTokenType.PropertyName or JsonTokenType.StartObject or JsonTokenType.StartArray;
        }

        return written;
    }

    private static OpsLogException TooDeep(string id) =>
        new(OpsLogError.InvalidDocument, $"The document '{id}' is nested deeper than {DocumentLimits.MaxDepth} levels.");

    private static OpsLogException NotAnObject(string id, string found) =>
        new(OpsLogError.InvalidDocument, $"The document '{id}' is not a JSON object but {found}; wrap it in one.");

    private static JsonTypeInfo<T> TypeInfo(OpsStoreOptions options)
    {
        if (options.JsonTypeInfo is JsonTypeInfo<T> info) return info;
        var json = options.JsonSerializerOptions ?? DefaultOptions();
        if (!json.IsReadOnly) Freeze(json);
        return (JsonTypeInfo<T>)json.GetTypeInfo(typeof(T));
    }

    [UnconditionalSuppressMessage("Trimming", "IL2026", Justification = "Populates a missing resolver only where reflection is enabled, which trimming turns off.")]
    [UnconditionalSuppressMessage("AOT", "IL3050", Justification = "Populates a missing resolver only where reflection is enabled, which NativeAOT turns off.")]
    private static void Freeze(JsonSerializerOptions options) => options.MakeReadOnly(populateMissingResolver: JsonSerializer.IsReflectionEnabledByDefault);

    [UnconditionalSuppressMessage("Trimming", "IL2026", Justification = "Guarded by JsonSerializer.IsReflectionEnabledByDefault, which trimming turns off.")]
    [UnconditionalSuppressMessage("AOT", "IL3050", Justification = "Guarded by JsonSerializer.IsReflectionEnabledByDefault, which NativeAOT turns off.")]
    private static JsonSerializerOptions DefaultOptions()
    {
        if (!JsonSerializer.IsReflectionEnabledByDefault)
            throw new InvalidOperationException($"Reflection is off in this program: set {nameof(OpsStoreOptions)}.{nameof(OpsStoreOptions.JsonTypeInfo)} to a source-generated JsonTypeInfo<{typeof(T).Name}>.");
        return DefaultJson.Options;
    }
}

/// <summary>The options documents are written with by default, made once: their caches are what makes writing fast.</summary>
internal static class DefaultJson
{
    public static JsonSerializerOptions Options { get; } = Make();

    [UnconditionalSuppressMessage("Trimming", "IL2026", Justification = "Only used where reflection is enabled.")]
    [UnconditionalSuppressMessage("AOT", "IL3050", Justification = "Only used where reflection is enabled.")]
    private static JsonSerializerOptions Make()
    {
        var options = new JsonSerializerOptions(JsonSerializerDefaults.Web)
        {
            Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
            TypeInfoResolver = new DefaultJsonTypeInfoResolver(),
        };
        options.MakeReadOnly();
        return options;
    }
}

/// <summary>What a document may be (docs/format.md, Documents).</summary>
internal static class DocumentLimits
{
    /// <summary>How deep a document may be nested when it is written.</summary>
    public const int MaxDepth = 512;

    /// <summary>How deep a stored document may be nested to be read: more than is written, for other programs' documents.</summary>
    public const int ReadDepth = 1024;

    /// <summary>The longest document, in bytes: with its previous value it has to fit one line.</summary>
    public const int MaxBytes = 512 << 20;

    /// <exception cref="OpsLogException">A document of that length cannot be stored.</exception>
    public static void CheckLength(string id, int bytes)
    {
        if (bytes > MaxBytes)
            throw new OpsLogException(OpsLogError.InvalidDocument, $"The document '{id}' has {bytes} bytes; {MaxBytes} is the most. Store it in parts, or elsewhere and its name here.");
    }

    /// <summary>How deep JSON is nested; -1 if it has comments, or a comma behind the last member of something.</summary>
    public static int Depth(ReadOnlySpan<byte> json)
    {
        int depth = 0, deepest = 0;
        for (var i = 0; i < json.Length; i++)
        {
            switch (json[i])
            {
                case (byte)'{' or (byte)'[':
                    deepest = Math.Max(deepest, ++depth);
                    break;
                case (byte)'}' or (byte)']':
                    if (i > 0 && json[i - 1] is (byte)',' or <= (byte)' ' && json[..i].TrimEnd(" \t\r\n"u8) is [.., (byte)',']) return -1;
                    depth--;
                    break;
                case (byte)'/':
                    return -1;
                case (byte)'"':
                    i++;
                    while (i < json.Length && json[i] != '"') i += json[i] == '\\' ? 2 : 1;
                    break;
            }
        }

        return deepest;
    }
}
