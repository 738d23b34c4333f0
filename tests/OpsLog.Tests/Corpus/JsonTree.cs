using System.Globalization;
using System.Text;

namespace OpsLog.Tests.Corpus;

/// <summary>
/// JSON as plain objects: null, bool, double, string, List and Dictionary (ordinal, the last of two equal members wins). A reader of its own,
/// because expectations must not share mistakes with the library, and because System.Text.Json refuses the lone surrogates that the package stores.
/// </summary>
internal static class JsonTree
{
    public static object? Parse(ReadOnlySpan<byte> utf8) => Parse(Encoding.UTF8.GetString(utf8));

    /// <exception cref="FormatException">The text is no JSON.</exception>
    public static object? Parse(string text)
    {
        var reader = new Reader(text);
        var value = reader.Value();
        reader.Whitespace();
        if (reader.Position != text.Length) throw reader.Fault("end of text");
        return value;
    }

    public static Dictionary<string, object?> Object(object? value) => (Dictionary<string, object?>)value!;

    public static List<object?> Array(object? value) => (List<object?>)value!;

    /// <summary>The first difference of two trees, numbers compared as doubles; null if they are equal.</summary>
    public static string? Difference(object? expected, object? actual, string path = "$")
    {
        switch (expected, actual)
        {
            case (Dictionary<string, object?> left, Dictionary<string, object?> right):
                foreach (var (name, value) in left)
                {
                    if (!right.TryGetValue(name, out var other)) return $"{path}[{Quote(name)}] is missing";
                    if (Difference(value, other, $"{path}[{Quote(name)}]") is { } difference) return difference;
                }

                var extra = right.Keys.FirstOrDefault(name => !left.ContainsKey(name));
                return extra is null ? null : $"{path}[{Quote(extra)}] should not be there";
            case (List<object?> left, List<object?> right):
                if (left.Count != right.Count) return $"{path} has {right.Count} items, expected {left.Count}";
                for (var i = 0; i < left.Count; i++)
                    if (Difference(left[i], right[i], $"{path}[{i}]") is { } difference) return difference;
                return null;
            case (double left, double right):
                return left == right ? null : $"{path} is {right:R}, expected {left:R}";
            default:
                return Equals(expected, actual) ? null : $"{path} is {Shorten(Write(actual))}, expected {Shorten(Write(expected))}";
        }
    }

    /// <summary>The tree with every <c>{"$repeat":[text,n]}</c> written out.</summary>
    public static object? ExpandRepeats(object? value) => value switch
    {
        Dictionary<string, object?> { Count: 1 } o when o.TryGetValue("$repeat", out var repeat) && repeat is List<object?> { Count: 2 } pair =>
            new StringBuilder().Insert(0, (string)pair[0]!, (int)(double)pair[1]!).ToString(),
        Dictionary<string, object?> o => o.ToDictionary(member => member.Key, member => ExpandRepeats(member.Value), StringComparer.Ordinal),
        List<object?> list => list.ConvertAll(ExpandRepeats),
        _ => value,
    };

    public static string Write(object? value)
    {
        var builder = new StringBuilder();
        Write(builder, value);
        return builder.ToString();
    }

    private static void Write(StringBuilder builder, object? value)
    {
        switch (value)
        {
            case Dictionary<string, object?> o:
                Join(builder, '{', o, '}', member =>
                {
                    builder.Append(Quote(member.Key)).Append(':');
                    Write(builder, member.Value);
                });
                break;
            case List<object?> list:
                Join(builder, '[', list, ']', item => Write(builder, item));
                break;
            case string text:
                builder.Append(Quote(text));
                break;
            case bool flag:
                builder.Append(flag ? "true" : "false");
                break;
            default:
                builder.Append(value is null ? "null" : ((IFormattable)value).ToString("R", CultureInfo.InvariantCulture));
                break;
        }
    }

    private static void Join<TItem>(StringBuilder builder, char open, IEnumerable<TItem> items, char close, Action<TItem> write)
    {
        builder.Append(open);
        var first = true;
        foreach (var item in items)
        {
            if (!first) builder.Append(',');
            first = false;
            write(item);
        }

        builder.Append(close);
    }

