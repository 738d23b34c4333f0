using System.Text.Json;

namespace OpsLog.Format;

/// <summary>
/// Walks the members of one object: <see cref="Next"/> goes to a member's value, <see cref="Is"/> asks for its name, the others take
/// the value or throw a <see cref="FormatFault"/> that says which member is wrong, and where. What is not taken must be skipped.
/// </summary>
internal ref struct JsonMembers
{
    private readonly ReadOnlySpan<byte> _text;
    private Range _name;
    private bool _nameIsEscaped;

    /// <summary>Starts at a fresh reader, or at the one that stands on the object.</summary>
    /// <param name="reader">The reader.</param>
    /// <param name="text">All the text that <paramref name="reader"/> reads.</param>
    public JsonMembers(scoped ref Utf8JsonReader reader, ReadOnlySpan<byte> text)
    {
        _text = text;
        if (reader.TokenType == JsonTokenType.None) reader.Read();
        Expect(ref reader, JsonTokenType.StartObject, "the value");
    }

    /// <summary>Walks the object that is a member's value, or an element of an array there.</summary>
    public readonly JsonMembers Enter(scoped ref Utf8JsonReader reader, string name)
    {
        Expect(ref reader, JsonTokenType.StartObject, name);
        return new JsonMembers(ref reader, _text);
    }

    /// <summary>Goes to the next member's value; false behind the last.</summary>
    public bool Next(scoped ref Utf8JsonReader reader)
    {
        if (!reader.Read() || reader.TokenType != JsonTokenType.PropertyName) return false;
        var start = (int)reader.TokenStartIndex + 1;
        _name = start..(start + reader.ValueSpan.Length);
        _nameIsEscaped = reader.ValueIsEscaped;
        return reader.Read();
    }

    /// <summary>Whether the member has that name.</summary>
    public readonly bool Is(ReadOnlySpan<byte> name) => JsonIn.NameIs(_text[_name], _nameIsEscaped, name);

    /// <summary>The member's name.</summary>
    public readonly string NameText() => JsonText.FromEscaped(_text[_name]);

    public static long Integer(scoped ref Utf8JsonReader reader, string name, long least = 0)
        => JsonIn.TryInteger(ref reader, out var value) && value >= least
            ? value
            : throw new FormatFault($"{name} is not an integer from {least} to 2^53-1{At(ref reader)}");

    public static int Int(scoped ref Utf8JsonReader reader, string name, int least = 0)
        => JsonIn.TryInteger(ref reader, out var value) && value >= least && value <= int.MaxValue
            ? (int)value
            : throw new FormatFault($"{name} is not an integer from {least} to 2^31-1{At(ref reader)}");

    public static bool Flag(scoped ref Utf8JsonReader reader, string name) => reader.TokenType switch
    {
        JsonTokenType.True => true,
        JsonTokenType.False => false,
        _ => throw new FormatFault($"{name} is neither true nor false{At(ref reader)}"),
    };

    /// <summary>A text that is not empty.</summary>
    public static string Text(scoped ref Utf8JsonReader reader, string name)
    {
        var text = AnyText(ref reader, name);
        return text.Length > 0 ? text : throw new FormatFault($"{name} is empty{At(ref reader)}");
    }

    public static string AnyText(scoped ref Utf8JsonReader reader, string name)
    {
        Expect(ref reader, JsonTokenType.String, name);
        return JsonIn.Text(ref reader);
    }

    /// <summary>Goes to the next element of the array that the reader stands in; false behind the last.</summary>
    public static bool NextElement(ref Utf8JsonReader reader) => reader.Read() && reader.TokenType != JsonTokenType.EndArray;

    public static void Expect(scoped ref Utf8JsonReader reader, JsonTokenType type, string name)
    {
        if (reader.TokenType == type) return;
        var kind = type switch
        {
            JsonTokenType.StartObject => "an object",
            JsonTokenType.StartArray => "an array",
            JsonTokenType.EndArray => "at its end where it must be",
            _ => "a string",
        };
        throw new FormatFault($"{name} is not {kind}{At(ref reader)}");
    }

    private static string At(scoped ref Utf8JsonReader reader) => $" (byte {reader.TokenStartIndex})";
}