    /// <summary>A string as ASCII JSON, lone surrogates as they are in UTF-16.</summary>
    public static string Quote(string text)
    {
        var builder = new StringBuilder("\"");
        foreach (var c in text)
        {
            if (c is '"' or '\\') builder.Append('\\').Append(c);
            else if (c is >= ' ' and < (char)127) builder.Append(c);
            else builder.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
        }

        return builder.Append('"').ToString();
    }

    private static string Shorten(string text) => text.Length <= 200 ? text : text[..200] + "…";

    private sealed class Reader(string text)
    {
        public int Position { get; private set; }

        public FormatException Fault(string wanted) => new($"Expected {wanted} at {Position}.");

        public void Whitespace()
        {
            while (Position < text.Length && text[Position] is ' ' or '\t' or '\r' or '\n') Position++;
        }

        public object? Value()
        {
            Whitespace();
            if (Position >= text.Length) throw Fault("a value");
            return text[Position] switch
            {
                '{' => ReadObject(),
                '[' => ReadArray(),
                '"' => ReadString(),
                't' => Word("true", true),
                'f' => Word("false", false),
                'n' => Word("null", null),
                _ => Number(),
            };
        }

        private object? Word(string word, object? value)
        {
            if (!text.AsSpan(Position).StartsWith(word, StringComparison.Ordinal)) throw Fault(word);
            Position += word.Length;
            return value;
        }

        private double Number()
        {
            var start = Position;
            if (Take('-') && Position == text.Length) throw Fault("a digit");
            if (!Take('0')) Digits();
            if (Take('.')) Digits();
            if (Position < text.Length && text[Position] is 'e' or 'E')
            {
                Position++;
                if (!Take('+')) Take('-');
                Digits();
            }

            return double.Parse(text.AsSpan(start, Position - start), NumberStyles.Float, CultureInfo.InvariantCulture);
        }

        private void Digits()
        {
            var start = Position;
            while (Position < text.Length && char.IsAsciiDigit(text[Position])) Position++;
            if (Position == start) throw Fault("a digit");
        }

        private bool Take(char c)
        {
            if (Position >= text.Length || text[Position] != c) return false;
            Position++;
            return true;
        }

        private void Expect(char c)
        {
            Whitespace();
            if (!Take(c)) throw Fault($"'{c}'");
        }

        private Dictionary<string, object?> ReadObject()
        {
            var result = new Dictionary<string, object?>(StringComparer.Ordinal);
            Expect('{');
            Whitespace();
            if (Take('}')) return result;
            do
            {
                Whitespace();
                var name = ReadString();
                Expect(':');
                result[name] = Value();
                Whitespace();
            }
            while (Take(','));
            Expect('}');
            return result;
        }

        private List<object?> ReadArray()
        {
            var result = new List<object?>();
            Expect('[');
            Whitespace();
            if (Take(']')) return result;
            do
            {
                result.Add(Value());
                Whitespace();
            }
            while (Take(','));
            Expect(']');
            return result;
        }

        private string ReadString()
        {
            if (!Take('"')) throw Fault("a string");
            var builder = new StringBuilder();
            while (true)
            {
                if (Position >= text.Length || text[Position] < ' ') throw Fault("the end of the string");
                var c = text[Position++];
                if (c == '"') return builder.ToString();
                builder.Append(c == '\\' ? Escape() : c);
            }
        }

        private char Escape()
        {
            if (Position >= text.Length) throw Fault("an escape");
            var c = text[Position++];
            if (c == 'u')
            {
                if (Position + 4 > text.Length || !ushort.TryParse(text.AsSpan(Position, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var unit))
                    throw Fault("four hex digits");
                Position += 4;
                return (char)unit;
            }

            var index = "\"\\/bfnrt".IndexOf(c, StringComparison.Ordinal);
            return index >= 0 ? "\"\\/\b\f\n\r\t"[index] : throw Fault("an escape");
        }
    }
}
